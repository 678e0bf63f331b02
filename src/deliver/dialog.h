/* One message over an open connection: MAIL, RCPT, content; an outcome for each recipient. */
#ifndef DELIVER_DIALOG_H
#define DELIVER_DIALOG_H

#include "deliver/connection.h"
#include "mail/envelope.h"

/* As queue_content_read. */
typedef ssize_t (*dialog_reader)(void *ctx, uint64_t at, void *p, size_t n, struct buf *why);

struct dialog_message {
    const struct envelope *envelope;
    const size_t *rcpt; /* indexes into the envelope's recipients */
    size_t count;
    uint64_t size; /* octets of the content */
    dialog_reader read;
    void *ctx;
};

/* results[i] belongs to rcpt[i]. False: the connection is not fit for another message. A recipient refused
 * with 452 (or 552) beside accepted ones has an outcome like any other; trying it again at once in a
 * transaction of its own is the caller's to decide (dialog_may_repeat). */
bool dialog_send(struct connection *c, const struct dialog_message *m, struct arena *a,
                 struct outcome *results);
bool dialog_may_repeat(const struct outcome *o);
/* How many recipients the peer takes in one transaction. */
size_t dialog_rcpt_max(const struct connection *c);

#endif
