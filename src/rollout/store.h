/* Rollouts as the database has them. All of it inside a call's transaction. */
#ifndef ROLLOUT_STORE_H
#define ROLLOUT_STORE_H

#include "rollout/step.h"
#include "tenant/call.h"

struct rollout {
    int64_t id;
    struct str name, tag;           /* tag empty: all */
    int64_t tenant_id;              /* 0: all */
    enum rollout_state state, then; /* then: after UNDOING */
    enum rollout_cause cause;
    size_t begun, undo_from;
    struct rollout_rules rules;
    int64_t baseline_ms; /* how far back `before` looks */
    int64_t changed_ms, created_ms;
    size_t waves;
    struct rollout_wave wave[ROLLOUT_WAVES_MAX];
    int64_t begun_ms[ROLLOUT_WAVES_MAX]; /* wall clock; 0: not begun */
    int64_t first_ms[ROLLOUT_WAVES_MAX]; /* when it began for the first time */
};

/* By name; ERR_NOT_FOUND with a sentence. Strings are the call's. */
enum err rollout_load(struct call *c, struct str name, struct rollout *out) MUST_CHECK;
/* All of a state ("" for all), in the call's arena, by name. */
enum err rollout_load_all(struct call *c, struct str state, struct rollout **out, size_t *n) MUST_CHECK;
/* What may change: state, then, cause, begun, undo_from and the waves. changed_ms becomes now when the state
 * is another one. */
enum err rollout_save(struct call *c, const struct rollout *r) MUST_CHECK;
/* A new one, without domains. Gives it its id. */
enum err rollout_insert(struct call *c, struct rollout *r) MUST_CHECK;
enum err rollout_delete(struct call *c, int64_t id) MUST_CHECK;

/* Up to n domains of the waves >= from (or of wave `from` alone) in that state. Names are the call's. */
enum rollout_span { ROLLOUT_THIS_WAVE, ROLLOUT_AND_LATER };
enum err rollout_domains(struct call *c, const struct rollout *r, size_t from, enum rollout_span span,
                         struct str state, struct str *names, size_t *n) MUST_CHECK;
enum err rollout_set_domain(struct call *c, const struct rollout *r, struct str domain, struct str state,
                            struct str why) MUST_CHECK;

#endif
