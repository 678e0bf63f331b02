/* The two kinds of moving: unfinished messages from a segment to deferred/, living states to the end of the
 * outcome log. On the follower's thread. */
#ifndef QUEUE_MOVE_H
#define QUEUE_MOVE_H

#include "queue/store_priv.h"

/* Moves what waits; what is claimed stays for the next time. False when the disk refused. */
bool move_unfinished(struct queue *q, struct segment *s);
void compact(struct queue *q);

#endif
