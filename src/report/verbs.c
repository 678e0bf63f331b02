/* What operators say about reports. */
#include "report/report.h"
#include "report/unwrap.h"
#include "tenant/tenant.h"

enum { READERS_MAX = 2, LIST_MAX = 1000 };

struct reports {
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t change;
    unsigned readers; /* processes that read a report now */
};

struct reports *reports_new(void)
{
    struct reports *r = must_alloc(calloc(1, sizeof *r));
    ENSURE(pthread_mutex_init(&r->mutex, NULL) == 0);
    thread_cond_init(&r->change);
    return r;
}

void reports_free(struct reports *r)
{
    if (!r)
        return;
    pthread_cond_destroy(&r->change);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}

/* A few at once: each may take much memory. */
static enum err read_in_turn(struct reports *r, struct str input, struct arena *a, struct tlsrpt *out,
                             struct buf *why)
{
    pthread_mutex_lock(&r->mutex);
    while (r->readers == READERS_MAX)
        (void)thread_cond_wait(&r->change, &r->mutex, DEADLINE_NEVER);
    r->readers++;
    pthread_mutex_unlock(&r->mutex);
    enum err e = report_read(input, a, out, why);
    pthread_mutex_lock(&r->mutex);
    r->readers--;
    pthread_cond_signal(&r->change);
    pthread_mutex_unlock(&r->mutex);
    return e;
}

struct taking {
    struct tlsrpt report;
    struct report_kept kept;
    int64_t now_ms;
};

static enum err keep(struct call *c, void *ctx)
{
    struct taking *t = ctx;
    return report_keep(c, &t->report, t->now_ms, &t->kept);
}

static json_t *describe(struct str file, const struct taking *t)
{
    json_t *o = json_object(), *results = json_array();
    for (size_t i = 0; i <= TLSRPT_NOT_TOLD; i++)
        if (t->kept.results[i])
            json_array_append_new(results, json_sprintf("%s:%lld", tlsrpt_result_name((enum tlsrpt_result)i),
                                                        (long long)t->kept.results[i]));
    json_object_set_new(o, "file", json_of(file));
    json_object_set_new(o, "organization", json_of(t->report.organization));
    json_object_set_new(o, "report_id", json_of(t->report.report_id));
    json_object_set_new(o, "from", json_time(t->report.begin_ms));
    json_object_set_new(o, "to", json_time(t->report.end_ms));
    json_object_set_new(o, "duplicate", json_boolean(t->kept.is_duplicate));
    json_object_set_new(o, "policies", json_integer((json_int_t)t->kept.policies));
    json_object_set_new(o, "foreign", json_integer((json_int_t)t->kept.foreign));
    json_object_set_new(o, "successes", json_integer(t->kept.successes));
    json_object_set_new(o, "failures", json_integer(t->kept.failures));
    json_object_set_new(o, "results", results);
    return o;
}

static enum err take(struct call *c, struct str input, struct taking *t, struct buf *why)
{
    enum err e = read_in_turn(c->context, input, c->a, &t->report, why);
    if (!e)
        e = tlsrpt_check(&t->report, t->now_ms, why);
    return e ? e : tenant_transact(c->store, TENANT_WRITE, keep, t, why);
}

static enum err verb_take(struct call *c)
{
    struct taking t = {.now_ms = clock_wall()};
    struct buf input = {0}, why = {0};
    struct str file;
    enum err e = arg_need(c, "name", &file);
    if (e)
        return e;
    if (!base64_decode(&input, arg_text(c, "content"))) {
        buf_release(&input);
        buf_set(c->why, "content is no base64");
        return ERR_USAGE;
    }
    e = take(c, buf_str(&input), &t, &why);
    if (e)
        buf_set(c->why, "%.*s: %s", STR_ARG(file), buf_cstr(&why));
    else
        c->result = describe(file, &t);
    buf_release(&input);
    buf_release(&why);
    return e;
}

static enum err verb_list(struct call *c)
{
    struct str domain = STR_NONE;
    enum err e = arg_has(c, "domain") ? name_normal(c, arg_text(c, "domain"), &domain) : OK;
    return e ? e : report_list(c, domain, LIST_MAX, &c->result);
}

const struct tenant_verb report_verbs[] = {
    {"report.take", VERB_FREE, verb_take},
    {"report.list", VERB_READ, verb_list},
};
const size_t report_verb_count = sizeof report_verbs / sizeof *report_verbs;
