/* The end of a producer's log: segments taken, filled, abandoned. One thread at a time (the leader of a
 * batch). */
#ifndef QUEUE_APPEND_H
#define QUEUE_APPEND_H

#include <sys/uio.h>

#include "queue/layout.h"
#include "queue/mark.h"

struct append {
    const struct layout *layout;
    const struct queue_options *options;
    struct mark mark;
    struct segment_name name; /* of the current segment; number also of the last one */
    int fd;                   /* -1: the next record takes a new segment */
    uint64_t end;             /* synced octets of it */
};

/* Makes the producer's place and its mark: whatever an earlier process left is finished from now on. */
enum err append_open(struct append *a, const struct layout *l, const struct queue_options *options,
                     const char *producer, struct buf *why) MUST_CHECK;
void append_close(struct append *a);
/* Room in the current segment. */
uint64_t append_room(const struct append *a);
/* Takes a new segment: a free one, or a newly allocated one. */
enum err append_roll(struct append *a, struct buf *why) MUST_CHECK;
/* Writes and syncs; then, not before, the consumer may read it. total: octets of all parts. After a failure
 * the segment is not written any more: the page cache may lie about what reached the disk. */
enum err append_write(struct append *a, struct iovec *parts, size_t count, uint64_t total,
                      struct buf *why) MUST_CHECK;

#endif
