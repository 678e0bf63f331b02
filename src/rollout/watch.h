/* What is seen of one rollout that runs: its names, how far the journal was read, the counts. */
#ifndef ROLLOUT_WATCH_H
#define ROLLOUT_WATCH_H

#include "journal/journal.h"
#include "keys/board.h"
#include "rollout/health.h"
#include "rollout/store.h"

struct rollout_watch {
    int64_t id; /* of the rollout; 0: nothing is watched */
    size_t begun;
    struct rollout_health health;
    struct journal_mark mark;
    struct buf key_sets; /* int64_t each: of the waves that have begun and the next one */
    int64_t looked_mono; /* when held_ms was added to */
    int64_t report_seen; /* id of the last TLS report that was counted */
};

/* Inside a transaction: the names of the waves that have begun, when they are not known yet. */
enum err rollout_watch_load(struct call *c, const struct rollout *r, struct str hostname,
                            struct rollout_watch *w) MUST_CHECK;
/* Reads what the journal has got since the last time and takes the counts into r. */
enum err rollout_watch_read(struct rollout_watch *w, const char *journal, struct rollout *r,
                            struct buf *why) MUST_CHECK;
/* Inside a transaction: bad_probes of each wave. */
enum err rollout_watch_probes(struct call *c, struct rollout *r) MUST_CHECK;
/* An MX host of a wave that has begun, at which an edge did not find all well the last time it looked. */
struct rollout_awaited {
    struct str mx_host, edge, reason; /* mx_host empty: there is none */
    int64_t since_ms;
};
/* Inside a transaction: the one that is awaited for longest, its texts in the arena. */
enum err rollout_awaited_probe(struct call *c, const struct rollout *r, struct arena *a,
                               struct rollout_awaited *out) MUST_CHECK;
/* Inside a transaction, after load: what TLS reports tell of each wave. */
enum err rollout_watch_told(struct call *c, struct rollout_watch *w, struct rollout *r) MUST_CHECK;
/* Inside a transaction: the key sets as they are now. A domain that has none counts for the one it will get.
 */
enum err rollout_watch_key_sets(struct call *c, const struct rollout *r, struct rollout_watch *w) MUST_CHECK;
/* After that: what the gate said of them last. */
enum rollout_gate rollout_watch_gate(const struct rollout_watch *w, const struct board *board);
void rollout_watch_release(struct rollout_watch *w);

/* The counts of a wave that is about to begin, in the time before now. */
struct rollout_baseline {
    struct rollout_health health;
    int64_t from_ms;
};
enum err rollout_baseline_load(struct call *c, const struct rollout *r, size_t wave, struct str hostname,
                               struct rollout_baseline *b) MUST_CHECK;
enum err rollout_baseline_read(struct rollout_baseline *b, const char *journal, struct buf *why) MUST_CHECK;

#endif
