#include "queue/store_priv.h"

struct item *store_find(struct queue *q, const char *id)
{
    struct item *i = map_get(&q->items, str_of(id));
    return i && (i->phase == ITEM_ORPHAN || i->phase == ITEM_DONE) ? NULL : i;
}

void store_schedule(struct queue *q, struct item *i)
{
    if (i->flags & ITEM_HELD)
        return;
    if (i->attempts)
        i->flags |= ITEM_RETRY;
    else
        i->flags &= (uint8_t)~ITEM_RETRY;
    schedule_add(i->flags & ITEM_RETRY ? &q->retry : &q->fresh, i);
    (void)pthread_cond_signal(&q->due);
}

void store_unschedule(struct queue *q, struct item *i)
{
    if (!(i->flags & ITEM_HELD))
        schedule_remove(i->flags & ITEM_RETRY ? &q->retry : &q->fresh, i);
}

static void link_to_segment(struct item *i, struct segment *s)
{
    i->next = s->items;
    s->items = i;
    i->flags |= ITEM_LINKED;
}

/* Its file in deferred/ goes when the outcome is on the disk. */
static void add_gone(struct queue *q, struct item *i)
{
    i->next_gone = q->gone;
    q->gone = i;
    i->flags |= ITEM_GONE;
}

static void count_in(struct queue *q, const struct item *i)
{
    q->counts.messages++;
    q->counts.entered++;
    q->counts.bytes += i->size;
    if (!i->segment)
        q->counts.deferred_files++;
}

/* A state was replayed for this message: it gets its body now. */
static struct item *adopt(struct item *orphan, struct item *i)
{
    orphan->segment = i->segment;
    orphan->at = i->at, orphan->size = i->size, orphan->head = i->head;
    orphan->flags |= i->flags & ITEM_BIG;
    free(i);
    return orphan;
}

void store_enter(struct queue *q, struct item *i)
{
    struct item *known = map_get(&q->items, item_key(i));
    if (known && known->phase != ITEM_ORPHAN) {
        /* It moved to deferred/, and its segment was not freed yet: must not come again from there. */
        if (i->segment && !(known->flags & ITEM_LINKED))
            link_to_segment(known, i->segment);
        free(i);
        return;
    }
    if (known)
        i = adopt(known, i);
    else
        (void)map_put(&q->items, item_key(i), i);
    i->phase = i->flags & ITEM_FINISHED ? ITEM_DONE : ITEM_WAITING;
    if (i->segment)
        link_to_segment(i, i->segment);
    if (i->phase == ITEM_DONE) {
        if (!i->segment)
            add_gone(q, i);
        if (i->flags & ITEM_BIG)
            buf_append(&q->gone_big, i->id, sizeof i->id);
        return;
    }
    if (i->segment)
        i->segment->live++;
    count_in(q, i);
    store_schedule(q, i);
}

static void drop_unsaved(struct queue *q, struct item *i)
{
    if (!(i->flags & ITEM_UNSAVED))
        return;
    struct unsaved **at = &q->unsaved;
    while ((*at)->item != i)
        at = &(*at)->next;
    struct unsaved *u = *at;
    *at = u->next;
    buf_release(&u->state);
    free(u);
    i->flags &= (uint8_t)~ITEM_UNSAVED;
}

enum err store_record(struct queue *q, struct item *i, enum record_kind kind, struct str state,
                      struct buf *why)
{
    drop_unsaved(q, i); /* superseded */
    char id[QUEUE_ID] = {0};
    memcpy(id, i->id, sizeof i->id);
    enum err e = outcome_append(&q->outcome, kind, id, state, &i->state, why);
    if (e != OK) {
        struct unsaved *u = must_alloc(calloc(1, sizeof *u));
        *u = (struct unsaved){.next = q->unsaved, .item = i, .kind = kind};
        buf_add(&u->state, state);
        q->unsaved = u;
        i->flags |= ITEM_UNSAVED;
    }
    return e;
}

void store_done(struct queue *q, struct item *i)
{
    i->phase = ITEM_DONE;
    q->counts.messages--;
    q->counts.done++;
    q->counts.bytes -= i->size;
    if (i->segment) {
        i->segment->live--;
    } else {
        q->counts.deferred_files--;
        add_gone(q, i);
    }
    if (i->flags & ITEM_BIG)
        buf_append(&q->gone_big, i->id, sizeof i->id);
}

void store_free_item(struct queue *q, struct item *i)
{
    outcome_forget(&q->outcome, &i->state);
    drop_unsaved(q, i);
    (void)map_remove(&q->items, item_key(i));
    free(i);
}
