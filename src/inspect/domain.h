/* From facts about an accepted domain to findings, and to one word. Pure. */
#ifndef INSPECT_DOMAIN_H
#define INSPECT_DOMAIN_H

#include "inspect/facts.h"
#include "inspect/inspect.h"

/* X(NAME, "name", "sentence") */
#define DOMAIN_STATE_TABLE(X)                                                                                \
    X(PROTECTED, "protected", "senders that use DANE reach the MX host and nobody else")                     \
    X(UNPROTECTED, "unprotected", "mail flows; it can be led elsewhere by who forges answers")               \
    X(BROKEN, "broken", "something keeps mail or protection away")                                           \
    X(UNKNOWN, "unknown", "nothing can be said at the moment")
enum domain_state {
#define X(name, text, sentence) DOMAIN_##name,
    DOMAIN_STATE_TABLE(X)
#undef X
};
const char *domain_state_name(enum domain_state s);
const char *domain_state_sentence(enum domain_state s);

struct domain_report {
    enum domain_state state;
    struct inspect_finding *finding; /* worst first; in the facts' arena */
    size_t findings;
};
void domain_find(const struct facts *f, struct domain_report *out);

/* All kinds of findings, in the table's order; `subject` and `detail` are empty. */
const struct inspect_finding *domain_finding_kinds(size_t *count);

/* A new reference: what `kedge domain status` shows. */
json_t *domain_json(const struct facts *f, const struct domain_report *r);

#endif
