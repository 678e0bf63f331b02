/* What is done once a second behind the workers' backs, on the follower's thread. */
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/move.h"
#include "queue/store_priv.h"

enum { SPARE_SEGMENTS = 4 };

enum err keep_synced(struct queue *q, struct buf *why)
{
    (void)pthread_mutex_lock(&q->lock);
    struct outcome_ref pinned = {.file = q->outcome.dirty ? q->outcome.current : NULL};
    q->outcome.dirty = false;
    outcome_pin(pinned);
    (void)pthread_mutex_unlock(&q->lock);
    if (!pinned.file)
        return OK;
    enum err e = q->options.io->sync(pinned.file->fd) < 0 ? err_system(why, "syncing the outcome log") : OK;
    (void)pthread_mutex_lock(&q->lock);
    outcome_unpin(pinned);
    if (e != OK)
        q->outcome.dirty = true;
    (void)pthread_mutex_unlock(&q->lock);
    return e;
}

static void save_unsaved(struct queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    for (size_t tries = 1000; q->unsaved && tries; tries--) {
        struct unsaved *u = q->unsaved;
        struct buf state = u->state;
        struct item *i = u->item;
        u->state = (struct buf){0};
        enum err e = store_record(q, i, u->kind, buf_str(&state), NULL);
        buf_release(&state);
        if (e != OK)
            break;
    }
    (void)pthread_mutex_unlock(&q->lock);
}

/* Files of messages that are done go once the outcome is on the disk. */
static void remove_gone(struct queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    struct item *gone = q->gone;
    struct buf big = q->gone_big;
    q->gone = NULL;
    q->gone_big = (struct buf){0};
    (void)pthread_mutex_unlock(&q->lock);
    struct buf why = {0};
    enum err e = keep_synced(q, &why);
    if (e != OK)
        log_event(LOG_ERROR, "queue-sync-failed", LOG_STR("why", buf_str(&why)));
    buf_release(&why);
    char id[QUEUE_ID] = {0};
    for (const struct item *i = gone; i; i = i->next_gone) {
        memcpy(id, i->id, sizeof i->id);
        (void)unlinkat(q->layout.deferred, id, 0);
        (void)unlinkat(q->layout.big, id, 0); /* of the few that have one */
    }
    for (size_t at = 0; at < big.n && e == OK; at += QUEUE_ID - 1) {
        memcpy(id, big.p + at, QUEUE_ID - 1);
        (void)unlinkat(q->layout.big, id, 0);
    }
    (void)pthread_mutex_lock(&q->lock);
    for (struct item *next; gone; gone = next) {
        next = gone->next_gone;
        gone->flags &= (uint8_t)~ITEM_GONE;
        if (!(gone->flags & ITEM_LINKED))
            store_free_item(q, gone);
    }
    if (e != OK)
        buf_add(&q->gone_big, buf_str(&big));
    (void)pthread_mutex_unlock(&q->lock);
    buf_release(&big);
}

struct spare {
    struct queue *queue;
    size_t count;
};

static bool count_spare(void *ctx, const char *name)
{
    struct spare *s = ctx;
    struct stat st;
    if (!(name[0] >= '0' && name[0] <= '9'))
        return true;
    bool fits = fstatat(s->queue->layout.free, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
                (uint64_t)st.st_size == s->queue->options.segment_size;
    if (fits && s->count < SPARE_SEGMENTS)
        s->count++;
    else
        (void)unlinkat(s->queue->layout.free, name, 0);
    return true;
}

/* The file may be used again, unless a sync of it ever failed. */
static void recycle(struct queue *q, const struct segment *s)
{
    char from[SEGMENT_NAME], to[2 * 17 + 1];
    struct stat st;
    segment_name_format(&s->name, from);
    (void)snprintf(to, sizeof to, "%016llx.%016llx", (unsigned long long)s->name.number,
                   (unsigned long long)s->name.stamp);
    bool again =
        !s->name.abandoned && fstat(s->fd, &st) == 0 && (uint64_t)st.st_size == q->options.segment_size;
    int failed = again ? renameat(q->layout.log, from, q->layout.free, to) : unlinkat(q->layout.log, from, 0);
    if (failed)
        log_event(LOG_WARN, "queue-segment-stuck", LOG_TEXT("segment", from));
}

/* Takes the segment out when nothing of it is needed. */
static bool free_segment(struct queue *q, struct segment *s)
{
    (void)pthread_mutex_lock(&q->lock);
    bool unused = s->finished && !s->live && !s->pins;
    if (unused) {
        struct segment **at = &q->segments;
        while (*at != s)
            at = &(*at)->next;
        *at = s->next;
    }
    (void)pthread_mutex_unlock(&q->lock);
    if (!unused)
        return false;
    recycle(q, s);
    (void)pthread_mutex_lock(&q->lock);
    for (struct item *i = s->items, *next; i; i = next) {
        next = i->next;
        i->flags &= (uint8_t)~ITEM_LINKED;
        if (i->phase == ITEM_DONE && !(i->flags & ITEM_GONE))
            store_free_item(q, i);
    }
    (void)pthread_mutex_unlock(&q->lock);
    file_close(&s->fd);
    free(s);
    return true;
}

static void free_segments(struct queue *q)
{
    size_t finished = 0, freed = 0;
    for (struct segment *s = q->segments, *next; s; s = next) {
        next = s->next;
        if (free_segment(q, s))
            freed++;
        else
            finished += s->finished;
    }
    /* The oldest first: the list is in the order of numbers. */
    for (struct segment *s = q->segments, *next; s; s = next) {
        next = s->next;
        bool old = s->finished && clock_mono() - s->finished_mono >= q->options.segment_age_ms;
        if (!s->finished || !(old || finished > q->options.live_segments))
            continue;
        if (!move_unfinished(q, s))
            break;
        if (free_segment(q, s))
            freed++, finished--;
    }
    struct spare spare = {.queue = q};
    if (freed && layout_list(q->layout.free, count_spare, &spare, NULL) != OK)
        log_event(LOG_WARN, "queue-free-unreadable");
    (void)pthread_mutex_lock(&q->lock);
    if (freed)
        q->counts.free_segments = spare.count;
    (void)pthread_mutex_unlock(&q->lock);
}

void keep(struct queue *q)
{
    save_unsaved(q);
    remove_gone(q);
    free_segments(q);
    compact(q);
}
