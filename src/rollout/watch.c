#include "rollout/watch.h"

#include "tenant/allocate.h"

static enum err add_names(struct call *c, const struct rollout *r, size_t from, size_t to,
                          struct rollout_health *h)
{
    struct db_query *q =
        db_query(c->db, "SELECT r.domain, r.wave, d.mx_host FROM rollout_domain r"
                        " JOIN domain d ON d.name = r.domain"
                        " WHERE r.rollout_id = $1 AND r.wave >= $2 AND r.wave < $3 AND r.state <> 'failed'");
    db_bind_int(q, r->id);
    db_bind_int(q, (int64_t)from);
    db_bind_int(q, (int64_t)to);
    while (db_next(q))
        rollout_health_add(h, db_text(q, 0), db_text(q, 2), (size_t)db_int(q, 1));
    return db_end(q, c->why);
}

static void add_id(struct buf *ids, int64_t id)
{
    bool known = false;
    for (size_t i = 0; i < ids->n && !known; i += sizeof id)
        known = memcmp(ids->p + i, &id, sizeof id) == 0;
    if (!known)
        buf_append(ids, &id, sizeof id);
}

static int64_t id_at(const struct buf *ids, size_t i)
{
    int64_t id;
    memcpy(&id, ids->p + i * sizeof id, sizeof id);
    return id;
}

static enum err managed_key_sets(struct call *c, struct buf *ids)
{
    struct db_query *q = db_query(c->db, "SELECT id FROM key_set WHERE grp <> '' ORDER BY id");
    while (db_next(q))
        add_id(ids, db_int(q, 0));
    return db_end(q, c->why);
}

enum err rollout_watch_key_sets(struct call *c, const struct rollout *r, struct rollout_watch *w)
{
    struct buf managed = {0};
    buf_clear(&w->key_sets);
    enum err e = managed_key_sets(c, &managed);
    size_t count = managed.n / sizeof(int64_t);
    if (!e) {
        struct db_query *q = db_query(
            c->db, "SELECT DISTINCT m.key_set_id, CASE WHEN m.key_set_id = 0 THEN m.label ELSE '' END"
                   " FROM rollout_domain r JOIN mx_host m ON m.domain = r.domain AND m.state = 'live'"
                   " WHERE r.rollout_id = $1 AND r.wave <= $2 AND r.state <> 'failed'");
        db_bind_int(q, r->id);
        db_bind_int(q, (int64_t)r->begun);
        while (db_next(q))
            if (db_int(q, 0))
                add_id(&w->key_sets, db_int(q, 0));
            else if (count)
                add_id(&w->key_sets, id_at(&managed, mx_host_choose_key_set(db_text(q, 1), count)));
        e = db_end(q, c->why);
    }
    buf_release(&managed);
    return e;
}

void rollout_watch_release(struct rollout_watch *w)
{
    rollout_health_release(&w->health);
    journal_mark_release(&w->mark);
    buf_release(&w->key_sets);
    *w = (struct rollout_watch){0};
}

enum err rollout_watch_load(struct call *c, const struct rollout *r, struct str hostname,
                            struct rollout_watch *w)
{
    if (w->id == r->id && w->begun == r->begun)
        return OK;
    rollout_watch_release(w);
    w->health.own = hostname;
    for (size_t i = 0; i < r->begun; i++)
        rollout_health_from(&w->health, i, r->begun_ms[i]);
    enum err e = add_names(c, r, 0, r->begun, &w->health);
    if (!e)
        e = rollout_watch_key_sets(c, r, w);
    if (e)
        return e;
    w->id = r->id;
    w->begun = r->begun;
    w->looked_mono = clock_mono();
    return OK;
}

static void take(void *health, struct str line)
{
    rollout_health_take(health, line);
}

enum err rollout_watch_read(struct rollout_watch *w, const char *journal, struct rollout *r, struct buf *why)
{
    if (!r->begun)
        return OK;
    enum err e = journal_follow(journal, r->begun_ms[0], &w->mark, take, &w->health, why);
    for (size_t i = 0; i < r->begun; i++)
        r->wave[i].now = w->health.count[i];
    return e;
}

enum rollout_gate rollout_watch_gate(const struct rollout_watch *w, const struct board *board)
{
    enum rollout_gate worst = ROLLOUT_GATE_CALM;
    for (size_t i = 0; i < w->key_sets.n / sizeof(int64_t) && worst != ROLLOUT_GATE_UNSEEN; i++) {
        struct arena a = {0};
        struct board_view view;
        bool seen = board_look(board, id_at(&w->key_sets, i), &a, &view) && view.stepped_ms;
        if (!seen)
            worst = ROLLOUT_GATE_UNSEEN;
        else if (view.out.nalarm > 0)
            worst = ROLLOUT_GATE_ALARM;
        arena_release(&a);
    }
    return worst;
}

enum err rollout_baseline_load(struct call *c, const struct rollout *r, size_t wave, struct str hostname,
                               struct rollout_baseline *b)
{
    *b = (struct rollout_baseline){.from_ms = clock_wall() - r->baseline_ms};
    b->health.own = hostname;
    rollout_health_from(&b->health, wave, b->from_ms);
    return add_names(c, r, wave, wave + 1, &b->health);
}

enum err rollout_baseline_read(struct rollout_baseline *b, const char *journal, struct buf *why)
{
    struct journal_mark mark = {0};
    enum err e = journal_follow(journal, b->from_ms, &mark, take, &b->health, why);
    journal_mark_release(&mark);
    return e;
}
