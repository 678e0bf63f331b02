/* Reason codes: one stable name for each cause of trouble, with all that is said about it (reason.def). */
#ifndef POLICY_REASON_H
#define POLICY_REASON_H

#include "base/base.h"

enum reason {
#define X(name, text, temporary, final, tls_rpt, security, sentence, advice) REASON_##name,
#include "policy/reason.def"
#undef X
    REASON_COUNT
};

struct reason_row {
    const char *name;      /* "tlsa-no-match" */
    const char *temporary; /* enhanced status code while the message is queued: "4.7.323" */
    const char *final;     /* enhanced status code of the bounce: "5.7.323" */
    const char *tls_rpt;   /* RFC 8460 result type; "" when it is none of TLS-RPT's business */
    bool is_security;      /* the shorter queue lifetime holds */
    const char *sentence;  /* what happened */
    const char *advice;    /* what to do about it */
};

const struct reason_row *reason_row(enum reason r);
static inline const char *reason_name(enum reason r)
{
    return reason_row(r)->name;
}
/* False when no reason has that name. */
bool reason_parse(struct str name, enum reason *out);

#endif
