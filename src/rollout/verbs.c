/* What operators say about rollouts. The thread does it; verbs only write down what is wanted. */
#include "conf/conf.h"
#include "rollout/rollout.h"
#include "rollout/store.h"
#include "rollout/tell.h"
#include "rollout/watch.h"

enum { HOLD_MS = 24 * 3600 * 1000, BASELINE_MS = 24 * 3600 * 1000, TOLERANCE = 20, LEAST = 5 };

static json_t *describe_told(const struct rollout_told *t)
{
    json_t *o = json_object();
    json_object_set_new(o, "good", json_integer(t->now.good));
    json_object_set_new(o, "bad", json_integer(t->now.bad));
    json_object_set_new(o, "good_before", json_integer(t->before.good));
    json_object_set_new(o, "bad_before", json_integer(t->before.bad));
    json_object_set_new(o, "organization", json_string(t->organization));
    json_object_set_new(o, "result", json_string(t->result));
    json_object_set_new(o, "sessions", json_integer(t->sessions));
    return o;
}

static json_t *describe_wave(const struct rollout *r, size_t i)
{
    const struct rollout_wave *w = &r->wave[i];
    json_t *o = json_object();
    bool begun = i < r->begun;
    json_object_set_new(o, "wave", json_integer((json_int_t)i + 1));
    json_object_set_new(o, "domains", json_integer((json_int_t)w->domains));
    json_object_set_new(o, "begun", json_time(r->begun_ms[i]));
    json_object_set_new(o, "on", json_boolean(begun && w->is_ready));
    json_object_set_new(o, "held_s", json_integer(w->held_ms / 1000));
    json_object_set_new(o, "good", json_integer(w->now.good));
    json_object_set_new(o, "bad", json_integer(w->now.bad));
    json_object_set_new(o, "good_before", json_integer(w->before.good));
    json_object_set_new(o, "bad_before", json_integer(w->before.bad));
    json_object_set_new(o, "bad_probes", json_integer(w->bad_probes));
    json_object_set_new(o, "reports", describe_told(&w->told));
    return o;
}

/* With the evidence, where the sentence alone leaves open who says so. More may be undone than what they
 * tell of. */
static json_t *because(struct call *c, const struct rollout *r)
{
    struct rollout_awaited w;
    const char *sentence = rollout_cause_sentence(r->cause);
    size_t i = r->undo_from;
    if (r->cause == ROLLOUT_CAUSE_PROBES_AWAITED && !rollout_awaited_probe(c, r, c->a, &w) && w.mx_host.n)
        return json_sprintf("%s; %.*s, at %.*s: %.*s, for %lld s now", sentence, STR_ARG(w.edge),
                            STR_ARG(w.mx_host), STR_ARG(w.reason),
                            (long long)((clock_wall() - w.since_ms) / 1000));
    while (i < r->waves && !*r->wave[i].told.organization)
        i++;
    if (r->cause != ROLLOUT_CAUSE_REPORTS || i == r->waves)
        return json_string(sentence);
    const struct rollout_told *t = &r->wave[i].told;
    return json_sprintf("%s; most by %s: %s, %lld sessions", sentence, t->organization, t->result,
                        (long long)t->sessions);
}

static json_t *failures_of(struct call *c, const struct rollout *r)
{
    json_t *list = json_array();
    struct db_query *q = db_query(c->db, "SELECT domain, why FROM rollout_domain WHERE rollout_id = $1"
                                         " AND state = 'failed' ORDER BY domain LIMIT 100");
    db_bind_int(q, r->id);
    while (db_next(q)) {
        json_t *o = json_object();
        json_object_set_new(o, "domain", json_of(db_text(q, 0)));
        json_object_set_new(o, "error", json_of(db_text(q, 1)));
        json_array_append_new(list, o);
    }
    (void)!db_end(q, NULL);
    return list;
}

static json_t *describe(struct call *c, const struct rollout *r)
{
    json_t *o = json_object(), *waves = json_array();
    size_t domains = 0, moved = 0;
    for (size_t i = 0; i < r->waves; i++) {
        domains += r->wave[i].domains;
        moved += i < r->begun ? r->wave[i].domains : 0;
        json_array_append_new(waves, describe_wave(r, i));
    }
    json_object_set_new(o, "rollout", json_of(r->name));
    json_object_set_new(o, "state", json_string(rollout_state_name(r->state)));
    json_object_set_new(o, "meaning", json_string(rollout_state_sentence(r->state)));
    json_object_set_new(o, "cause", json_string(rollout_cause_name(r->cause)));
    json_object_set_new(o, "because", because(c, r));
    json_object_set_new(o, "tenant", json_of(tenant_name_of(c, r->tenant_id)));
    json_object_set_new(o, "tag", json_of(r->tag));
    json_object_set_new(o, "wave", json_integer((json_int_t)r->begun));
    json_object_set_new(o, "waves", json_integer((json_int_t)r->waves));
    json_object_set_new(o, "domains", json_integer((json_int_t)domains));
    json_object_set_new(o, "moved", json_integer((json_int_t)moved));
    json_object_set_new(o, "hold_s", json_integer(r->rules.hold_ms / 1000));
    json_object_set_new(o, "since", json_time(r->changed_ms));
    json_object_set_new(o, "progress", waves);
    json_object_set_new(o, "failures", failures_of(c, r));
    return o;
}

