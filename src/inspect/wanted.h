/* What the database wants of accepted domains, and what looks at them leave there. */
#ifndef INSPECT_WANTED_H
#define INSPECT_WANTED_H

#include "inspect/facts.h"
#include "inspect/switch_memory.h"
#include "tenant/call.h"

/* Fills the first half of f, in f->arena (which must be there). ERR_NOT_FOUND when it is no accepted domain.
 */
enum err wanted_load(struct call *c, struct str domain, struct facts *f) MUST_CHECK;

/* What of a look is kept: when the domain was last seen protected, and since when it is not. */
struct wanted_seen {
    struct str domain;
    int64_t now_ms;
    enum { SEEN_NOTHING, SEEN_PROTECTED, SEEN_GIVEN_UP, SEEN_UNPROTECTED } what;
};
struct wanted_seen wanted_seen_of(const struct facts *f); /* borrows the domain */
enum err wanted_remember(struct call *c, const struct wanted_seen *seen) MUST_CHECK;

/* The switch's memory; all zero when there is none. */
enum err wanted_switch_load(struct call *c, struct str domain, struct arena *a,
                            struct switch_memory *m) MUST_CHECK;
enum err wanted_switch_save(struct call *c, struct str domain, const struct switch_memory *m) MUST_CHECK;
enum err wanted_switch_forget(struct call *c, struct str domain) MUST_CHECK;

#endif
