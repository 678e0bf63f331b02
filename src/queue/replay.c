#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/aside.h"
#include "queue/state.h"
#include "queue/store_priv.h"

enum { ORPHAN_AGE_S = 3600 };

static struct item *item_for(struct queue *q, const char *id)
{
    struct item *i = map_get(&q->items, str_make(id, QUEUE_ID - 1));
    if (i)
        return i;
    i = must_alloc(calloc(1, sizeof *i));
    memcpy(i->id, id, sizeof i->id);
    (void)map_put(&q->items, item_key(i), i);
    return i;
}

static void see_outcome(void *ctx, const struct record *r, struct str state, struct outcome_ref ref)
{
    struct queue *q = ctx;
    struct state_brief brief = {0};
    if (r->kind != RECORD_DONE && (r->kind != RECORD_STATE || !state_peek(state, &brief)))
        return;
    struct item *i = item_for(q, r->id);
    outcome_refer(&q->outcome, &i->state, ref);
    if (r->kind == RECORD_DONE) {
        i->flags |= ITEM_FINISHED;
    } else {
        i->flags = brief.held ? ITEM_HELD : 0;
        i->attempts = brief.attempts;
        i->next_ms = brief.next_ms;
    }
}

struct deferred {
    struct queue *queue;
    struct replay *replay;
};

static void enter_deferred(struct queue *q, const struct queue_message *m, struct item *known)
{
    struct item *i = must_alloc(calloc(1, sizeof *i));
    memcpy(i->id, m->id, sizeof i->id);
    i->size = m->content_size;
    i->flags = load_is_big(m) ? ITEM_BIG : 0;
    struct item *state = known ? known : i; /* store_enter goes on with the one that is known */
    state->attempts = m->attempts;
    state->next_ms = m->next_ms;
    if (m->held)
        state->flags |= ITEM_HELD;
    store_enter(q, i);
}

static bool see_deferred(void *ctx, const char *name)
{
    struct deferred *d = ctx;
    struct queue *q = d->queue;
    if (!queue_id_is_valid(str_of(name))) {
        if (!q->read_only && str_ends(str_of(name), STR(".tmp")))
            (void)unlinkat(q->layout.deferred, name, 0); /* never finished: the message is still in its log */
        return true;
    }
    struct item *known = map_get(&q->items, str_of(name));
    if (known && known->flags & ITEM_FINISHED) {
        struct item *i = must_alloc(calloc(1, sizeof *i));
        memcpy(i->id, name, sizeof i->id);
        store_enter(q, i);
        return true;
    }
    struct load_from from = {.phase = ITEM_ORPHAN};
    struct queue_message *m;
    struct buf why = {0};
    (void)str_copy(str_of(name), from.id, sizeof from.id);
    if (known)
        from.state = known->state;
    enum err e = load_message(q, &from, LOAD_ENVELOPE, &m, &why);
    if (e == OK) {
        d->replay->deferred++;
        enter_deferred(q, m, known);
        queue_message_free(m);
    } else {
        d->replay->damaged++;
        if (!q->read_only)
            aside_file(&q->layout, q->layout.deferred, name, buf_cstr(&why));
    }
    buf_release(&why);
    return true;
}

enum err replay_before(struct queue *q, struct replay *r, struct buf *why)
{
    struct outcome_replay outcomes = {.visit = see_outcome, .ctx = q, .read_only = q->read_only};
    enum err e = outcome_open(&q->outcome, &q->layout, &q->options, &outcomes, why);
    r->records = outcomes.records;
    r->damaged = outcomes.damaged;
    struct deferred d = {q, r};
    if (e == OK)
        e = layout_list(q->layout.deferred, see_deferred, &d, why);
    q->counts.damaged += r->damaged;
    return e;
}

/* Content without a message: its record never reached the log (nobody was told 250), or is damaged. */
static bool see_big(void *ctx, const char *name)
{
    struct queue *q = ctx;
    struct stat st;
    if (queue_id_is_valid(str_of(name)) && !map_get(&q->items, str_of(name)) &&
        fstatat(q->layout.big, name, &st, AT_SYMLINK_NOFOLLOW) == 0 &&
        st.st_ctim.tv_sec + ORPHAN_AGE_S < clock_wall() / 1000)
        aside_file(&q->layout, q->layout.big, name, "content that no message refers to");
    return true;
}

void replay_after(struct queue *q)
{
    size_t at = 0;
    struct str key;
    void *value;
    while (map_next(&q->items, &at, &key, &value)) {
        struct item *i = value;
        if (i->phase == ITEM_ORPHAN)
            store_free_item(q, i);
    }
    struct buf why = {0};
    if (!q->read_only && layout_list(q->layout.big, see_big, q, &why) != OK)
        log_event(LOG_WARN, "queue-sweep-failed", LOG_STR("why", buf_str(&why)));
    buf_release(&why);
}
