/* domain.status: what is true about accepted domains. Domains that were named are told in full, connections
 * included. Many are told in a line each, as progress, and in a summary at the end. */
#include "inspect/domain.h"
#include "inspect/verbs_priv.h"
#include "inspect/wanted.h"
#include "tenant/bulk.h"

enum { PAGE = 200, WORKERS = 16 };

/* One domain, looked at in a thread of its own. */
struct item {
    struct arena a;
    struct facts f;
    struct domain_report report;
    struct str name;
    enum err error;
    struct buf why;
};

struct status {
    struct call *c;
    struct inspect_world *world;
    struct gather_conf gather;
    pthread_mutex_t lock;
    pthread_cond_t done;
    struct item item[PAGE];
    size_t n, next, running; /* of the page */
    int64_t checked, failed, states[DOMAIN_UNKNOWN + 1];
    json_t *codes; /* code: how many domains */
};

static enum err load(struct call *c, void *ctx)
{
    struct item *i = ctx;
    struct str name;
    enum err e = name_normal(c, i->name, &name);
    return e ? e : wanted_load(c, name, &i->f);
}

static void look(struct status *s, struct item *i)
{
    i->f = (struct facts){.arena = &i->a, .port = s->world->port};
    i->error = tenant_transact(s->c->store, TENANT_READ, load, i, &i->why);
    if (i->error)
        return;
    facts_gather(&i->f, &s->gather);
    domain_find(&i->f, &i->report);
}

static void work(void *arg)
{
    struct status *s = arg;
    pthread_mutex_lock(&s->lock);
    while (s->next < s->n) {
        struct item *i = &s->item[s->next++];
        pthread_mutex_unlock(&s->lock);
        look(s, i);
        pthread_mutex_lock(&s->lock);
    }
    if (--s->running == 0)
        pthread_cond_signal(&s->done);
    pthread_mutex_unlock(&s->lock);
}

static enum err remember(struct call *c, void *ctx)
{
    struct status *s = ctx;
    enum err e = OK;
    for (size_t i = 0; !e && i < s->n; i++)
        if (!s->item[i].error)
            e = wanted_remember(c, &s->item[i].f);
    return e;
}

/* Looks at all domains of the page. */
static enum err run_page(struct status *s)
{
    s->next = 0;
    s->running = s->n < WORKERS ? s->n : WORKERS;
    size_t workers = s->running;
    for (size_t i = 0; i < workers; i++)
        if (crew_start(s->gather.crew, work, s, NULL))
            work(s);
    pthread_mutex_lock(&s->lock);
    while (s->running)
        (void)thread_cond_wait(&s->done, &s->lock, DEADLINE_NEVER);
    pthread_mutex_unlock(&s->lock);
    return s->n ? tenant_transact(s->c->store, TENANT_WRITE, remember, s, s->c->why) : OK;
}

static void clear_page(struct status *s)
{
    for (size_t i = 0; i < s->n; i++) {
        facts_release(&s->item[i].f);
        arena_release(&s->item[i].a);
        buf_release(&s->item[i].why);
        s->item[i] = (struct item){0};
    }
    s->n = 0;
}

static void add_name(struct status *s, struct str name)
{
    struct item *i = &s->item[s->n++];
    i->name = arena_str(&i->a, name);
}

/* The code counts once a domain. */
static void count_codes(struct status *s, const struct domain_report *r, json_t *codes)
{
    for (size_t i = 0; i < r->findings; i++) {
        bool again = false;
        for (size_t k = 0; k < i; k++)
            again = again || strcmp(r->finding[k].code, r->finding[i].code) == 0;
        if (again)
            continue;
        json_array_append_new(codes, json_string(r->finding[i].code));
        json_int_t before = json_integer_value(json_object_get(s->codes, r->finding[i].code));
        json_object_set_new(s->codes, r->finding[i].code, json_integer(before + 1));
    }
}

