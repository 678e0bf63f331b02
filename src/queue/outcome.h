/* The consumer's own log: the state of each message after each attempt, and that it is done. Records as in
 * the segments, appended to outcome/<number>.<stamp>, synced lazily. What is superseded is dead; when the log
 * is mostly dead the oldest file's living records are appended again and the file goes. Not thread-safe: the
 * queue's lock, except where said. Appending under that lock is a write to the page cache; order in memory
 * and in the file must agree. */
#ifndef QUEUE_OUTCOME_H
#define QUEUE_OUTCOME_H

#include "queue/layout.h"
#include "queue/record.h"

struct outcome_file {
    struct outcome_file *next; /* newer */
    int fd;
    uint64_t number, stamp;
    uint64_t size;
    unsigned pins; /* readers outside of the lock */
    size_t refs;   /* messages whose last record is here */
    bool gone;     /* unlinked; closed with the last pin */
};

/* Where the last record of a message is. file NULL: nowhere. */
struct outcome_ref {
    struct outcome_file *file;
    uint32_t at, n; /* offset of the record, octets of its state */
};

struct outcome {
    const struct layout *layout;
    const struct queue_options *options;
    struct outcome_file *oldest, *current; /* current: appended to; NULL when opened for reading */
    uint64_t total, live;                  /* octets */
    bool dirty;
};

/* Calls visit for each record of the log, in order. Damage is counted, copied to damaged/ unless read_only,
 * and skipped. */
struct outcome_replay {
    void (*visit)(void *ctx, const struct record *r, struct str state, struct outcome_ref ref);
    void *ctx;
    bool read_only;
    uint64_t records, damaged;
};
enum err outcome_open(struct outcome *o, const struct layout *l, const struct queue_options *options,
                      struct outcome_replay *replay, struct buf *why) MUST_CHECK;
void outcome_release(struct outcome *o);

/* Begins a new current file. No lock needed but for the two of them: prepare without, adopt with the lock. */
enum err outcome_prepare(struct outcome *o, struct outcome_file **out, struct buf *why) MUST_CHECK;
void outcome_adopt(struct outcome *o, struct outcome_file *f);

/* Appends and makes *ref point there; what it pointed to before is dead. */
enum err outcome_append(struct outcome *o, enum record_kind kind, const char *id, struct str state,
                        struct outcome_ref *ref, struct buf *why) MUST_CHECK;
void outcome_forget(struct outcome *o, struct outcome_ref *ref);
/* Makes *ref point to a record that is there already. */
void outcome_refer(struct outcome *o, struct outcome_ref *ref, struct outcome_ref to);

/* Reading outside of the lock: pin with it, read without, unpin with it. */
void outcome_pin(struct outcome_ref ref);
void outcome_unpin(struct outcome_ref ref);
enum err outcome_read(struct outcome_ref ref, struct buf *out) MUST_CHECK;

bool outcome_is_mostly_dead(const struct outcome *o);
/* Removes the oldest file; nothing living may be in it. */
void outcome_drop_oldest(struct outcome *o);

#endif
