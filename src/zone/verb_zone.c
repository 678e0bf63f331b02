/* What operators ask about zones that need the network. */
#include <stdarg.h>

#include "zone/keep_json.h"

enum { PUBLISH_MS = 120000, LINES_MAX = 1000, SAY_EACH_MS = 500 };

static struct keeper *keeper_of(struct call *c)
{
    return c->context;
}

/* The zones that were named, or all. */
struct names {
    struct arena *a;
    struct zone_row *rows;
    size_t n;
};

static enum err load_rows(struct call *c, void *ctx)
{
    struct names *n = ctx;
    return zone_load_rows(c, n->a, &n->rows, &n->n);
}

static enum err not_running(struct call *c)
{
    buf_set(c->why, "kedge-control is starting or stopping; try again");
    return ERR_STOPPED;
}

/* Runs one for each; ERR_NOT_FOUND with what there is. */
static enum err each_zone(struct call *c, enum err (*one)(struct call *c, const struct zone_row *row))
{
    struct names all = {.a = c->a};
    struct keeper *k = keeper_of(c);
    pthread_mutex_lock(&k->lock);
    bool running = k->is_running;
    pthread_mutex_unlock(&k->lock);
    if (!running)
        return not_running(c);
    enum err e = tenant_transact(k->store, TENANT_READ, load_rows, &all, c->why);
    size_t wanted = arg_count(c, "zone");
    for (size_t i = 0; !e && i < all.n && !wanted; i++)
        e = one(c, &all.rows[i]);
    for (size_t w = 0; !e && w < wanted; w++) {
        size_t at = 0;
        while (at < all.n && !str_equal_nocase(all.rows[at].name, arg_at(c, "zone", w)))
            at++;
        if (at < all.n) {
            e = one(c, &all.rows[at]);
        } else {
            buf_set(c->why, "there is no zone '%.*s'; \"kedge zone list\" shows those there are",
                    STR_ARG(arg_at(c, "zone", w)));
            e = ERR_NOT_FOUND;
        }
    }
    return e;
}

static void begin(struct call *c)
{
    c->result = json_object();
    json_object_set_new(c->result, "good", json_true());
    json_object_set_new(c->result, "zones", json_array());
    json_object_set_new(c->result, "lines", json_array());
}

static void add(struct call *c, json_t *zone, bool good)
{
    json_array_append_new(json_object_get(c->result, "zones"), zone);
    if (!good)
        json_object_set_new(c->result, "good", json_false());
}

static json_t *lines_of(struct call *c)
{
    return json_object_get(c->result, "lines");
}

static void progress(struct call *c, const char *format, ...) __attribute__((format(printf, 2, 3)));
static void progress(struct call *c, const char *format, ...)
{
    struct buf text = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&text, format, args);
    va_end(args);
    json_t *line = json_object();
    json_object_set_new(line, "text", json_of(buf_str(&text)));
    call_progress(c, line);
    buf_release(&text);
}

/* zone.status: what the keeper knows, without asking anybody. */

static void tell_status(struct call *c, const json_t *o)
{
    json_t *lines = keep_status_lines(o);
    json_array_extend(lines_of(c), lines);
    json_decref(lines);
}

static enum err status_one(struct call *c, const struct zone_row *row)
{
    struct keeper *k = keeper_of(c);
    pthread_mutex_lock(&k->lock);
    json_t *o = keep_status_json(keep_zone_get(k, row->name), row);
    pthread_mutex_unlock(&k->lock);
    tell_status(c, o);
    add(c, o, json_is_true(json_object_get(o, "good")));
    return OK;
}

static enum err zone_status(struct call *c)
{
    begin(c);
    return each_zone(c, status_one);
}

/* zone.diff: what would be sent now. */

static void tell_records(struct call *c, const char *mark, const json_t *records)
{
    size_t i;
    json_t *one;
    json_array_foreach(records, i, one) json_append_line(lines_of(c), "%s %s", mark, json_string_value(one));
}

static json_t *changes_json(const struct zone_diff *d, enum dns_change_op op)
{
    json_t *list = json_array();
    for (size_t i = 0; i < d->n && json_array_size(list) < LINES_MAX; i++)
        if (d->change[i].op == op)
            json_array_append_new(list, keep_record_json(&d->change[i].record));
    return list;
}

static json_t *raws_json(const struct dns_raw *r, size_t n)
{
    json_t *list = json_array();
    for (size_t i = 0; i < n && i < LINES_MAX; i++)
        json_array_append_new(list, keep_record_json(&r[i]));
    return list;
}

/* As the publisher would, and without its knowing. */
static void follow_lingers(struct keeper *k, struct str zone, struct keep_spec *s,
                           const struct zone_snapshot *actual)
{
    pthread_mutex_lock(&k->lock);
    struct keep_lingers lingers = keep_linger_copy(&keep_zone_get(k, zone)->lingers);
    pthread_mutex_unlock(&k->lock);
    (void)keep_linger_follow(&lingers, &s->arena, &s->spec,
                             &(struct zone_records){actual->records, actual->n}, clock_mono());
    keep_linger_release(&lingers);
}

