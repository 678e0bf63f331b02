/* When to try again, when to warn, when to give up. Pure. */
#ifndef DELIVER_SCHEDULE_H
#define DELIVER_SCHEDULE_H

#include "conf/conf.h"
#include "policy/reason.h"

struct schedule {
    const int64_t *waits; /* between attempts; the last one repeats */
    size_t wait_count;
    int64_t lifetime, lifetime_security;
    int64_t warning;         /* 0: never */
    int64_t clear_text_wait; /* after a failed handshake at level none */
};

struct schedule schedule_of(const struct conf *c);

/* Age at which a message that waits for this reason is returned, if the reason stays. */
int64_t schedule_lifetime(const struct schedule *s, enum reason reason);
/* Is it over? now and received are wall clock, ms. before: why the attempt before this one failed; "": there
 * was none. What waited days for another reason is not ended by the first failure of security. */
bool schedule_is_expired(const struct schedule *s, struct str before, enum reason reason, int64_t received,
                         int64_t now);
/* Wall clock of the next attempt after the attempts-th one (1 = the first has just failed). Never behind the
 * end of the lifetime, so that a message is returned when it is due and not at the next round hour. */
int64_t schedule_next(const struct schedule *s, enum reason reason, unsigned attempts, int64_t received,
                      int64_t now);
/* Is the sender to be told of the delay now? warned: when that was done; 0: not yet. */
bool schedule_warns(const struct schedule *s, int64_t received, int64_t warned, int64_t now);
/* Has this recipient waited long enough after a failed handshake that clear text may be tried, at level none?
 * reason and last are those of its last attempt. */
bool schedule_allows_clear_text(const struct schedule *s, struct str reason, int64_t last, int64_t now);

#endif
