/* domain.status: what is true about accepted domains. Domains that were named are told in full, connections
 * included. Many are told in a line each, as they come, and in a summary at the end. */
#include <stdatomic.h>

#include "dns/message.h"
#include "inspect/domain.h"
#include "inspect/survey.h"
#include "inspect/verbs_priv.h"
#include "tenant/bulk.h"

enum { PROOF_AFTER = 100 }; /* so many domains of which nothing can be said: is it the resolver? */

struct status {
    struct call *c;
    struct inspect_world *world;
    struct gather_conf gather;
    struct dns_source guarded[2]; /* of the world, until it is over */
    struct survey *survey;
    atomic_bool is_left; /* nobody hears it any more */
    bool is_named;
    /* where the names come from */
    size_t at;         /* arguments */
    struct str rest;   /* file */
    struct str tenant; /* database */
    struct buf after;
    int64_t checked, failed, states[DOMAIN_UNKNOWN + 1];
    size_t unknown_in_a_row;
    json_t *codes; /* code: how many domains */
    json_t *rows;  /* named: the result */
};

static bool is_over(void *ctx)
{
    struct status *s = ctx;
    return atomic_load(&s->is_left) || tenant_is_stopping(s->c->store);
}

/* A question that nobody needs an answer to is not asked. */
static void ask_unless_over(struct status *s, const struct dns_source *source, struct arena *a,
                            const struct dns_question *q, size_t n, deadline until, struct dns_answer *out)
{
    if (!is_over(s)) {
        source->ask(source->ctx, a, q, n, until, out);
        return;
    }
    for (size_t i = 0; i < n; i++)
        dns_answer_fail(a, &q[i], DNS_ERROR_TIMEOUT, STR("not asked any more"), &out[i]);
}

static void ask_validated(void *ctx, struct arena *a, const struct dns_question *q, size_t n, deadline until,
                          struct dns_answer *out)
{
    struct status *s = ctx;
    ask_unless_over(s, s->world->gather.source, a, q, n, until, out);
}

static void ask_unvalidated(void *ctx, struct arena *a, const struct dns_question *q, size_t n,
                            deadline until, struct dns_answer *out)
{
    struct status *s = ctx;
    ask_unless_over(s, s->world->gather.unvalidated, a, q, n, until, out);
}

struct looking {
    struct survey_item *item;
    struct facts f;
};

static enum err load(struct call *c, void *ctx)
{
    struct looking *l = ctx;
    struct str name;
    enum err e = name_normal(c, l->item->name, &name);
    return e ? e : wanted_load(c, name, &l->f);
}

/* Each code once. */
static json_t *codes_of(const struct domain_report *r)
{
    json_t *codes = json_array();
    for (size_t i = 0; i < r->findings; i++) {
        bool again = false;
        for (size_t k = 0; k < i; k++)
            again = again || strcmp(r->finding[k].code, r->finding[i].code) == 0;
        if (!again)
            json_array_append_new(codes, json_string(r->finding[i].code));
    }
    return codes;
}

static json_t *line_of(const struct facts *f, const struct domain_report *r)
{
    json_t *row = json_object();
    json_object_set_new(row, "domain", json_of(f->domain));
    json_object_set_new(row, "state", json_string(domain_state_name(r->state)));
    json_object_set_new(row, "expected_mx", json_of(f->expected));
    json_object_set_new(row, "codes", codes_of(r));
    return row;
}

static void look(void *ctx, struct survey_item *i)
{
    struct status *s = ctx;
    struct arena a = {0};
    struct looking l = {.item = i, .f = {.arena = &a, .port = s->world->port}};
    i->error = tenant_transact(s->c->store, TENANT_READ, load, &l, &i->why);
    if (!i->error)
        facts_gather(&l.f, &s->gather);
    /* Facts that were cut short in the middle are judged by nobody; the survey does not take the item. */
    if (!i->error && !is_over(s)) {
        struct domain_report report;
        domain_find(&l.f, &report);
        i->row = s->is_named ? domain_json(&l.f, &report) : line_of(&l.f, &report);
        i->state = report.state;
        i->seen = wanted_seen_of(&l.f);
        i->seen.domain = arena_str(&i->a, l.f.domain);
    }
    facts_release(&l.f);
    arena_release(&a);
}

