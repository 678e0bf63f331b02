/* A heap of messages by the time of their next attempt; equal times in the order of ids. Not thread-safe. */
#ifndef QUEUE_SCHEDULE_H
#define QUEUE_SCHEDULE_H

#include "queue/queue.h"

struct item; /* store_priv.h */

struct schedule {
    struct item **v;
    size_t n, size;
};

void schedule_release(struct schedule *s);
void schedule_add(struct schedule *s, struct item *i);
/* The item must be in it. */
void schedule_remove(struct schedule *s, struct item *i);
/* NULL when empty. */
static inline struct item *schedule_first(const struct schedule *s)
{
    return s->n ? s->v[0] : NULL;
}

#endif
