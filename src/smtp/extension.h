/* Service extensions and the EHLO reply, both ways. */
#ifndef SMTP_EXTENSION_H
#define SMTP_EXTENSION_H

#include "base/base.h"

#define SMTP_EXTENSION_TABLE(X)                                                                              \
    X(PIPELINING)                                                                                            \
    X(SIZE)                                                                                                  \
    X(STARTTLS)                                                                                              \
    X(ENHANCEDSTATUSCODES)                                                                                   \
    X(8BITMIME)                                                                                              \
    X(SMTPUTF8)                                                                                              \
    X(CHUNKING)                                                                                              \
    X(BINARYMIME)                                                                                            \
    X(DSN)                                                                                                   \
    X(REQUIRETLS)                                                                                            \
    X(LIMITS)                                                                                                \
    X(AUTH)

/* Positions, then bits: SMTP_EXT_PIPELINING, ... */
enum smtp_extension_position {
#define X(name) SMTP_EXTPOS_##name,
    SMTP_EXTENSION_TABLE(X)
#undef X
        SMTP_EXTENSION_COUNT
};
enum smtp_extension {
#define X(name) SMTP_EXT_##name = 1 << SMTP_EXTPOS_##name,
    SMTP_EXTENSION_TABLE(X)
#undef X
};

struct smtp_extensions {
    uint32_t bits;                                /* enum smtp_extension */
    uint64_t size;                                /* SIZE's argument; 0: none or no limit */
    uint32_t mail_max, rcpt_max, rcpt_domain_max; /* LIMITS (RFC 9422); 0: unsaid */
};

/* text: the text of a 250 reply to EHLO, lines separated by \n; the first (the greeting) is skipped. Keywords
 * in any case; lines not understood are skipped; a wrong SIZE argument counts as no limit. */
void smtp_extensions_parse(struct str text, struct smtp_extensions *out);
/* The reply's lines with codes and CRLF: greeting, then one keyword a line. */
void smtp_extensions_format(struct str greeting, const struct smtp_extensions *e, struct buf *out);
/* "PIPELINING SIZE ...", for logs. */
void smtp_extensions_describe(uint32_t bits, struct buf *out);

#endif
