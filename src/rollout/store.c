#include "rollout/store.h"

#define COLUMNS                                                                                              \
    "id, name, tenant_id, tag, state, then_state, cause, begun, undo_from, hold_ms, baseline_ms, tolerance," \
    " least, changed_ms, created_ms"

static enum err load_waves(struct call *c, struct rollout *r)
{
    struct db_query *q = db_query(
        c->db, "SELECT domains, begun_ms, ready, held_ms, good, bad, before_good, before_bad, bad_probes,"
               " first_ms, report_good, report_bad, report_before_good, report_before_bad, report_sessions,"
               " report_organization, report_result FROM rollout_wave WHERE rollout_id = $1 ORDER BY wave");
    db_bind_int(q, r->id);
    while (r->waves < ROLLOUT_WAVES_MAX && db_next(q)) {
        r->begun_ms[r->waves] = db_int(q, 1);
        r->first_ms[r->waves] = db_int(q, 9);
        struct rollout_told told = {.now = {db_int(q, 10), db_int(q, 11)},
                                    .before = {db_int(q, 12), db_int(q, 13)},
                                    .sessions = db_int(q, 14)};
        (void)str_copy(db_text(q, 15), told.organization, sizeof told.organization);
        (void)str_copy(db_text(q, 16), told.result, sizeof told.result);
        r->wave[r->waves++] = (struct rollout_wave){.domains = (size_t)db_int(q, 0),
                                                    .is_ready = db_int(q, 2) != 0,
                                                    .held_ms = db_int(q, 3),
                                                    .now = {db_int(q, 4), db_int(q, 5)},
                                                    .before = {db_int(q, 6), db_int(q, 7)},
                                                    .bad_probes = db_int(q, 8),
                                                    .told = told};
    }
    return db_end(q, c->why);
}

static bool take_row(struct call *c, struct db_query *q, struct rollout *out)
{
    *out = (struct rollout){.id = db_int(q, 0),
                            .name = arena_str(c->a, db_text(q, 1)),
                            .tenant_id = db_int(q, 2),
                            .tag = arena_str(c->a, db_text(q, 3)),
                            .begun = (size_t)db_int(q, 7),
                            .undo_from = (size_t)db_int(q, 8),
                            .rules = {db_int(q, 9), db_int(q, 11), db_int(q, 12)},
                            .baseline_ms = db_int(q, 10),
                            .changed_ms = db_int(q, 13),
                            .created_ms = db_int(q, 14)};
    return rollout_state_parse(db_text(q, 4), &out->state) &&
           rollout_state_parse(db_text(q, 5), &out->then) && rollout_cause_parse(db_text(q, 6), &out->cause);
}

enum err rollout_load(struct call *c, struct str name, struct rollout *out)
{
    struct db_query *q = db_query(c->db, "SELECT " COLUMNS " FROM rollout WHERE name = $1");
    db_bind_text(q, name);
    bool found = db_next(q), good = found && take_row(c, q, out);
    enum err e = db_end(q, c->why);
    if (!e && !found) {
        buf_set(c->why, "there is no rollout '%.*s'; see: kedge rollout list", STR_ARG(name));
        return ERR_NOT_FOUND;
    }
    if (!e && !good)
        e = ERR_CORRUPT;
    return e ? e : load_waves(c, out);
}

enum err rollout_load_all(struct call *c, struct str state, struct rollout **out, size_t *n)
{
    struct db_query *q =
        db_query(c->db, "SELECT name FROM rollout WHERE state = $1 OR $1 = '' ORDER BY name");
    struct buf names = {0};
    db_bind_text(q, state);
    *n = 0;
    for (; db_next(q); ++*n) {
        buf_add(&names, db_text(q, 0));
        buf_add_char(&names, '\n');
    }
    enum err e = db_end(q, c->why);
    struct str rest = buf_str(&names);
    *out = ARENA_ARRAY(c->a, struct rollout, *n ? *n : 1);
    for (size_t i = 0; !e && i < *n; i++)
        e = rollout_load(c, str_cut(&rest, '\n'), &(*out)[i]);
    buf_release(&names);
    return e;
}

