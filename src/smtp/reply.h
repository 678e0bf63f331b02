/* Replies of the other side, read with all caps. */
#ifndef SMTP_REPLY_H
#define SMTP_REPLY_H

#include "net/stream.h"

enum { SMTP_REPLY_LINE_MAX = 512, SMTP_REPLY_MAX = 64 * 1024 };

struct smtp_reply {
    unsigned code;      /* 200 to 599; 0: none */
    uint16_t status[3]; /* enhanced code, {5,1,1}; all 0 when absent or of another class than the code */
    struct str text;    /* lines without the code, joined with \n, the enhanced code still in front. What is
                           neither printable ASCII nor printable UTF-8 (RFC 6531 3.7.4) became "?" */
};

static inline bool smtp_reply_is_good(const struct smtp_reply *r)
{
    return r->code / 100 == 2;
}
static inline bool smtp_reply_is_transient(const struct smtp_reply *r)
{
    return r->code / 100 == 4;
}
static inline bool smtp_reply_is_permanent(const struct smtp_reply *r)
{
    return r->code / 100 == 5;
}

/* Incremental: zero-initialise, feed lines (without CRLF). */
struct smtp_reply_parser {
    unsigned code;
    uint16_t status[3];
    size_t octets;
    struct buf text;
};
enum smtp_reply_step { SMTP_REPLY_MORE, SMTP_REPLY_DONE, SMTP_REPLY_BAD };
/* BAD: not a reply line, codes of the lines differ, or more than SMTP_REPLY_MAX octets; *why gets a static
 * text. */
enum smtp_reply_step smtp_reply_feed(struct smtp_reply_parser *p, struct str line, const char **why);
void smtp_reply_parser_release(struct smtp_reply_parser *p);

/* One whole reply from a stream (which is flushed first); text lives in the arena. Lines above 512 octets are
 * cut. ERR_MALFORMED for bytes that are no reply (bare LF, NUL, codes that differ): the stream is failed
 * then. Other errors are the stream's. */
enum err smtp_reply_read(struct stream *s, deadline until, struct arena *a, struct smtp_reply *out,
                         struct buf *why) MUST_CHECK;

/* "550 5.7.1 text" for logs and DSNs, newlines as blanks. */
void smtp_reply_describe(const struct smtp_reply *r, struct buf *out);

#endif
