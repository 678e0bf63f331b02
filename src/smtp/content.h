/* The framing of message content. Receiving: an incremental decoder for DATA (dot-stuffed, ends with
 * CRLF.CRLF and nothing else) and BDAT (counted). Sending: canonical line ends and fresh dot-stuffing.
 *
 * Line ends are strict: a CR not followed by LF, an LF not preceded by CR and a NUL are faults, to be
 * answered with 550 5.6.11. A bare LF never makes a line start, so neither LF.LF nor LF.CRLF nor CR.CRLF ends
 * anything (RFC 5321 2.3.8, 4.1.1.4; CVE-2023-51764). After a fault the caller should also close: the two
 * sides may disagree on where the content ends. */
#ifndef SMTP_CONTENT_H
#define SMTP_CONTENT_H

#include "base/base.h"

/* Where decoded or encoded octets go; borrowed during the call. */
typedef void (*smtp_sink)(void *ctx, const char *p, size_t n);

enum smtp_framing { SMTP_FRAMING_DATA, SMTP_FRAMING_BDAT };
enum smtp_line_ends {
    SMTP_LINE_ENDS_STRICT,
    SMTP_LINE_ENDS_NORMALISE, /* bare LF becomes CRLF, bare CR a blank; the end is still CRLF.CRLF only */
};

enum smtp_content_fault {
    SMTP_CONTENT_BARE_CR = 1,
    SMTP_CONTENT_BARE_LF = 2,
    SMTP_CONTENT_NUL = 4,
    SMTP_CONTENT_LINE_TOO_LONG = 8, /* above line_max */
};
enum { SMTP_LINE_NOTED = 998, SMTP_LINE_MAX = 1024 * 1024 };

struct smtp_decoder {
    enum smtp_framing framing;
    enum smtp_line_ends line_ends;
    size_t line_max;    /* octets of a line, without CRLF; SMTP_LINE_MAX unless set after init */
    unsigned faults;    /* what must be refused (NORMALISE: NUL and too long lines only) */
    unsigned seen;      /* everything that was seen, mended or not */
    bool has_8bit;      /* an octet above 127 */
    bool has_long_line; /* a line above SMTP_LINE_NOTED octets without CRLF */
    bool is_done;       /* DATA: the end was read */
    uint64_t size;      /* octets given to the sink */
    /* private */
    int state;
    size_t line; /* octets of the line so far */
};

void smtp_decoder_init(struct smtp_decoder *d, enum smtp_framing framing, enum smtp_line_ends line_ends);
/* Decodes and returns how many octets were consumed: all, or up to and with the end of data (then is_done).
 * Octets behind the end are not touched. Faulty content still goes to the sink, unmended (STRICT). */
size_t smtp_decode(struct smtp_decoder *d, const char *p, size_t n, smtp_sink sink, void *ctx);
/* BDAT: after the LAST chunk; a CR may hang at the end. */
void smtp_decode_finish(struct smtp_decoder *d, smtp_sink sink, void *ctx);

struct smtp_encoder {
    enum smtp_framing framing;
    int state;
};
void smtp_encoder_init(struct smtp_encoder *e, enum smtp_framing framing);
/* Content of any line ends: bare LF becomes CRLF, bare CR a blank; DATA: dots at line starts are doubled. */
void smtp_encode(struct smtp_encoder *e, const char *p, size_t n, smtp_sink sink, void *ctx);
/* Ends the last line if needed; DATA: writes the final dot. */
void smtp_encode_finish(struct smtp_encoder *e, smtp_sink sink, void *ctx);

#endif