static json_t *line_of(struct status *s, const struct item *i)
{
    json_t *row = json_object();
    s->checked++;
    json_object_set_new(row, "domain", json_of(i->error ? i->name : i->f.domain));
    if (i->error) {
        s->failed++;
        json_object_set_new(row, "error", json_of(buf_str(&i->why)));
    } else {
        json_t *codes = json_array();
        s->states[i->report.state]++;
        count_codes(s, &i->report, codes);
        json_object_set_new(row, "state", json_string(domain_state_name(i->report.state)));
        json_object_set_new(row, "expected_mx", json_of(i->f.expected));
        json_object_set_new(row, "codes", codes);
    }
    return row;
}

static enum err flush(struct status *s)
{
    enum err e = run_page(s);
    json_t *rows = json_array();
    for (size_t i = 0; !e && i < s->n; i++)
        json_array_append_new(rows, line_of(s, &s->item[i]));
    json_t *line = json_object();
    json_object_set_new(line, "rows", rows);
    json_object_set_new(line, "done", json_integer(s->checked));
    json_object_set_new(line, "failed", json_integer(s->failed));
    call_progress(s->c, line);
    clear_page(s);
    return e;
}

struct page {
    struct status *s;
    struct str after, tenant;
};

static void take_name(void *ctx, struct str name)
{
    add_name(ctx, name);
}

static enum err read_page(struct call *c, void *ctx)
{
    struct page *p = ctx;
    return bulk_page(c, p->tenant, p->after, PAGE - p->s->n, take_name, p->s);
}

static enum err run_all(struct status *s, struct str tenant)
{
    struct page p = {.s = s, .tenant = tenant};
    struct buf last = {0};
    enum err e;
    size_t n;
    do {
        p.after = buf_str(&last);
        e = tenant_transact(s->c->store, TENANT_READ, read_page, &p, s->c->why);
        n = s->n;
        if (n)
            buf_set(&last, "%.*s", STR_ARG(s->item[n - 1].name));
        if (!e)
            e = flush(s);
    } while (!e && n == PAGE);
    buf_release(&last);
    return e;
}

static enum err run_file(struct status *s, struct str text)
{
    enum err e = OK;
    while (!e && text.n) {
        struct str line = str_cut(&text, '\n');
        line = str_trim(str_cut(&line, '#'));
        if (line.n)
            add_name(s, line);
        if (s->n == PAGE)
            e = flush(s);
    }
    return e ? e : flush(s);
}

static enum err run_many(struct status *s)
{
    struct call *c = s->c;
    s->codes = json_object();
    enum err e = arg_has(c, "file") ? run_file(s, arg_text(c, "file")) : run_all(s, arg_text(c, "tenant"));
    if (e) {
        json_decref(s->codes);
        return e;
    }
    c->result = json_object();
    json_object_set_new(c->result, "checked", json_integer(s->checked));
    json_object_set_new(c->result, "failed", json_integer(s->failed));
    for (size_t i = 0; i <= DOMAIN_UNKNOWN; i++)
        json_object_set_new(c->result, domain_state_name((enum domain_state)i), json_integer(s->states[i]));
    json_object_set_new(c->result, "codes", s->codes);
    return OK;
}

/* The first that cannot be looked at ends it. */
static enum err run_named(struct status *s)
{
    struct call *c = s->c;
    c->result = json_array();
    size_t count = arg_count(c, "domain");
    enum err e = OK;
    for (size_t at = 0; !e && at < count;) {
        while (s->n < PAGE && at < count)
            add_name(s, arg_at(c, "domain", at++));
        e = run_page(s);
        for (size_t i = 0; !e && i < s->n; i++) {
            e = s->item[i].error;
            if (e)
                buf_set(c->why, "%s", buf_cstr(&s->item[i].why));
            else
                json_array_append_new(c->result, domain_json(&s->item[i].f, &s->item[i].report));
        }
        clear_page(s);
    }
    return e;
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
    struct status *s = must_alloc(calloc(1, sizeof *s));
    s->c = c;
    s->world = world;
    s->gather = world->gather;
    if (named ? arg_is_set(c, "no_connect") : !arg_is_set(c, "connect"))
        s->gather.tls = NULL;
    ENSURE(pthread_mutex_init(&s->lock, NULL) == 0);
    thread_cond_init(&s->done);
    e = named ? run_named(s) : run_many(s);
    pthread_cond_destroy(&s->done);
    pthread_mutex_destroy(&s->lock);
    free(s);
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
