/* The state of a message as it is stored: hold, attempts, next attempt, and what is remembered of each
 * recipient. Pure. */
#ifndef QUEUE_STATE_H
#define QUEUE_STATE_H

#include "queue/queue.h"

void state_pack(const struct queue_message *m, struct buf *out);
/* Fills held, attempts, next_ms and rcpt (in the message's arena; text is copied there). nrcpt: as
 * the envelope says; a state of another number is ERR_CORRUPT. */
enum err state_unpack(struct str packed, size_t nrcpt, struct queue_message *m) MUST_CHECK;

/* What the schedule needs, from the beginning of a packed state. */
struct state_brief {
    bool held;
    uint32_t attempts;
    int64_t next_ms;
};
bool state_peek(struct str packed, struct state_brief *out);

#endif
