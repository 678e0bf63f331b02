/* What an edge found at one of its own MX hosts, when it looked there from outside. Only BROKEN is harm: what
 * is awaited, or not seen, does not turn a sender away who relies on TLSA records. */
#ifndef KEYS_PROBE_H
#define KEYS_PROBE_H

#include "base/base.h"

/* X(NAME, "name") */
#define PROBE_TABLE(X)                                                                                       \
    X(UNSEEN, "unseen")   /* the edge's resolver fails, or its connection: senders may see anything */       \
    X(AWAITED, "awaited") /* no TLSA records that senders could use are there, or not yet */                 \
    X(BROKEN, "broken")   /* they are there, and what is shown does not match them, or no TLS comes about */ \
    X(GOOD, "good")
enum probe_kind {
#define X(name, text) PROBE_##name,
    PROBE_TABLE(X)
#undef X
};
const char *probe_kind_name(enum probe_kind k);
/* False when the text names none. */
bool probe_kind_parse(struct str text, enum probe_kind *out);

#endif