static json_t *describe_and_tell(struct call *c, const struct rollout *r)
{
    json_t *o = describe(c, r);
    rollout_tell(r, o);
    return o;
}

static enum err load_named(struct call *c, struct rollout *r)
{
    struct str name;
    enum err e = arg_need(c, "rollout", &name);
    return e ? e : rollout_load(c, name, r);
}

static enum err verb_list(struct call *c)
{
    struct rollout *all;
    size_t n;
    enum err e = rollout_load_all(c, STR(""), &all, &n);
    if (e)
        return e;
    c->result = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(c->result, describe(c, &all[i]));
    return OK;
}

static enum err verb_status(struct call *c)
{
    struct rollout r;
    enum err e = load_named(c, &r);
    if (!e)
        c->result = describe_and_tell(c, &r);
    return e;
}

/* ---- plan ---- */

static enum err read_number(struct call *c, const char *name, uint32_t most, int64_t *out)
{
    uint32_t n;
    if (!arg_has(c, name))
        return OK;
    if (!str_to_u32(arg_text(c, name), &n) || n > most) {
        buf_set(c->why, "%s '%.*s' is not a number up to %u", name, STR_ARG(arg_text(c, name)), most);
        return ERR_USAGE;
    }
    *out = n;
    return OK;
}

static enum err read_duration(struct call *c, const char *name, int64_t *out)
{
    if (!arg_has(c, name) || (conf_duration(arg_text(c, name), out) && *out >= 0))
        return OK;
    buf_set(c->why, "%s '%.*s' is not a time like 90s, 30min or 24h", name, STR_ARG(arg_text(c, name)));
    return ERR_USAGE;
}

static enum err read_plan(struct call *c, struct rollout *r)
{
    int64_t percent = TOLERANCE / 10;
    *r = (struct rollout){.tag = arg_text(c, "tag"),
                          .cause = ROLLOUT_CAUSE_OPERATOR,
                          .baseline_ms = BASELINE_MS,
                          .rules = {.hold_ms = HOLD_MS, .least = LEAST}};
    enum err e = arg_need(c, "rollout", &r->name);
    if (!e && arg_has(c, "tenant"))
        e = tenant_id_of(c, arg_text(c, "tenant"), TENANT_ONE, &r->tenant_id);
    if (!e)
        e = read_duration(c, "hold", &r->rules.hold_ms);
    if (!e)
        e = read_duration(c, "baseline", &r->baseline_ms);
    if (!e)
        e = read_number(c, "tolerance", 100, &percent);
    if (!e)
        e = read_number(c, "least", 1000000, &r->rules.least);
    r->rules.tolerance = 10 * percent;
    return e;
}

struct ranked {
    uint64_t rank;
    struct str domain;
};

