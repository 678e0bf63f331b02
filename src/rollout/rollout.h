/*
 * rollout: moves accepted domains in waves (1, 10, 100, 1 %, 10 %, all). A wave switches DANE on for its
 * domains and is held until they have been well for a set time; a wave that goes bad is undone, with those
 * behind it, and the rollout halts.
 *
 * Well is judged by what really happens: lines of the journal about these domains and their MX hosts, against
 * the same lines in the time before the wave began; what others say of them in TLS reports; what edges see
 * when they dial the MX hosts; alarms of the rollover gate. Where nothing can be seen nothing moves.
 *
 * Knows nothing of DNS and of keys: it sets what the keeper of the zones then publishes. plan, step and
 * health are pure; one thread acts. Its rows survive restarts.
 */
#ifndef ROLLOUT_ROLLOUT_H
#define ROLLOUT_ROLLOUT_H

#include "keys/board.h"
#include "tenant/tenant.h"

struct rollouts;

struct rollouts_args {
    const char *journal; /* folder; borrowed, as all of it */
    const char *hostname;
    const struct board *board;
    int64_t tick_ms; /* 0: a second */
    /* DANE of domains was set, which somebody has to publish. Without a lock; must return at once. May be
     * NULL. */
    void (*changed)(void *ctx);
    void *changed_ctx;
};
/* Before tenant_open: it is the context of the verbs. */
struct rollouts *rollouts_new(const struct rollouts_args *args);
enum err rollouts_start(struct rollouts *r, struct tenant_store *store, struct buf *why) MUST_CHECK;
/* Ends the thread, if it was started. Before tenant_close. */
void rollouts_stop(struct rollouts *r);
void rollouts_free(struct rollouts *r); /* accepts NULL */
/* There may be something to do. Never blocks for long. */
void rollouts_wake(struct rollouts *r);

/* rollout.*; the context is a struct rollouts. */
extern const struct tenant_verb rollout_verbs[];
extern const size_t rollout_verb_count;

#endif
