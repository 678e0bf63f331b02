/* Damage is set aside for a human, never deleted: bytes are copied, files moved to damaged/. Each time a line
 * in the log says what and where. */
#ifndef QUEUE_ASIDE_H
#define QUEUE_ASIDE_H

#include "queue/layout.h"

/* Copy of bytes that were at that offset of a file called `from`. */
void aside_bytes(const struct layout *l, const char *from, uint64_t at, struct str bytes);
/* The same, read from a file. */
void aside_range(const struct layout *l, const char *from, int fd, uint64_t at, uint64_t n);
/* Moves a file of one of the queue's folders. */
void aside_file(const struct layout *l, int folder, const char *name, const char *reason);

#endif
