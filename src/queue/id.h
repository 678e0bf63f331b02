/* Queue ids: 14 of [0-9a-z], sortable by time, unique on one edge. Pure. */
#ifndef QUEUE_ID_H
#define QUEUE_ID_H

#include "queue/queue.h"

/* number: counts the messages of a producer; two producers never use the same within one millisecond. */
void queue_id_make(int64_t wall_ms, uint64_t number, char out[QUEUE_ID]);

#endif
