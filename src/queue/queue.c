#include "queue/queue.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/file.h>
#include <unistd.h>

#include "queue/state.h"
#include "queue/store_priv.h"

enum { TICK_MS = 1000, CLOCK_JUMP_MS = 30000, STORAGE_REST_MS = 60000, FRESH_SHARE = 4 };

static enum err take_lock(struct queue *q, struct buf *why)
{
    char pid[32] = {0};
    q->lock_fd = openat(q->layout.root, "lock", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (q->lock_fd < 0)
        return err_system(why, "%s/lock", q->layout.path);
    if (flock(q->lock_fd, LOCK_EX | LOCK_NB) < 0) {
        if (errno != EWOULDBLOCK)
            return err_system(why, "%s/lock", q->layout.path);
        if (pread(q->lock_fd, pid, sizeof pid - 1, 0) < 0)
            pid[0] = '\0';
        buf_set(why, "the queue %s is in use by process %.*s: one deliver for one queue", q->layout.path,
                STR_ARG(str_trim(str_of(pid))));
        return ERR_BUSY;
    }
    int n = snprintf(pid, sizeof pid, "%d\n", (int)getpid());
    if (ftruncate(q->lock_fd, 0) < 0 || pwrite(q->lock_fd, pid, (size_t)n, 0) != n)
        return err_system(why, "%s/lock", q->layout.path);
    return OK;
}

static void run(void *arg)
{
    struct queue *q = arg;
    int64_t last = clock_mono();
    for (;;) {
        bool woken = wake_wait(&q->wake, TICK_MS);
        (void)pthread_mutex_lock(&q->lock);
        bool closing = q->closing;
        (void)pthread_mutex_unlock(&q->lock);
        if (closing)
            return;
        bool tick = clock_mono() - last >= TICK_MS;
        if (!follow(q, tick ? FOLLOW_FOLDER : FOLLOW_MARKS) && woken)
            (void)follow(q, FOLLOW_FOLDER); /* somebody who is not known yet */
        if (tick) {
            keep(q);
            last = clock_mono();
        }
    }
}

static struct queue *make(const struct queue_options *options)
{
    struct queue *q = must_alloc(calloc(1, sizeof *q));
    q->options = queue_options_fill(options);
    q->layout = LAYOUT_NONE;
    q->wake = WAKE_NONE;
    q->lock_fd = -1;
    ENSURE(pthread_mutex_init(&q->lock, NULL) == 0);
    thread_cond_init(&q->due);
    thread_cond_init(&q->settled);
    return q;
}

/* Reads everything that is there. */
static enum err replay(struct queue *q, struct buf *why)
{
    struct replay r = {0};
    int64_t start = clock_mono();
    enum err e = replay_before(q, &r, why);
    if (e != OK)
        return e;
    (void)follow(q, FOLLOW_FOLDER);
    replay_after(q);
    if (!q->options.quiet)
        log_event(LOG_INFO, "queue-replayed", LOG_NUM("messages", q->counts.messages),
                  LOG_NUM("deferred_files", r.deferred), LOG_NUM("outcomes", r.records),
                  LOG_NUM("damaged", q->counts.damaged), LOG_NUM("ms", clock_mono() - start));
    q->counts.entered = 0;
    return OK;
}

enum err queue_open(const char *dir, const struct queue_options *options, struct queue **out, struct buf *why)
{
    struct queue *q = make(options);
    struct outcome_file *current;
    enum err e = layout_open(dir, LAYOUT_CREATE, &q->layout, why);
    if (e == OK)
        e = take_lock(q, why);
    if (e == OK)
        e = wake_open_receiver(&q->wake, &q->layout, why);
    if (e == OK)
        e = replay(q, why);
    if (e == OK)
        e = outcome_prepare(&q->outcome, &current, why);
    if (e == OK) {
        outcome_adopt(&q->outcome, current);
        e = thread_start_joinable(run, q, &q->thread, why);
        q->has_thread = e == OK;
    }
    if (e != OK) {
        queue_close(q);
        return e;
    }
    *out = q;
    return OK;
}

enum err queue_open_readonly(const char *dir, struct queue **out, struct buf *why)
{
    struct queue *q = make(&(struct queue_options){.quiet = true});
    q->read_only = true;
    enum err e = layout_open(dir, LAYOUT_EXISTING, &q->layout, why);
    if (e == OK)
        e = replay(q, why);
    if (e != OK) {
        queue_close(q);
        return e;
    }
    *out = q;
    return OK;
}

void queue_stop(struct queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    q->stopping = true;
    (void)pthread_cond_broadcast(&q->due);
    (void)pthread_mutex_unlock(&q->lock);
}

bool queue_is_stopping(struct queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    bool stopping = q->stopping;
    (void)pthread_mutex_unlock(&q->lock);
    return stopping;
}

static void stop_thread(struct queue *q)
{
    if (!q->has_thread)
        return;
    (void)pthread_mutex_lock(&q->lock);
    q->closing = true;
    (void)pthread_mutex_unlock(&q->lock);
    wake_send(&q->wake);
    (void)pthread_join(q->thread, NULL);
    struct buf why = {0};
    if (keep_synced(q, &why) != OK)
        log_event(LOG_ERROR, "queue-sync-failed", LOG_STR("why", buf_str(&why)));
    buf_release(&why);
}

void queue_close(struct queue *q)
{
    if (!q)
        return;
    stop_thread(q);
    for (struct segment *s = q->segments, *next; s; s = next) {
        next = s->next;
        file_close(&s->fd);
        free(s);
    }
    for (struct producer *p = q->producers, *next; p; p = next) {
        next = p->next;
        mark_release(&p->mark);
        free(p);
    }
    for (struct unsaved *u = q->unsaved, *next; u; u = next) {
        next = u->next;
        buf_release(&u->state);
        free(u);
    }
    size_t at = 0;
    struct str key;
    for (void *item; map_next(&q->items, &at, &key, &item);)
        free(item);
    map_release(&q->items);
    schedule_release(&q->fresh);
    schedule_release(&q->retry);
    outcome_release(&q->outcome);
    buf_release(&q->reading);
    buf_release(&q->gone_big);
    wake_release(&q->wake);
    file_close(&q->lock_fd);
    layout_release(&q->layout);
    (void)pthread_mutex_destroy(&q->lock);
    (void)pthread_cond_destroy(&q->due);
    (void)pthread_cond_destroy(&q->settled);
    free(q);
}

/* ---- claims ---- */

/* The next due item, or NULL. A backlog of retries gets every fourth turn while there is fresh mail. */
static struct item *pick(struct queue *q)
{
    int64_t now = clock_wall();
    struct item *fresh = schedule_first(&q->fresh), *retry = schedule_first(&q->retry);
    if (fresh && fresh->next_ms > now)
        fresh = NULL;
    if (retry && retry->next_ms > now)
        retry = NULL;
    if (fresh && retry)
        return ++q->turn % FRESH_SHARE ? fresh : retry;
    return fresh ? fresh : retry;
}

static int64_t next_due(const struct queue *q)
{
    int64_t next = INT64_MAX;
    if (q->fresh.n)
        next = q->fresh.v[0]->next_ms;
    if (q->retry.n && q->retry.v[0]->next_ms < next)
        next = q->retry.v[0]->next_ms;
    return next;
}

/* Lock held. */
static enum err wait_due(struct queue *q, deadline d, struct item **out)
{
    while (!q->stopping) {
        if ((*out = pick(q)))
            return OK;
        if (deadline_is_over(d))
            return ERR_TIMEOUT;
        /* Times are of the wall clock, waiting is of the other: look again now and then. */
        int64_t next = next_due(q), rest = CLOCK_JUMP_MS;
        if (next != INT64_MAX && next - clock_wall() < rest)
            rest = next - clock_wall();
        deadline until = deadline_in(rest > 0 ? rest : 0);
        (void)thread_cond_wait(&q->due, &q->lock, until < d ? until : d);
    }
    return ERR_CLOSED;
}

static void end_claim(struct queue *q, struct item *i)
{
    q->counts.claimed--;
    if (i->phase != ITEM_DONE) {
        i->phase = ITEM_WAITING;
        store_schedule(q, i);
    }
    (void)pthread_cond_broadcast(&q->settled);
}

enum err queue_claim(struct queue *q, deadline d, struct queue_message **out)
{
    struct buf why = {0};
    for (;;) {
        struct load_from from;
        struct item *i;
        (void)pthread_mutex_lock(&q->lock);
        enum err e = wait_due(q, d, &i);
        if (e == OK) {
            store_unschedule(q, i);
            i->phase = ITEM_CLAIMED;
            q->counts.claimed++;
            load_pin(q, i, &from);
        }
        (void)pthread_mutex_unlock(&q->lock);
        if (e == OK)
            e = load_message(q, &from, LOAD_VERIFIED, out, &why);
        else {
            buf_release(&why);
            return e;
        }
        if (e == ERR_CORRUPT || e == ERR_NOT_FOUND)
            load_damaged(q, i, &from, buf_str(&why));
        else if (e != OK)
            log_event(LOG_ERROR, "queue-read-failed", LOG_TEXT("id", from.id), LOG_STR("why", buf_str(&why)));
        (void)pthread_mutex_lock(&q->lock);
        load_unpin(q, &from);
        if (e != OK) {
            i->next_ms = clock_wall() + STORAGE_REST_MS;
            end_claim(q, i);
        }
        (void)pthread_mutex_unlock(&q->lock);
        if (e == OK) {
            buf_release(&why);
            return OK;
        }
    }
}

static void apply(struct queue_message *m, const struct queue_settlement *s)
{
    for (size_t k = 0; k < s->count; k++) {
        const struct queue_result *result = &s->results[k];
        ENSURE(result->rcpt < m->envelope->nrcpt);
        struct queue_recipient *r = &m->rcpt[result->rcpt];
        if (!queue_status_is_final(r->status)) { /* progress may have said it already */
            r->attempts++;
            r->last_ms = clock_wall();
        }
        r->status = result->status;
        r->next_ms = result->next_ms;
        if (result->warned_ms)
            r->warned_ms = result->warned_ms;
        r->reason = arena_str(&m->arena, result->reason);
        r->text = arena_str(&m->arena, result->text);
    }
}

static bool is_finished(const struct queue_message *m)
{
    for (size_t i = 0; i < m->envelope->nrcpt; i++)
        if (!queue_status_is_final(m->rcpt[i].status))
            return false;
    return true;
}

/* Lock held. */
static void discard_doomed(const struct item *i, struct queue_message *m)
{
    for (size_t k = 0; i->flags & ITEM_DOOMED && k < m->envelope->nrcpt; k++)
        if (!queue_status_is_final(m->rcpt[k].status))
            m->rcpt[k].status = QUEUE_DISCARDED;
}

/* Lock held. */
static enum err record_state(struct queue *q, struct queue_message *m, struct buf *why)
{
    struct item *i = load_item_of(m);
    struct buf state = {0};
    m->held = i->flags & ITEM_HELD;
    state_pack(m, &state);
    enum err e = store_record(q, i, RECORD_STATE, buf_str(&state), why);
    buf_release(&state);
    return e;
}

enum err queue_settle(struct queue *q, struct queue_message *m, const struct queue_settlement *s,
                      struct buf *why)
{
    struct item *i = load_item_of(m);
    enum err e;
    apply(m, s);
    m->attempts++;
    m->next_ms = s->next_ms;
    (void)pthread_mutex_lock(&q->lock);
    ENSURE(i->phase == ITEM_CLAIMED);
    discard_doomed(i, m);
    if (is_finished(m)) {
        e = store_record(q, i, RECORD_DONE, STR_NONE, why);
        store_done(q, i);
    } else {
        e = record_state(q, m, why);
        i->attempts = m->attempts;
        i->next_ms = m->next_ms;
    }
    end_claim(q, i);
    (void)pthread_mutex_unlock(&q->lock);
    queue_message_free(m);
    return e;
}

enum err queue_progress(struct queue *q, struct queue_message *m, const struct queue_settlement *s,
                        struct buf *why)
{
    apply(m, s);
    (void)pthread_mutex_lock(&q->lock);
    enum err e = record_state(q, m, why);
    (void)pthread_mutex_unlock(&q->lock);
    return e;
}

void queue_put_back(struct queue *q, struct queue_message *m, int64_t next_ms)
{
    struct item *i = load_item_of(m);
    (void)pthread_mutex_lock(&q->lock);
    ENSURE(i->phase == ITEM_CLAIMED);
    discard_doomed(i, m);
    if (is_finished(m)) {
        (void)store_record(q, i, RECORD_DONE, STR_NONE, NULL);
        store_done(q, i);
    } else if (m->held != !!(i->flags & ITEM_HELD)) /* held while it was away */
        (void)record_state(q, m, NULL);
    i->next_ms = next_ms;
    end_claim(q, i);
    (void)pthread_mutex_unlock(&q->lock);
    queue_message_free(m);
}

void queue_count(struct queue *q, struct queue_counts *out)
{
    (void)pthread_mutex_lock(&q->lock);
    *out = q->counts;
    out->fresh = q->fresh.n;
    out->waiting = q->retry.n;
    size_t elsewhere = out->fresh + out->waiting + out->claimed;
    out->held = out->messages > elsewhere ? out->messages - elsewhere : 0;
    for (const struct segment *s = q->segments; s; s = s->next)
        out->segments++;
    size_t at = 0;
    struct str key;
    for (void *value; map_next(&q->items, &at, &key, &value);) {
        const struct item *i = value;
        int64_t when = queue_id_time(i->id);
        if (i->phase != ITEM_DONE && (!out->oldest_ms || when < out->oldest_ms))
            out->oldest_ms = when;
    }
    (void)pthread_mutex_unlock(&q->lock);
}
