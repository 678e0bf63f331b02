#include "queue/move.h"

#include <fcntl.h>
#include <unistd.h>

#include "queue/stored.h"

enum { BATCH = 64 };

/* Content of a message that is in a segment, and its checksum. */
static enum err read_content(struct queue_message *m, struct buf *out, struct buf *why)
{
    buf_reserve(out, (size_t)m->content_size);
    while (out->n < m->content_size) {
        ssize_t n = queue_content_read(m, out->n, out->p + out->n, (size_t)m->content_size - out->n, why);
        if (n < 0)
            return ERR_CORRUPT;
        out->n += (size_t)n;
    }
    return OK;
}

static enum err describe_content(struct queue *q, struct queue_message *m, struct stored_content *content,
                                 struct buf *bytes, struct buf *why)
{
    *content = (struct stored_content){.is_big = load_is_big(m), .size = m->content_size};
    if (!content->is_big) {
        enum err e = read_content(m, bytes, why);
        content->check = crc32c(0, bytes->p, bytes->n);
        return e;
    }
    (void)q;
    char chunk[16384];
    for (uint64_t at = 0; at < m->content_size;) {
        ssize_t n = queue_content_read(m, at, chunk, sizeof chunk, why);
        if (n < 0)
            return ERR_CORRUPT;
        content->check = crc32c(content->check, chunk, (size_t)n);
        at += (uint64_t)n;
    }
    return OK;
}

