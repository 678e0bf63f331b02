/* When a zone's publisher may run again: at most once a second, and what left a rest with backoff. Only what
 * was tried already is held back: something else goes out at once. Pure; times are of the monotonic clock. */
#ifndef ZONE_KEEP_PACE_H
#define ZONE_KEEP_PACE_H

#include "base/base.h"

enum { KEEP_EACH_MS = 1000, KEEP_BACKOFF_MAX_MS = 300000 };

struct keep_pace {
    int64_t not_before;
    int64_t ended_ms;  /* the last run */
    uint64_t tried;    /* stamp of what left a rest; 0: nothing, or unknown */
    uint64_t wanted;   /* stamp of what was wanted last since the last run began; 0: unknown */
    unsigned failures; /* to bring that out, in a row */
};

void keep_pace_begin(struct keep_pace *p);
enum keep_end {
    KEEP_END_IDLE, /* nothing had to be sent */
    KEEP_END_SENT, /* all of it */
    KEEP_END_REST, /* it failed, or something was refused */
};
/* A run is over; stamp: of what it was to bring out, 0 when that could not be read. */
void keep_pace_end(struct keep_pace *p, enum keep_end end, uint64_t stamp, int64_t now_ms);
/* What is wanted has this stamp now (0: unknown). Also while something runs. */
void keep_pace_wanted(struct keep_pace *p, uint64_t stamp);

#endif