static enum err diff_one(struct call *c, const struct zone_row *row)
{
    struct keep_spec s;
    struct zone_snapshot actual = {0};
    struct zone_records desired;
    struct zone_diff d;
    struct keeper *k = keeper_of(c);
    enum err e = keep_spec_load(k, arena_cstr(c->a, row->name), &s, c->why);
    struct authority primary = {.addr = s.row.primary, .key = s.row.key.name.n ? &s.row.key : NULL};
    if (!e)
        e = zone_read_back(&primary, row->name, deadline_in(PUBLISH_MS), &actual, c->why);
    if (!e) {
        follow_lingers(k, row->name, &s, &actual);
        zone_desired(&s.arena, &s.spec, &desired);
        zone_diff(&s.arena, &s.spec, &desired, &(struct zone_records){actual.records, actual.n}, &d);
        json_t *o = json_object();
        json_object_set_new(o, "zone", json_of(row->name));
        json_object_set_new(o, "serial", json_integer(actual.serial));
        json_object_set_new(o, "changes", json_integer((json_int_t)d.n));
        json_object_set_new(o, "add", changes_json(&d, DNS_ADD));
        json_object_set_new(o, "remove", changes_json(&d, DNS_REMOVE));
        json_object_set_new(o, "foreign", raws_json(d.foreign, d.foreign_n));
        json_object_set_new(o, "blocked", raws_json(d.blocked, d.blocked_n));
        json_append_line(lines_of(c), "%.*s, serial %u: %zu changes, %zu foreign records", STR_ARG(row->name),
                         actual.serial, d.n, d.foreign_n);
        tell_records(c, "+", json_object_get(o, "add"));
        tell_records(c, "-", json_object_get(o, "remove"));
        tell_records(c, "! a foreign record is in the way of", json_object_get(o, "blocked"));
        tell_records(c, "? not ours:", json_object_get(o, "foreign"));
        add(c, o, d.n == 0);
    }
    zone_snapshot_release(&actual);
    keep_spec_release(&s);
    return e;
}

static enum err zone_diff_verb(struct call *c)
{
    begin(c);
    return each_zone(c, diff_one);
}

/* zone.publish: compares anew and sends now; returns when that is over. */

static enum err wait_published(struct call *c, struct keep_zone *z, uint64_t target)
{
    struct keeper *k = z->keeper;
    deadline until = deadline_in(PUBLISH_MS);
    size_t said = 0;
    pthread_mutex_lock(&k->lock);
    while (k->is_running && z->rounds < target && !deadline_is_over(until)) {
        (void)thread_cond_wait(&k->changed, &k->lock, deadline_in(SAY_EACH_MS));
        size_t left = z->report.backlog;
        if (left == said)
            continue;
        said = left;
        pthread_mutex_unlock(&k->lock);
        progress(c, "%s: %zu changes to go", z->name, left);
        pthread_mutex_lock(&k->lock);
    }
    bool done = z->rounds >= target, running = k->is_running;
    pthread_mutex_unlock(&k->lock);
    if (!done)
        buf_set(c->why, "%s: the primary has not taken the changes in time; they are tried again", z->name);
    return done ? OK : running ? ERR_TIMEOUT : ERR_STOPPED;
}

static enum err publish_one(struct call *c, const struct zone_row *row)
{
    struct keeper *k = keeper_of(c);
    pthread_mutex_lock(&k->lock);
    struct keep_zone *z = keep_zone_get(k, row->name);
    /* A job that runs already may have looked before the change: the one after it counts. */
    uint64_t target = z->rounds + (z->is_busy ? 2 : 1);
    z->is_there = z->is_due = z->must_read = true;
    z->pace.not_before = 0;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
    enum err e = wait_published(c, z, target);
    return e ? e : status_one(c, row);
}

static enum err zone_publish_verb(struct call *c)
{
    begin(c);
    return each_zone(c, publish_one);
}

/* zone.verify: asks every server now. */

struct pairs {
    struct arena *a;
    struct keep_pair *v;
    size_t n;
};

static enum err load_pairs(struct call *c, void *ctx)
{
    struct pairs *p = ctx;
    return keep_pairs(c, p->a, &p->v, &p->n);
}

static enum err verify_one(struct call *c, const struct zone_row *row)
{
    struct keeper *k = keeper_of(c);
    struct pairs all = {.a = c->a};
    struct keep_versions versions = {0}; /* the watcher's are its own */
    enum err e = tenant_transact(k->store, TENANT_READ, load_pairs, &all, c->why);
    if (e)
        return e;
    struct keep_ask ask = keep_ask_of(k, row, all.v, all.n, &versions);
    ask.crew = crew_new(0);
    keep_ask(&ask);
    crew_free(ask.crew);
    json_t *hosts = keep_ask_hosts_json(&ask), *o = keep_evidence_json(&ask.evidence, hosts);
    json_t *lines = keep_evidence_lines(&ask.evidence, o);
    json_array_extend(lines_of(c), lines);
    json_decref(lines);
    json_decref(hosts);
    add(c, o, json_is_true(json_object_get(o, "good")));
    keep_ask_release(&ask);
    keep_versions_release(&versions);
    return OK;
}

static enum err zone_verify_verb(struct call *c)
{
    begin(c);
    return each_zone(c, verify_one);
}

const struct tenant_verb zone_verbs[] = {
    {"zone.status", VERB_FREE_READ, zone_status},
    {"zone.diff", VERB_FREE, zone_diff_verb},
    {"zone.publish", VERB_FREE, zone_publish_verb},
    {"zone.verify", VERB_FREE, zone_verify_verb},
};
const size_t zone_verb_count = sizeof zone_verbs / sizeof *zone_verbs;
