/* Folders and file names of a queue:
 *   lock                 held by the consumer
 *   wake                 datagram socket: producers say that there is something new
 *   <producer>.mark      how far a producer's log may be read (mark.h)
 *   log/<producer>.<number>.<stamp>[.<end>]   segments; with an end: abandoned after a failed sync
 *   free/                segments to be used again
 *   big/<id>             content too large for a segment; <id>.<producer>.tmp while it streams in
 *   deferred/<id>        unfinished messages whose segment was freed (stored.h)
 *   outcome/<number>.<stamp>   states of messages, written by the consumer
 *   damaged/             what failed its checksum, for a human */
#ifndef QUEUE_LAYOUT_H
#define QUEUE_LAYOUT_H

#include "queue/queue.h"

enum { QUEUE_PRODUCER = 16, SEGMENT_NAME = QUEUE_PRODUCER + 3 * 17 + 1 };

#define LAYOUT_TABLE(X) X(log) X(free) X(big) X(deferred) X(outcome) X(damaged)

/* Open folders. */
struct layout {
    char *path;
    int root;
#define X(name) int name;
    LAYOUT_TABLE(X)
#undef X
};

enum layout_mode { LAYOUT_CREATE, LAYOUT_EXISTING };
enum err layout_open(const char *path, enum layout_mode mode, struct layout *out, struct buf *why) MUST_CHECK;
/* Accepts one that was not opened but initialised by LAYOUT_NONE. */
void layout_release(struct layout *l);
#define LAYOUT_NONE                                                                                          \
    ((struct layout){                                                                                        \
        .root = -1, .log = -1, .free = -1, .big = -1, .deferred = -1, .outcome = -1, .damaged = -1})

/* Calls visit with each name in the folder (none that begins with a dot). False from visit ends it. */
enum err layout_list(int folder, bool (*visit)(void *ctx, const char *name), void *ctx,
                     struct buf *why) MUST_CHECK;

struct segment_name {
    char producer[QUEUE_PRODUCER];
    uint64_t number; /* order among those of a producer */
    uint64_t stamp;  /* in every record of it */
    bool abandoned;
    uint64_t end; /* abandoned: what is behind was never promised */
};
void segment_name_format(const struct segment_name *s, char out[SEGMENT_NAME]);
bool segment_name_parse(struct str name, struct segment_name *out);

#endif
