#include "queue/control.h"

#include <poll.h>

#include "mail/address.h"

enum { DRAIN_STEP_MS = 500, DRAIN_SECONDS = 3600, DRAIN_SECONDS_MOST = 86400 };

struct request {
    const struct queue_control *control;
    json_t *args;
    struct str by;
    bool (*line)(void *ctx, json_t *);
    void *line_ctx;
    json_t *result;
    struct buf *why;
    /* list */
    struct str domain, tenant;
    bool held;
    json_int_t count;
};

static const char *argument(const struct request *r, const char *name)
{
    return json_string_value(json_object_get(r->args, name));
}

static enum err need_id(const struct request *r, const char **id)
{
    *id = argument(r, "id");
    if (*id && queue_id_is_valid(str_of(*id)))
        return OK;
    buf_set(r->why, *id ? "%s: not a queue id (14 of 0-9 and a-z)" : "a queue id is missing", *id);
    return *id ? ERR_NOT_FOUND : ERR_USAGE;
}

/* ---- looking ---- */

static bool is_wanted(const struct request *r, const struct queue_message *m)
{
    if ((r->held && !m->held) || (r->tenant.p && !str_equal(r->tenant, m->envelope->tenant)))
        return false;
    for (size_t i = 0; i < m->envelope->nrcpt; i++)
        if (!r->domain.p || str_equal_nocase(r->domain, mail_domain_of(m->envelope->rcpt[i].address)))
            return true;
    return false;
}

static bool list_one(void *ctx, struct queue_message *m)
{
    struct request *r = ctx;
    if (is_wanted(r, m)) {
        r->count++;
        return r->line(r->line_ctx, queue_describe(m, false));
    }
    return true;
}

static enum err do_list(struct request *r)
{
    r->domain = str_of(argument(r, "domain"));
    r->tenant = str_of(argument(r, "tenant"));
    r->held = json_is_true(json_object_get(r->args, "held"));
    queue_walk(r->control->queue, list_one, r);
    r->result = json_pack("{s:I}", "count", r->count);
    return OK;
}

static enum err look(struct request *r, bool explained)
{
    const char *id;
    struct queue_message *m;
    enum err e = need_id(r, &id);
    if (e == OK)
        e = queue_look(r->control->queue, id, &m, r->why);
    if (e != OK)
        return e;
    r->result = queue_describe(m, explained);
    queue_message_free(m);
    return OK;
}

static enum err do_show(struct request *r)
{
    return look(r, false);
}

static enum err do_why(struct request *r)
{
    return look(r, true);
}

/* ---- changing ---- */

/* Before the messages are made due: an attempt must not find the rests and answers of before. */
static void announce_retry(const struct request *r)
{
    if (r->control->retried)
        r->control->retried(r->control->ctx);
}

static enum err do_retry(struct request *r)
{
    struct queue *q = r->control->queue;
    const char *id, *domain = argument(r, "domain");
    enum err e = OK;
    size_t count = 1;
    announce_retry(r);
    if (domain || json_is_true(json_object_get(r->args, "all")))
        count = queue_retry_all(q, str_of(domain));
    else if ((e = need_id(r, &id)) == OK)
        e = queue_retry(q, id, r->why);
    if (e == OK)
        r->result = json_pack("{s:I}", "count", (json_int_t)count);
    return e;
}

static enum err change_one(struct request *r, enum err (*change)(struct queue *, const char *, struct buf *))
{
    const char *id;
    enum err e = need_id(r, &id);
    if (e == OK)
        e = change(r->control->queue, id, r->why);
    if (e == OK)
        r->result = json_pack("{s:I}", "count", (json_int_t)1);
    return e;
}

static enum err do_hold(struct request *r)
{
    return change_one(r, queue_hold);
}

static enum err do_release(struct request *r)
{
    return change_one(r, queue_release);
}

static enum err do_remove(struct request *r)
{
    struct queue *q = r->control->queue;
    const char *id;
    struct queue_message *m;
    enum err e = need_id(r, &id);
    if (e == OK)
        e = queue_look(q, id, &m, r->why);
    if (e != OK)
        return e;
    if (r->control->discarded)
        r->control->discarded(r->control->ctx, m, r->by);
    queue_message_free(m);
    if ((e = queue_remove(q, id, r->by, r->why)) == OK)
        r->result = json_pack("{s:I}", "count", (json_int_t)1);
    return e;
}

static enum err do_drain(struct request *r)
{
    struct queue *q = r->control->queue;
    struct queue_counts c;
    json_int_t seconds = json_integer_value(json_object_get(r->args, "seconds"));
    if (seconds <= 0 || seconds > DRAIN_SECONDS_MOST)
        seconds = seconds <= 0 ? DRAIN_SECONDS : DRAIN_SECONDS_MOST;
    deadline end = deadline_in(seconds * 1000);
    announce_retry(r);
    (void)queue_retry_all(q, STR_NONE);
    for (queue_count(q, &c); c.messages > c.held && !deadline_is_over(end); queue_count(q, &c)) {
        if (queue_is_stopping(q)) {
            buf_set(r->why, "the queue stops; messages that are left in it: %zu", (size_t)c.messages);
            return ERR_CLOSED;
        }
        json_t *left = json_pack("{s:I, s:I, s:I}", "left", (json_int_t)c.messages, "active",
                                 (json_int_t)c.claimed, "held", (json_int_t)c.held);
        if (!r->line(r->line_ctx, left)) {
            buf_set(r->why, "the caller has left");
            return ERR_CLOSED;
        }
        (void)poll(NULL, 0, DRAIN_STEP_MS);
    }
    r->result = json_pack("{s:I, s:I}", "left", (json_int_t)c.messages, "held", (json_int_t)c.held);
    return OK;
}

enum err queue_control(const struct queue_control *c, const char *verb, json_t *args, struct str by,
                       bool (*line)(void *ctx, json_t *), void *line_ctx, json_t **result, struct buf *why)
{
    static const struct {
        const char *name;
        bool read_only;
        enum err (*run)(struct request *);
    } verbs[] = {
#define X(name, read_only) {"queue." #name, read_only, do_##name},
        QUEUE_VERB_TABLE(X)
#undef X
    };
    struct request r = {.control = c, .args = args, .by = by, .line = line, .line_ctx = line_ctx, .why = why};
    for (size_t i = 0; i < sizeof verbs / sizeof *verbs; i++) {
        if (strcmp(verbs[i].name, verb) != 0)
            continue;
        if (c->read_only && !verbs[i].read_only) {
            buf_set(why, "the queue is open for reading only");
            return ERR_REFUSED;
        }
        enum err e = verbs[i].run(&r);
        *result = r.result;
        return e;
    }
    buf_set(why, "unknown verb %s", verb);
    return ERR_USAGE;
}

static bool send_line(void *ctx, json_t *line)
{
    return ctl_reply_progress(ctx, line);
}

enum err queue_control_serve(const struct queue_control *c, const struct ctl_peer *peer, json_t *args,
                             struct ctl_reply *reply, struct buf *why)
{
    const char *verb = json_string_value(json_object_get(args, "verb"));
    char by[64];
    json_t *result = NULL;
    (void)snprintf(by, sizeof by, "uid %u", (unsigned)peer->uid);
    enum err e = queue_control(c, verb ? verb : "", args, str_of(by), send_line, reply, &result, why);
    if (result)
        ctl_reply_result(reply, result);
    return e;
}
