/* What the files of the consumer's side share. One mutex guards all of it; the follower thread alone touches
 * what is marked so. A message costs an item, a slot of the map and a place in a heap: about 230 octets;
 * addresses, reasons and content stay on disk. */
#ifndef QUEUE_STORE_PRIV_H
#define QUEUE_STORE_PRIV_H

#include <pthread.h>

#include "queue/io.h"
#include "queue/layout.h"
#include "queue/mark.h"
#include "queue/outcome.h"
#include "queue/record.h"
#include "queue/schedule.h"
#include "queue/wake.h"

enum phase {
    ITEM_ORPHAN,  /* replay: a state without a message yet */
    ITEM_WAITING, /* in a heap, or held */
    ITEM_CLAIMED, /* a worker has it */
    ITEM_BUSY,    /* being moved or changed; soon waiting again */
    ITEM_DONE,    /* remembered until its bytes are gone */
};
enum item_flag {
    ITEM_HELD = 1,
    ITEM_BIG = 2,
    ITEM_UNSAVED = 4,  /* its last state is in queue.unsaved, not in the outcome log */
    ITEM_FINISHED = 8, /* an orphan that is done */
    ITEM_RETRY = 16,   /* which heap it is in */
    ITEM_DOOMED = 32,  /* to be discarded when the attempt under way ends */
    ITEM_LINKED = 64,  /* in the list of a segment: remembered until that is freed */
    ITEM_GONE = 128,   /* in the list queue.gone, or just taken from it */
};

struct item {
    char id[QUEUE_ID - 1];
    uint8_t phase, flags;
    uint32_t heap_at, attempts;
    int64_t next_ms;
    struct segment *segment; /* NULL: deferred/<id> */
    struct item *next;       /* of those whose record is in one segment */
    struct item *next_gone;  /* of queue.gone */
    uint64_t at, size;       /* of the record in the segment; of the content */
    uint32_t head;           /* octets of the packed envelope */
    struct outcome_ref state;
};

struct segment {
    struct segment *next;
    struct segment_name name;
    int fd;
    uint64_t read_to; /* follower */
    bool finished;    /* nothing will be appended, all is read */
    int64_t finished_mono;
    unsigned live, pins; /* unfinished messages; claimed or looked at */
    struct item *items;
};

/* A producer as the follower sees it. */
struct producer {
    struct producer *next;
    char name[QUEUE_PRODUCER];
    struct mark mark;
    bool alive;
    struct mark_value seen;
};

/* A state that the disk did not take. */
struct unsaved {
    struct unsaved *next;
    struct item *item;
    enum record_kind kind;
    struct buf state;
};

struct queue {
    struct layout layout;
    struct queue_options options;
    bool read_only;
    int lock_fd;
    struct wake wake;
    struct producer *producers; /* follower */
    struct buf reading;         /* follower */

    pthread_mutex_t lock;
    pthread_cond_t due;
    pthread_cond_t settled; /* an item is no longer busy */
    bool stopping, closing;
    pthread_t thread;
    bool has_thread;
    struct map items;
    struct schedule fresh, retry;
    unsigned turn;
    struct segment *segments;
    struct outcome outcome;
    struct unsaved *unsaved;
    struct item *gone;   /* done ones of deferred/, file not removed yet */
    struct buf gone_big; /* ids whose big file may be removed */
    struct queue_counts counts;
};

static inline struct str item_key(const struct item *i)
{
    return str_make(i->id, sizeof i->id);
}

/* store.c; all with the lock held */
struct item *store_find(struct queue *q, const char *id);
/* Puts a waiting item into its heap (held ones into none) and wakes a worker. */
void store_schedule(struct queue *q, struct item *i);
void store_unschedule(struct queue *q, struct item *i);
/* A message that came from a log or deferred/; takes i, may free it when it is known already. */
void store_enter(struct queue *q, struct item *i);
/* Appends the state, or keeps it in memory until the disk takes it. */
enum err store_record(struct queue *q, struct item *i, enum record_kind kind, struct str state,
                      struct buf *why);
/* Every recipient has its outcome. */
void store_done(struct queue *q, struct item *i);
void store_free_item(struct queue *q, struct item *i);

/* load.c; without the lock */
enum load_depth { LOAD_ENVELOPE, LOAD_VERIFIED /* content too */ };
struct load_from {
    struct segment *segment;
    struct item *item; /* identity only */
    char id[QUEUE_ID];
    uint64_t at, size;
    int64_t next_ms;
    uint32_t head;
    uint8_t flags, phase;
    struct outcome_ref state;
    struct buf unsaved;
};
/* With the lock: where the message is, pinned. */
void load_pin(struct queue *q, struct item *i, struct load_from *from);
void load_unpin(struct queue *q, struct load_from *from);
/* The message; it keeps its segment pinned until freed. ERR_CORRUPT or ERR_NOT_FOUND: damaged. */
enum err load_message(struct queue *q, const struct load_from *from, enum load_depth depth,
                      struct queue_message **out, struct buf *why) MUST_CHECK;
struct item *load_item_of(const struct queue_message *m);
bool load_is_big(const struct queue_message *m);
/* Sets the message's bytes aside and ends it. The item must be claimed or busy; it is done afterwards. */
void load_damaged(struct queue *q, struct item *i, const struct load_from *from, struct str problem);

/* follow.c */
enum follow_how { FOLLOW_MARKS, FOLLOW_FOLDER };
/* Reads what is new; false when there was nothing. FOLDER: also looks for new segments and for producers that
 * ended. */
bool follow(struct queue *q, enum follow_how how);

/* replay.c */
struct replay {
    uint64_t records, deferred, damaged; /* outcomes read, files read, what did not fit */
};
/* Outcomes, deferred/. */
enum err replay_before(struct queue *q, struct replay *r, struct buf *why) MUST_CHECK;
/* Once the logs are read: states of messages that are gone, big files of none. */
void replay_after(struct queue *q);

/* keep.c: syncing, freeing, moving, compacting */
void keep(struct queue *q);
/* Syncs what was appended to the outcome log until now. */
enum err keep_synced(struct queue *q, struct buf *why);

#endif
