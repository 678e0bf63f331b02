/* The system calls whose failure the queue must survive, through pointers that tests set; and the defaults of
 * the options. */
#ifndef QUEUE_IO_H
#define QUEUE_IO_H

#include "queue/queue.h"

extern const struct queue_io queue_io_system;
/* Copies the options, filling what is zero; NULL: all defaults. */
struct queue_options queue_options_fill(const struct queue_options *o);

#endif