static int compare_ranked(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

/* Those that have an MX host in a signed zone and no DANE yet, in the order in which they move. */
static enum err choose(struct call *c, const struct rollout *r, struct ranked **out, size_t *n)
{
    struct db_query *q = db_query(c->db, "SELECT name FROM domain WHERE (tenant_id = $1 OR $1 = 0)"
                                         " AND (wave = $2 OR $2 = '') AND dnssec = 1 AND dane = 0");
    size_t size = 0;
    db_bind_int(q, r->tenant_id);
    db_bind_text(q, r->tag);
    *out = NULL;
    for (*n = 0; db_next(q); ++*n) {
        if (*n == size) {
            size = size ? 2 * size : 256;
            *out = must_alloc(realloc(*out, size * sizeof **out));
        }
        struct str domain = arena_str(c->a, db_text(q, 0));
        (*out)[*n] = (struct ranked){rollout_rank(r->name, domain), domain};
    }
    if (*n)
        qsort(*out, *n, sizeof **out, compare_ranked);
    return db_end(q, c->why);
}

static enum err insert_domains(struct call *c, const struct rollout *r, const struct ranked *chosen)
{
    enum err e = OK;
    size_t i = 0;
    for (size_t wave = 0, over = 0; wave < r->waves; wave++)
        for (over += r->wave[wave].domains; !e && i < over; i++) {
            struct db_query *q =
                db_query(c->db, "INSERT INTO rollout_domain (rollout_id, wave, domain, state, why)"
                                " VALUES ($1, $2, $3, 'waiting', '')");
            db_bind_int(q, r->id);
            db_bind_int(q, (int64_t)wave);
            db_bind_text(q, chosen[i].domain);
            e = db_run(q, NULL, c->why);
        }
    return e;
}

/* A plan that has not begun, and a rollout that is over, may be planned anew. */
static enum err make_room(struct call *c, struct str name)
{
    struct rollout before;
    enum err e = rollout_load(c, name, &before);
    if (e == ERR_NOT_FOUND) {
        buf_clear(c->why);
        return OK;
    }
    if (e)
        return e;
    if (before.begun && before.state != ROLLOUT_DONE) {
        buf_set(c->why, "rollout '%.*s' is %s; first: kedge rollout back %.*s --wave 1, or take another name",
                STR_ARG(name), rollout_state_name(before.state), STR_ARG(name));
        return ERR_EXISTS;
    }
    return rollout_delete(c, before.id);
}

static enum err verb_plan(struct call *c)
{
    struct rollout r;
    struct ranked *chosen = NULL;
    size_t n = 0, over[ROLLOUT_WAVES_MAX], before = 0;
    enum err e = read_plan(c, &r);
    if (!e)
        e = make_room(c, r.name);
    if (!e)
        e = choose(c, &r, &chosen, &n);
    if (!e && n == 0) {
        buf_set(c->why,
                "no domain of that choice has an MX host in a signed zone and no DANE yet; see: kedge "
                "domain list, kedge domain dnssec enable");
        e = ERR_REFUSED;
    }
    r.waves = e ? 0 : rollout_plan(n, over);
    for (size_t i = 0; i < r.waves; before = over[i++])
        r.wave[i].domains = over[i] - before;
    if (!e)
        e = rollout_insert(c, &r);
    if (!e)
        e = insert_domains(c, &r, chosen);
    free(chosen);
    if (!e)
        c->result = describe_and_tell(c, &r);
    return e;
}

/* ---- the rest ---- */

static enum err refuse(struct call *c, const struct rollout *r, const char *next)
{
    buf_set(c->why, "rollout '%.*s' is %s: %s; %s %.*s", STR_ARG(r->name), rollout_state_name(r->state),
            rollout_state_sentence(r->state), next, STR_ARG(r->name));
    return ERR_REFUSED;
}

static enum err save(struct call *c, const struct rollout *r)
{
    enum err e = rollout_save(c, r);
    if (!e)
        c->result = describe_and_tell(c, r);
    rollouts_wake(c->context);
    return e;
}

static enum err change_to(struct call *c, struct rollout *r, enum rollout_state state)
{
    r->state = state;
    r->cause = ROLLOUT_CAUSE_OPERATOR;
    return save(c, r);
}

static enum err verb_start(struct call *c)
{
    struct rollout r;
    enum err e = load_named(c, &r);
    if (!e && r.state != ROLLOUT_PLANNED)
        e = refuse(c, &r, "see: kedge rollout status");
    return e ? e : change_to(c, &r, ROLLOUT_RUNNING);
}

static enum err verb_pause(struct call *c)
{
    struct rollout r;
    enum err e = load_named(c, &r);
    if (!e && r.state != ROLLOUT_RUNNING)
        e = refuse(c, &r, "see: kedge rollout status");
    return e ? e : change_to(c, &r, ROLLOUT_PAUSED);
}

static enum err verb_resume(struct call *c)
{
    struct rollout r;
    enum err e = load_named(c, &r);
    if (!e && r.state != ROLLOUT_PAUSED && r.state != ROLLOUT_HALTED)
        e = refuse(c, &r, "see: kedge rollout status");
    return e ? e : change_to(c, &r, ROLLOUT_RUNNING);
}

/* What is being undone already is undone; this may only add to it. */
static enum err verb_back(struct call *c)
{
    struct rollout r;
    int64_t wave = 0;
    enum err e = load_named(c, &r);
    if (!e)
        e = read_number(c, "wave", ROLLOUT_WAVES_MAX, &wave);
    if (!e && r.begun == 0)
        e = refuse(c, &r, "there is nothing to undo; see: kedge rollout status");
    if (!e && wave > (int64_t)r.begun) {
        buf_set(c->why, "wave %lld has not begun; the last one that has is %zu", (long long)wave, r.begun);
        e = ERR_USAGE;
    }
    if (e)
        return e;
    size_t from = (wave ? (size_t)wave : r.begun) - 1;
    bool is_undoing = r.state == ROLLOUT_UNDOING;
    r.undo_from = is_undoing && r.undo_from < from ? r.undo_from : from;
    if (is_undoing && r.then == ROLLOUT_HALTED) /* it went bad, and that stays to be looked into */
        return save(c, &r);
    r.then = ROLLOUT_PAUSED;
    return change_to(c, &r, ROLLOUT_UNDOING);
}

const struct tenant_verb rollout_verbs[] = {
    {"rollout.list", VERB_READ, verb_list},    {"rollout.status", VERB_READ, verb_status},
    {"rollout.plan", VERB_WRITE, verb_plan},   {"rollout.start", VERB_WRITE, verb_start},
    {"rollout.pause", VERB_WRITE, verb_pause}, {"rollout.resume", VERB_WRITE, verb_resume},
    {"rollout.back", VERB_WRITE, verb_back},
};
const size_t rollout_verb_count = sizeof rollout_verbs / sizeof *rollout_verbs;
