/* One message in a file of its own, deferred/<id>: lines that an operator can read (who, to whom, why it
 * waits), the same again packed for us, an empty line, the content as it will be sent:
 *
 *     Kedge-Queue-File: 1
 *     Id: 0mk3...
 *     Received: 2026-11-23T20:22:40.123Z
 *     Tenant: t
 *     From: <a@b.example>
 *     To: <c@d.example> deferred tlsa-no-match "..."
 *     Envelope: base64
 *     State: base64
 *     Content: here 10240 1a2b3c4d          or: big 5000000 1a2b3c4d   (octets, CRC-32C)
 *     Check: 5e6f7081                       (CRC-32C of everything before this line)
 */
#ifndef QUEUE_STORED_H
#define QUEUE_STORED_H

#include "queue/queue.h"

struct stored_content {
    bool is_big;
    uint64_t size;
    uint32_t check;
};

/* The lines and the empty line behind them. */
void stored_write_header(const struct queue_message *m, const struct stored_content *content,
                         struct buf *out);

/* Octets of the header in the beginning of a file, or 0: not complete in these bytes. */
size_t stored_header_size(struct str bytes);
/* Reads the header: id, envelope and state of m (in its arena). ERR_CORRUPT when it does not fit its check.
 */
enum err stored_read_header(struct str header, struct queue_message *m,
                            struct stored_content *content) MUST_CHECK;

#endif
