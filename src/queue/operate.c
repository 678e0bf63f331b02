/* What operators do to messages. */
#include "mail/address.h"
#include "queue/state.h"
#include "queue/store_priv.h"

enum { ID = QUEUE_ID - 1 };

/* The item alone, out of the schedule; waits while it is being moved. Lock held. */
static enum err take(struct queue *q, const char *id, struct item **out, struct buf *why)
{
    struct item *i;
    while ((i = store_find(q, id)) && i->phase == ITEM_BUSY)
        (void)thread_cond_wait(&q->settled, &q->lock, DEADLINE_NEVER);
    if (!i) {
        buf_set(why, "no message %s in the queue", id);
        return ERR_NOT_FOUND;
    }
    *out = i;
    if (i->phase == ITEM_CLAIMED) {
        buf_set(why, "an attempt for %s is under way", id);
        return ERR_REFUSED;
    }
    store_unschedule(q, i);
    i->phase = ITEM_BUSY;
    return OK;
}

/* Lock held. */
static void give(struct queue *q, struct item *i)
{
    if (i->phase == ITEM_BUSY) {
        i->phase = ITEM_WAITING;
        store_schedule(q, i);
    }
    (void)pthread_cond_broadcast(&q->settled);
}

struct change {
    /* Changes the message; false: nothing to write down. */
    bool (*apply)(struct queue_message *m, const struct change *c);
    struct str text; /* a domain, or who did it */
};

/* Writes the changed state down and makes the item agree. Lock held. */
static enum err write_down(struct queue *q, struct item *i, struct queue_message *m, struct buf *why)
{
    struct buf state = {0};
    bool done = true;
    for (size_t k = 0; k < m->envelope->nrcpt; k++)
        done &= queue_status_is_final(m->rcpt[k].status);
    state_pack(m, &state);
    enum err e =
        store_record(q, i, done ? RECORD_DONE : RECORD_STATE, done ? STR_NONE : buf_str(&state), why);
    buf_release(&state);
    if (m->held)
        i->flags |= ITEM_HELD;
    else
        i->flags &= (uint8_t)~ITEM_HELD;
    i->next_ms = m->next_ms;
    if (done)
        store_done(q, i);
    return e;
}

/* ERR_EXISTS: nothing to change. */
static enum err change(struct queue *q, const char *id, const struct change *c, struct buf *why)
{
    struct item *i = NULL;
    struct load_from from;
    struct queue_message *m = NULL;
    (void)pthread_mutex_lock(&q->lock);
    enum err e = take(q, id, &i, why);
    if (e == OK)
        load_pin(q, i, &from);
    (void)pthread_mutex_unlock(&q->lock);
    if (e != OK)
        return e;
    e = load_message(q, &from, LOAD_ENVELOPE, &m, why);
    bool changed = e == OK && c->apply(m, c);
    (void)pthread_mutex_lock(&q->lock);
    if (changed)
        e = write_down(q, i, m, why);
    else if (e == OK)
        e = ERR_EXISTS;
    load_unpin(q, &from);
    give(q, i);
    (void)pthread_mutex_unlock(&q->lock);
    queue_message_free(m);
    return e;
}

/* While a worker has the message only flags change; the worker writes them down when it gives the message
 * back. */
static bool change_claimed(struct queue *q, const char *id, uint8_t set, uint8_t clear)
{
    (void)pthread_mutex_lock(&q->lock);
    struct item *i = store_find(q, id);
    bool claimed = i && i->phase == ITEM_CLAIMED;
    if (claimed)
        i->flags = (uint8_t)((i->flags | set) & ~clear);
    (void)pthread_mutex_unlock(&q->lock);
    return claimed;
}

static bool apply_hold(struct queue_message *m, const struct change *c)
{
    (void)c;
    bool changed = !m->held;
    m->held = true;
    return changed;
}

static bool apply_release(struct queue_message *m, const struct change *c)
{
    (void)c;
    bool changed = m->held;
    m->held = false;
    return changed;
}

/* Makes the unfinished recipients in the domain (empty: all) due; false when all of them were. */
static bool make_due(struct queue_message *m, struct str domain, int64_t now)
{
    bool changed = false;
    for (size_t i = 0; i < m->envelope->nrcpt; i++) {
        struct queue_recipient *r = &m->rcpt[i];
        if (queue_status_is_final(r->status) ||
            (domain.n && !str_equal_nocase(mail_domain_of(m->envelope->rcpt[i].address), domain)))
            continue;
        changed |= r->next_ms > now || m->next_ms > now;
        r->next_ms = 0;
    }
    return changed;
}

