/* An operator has a message removed: nobody is told, but it leaves a trace. */
#ifndef DELIVER_DISCARD_H
#define DELIVER_DISCARD_H

#include "journal/journal.h"
#include "queue/queue.h"

void discard_record(struct journal *j, const struct queue_message *m, struct str by);

#endif