/* deferred/<id>, synced; its name is not yet. */
static enum err write_deferred(struct queue *q, struct queue_message *m, struct buf *why)
{
    struct stored_content content;
    struct buf header = {0}, bytes = {0};
    char temporary[QUEUE_ID + 8];
    (void)snprintf(temporary, sizeof temporary, "%s.tmp", m->id);
    int fd = -1;
    enum err e = describe_content(q, m, &content, &bytes, why);
    if (e != OK)
        goto out;
    stored_write_header(m, &content, &header);
    fd = openat(q->layout.deferred, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        e = err_system(why, "deferred/%s", temporary);
    if (e == OK)
        e = file_write(fd, header.p, header.n, why);
    if (e == OK)
        e = file_write(fd, bytes.p, bytes.n, why);
    if (e == OK && q->options.io->sync(fd) < 0)
        e = err_system(why, "syncing deferred/%s", temporary);
    if (e == OK && renameat(q->layout.deferred, temporary, q->layout.deferred, m->id) < 0)
        e = err_system(why, "naming deferred/%s", m->id);
    if (e != OK && fd >= 0)
        (void)unlinkat(q->layout.deferred, temporary, 0);
out:
    file_close(&fd);
    buf_release(&header);
    buf_release(&bytes);
    return e;
}

struct moving {
    struct item *item;
    struct load_from from;
    bool moved;
};

static size_t take_batch(struct queue *q, struct segment *s, struct moving batch[BATCH])
{
    size_t n = 0;
    (void)pthread_mutex_lock(&q->lock);
    for (struct item *i = s->items; i && n < BATCH; i = i->next)
        if (i->segment == s && i->phase == ITEM_WAITING) {
            store_unschedule(q, i);
            i->phase = ITEM_BUSY;
            batch[n] = (struct moving){.item = i};
            load_pin(q, i, &batch[n++].from);
        }
    (void)pthread_mutex_unlock(&q->lock);
    return n;
}

static void give_back(struct queue *q, struct segment *s, struct moving *batch, size_t n)
{
    (void)pthread_mutex_lock(&q->lock);
    for (size_t k = 0; k < n; k++) {
        struct item *i = batch[k].item;
        load_unpin(q, &batch[k].from);
        if (i->phase != ITEM_BUSY)
            continue; /* damaged: done */
        if (batch[k].moved) {
            i->segment = NULL;
            s->live--;
            q->counts.deferred_files++;
        }
        i->phase = ITEM_WAITING;
        store_schedule(q, i);
    }
    (void)pthread_cond_broadcast(&q->settled);
    (void)pthread_mutex_unlock(&q->lock);
}

bool move_unfinished(struct queue *q, struct segment *s)
{
    struct moving batch[BATCH];
    struct buf why = {0};
    enum err e = OK;
    size_t n;
    while (e == OK && (n = take_batch(q, s, batch))) {
        for (size_t k = 0; k < n && e == OK; k++) {
            struct queue_message *m;
            enum err loaded = load_message(q, &batch[k].from, LOAD_VERIFIED, &m, &why);
            if (loaded == ERR_CORRUPT || loaded == ERR_NOT_FOUND) {
                load_damaged(q, batch[k].item, &batch[k].from, buf_str(&why));
                continue;
            }
            e = loaded != OK ? loaded : write_deferred(q, m, &why);
            batch[k].moved = e == OK;
            if (loaded == OK)
                queue_message_free(m);
        }
        if (q->options.io->sync_folder(q->layout.deferred) < 0) {
            e = err_system(&why, "syncing deferred/");
            for (size_t k = 0; k < n; k++)
                batch[k].moved = false;
        }
        give_back(q, s, batch, n);
    }
    if (e != OK)
        log_event(LOG_WARN, "queue-move-failed", LOG_STR("why", buf_str(&why)));
    buf_release(&why);
    return e == OK;
}

/* ---- the outcome log ---- */

/* True when a new file is appended to from now on. */
static bool rotate(struct queue *q)
{
    struct outcome_file *fresh;
    struct buf why = {0};
    (void)pthread_mutex_lock(&q->lock);
    struct outcome_ref old = {.file = q->outcome.current};
    bool full = old.file->size > q->options.outcome_size / 2;
    outcome_pin(old);
    (void)pthread_mutex_unlock(&q->lock);
    bool done = full && outcome_prepare(&q->outcome, &fresh, &why) == OK;
    if (done) {
        (void)pthread_mutex_lock(&q->lock);
        outcome_adopt(&q->outcome, fresh);
        (void)pthread_mutex_unlock(&q->lock);
        if (q->options.io->sync(old.file->fd) < 0)
            log_event(LOG_ERROR, "queue-sync-failed", LOG_TEXT("file", "outcome"));
    } else if (full) {
        log_event(LOG_WARN, "queue-outcome-not-rotated", LOG_STR("why", buf_str(&why)));
    }
    (void)pthread_mutex_lock(&q->lock);
    outcome_unpin(old);
    (void)pthread_mutex_unlock(&q->lock);
    buf_release(&why);
    return done;
}

/* Appends the item's last record again when it is in the oldest file. Lock held. */
static enum err rescue(struct queue *q, struct item *i, struct buf *state)
{
    if (i->state.file != q->outcome.oldest)
        return OK;
    if (i->flags & ITEM_UNSAVED)
        return ERR_FULL; /* a newer state waits for the disk */
    buf_clear(state);
    if (outcome_read(i->state, state) != OK) {
        log_event(LOG_ERROR, "queue-state-damaged", LOG_STR("id", item_key(i)));
        outcome_forget(&q->outcome, &i->state);
        return OK;
    }
    return store_record(q, i, i->phase == ITEM_DONE ? RECORD_DONE : RECORD_STATE, buf_str(state), NULL);
}

/* The records of the oldest file, one by one, so that workers wait for none of it. */
static enum err rescue_all(struct queue *q, struct buf *state)
{
    struct outcome_file *f = q->outcome.oldest;
    uint8_t header[RECORD_HEADER];
    struct record r;
    enum err e = OK;
    for (uint64_t at = 0; e == OK && at + RECORD_HEADER <= f->size;) {
        bool good = pread(f->fd, header, sizeof header, (off_t)at) == RECORD_HEADER &&
                    record_read_header(header, f->stamp, &r);
        if (!good) {
            at += RECORD_ALIGN;
            continue;
        }
        (void)pthread_mutex_lock(&q->lock);
        struct item *i = map_get(&q->items, str_of(r.id));
        if (i && i->state.file == f && i->state.at == at)
            e = rescue(q, i, state);
        (void)pthread_mutex_unlock(&q->lock);
        at += record_size(&r);
    }
    return e;
}

/* After damage: messages that refer to what could not be found. */
static void rescue_rest(struct queue *q, struct buf *state)
{
    size_t at = 0;
    struct str key;
    void *value;
    (void)pthread_mutex_lock(&q->lock);
    while (q->outcome.oldest->refs && map_next(&q->items, &at, &key, &value))
        (void)rescue(q, value, state);
    (void)pthread_mutex_unlock(&q->lock);
}

/* What is done may be forgotten only when no crash brings its message back: freed segments have left log/ and
 * removed files have left deferred/ for good. */
static bool removals_are_durable(struct queue *q)
{
    return q->options.io->sync_folder(q->layout.log) == 0 &&
           q->options.io->sync_folder(q->layout.deferred) == 0;
}

void compact(struct queue *q)
{
    (void)rotate(q);
    struct buf state = {0};
    for (;;) {
        (void)pthread_mutex_lock(&q->lock);
        bool worth = outcome_is_mostly_dead(&q->outcome);
        (void)pthread_mutex_unlock(&q->lock);
        if (!worth || rescue_all(q, &state) != OK)
            break;
        if (q->outcome.oldest->refs)
            rescue_rest(q, &state);
        if (q->outcome.oldest->refs || keep_synced(q, NULL) != OK || !removals_are_durable(q))
            break;
        (void)pthread_mutex_lock(&q->lock);
        outcome_drop_oldest(&q->outcome);
        (void)pthread_mutex_unlock(&q->lock);
    }
    buf_release(&state);
}