static enum err more_arguments(struct status *s)
{
    size_t count = arg_count(s->c, "domain");
    for (size_t n = 0; n < SURVEY_PAGE && s->at < count; n++)
        survey_add(s->survey, arg_at(s->c, "domain", s->at++));
    return OK;
}

static enum err more_lines(struct status *s)
{
    for (size_t n = 0; n < SURVEY_PAGE && s->rest.n;) {
        struct str line = str_cut(&s->rest, '\n');
        line = str_trim(str_cut(&line, '#'));
        if (line.n) {
            survey_add(s->survey, line);
            n++;
        }
    }
    return OK;
}

static void take_name(void *ctx, struct str name)
{
    struct status *s = ctx;
    survey_add(s->survey, name);
    buf_set(&s->after, "%.*s", STR_ARG(name));
}

static enum err read_page(struct call *c, void *ctx)
{
    struct status *s = ctx;
    struct str after = arena_str(c->a, buf_str(&s->after));
    return bulk_page(c, s->tenant, after, SURVEY_PAGE, take_name, s);
}

static enum err more(void *ctx)
{
    struct status *s = ctx;
    return s->is_named             ? more_arguments(s)
           : arg_has(s->c, "file") ? more_lines(s)
                                   : tenant_transact(s->c->store, TENANT_READ, read_page, s, s->c->why);
}

struct batch {
    struct survey_item *const *v;
    size_t n;
};

static enum err remember(struct call *c, void *ctx)
{
    struct batch *b = ctx;
    enum err e = OK;
    for (size_t i = 0; !e && i < b->n; i++)
        if (!b->v[i]->error)
            e = wanted_remember(c, &b->v[i]->seen);
    return e;
}

static void count(struct status *s, const struct survey_item *i)
{
    s->checked++;
    if (i->error) {
        s->failed++;
        return;
    }
    s->states[i->state]++;
    s->unknown_in_a_row = i->state == DOMAIN_UNKNOWN ? s->unknown_in_a_row + 1 : 0;
    const json_t *codes = json_object_get(i->row, "codes");
    for (size_t k = 0; k < json_array_size(codes); k++) {
        const char *code = json_string_value(json_array_get(codes, k));
        json_int_t before = json_integer_value(json_object_get(s->codes, code));
        json_object_set_new(s->codes, code, json_integer(before + 1));
    }
}

static json_t *row_of(const struct survey_item *i)
{
    if (!i->error)
        return json_incref(i->row);
    json_t *row = json_object();
    json_object_set_new(row, "domain", json_of(i->name));
    json_object_set_new(row, "error", json_of(buf_str(&i->why)));
    return row;
}

static void tell(struct status *s, const struct batch *b)
{
    json_t *rows = json_array(), *line = json_object();
    for (size_t i = 0; i < b->n; i++) {
        count(s, b->v[i]);
        json_array_append_new(rows, row_of(b->v[i]));
    }
    json_object_set_new(line, "rows", rows);
    json_object_set_new(line, "done", json_integer(s->checked));
    json_object_set_new(line, "failed", json_integer(s->failed));
    if (!call_progress(s->c, line))
        atomic_store(&s->is_left, true);
}

/* The first that cannot be looked at ends it. */
static enum err keep(struct status *s, const struct batch *b)
{
    for (size_t i = 0; i < b->n; i++) {
        if (b->v[i]->error) {
            buf_set(s->c->why, "%s", buf_cstr(&b->v[i]->why));
            return b->v[i]->error;
        }
        json_array_append(s->rows, b->v[i]->row);
    }
    return OK;
}