static bool apply_retry(struct queue_message *m, const struct change *c)
{
    int64_t now = clock_wall();
    if (m->held || !make_due(m, c->text, now))
        return false;
    m->next_ms = now;
    return true;
}

/* A held message too: it is attempted when it is released. */
static bool apply_retry_one(struct queue_message *m, const struct change *c)
{
    int64_t now = clock_wall();
    (void)make_due(m, c->text, now);
    m->next_ms = now;
    return true;
}

static bool apply_remove(struct queue_message *m, const struct change *c)
{
    for (size_t i = 0; i < m->envelope->nrcpt; i++)
        if (!queue_status_is_final(m->rcpt[i].status)) {
            m->rcpt[i].status = QUEUE_DISCARDED;
            m->rcpt[i].text = c->text;
        }
    return true;
}

/* An operator's word is durable when it was answered. */
static enum err change_durably(struct queue *q, const char *id, const struct change *c, struct buf *why)
{
    enum err e = change(q, id, c, why);
    if (e == ERR_EXISTS)
        return OK;
    return e == OK ? keep_synced(q, why) : e;
}

enum err queue_hold(struct queue *q, const char *id, struct buf *why)
{
    if (change_claimed(q, id, ITEM_HELD, 0))
        return OK;
    return change_durably(q, id, &(struct change){.apply = apply_hold}, why);
}

enum err queue_release(struct queue *q, const char *id, struct buf *why)
{
    if (change_claimed(q, id, 0, ITEM_HELD))
        return OK;
    return change_durably(q, id, &(struct change){.apply = apply_release}, why);
}

enum err queue_remove(struct queue *q, const char *id, struct str by, struct buf *why)
{
    if (change_claimed(q, id, ITEM_DOOMED, 0))
        return OK;
    return change_durably(q, id, &(struct change){.apply = apply_remove, .text = by}, why);
}

enum err queue_retry(struct queue *q, const char *id, struct buf *why)
{
    if (change_claimed(q, id, 0, 0))
        return OK;
    return change_durably(q, id, &(struct change){.apply = apply_retry_one}, why);
}

/* ---- many messages ---- */

static int compare_ids(const void *a, const void *b)
{
    return memcmp(a, b, ID);
}

/* Ids of all messages, oldest first, ID octets each. */
static void list_ids(struct queue *q, struct buf *out)
{
    size_t at = 0;
    struct str key;
    (void)pthread_mutex_lock(&q->lock);
    for (void *value; map_next(&q->items, &at, &key, &value);) {
        const struct item *i = value;
        if (i->phase != ITEM_DONE)
            buf_append(out, i->id, ID);
    }
    (void)pthread_mutex_unlock(&q->lock);
    if (out->n)
        qsort(out->p, out->n / ID, ID, compare_ids);
}

size_t queue_retry_all(struct queue *q, struct str domain)
{
    struct buf ids = {0};
    size_t count = 0;
    char id[QUEUE_ID] = {0};
    list_ids(q, &ids);
    for (size_t at = 0; at < ids.n; at += ID) {
        memcpy(id, ids.p + at, ID);
        if (change(q, id, &(struct change){.apply = apply_retry, .text = domain}, NULL) == OK)
            count++;
    }
    struct buf why = {0};
    if (count && keep_synced(q, &why) != OK)
        log_event(LOG_ERROR, "queue-sync-failed", LOG_STR("why", buf_str(&why)));
    buf_release(&why);
    buf_release(&ids);
    return count;
}

enum err queue_look(struct queue *q, const char *id, struct queue_message **out, struct buf *why)
{
    struct load_from from;
    (void)pthread_mutex_lock(&q->lock);
    struct item *i = store_find(q, id);
    if (i)
        load_pin(q, i, &from);
    (void)pthread_mutex_unlock(&q->lock);
    if (!i) {
        buf_set(why, "no message %s in the queue", id);
        return ERR_NOT_FOUND;
    }
    enum err e = load_message(q, &from, LOAD_ENVELOPE, out, why);
    (void)pthread_mutex_lock(&q->lock);
    load_unpin(q, &from);
    (void)pthread_mutex_unlock(&q->lock);
    return e;
}

void queue_walk(struct queue *q, bool (*visit)(void *ctx, struct queue_message *m), void *ctx)
{
    struct buf ids = {0};
    char id[QUEUE_ID] = {0};
    list_ids(q, &ids);
    bool go = true;
    for (size_t at = 0; go && at < ids.n; at += ID) {
        struct queue_message *m;
        memcpy(id, ids.p + at, ID);
        if (queue_look(q, id, &m, NULL) != OK)
            continue; /* done meanwhile */
        go = visit(ctx, m);
        queue_message_free(m);
    }
    buf_release(&ids);
}
