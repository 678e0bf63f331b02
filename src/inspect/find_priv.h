/* What the families of findings have in common. */
#ifndef INSPECT_FIND_PRIV_H
#define INSPECT_FIND_PRIV_H

#include "inspect/domain.h"

enum domain_kind {
#define X(name, code, severity, sentence, fix) FIND_##name,
#include "inspect/domain_finding.def"
#undef X
    FIND_COUNT
};

struct finder {
    struct arena *a;
    const struct facts *f;
    struct inspect_finding *v;
    size_t n, size;
};

/* subject and detail are kept as they are: give what lives in the facts or in the arena. */
void find_add(struct finder *x, enum domain_kind kind, struct str subject, struct str detail);
/* Evidence of one server: "ns1.example (192.0.2.53): <what>". */
void find_add_server(struct finder *x, enum domain_kind kind, struct str subject,
                     const struct facts_server *s, const char *format, ...)
    __attribute__((format(printf, 5, 6)));

void find_dnssec(struct finder *x);
void find_mx(struct finder *x);
void find_tlsa(struct finder *x);
void find_sts(struct finder *x);
void find_connections(struct finder *x);

#endif