static enum err take(void *ctx, struct survey_item *const *v, size_t n)
{
    struct status *s = ctx;
    struct batch b = {v, n};
    enum err e = n ? tenant_transact(s->c->store, TENANT_WRITE, remember, &b, s->c->why) : OK;
    if (e)
        return e;
    if (s->is_named)
        return keep(s, &b);
    tell(s, &b);
    if (s->unknown_in_a_row < PROOF_AFTER)
        return OK;
    s->unknown_in_a_row = 0;
    return inspect_world_prove(s->world, s->c->why);
}

static enum err run(struct status *s)
{
    enum err e = survey_run(s->survey);
    if (e || !is_over(s))
        return e;
    if (tenant_is_stopping(s->c->store))
        buf_set(s->c->why,
                "kedge-control is stopping: %lld domains were checked, the others were not; try again when "
                "it is up",
                (long long)s->checked);
    else
        buf_set(s->c->why, "the caller has left after %lld domains", (long long)s->checked);
    return ERR_CLOSED;
}

static void summarise(struct status *s)
{
    json_t *sum = s->c->result = json_object();
    json_object_set_new(sum, "checked", json_integer(s->checked));
    json_object_set_new(sum, "failed", json_integer(s->failed));
    for (size_t i = 0; i <= DOMAIN_UNKNOWN; i++)
        json_object_set_new(sum, domain_state_name((enum domain_state)i), json_integer(s->states[i]));
    json_object_set(sum, "codes", s->codes);
}

static void gather_by(struct status *s, bool connect)
{
    s->gather = s->world->gather;
    s->guarded[0] = (struct dns_source){.ctx = s, .ask = ask_validated};
    s->guarded[1] = (struct dns_source){.ctx = s, .ask = ask_unvalidated};
    s->gather.source = &s->guarded[0];
    s->gather.unvalidated = &s->guarded[1];
    s->gather.is_over = is_over;
    s->gather.over_ctx = s;
    if (!connect)
        s->gather.tls = NULL;
    s->gather.zones = zones_new(s->gather.crew, &(struct servers_conf){.source = s->gather.source,
                                                                       .unvalidated = s->gather.unvalidated,
                                                                       .dns_ms = s->gather.dns_ms,
                                                                       .server_ms = s->gather.server_ms});
}

enum err verb_domain_status(struct call *c)
{
    struct inspect_world *world = c->context;
    bool named = arg_count(c, "domain") > 0;
    bool all = arg_is_set(c, "all"), tenant = arg_has(c, "tenant"), file = arg_has(c, "file");
    if (named + all + tenant + file != 1) {
        buf_set(c->why, "say which domains: DOMAIN..., --file FILE, --tenant NAME or --all, one of these");
        return ERR_USAGE;
    }
    enum err e = inspect_world_prove(world, c->why);
    if (e)
        return e;
    struct status s = {.c = c, .world = world, .is_named = named};
    s.rest = arg_text(c, "file");
    s.tenant = arg_text(c, "tenant");
    s.codes = json_object();
    s.rows = json_array();
    gather_by(&s, named ? !arg_is_set(c, "no_connect") : arg_is_set(c, "connect"));
    s.survey = survey_new(&(struct survey_conf){
        .crew = s.gather.crew, .ctx = &s, .more = more, .look = look, .take = take, .is_over = is_over});
    e = run(&s);
    if (!e && named)
        c->result = json_incref(s.rows);
    else if (!e)
        summarise(&s);
    survey_free(s.survey);
    zones_free(s.gather.zones);
    buf_release(&s.after);
    json_decref(s.codes);
    json_decref(s.rows);
    return e;
}

/* The table itself: what each code means. */
enum err verb_domain_codes(struct call *c)
{
    size_t count;
    const struct inspect_finding *kinds = domain_finding_kinds(&count);
    c->result = json_array();
    for (size_t i = 0; i < count; i++) {
        json_t *o = json_object();
        json_object_set_new(o, "code", json_string(kinds[i].code));
        json_object_set_new(o, "severity", json_string(inspect_severity_name(kinds[i].severity)));
        json_object_set_new(o, "sentence", json_string(kinds[i].sentence));
        json_object_set_new(o, "fix", json_string(kinds[i].fix));
        json_array_append_new(c->result, o);
    }
    return OK;
}
