/* How far a producer's log may be read: two words in a file that producer and consumer map. Written after
 * each sync, never synced itself: it only counts while its producer lives (who holds a lock on it); a dead
 * producer's segments are read to their last complete record. */
#ifndef QUEUE_MARK_H
#define QUEUE_MARK_H

#include "queue/layout.h"

struct mark_words;
struct mark {
    int fd;
    struct mark_words *words;
};
#define MARK_NONE ((struct mark){.fd = -1})

struct mark_value {
    uint64_t number; /* segment being written; all before it are finished */
    uint64_t end;    /* octets of it that are synced */
};

/* The producer's side. ERR_BUSY when another process writes for that producer. */
enum err mark_create(const struct layout *l, const char *producer, struct mark *out,
                     struct buf *why) MUST_CHECK;
void mark_set(struct mark *m, struct mark_value v);

/* The consumer's side. ERR_NOT_FOUND when that producer never ran. */
enum err mark_view(const struct layout *l, const char *producer, struct mark *out,
                   struct buf *why) MUST_CHECK;
bool mark_is_alive(const struct mark *m);
struct mark_value mark_get(const struct mark *m);

/* Both. Accepts MARK_NONE. */
void mark_release(struct mark *m);

#endif
