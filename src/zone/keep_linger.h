/* A cache that has an alias asks for what it refers to until the alias expires. So the RRset of a group
 * stays, and follows the gate, for two TTLs after the zone's last alias to it went, when hosts get records of
 * their own or move to another group. Where no host has DANE any more nobody needs it. Pure; times are of the
 * monotonic clock and start anew with the process: then it stays longer. */
#ifndef ZONE_KEEP_LINGER_H
#define ZONE_KEEP_LINGER_H

#include "zone/desired.h"

struct keep_linger {
    int64_t key_set, until_ms;
};
/* Of one zone. */
struct keep_lingers {
    struct keep_linger *v;
    size_t n;
};

/* Fills s->lingers (memory is the arena's) by what the zone holds. Returns when the first of those groups may
 * go, DEADLINE_NEVER when none lingers. */
int64_t keep_linger_follow(struct keep_lingers *all, struct arena *a, struct zone_spec *s,
                           const struct zone_records *actual, int64_t now_ms);
struct keep_lingers keep_linger_copy(const struct keep_lingers *all);
void keep_linger_release(struct keep_lingers *all);

#endif