static enum err save_wave(struct call *c, const struct rollout *r, size_t i)
{
    const struct rollout_wave *w = &r->wave[i];
    struct db_query *q = db_query(
        c->db,
        "INSERT INTO rollout_wave (rollout_id, wave, domains, begun_ms, ready, held_ms, good, bad,"
        " before_good, before_bad, bad_probes, first_ms, report_good, report_bad, report_before_good,"
        " report_before_bad, report_sessions, report_organization, report_result)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17, $18, $19)"
        " ON CONFLICT (rollout_id, wave) DO UPDATE SET domains = excluded.domains,"
        " begun_ms = excluded.begun_ms, ready = excluded.ready, held_ms = excluded.held_ms,"
        " good = excluded.good, bad = excluded.bad, before_good = excluded.before_good,"
        " before_bad = excluded.before_bad, bad_probes = excluded.bad_probes,"
        " first_ms = excluded.first_ms, report_good = excluded.report_good,"
        " report_bad = excluded.report_bad, report_before_good = excluded.report_before_good,"
        " report_before_bad = excluded.report_before_bad, report_sessions = excluded.report_sessions,"
        " report_organization = excluded.report_organization, report_result = excluded.report_result");
    const struct rollout_told *t = &w->told;
    const int64_t values[] = {
        r->id,       (int64_t)i, (int64_t)w->domains, r->begun_ms[i], w->is_ready,   w->held_ms,
        w->now.good, w->now.bad, w->before.good,      w->before.bad,  w->bad_probes, r->first_ms[i],
        t->now.good, t->now.bad, t->before.good,      t->before.bad,  t->sessions};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++)
        db_bind_int(q, values[k]);
    db_bind_text(q, str_of(t->organization));
    db_bind_text(q, str_of(t->result));
    return db_run(q, NULL, c->why);
}

enum err rollout_save(struct call *c, const struct rollout *r)
{
    struct db_query *q = db_query(
        c->db, "UPDATE rollout SET changed_ms = CASE WHEN state = $1 THEN changed_ms ELSE $2 END, state = $1,"
               " then_state = $3, cause = $4, begun = $5, undo_from = $6 WHERE id = $7");
    db_bind_text(q, str_of(rollout_state_name(r->state)));
    db_bind_int(q, clock_wall());
    db_bind_text(q, str_of(rollout_state_name(r->then)));
    db_bind_text(q, str_of(rollout_cause_name(r->cause)));
    db_bind_int(q, (int64_t)r->begun);
    db_bind_int(q, (int64_t)r->undo_from);
    db_bind_int(q, r->id);
    enum err e = db_run(q, NULL, c->why);
    for (size_t i = 0; !e && i < r->waves; i++)
        e = save_wave(c, r, i);
    return e;
}

enum err rollout_insert(struct call *c, struct rollout *r)
{
    enum err e = new_id(c, &r->id);
    if (e)
        return e;
    struct db_query *q =
        db_query(c->db, "INSERT INTO rollout (" COLUMNS
                        ") VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15)");
    db_bind_int(q, r->id);
    db_bind_text(q, r->name);
    db_bind_int(q, r->tenant_id);
    db_bind_text(q, r->tag);
    db_bind_text(q, str_of(rollout_state_name(r->state)));
    db_bind_text(q, str_of(rollout_state_name(r->then)));
    db_bind_text(q, str_of(rollout_cause_name(r->cause)));
    const int64_t values[] = {(int64_t)r->begun,  (int64_t)r->undo_from, r->rules.hold_ms, r->baseline_ms,
                              r->rules.tolerance, r->rules.least,        clock_wall(),     clock_wall()};
    for (size_t k = 0; k < sizeof values / sizeof *values; k++)
        db_bind_int(q, values[k]);
    e = db_run(q, NULL, c->why);
    for (size_t i = 0; !e && i < r->waves; i++)
        e = save_wave(c, r, i);
    return e;
}

enum err rollout_delete(struct call *c, int64_t id)
{
    struct db_query *q = db_query(c->db, "DELETE FROM rollout WHERE id = $1");
    db_bind_int(q, id);
    return db_run(q, NULL, c->why);
}

enum err rollout_domains(struct call *c, const struct rollout *r, size_t from, enum rollout_span span,
                         struct str state, struct str *names, size_t *n)
{
    size_t most = *n;
    struct db_query *q = db_query(c->db, "SELECT domain FROM rollout_domain WHERE rollout_id = $1"
                                         " AND wave >= $2 AND wave <= $3 AND state = $4 LIMIT $5");
    db_bind_int(q, r->id);
    db_bind_int(q, (int64_t)from);
    db_bind_int(q, span == ROLLOUT_THIS_WAVE ? (int64_t)from : ROLLOUT_WAVES_MAX);
    db_bind_text(q, state);
    db_bind_int(q, (int64_t)most);
    for (*n = 0; *n < most && db_next(q); ++*n)
        names[*n] = arena_str(c->a, db_text(q, 0));
    return db_end(q, c->why);
}

enum err rollout_set_domain(struct call *c, const struct rollout *r, struct str domain, struct str state,
                            struct str why)
{
    struct db_query *q = db_query(
        c->db, "UPDATE rollout_domain SET state = $1, why = $2 WHERE rollout_id = $3 AND domain = $4");
    db_bind_text(q, state);
    db_bind_text(q, why);
    db_bind_int(q, r->id);
    db_bind_text(q, domain);
    return db_run(q, NULL, c->why);
}
