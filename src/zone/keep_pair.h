/* TLSA RRsets that servers and caches may have: of which key sets, in which zones. A pair is noted in the
 * database before its records are first sent, and forgotten when no host wants it any more and no server has
 * shown it for two TTLs: until then it is evidence. */
#ifndef ZONE_KEEP_PAIR_H
#define ZONE_KEEP_PAIR_H

#include "tenant/call.h"

struct keep_pair {
    int64_t zone_id, key_set;
    struct str zone, group;
    bool per_host;  /* at the hosts, not at the group's name */
    bool is_wanted; /* by a host with DANE, in this form */
};

/* All of them, by zone; those that hosts want are there, noted or not. Memory is the arena's. */
enum err keep_pairs(struct call *c, struct arena *a, struct keep_pair **out, size_t *n) MUST_CHECK;
enum err keep_pair_is_noted(struct call *c, const struct keep_pair *p, bool *noted) MUST_CHECK;
enum err keep_pair_note(struct call *c, const struct keep_pair *p) MUST_CHECK;
/* Unless a host wants the key set's records in the zone, in this form, by now. */
enum err keep_pair_forget(struct call *c, const struct keep_pair *p) MUST_CHECK;

/* Since when a pair was absent in every look; times of the monotonic clock. Starts anew with the process. */
struct keep_absence {
    int64_t zone_id, key_set;
    bool per_host;
    int64_t since_ms, last_ms;
};
struct keep_absences {
    struct keep_absence *v;
    size_t n;
};
/* What a look found. True when the pair was absent for wait_ms, in looks that were at most gap_ms apart. */
bool keep_absence_follow(struct keep_absences *all, const struct keep_pair *p, bool absent, int64_t now_ms,
                         int64_t wait_ms, int64_t gap_ms);
void keep_absences_release(struct keep_absences *all);

#endif
