/* The parts of a MIME message (RFC 2045, 2046), for mail that is read here: reports. Takes what mailers
 * write, within limits. Pure. */
#ifndef MAIL_MIME_H
#define MAIL_MIME_H

#include "base/base.h"

enum { MIME_DEPTH_MAX = 8, MIME_PARTS_MAX = 100 };

/* One that has no parts of its own. Texts borrow from the message or are the arena's. */
struct mime_part {
    struct str type;     /* lower case, without parameters; "text/plain" when the header says none */
    struct str encoding; /* Content-Transfer-Encoding, lower case; empty: none */
    struct str body;     /* still encoded */
};

/* A parameter of a header value: boundary in 'multipart/mixed; boundary="x"'. False when it is not there. */
bool mime_parameter(struct str value, struct str name, struct arena *a, struct str *out);
/* Calls leaf with each part, in order; messages inside (message/rfc822) are walked, too. The message has CRLF
 * line ends. Ends with leaf's error, or ERR_MALFORMED when there are too many parts or they lie too deep. */
enum err mime_walk(struct str message, struct arena *a,
                   enum err (*leaf)(void *ctx, const struct mime_part *part), void *ctx,
                   struct buf *why) MUST_CHECK;
/* Appends what the body stands for. */
enum err mime_decode(const struct mime_part *part, struct buf *out, struct buf *why) MUST_CHECK;

#endif
