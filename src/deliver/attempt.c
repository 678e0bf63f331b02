/* One job as a straight line: plan, then host by host and address by address, until every recipient is
 * decided. At a full gate the job gets in line and the thread goes on to other work; the line starts it again
 * where it stood. */
#include "deliver/deliver_priv.h"

enum { TRIED_MAX = 8 };

/* The recipient's outcome so far. What fails after a handshake that clear text may replace later does not
 * make that forgotten: else a dead second host would keep the mail from the first one until it bounces. */
static void note(struct job_rcpt *r, const struct outcome *o, struct str host, struct str evidence)
{
    r->decided = trouble_verdict(o) != VERDICT_NEXT_HOST;
    if (r->needs_clear_text && !r->decided)
        return;
    r->outcome = *o;
    r->host = host;
    r->evidence = evidence;
}

static void set_all(struct job *job, const struct outcome *o, struct str host, struct str evidence)
{
    for (size_t i = 0; i < job->count; i++)
        if (!job->rcpt[i].decided)
            note(&job->rcpt[i], o, host, evidence);
}

static bool all_decided(const struct job *job)
{
    for (size_t i = 0; i < job->count; i++)
        if (!job->rcpt[i].decided)
            return false;
    return true;
}

/* For some seconds more than wait ms. */
static void put_back(struct deliver *d, struct job *job, int64_t wait)
{
    job->put_back_ms = clock_wall() + wait + rand_below(JOB_SPREAD);
    delivery_job_done(d, job);
}

/* The job ends without a host: no plan, no address, no proof. */
static void end_without_host(struct deliver *d, struct job *job, const struct policy_host *host,
                             struct outcome o)
{
    struct attempt_record record = {
        .job = job, .host = host, .outcome = &o, .started_ms = job->started_ms, .ended_ms = clock_wall()};
    set_all(job, &o, STR_NONE, record_attempt(d, &record));
}

static bool is_dns_trouble(enum reason r)
{
    return r == REASON_DNS_SERVFAIL || r == REASON_DNS_TIMEOUT || r == REASON_DNS_REFUSED;
}

/* The trouble in DNS that leaves the domain without any host; NULL when one may still do. */
static const struct policy_trouble *dns_trouble(const struct policy_plan *p)
{
    if (p->verdict != PLAN_GO)
        return is_dns_trouble(p->trouble.reason) ? &p->trouble : NULL;
    const struct policy_trouble *first = NULL;
    for (size_t i = 0; i < p->nhost; i++) {
        if (p->host[i].state != POLICY_HOST_OUT)
            return NULL;
        if (!first && is_dns_trouble(p->host[i].trouble.reason))
            first = &p->host[i].trouble;
    }
    return first;
}

/* Asks DNS for the hosts and for what the first of them must prove. */
static void make_plan(struct deliver *d, struct job *job)
{
    int64_t timeout = job->settings->conf->resolver_timeout; /* of each question */
    bool off = job->input.mode == MODE_OFF && job->input.via != POLICY_VIA_MAILBOX;
    policy_begin(&job->plan, &job->arena, &job->input, off ? &d->parts.unchecked : &d->parts.source,
                 deadline_in(timeout));
    policy_find_addresses(&job->plan, deadline_in(timeout));
    if (job->plan.verdict == PLAN_GO && job->plan.nhost > 0)
        policy_resolve(&job->plan, 0, deadline_in(timeout));
    guard_judge(d, &job->input, &job->plan);
    job->planned = true;
}

/* Does the queue know already that our resolver is what this job waits for? Saying it once is enough, and
 * once more for the warning of a delay. */
static bool fault_is_known(const struct job *job)
{
    const struct queue_message *m = job->delivery->m;
    for (size_t i = 0; i < job->count; i++) {
        const struct queue_recipient *r = &m->rcpt[job->rcpt[i].index];
        if (!str_equal(r->reason, str_of(reason_name(REASON_RESOLVER_FAULT))) ||
            schedule_warns(&job->settings->schedule, m->envelope->received_ms, r->warned_ms, clock_wall()))
            return false;
    }
    return true;
}

/* The resolver is not proven: the job waits for the next proof. */
static void end_unproven(struct deliver *d, struct job *job)
{
    if (fault_is_known(job)) {
        put_back(d, job, job->settings->conf->resolver_proof_interval);
        return;
    }
    end_without_host(d, job, NULL, trouble_of_reason(BLAME_DOMAIN, REASON_RESOLVER_FAULT, STR_NONE));
    delivery_job_done(d, job);
}

/* False: the job waits, or has ended. */
static bool plan(struct deliver *d, struct job *job)
{
    bool proven = guard_allows(d, &job->input);
    if (!proven && !job->waiter.granted) {
        end_unproven(d, job);
        return false;
    }
    struct str asked = job->input.host.n ? job->input.host : job->domain;
    struct gate_entry e = {.key = arena_printf(&job->arena, "?%.*s", STR_ARG(asked)), .waiter = &job->waiter};
    switch (gates_enter(&d->gates, &e)) {
    case GATE_WAIT:
        return false;
    case GATE_CROWDED:
        put_back(d, job, JOB_SOON);
        return false;
    case GATE_RESTS:
        end_without_host(
            d, job, NULL,
            trouble_of_reason(BLAME_DOMAIN, e.rest.reason, arena_str(&job->arena, str_of(e.rest.text))));
        delivery_job_done(d, job);
        return false;
    case GATE_OPEN:
        break;
    }
    if (!proven) { /* not any more: the place that was kept for it is free again */
        worker_ready_all(d, gates_leave(&d->gates, e.gate, GATE_NEUTRAL, REASON_NONE, STR_NONE, NULL));
        end_unproven(d, job);
        return false;
    }
    make_plan(d, job);
    const struct policy_trouble *bad = dns_trouble(&job->plan);
    struct buf text = {0};
    if (bad)
        policy_trouble_describe(bad, &text);
    worker_ready_all(d, gates_leave(&d->gates, e.gate, bad ? GATE_TROUBLE : GATE_SUCCESS,
                                    bad ? bad->reason : REASON_NONE, buf_str(&text), NULL));
    buf_release(&text);
    return true;
}

/* ---- one address -----------------------------------------------------------------------------------------
 */

struct visit {
    struct deliver *d;
    struct job *job;
    const struct policy_host *host;
    struct addr to;
    struct connection *c;
    struct outcome opening; /* of the connection */
    struct outcome last;    /* of the last transaction's first recipient that counts */
    size_t delivered;
    int64_t started_ms;
};

static bool open_fresh(struct visit *v)
{
    const struct settings *s = v->job->settings;
    struct connection_target target = {
        .host = v->host,
        .to = v->to,
        .source = settings_source(s, &v->to),
        .lmtp = v->job->lmtp,
        .clear_text_allowed = v->job->clear_text_allowed,
        .strength_none = s->strength_none,
        .hello = s->hello,
        .connect_timeout = s->conf->connect_timeout,
        .smtp_timeout = s->conf->smtp_timeout,
        .tls = v->d->parts.tls,
        .live = &v->d->live,
    };
    v->c = must_alloc(calloc(1, sizeof *v->c));
    v->opening = connection_open(v->c, &target, &v->job->arena);
    return v->opening.blame == BLAME_NOBODY;
}

static ssize_t read_content(void *ctx, uint64_t at, void *p, size_t n, struct buf *why)
{
    return queue_content_read(ctx, at, p, n, why);
}

/* The next recipients to be sent here: undecided, and not refused by this host already. */
static size_t pick(const struct visit *v, const bool *tried, size_t most, size_t *picked)
{
    size_t n = 0;
    for (size_t i = 0; i < v->job->count && n < most; i++)
        if (!v->job->rcpt[i].decided && !tried[i])
            picked[n++] = i;
    return n;
}

static void take_outcome(struct visit *v, size_t i, const struct outcome *o)
{
    struct job_rcpt *r = &v->job->rcpt[i];
    note(r, o, v->host->name, STR_NONE);
    r->dsn_passed = o->blame == BLAME_NOBODY && v->c->offered.bits & SMTP_EXT_DSN;
    v->delivered += o->blame == BLAME_NOBODY;
}

/* One transaction. Returns false when the connection is of no more use. */
static bool transact(struct visit *v, bool *tried, const size_t *picked, size_t n)
{
    struct job *job = v->job;
    size_t *rcpt = ARENA_ARRAY(&job->arena, size_t, n);
    struct outcome *results = ARENA_ARRAY(&job->arena, struct outcome, n);
    for (size_t i = 0; i < n; i++)
        rcpt[i] = job->rcpt[picked[i]].index;
    struct queue_message *m = job->delivery->m;
    struct dialog_message message = {.envelope = m->envelope,
                                     .rcpt = rcpt,
                                     .count = n,
                                     .size = m->content_size,
                                     .read = read_content,
                                     .ctx = m};
    int64_t started = clock_wall();
    bool fit = dialog_send(v->c, &message, &job->arena, results);
    bool some = false;
    for (size_t i = 0; i < n; i++)
        some |= results[i].blame == BLAME_NOBODY;
    for (size_t i = 0; i < n; i++) {
        bool repeat = some && fit && dialog_may_repeat(&results[i]);
        tried[picked[i]] = !repeat;
        if (!repeat)
            take_outcome(v, picked[i], &results[i]);
        if (i == 0 || v->last.blame == BLAME_NOBODY)
            v->last = results[i];
    }
    struct attempt_record record = {.job = job,
                                    .host = v->host,
                                    .to = &v->to,
                                    .connection = v->c,
                                    .outcome = &v->last,
                                    .results = results,
                                    .rcpt = rcpt,
                                    .count = n,
                                    .started_ms = started,
                                    .ended_ms = clock_wall()};
    struct str evidence = record_attempt(v->d, &record);
    for (size_t i = 0; i < n; i++)
        if (job->rcpt[picked[i]].decided || !job->rcpt[picked[i]].needs_clear_text)
            job->rcpt[picked[i]].evidence = evidence;
    return fit;
}

static void drop(struct visit *v)
{
    if (v->c) {
        connection_release(v->c);
        free(v->c);
    }
    v->c = NULL;
}

/* The connection could not be made ready. */
static void note_opening(struct visit *v)
{
    struct attempt_record record = {.job = v->job,
                                    .host = v->host,
                                    .to = &v->to,
                                    .connection = v->c,
                                    .outcome = &v->opening,
                                    .started_ms = v->started_ms,
                                    .ended_ms = clock_wall()};
    struct str evidence = record_attempt(v->d, &record);
    set_all(v->job, &v->opening, v->host->name, evidence);
    for (size_t i = 0; i < v->job->count && v->host->level == LEVEL_NONE; i++)
        v->job->rcpt[i].needs_clear_text |= v->opening.reason == REASON_HANDSHAKE_FAILED;
    v->last = v->opening;
    drop(v);
}

/* An idle connection that its peer has given up is no verdict on the host. */
static bool was_stale(const struct visit *v, bool reused)
{
    return reused && v->delivered == 0 && v->last.blame == BLAME_HOST &&
           (v->last.reason == REASON_CONNECTION_LOST || v->last.reply.code == 421);
}

static void send_all(struct visit *v)
{
    bool *tried = ARENA_ARRAY(&v->job->arena, bool, v->job->count);
    size_t *picked = ARENA_ARRAY(&v->job->arena, size_t, v->job->count);
    bool reused = v->c != NULL;
    for (;;) {
        if (!v->c && !open_fresh(v)) {
            note_opening(v);
            return;
        }
        size_t n = pick(v, tried, dialog_rcpt_max(v->c), picked);
        if (n == 0)
            return;
        if (transact(v, tried, picked, n))
            continue;
        drop(v);
        if (!was_stale(v, reused))
            return;
        reused = false;
        memset(tried, 0, v->job->count * sizeof *tried);
    }
}

/* Keeps the connection for the next message when it may have one. Clear text after a failed handshake was
 * allowed to this message only. */
static struct connection *keep(struct visit *v)
{
    const struct conf *conf = v->job->settings->conf;
    struct connection *c = v->c;
    if (!c)
        return NULL;
    if (conf->connection_idle > 0 && !c->handshake_failed &&
        c->messages < (unsigned)conf->connection_messages && !deliver_is_stopping(v->d)) {
        c->idle_until = clock_mono() + conf->connection_idle;
        c->is_reused = true;
        return c;
    }
    connection_quit(c, v->d->parts.tls);
    free(c);
    return NULL;
}

/* Sends to one address, whose gate is open. */
static void visit(struct deliver *d, struct job *job, const struct policy_host *host,
                  const struct gate_entry *e)
{
    struct connection *reuse = e->reuse;
    if (reuse && stream_is_readable(&reuse->stream, clock_mono())) { /* its peer has said goodbye meanwhile */
        connection_release(reuse);
        free(reuse);
        reuse = NULL;
    }
    struct visit v = {.d = d,
                      .job = job,
                      .host = host,
                      .to = host->addr[job->address],
                      .c = reuse,
                      .started_ms = clock_wall()};
    if (e->surplus) {
        connection_quit(e->surplus, d->parts.tls);
        free(e->surplus);
    }
    job->tried++;
    send_all(&v);
    bool host_is_bad =
        v.delivered == 0 && v.last.blame == BLAME_HOST && !reason_row(v.last.reason)->is_security;
    enum gate_end end = v.delivered ? GATE_SUCCESS : host_is_bad ? GATE_TROUBLE : GATE_NEUTRAL;
    struct connection *idle = keep(&v);
    worker_ready_all(d, gates_leave(&d->gates, e->gate, end, v.last.reason, v.last.text, idle));
}

/* ---- all of them -----------------------------------------------------------------------------------------
 */

enum step { STEP_NEXT, STEP_LEFT };

/* STEP_LEFT: the job waits in line or was put back. */
static enum step try_address(struct deliver *d, struct job *job, const struct policy_host *host)
{
    const struct addr *to = &host->addr[job->address];
    struct connection_target target = {.host = host,
                                       .to = *to,
                                       .source = settings_source(job->settings, to),
                                       .lmtp = job->lmtp,
                                       .strength_none = job->settings->strength_none};
    uint8_t key[CONNECTION_KEY];
    connection_key(&target, key);
    char text[ADDR_TEXT];
    struct gate_entry e = {
        .key = str_of(addr_format(to, text)), .waiter = &job->waiter, .connection_key = key};
    switch (gates_enter(&d->gates, &e)) {
    case GATE_WAIT:
        return STEP_LEFT;
    case GATE_CROWDED:
        put_back(d, job, JOB_SOON);
        return STEP_LEFT;
    case GATE_RESTS: {
        struct str why = arena_printf(&job->arena, "the host rests after: %s", e.rest.text);
        struct outcome o = trouble_of_reason(BLAME_HOST, e.rest.reason, why);
        struct attempt_record record = {.job = job,
                                        .host = host,
                                        .to = to,
                                        .outcome = &o,
                                        .started_ms = clock_wall(),
                                        .ended_ms = clock_wall()};
        set_all(job, &o, STR_NONE, record_attempt(d, &record));
        return STEP_NEXT;
    }
    case GATE_OPEN:
        break;
    }
    visit(d, job, host, &e);
    return STEP_NEXT;
}

static enum step try_host(struct deliver *d, struct job *job, const struct policy_host *host)
{
    for (; job->address < host->naddr && job->tried < TRIED_MAX && !all_decided(job); job->address++)
        if (try_address(d, job, host) == STEP_LEFT)
            return STEP_LEFT;
    return STEP_NEXT;
}

/* False: the job is not the caller's any more. */
static bool try_hosts(struct deliver *d, struct job *job)
{
    struct policy_plan *p = &job->plan;
    for (; job->host < p->nhost && !all_decided(job); job->host++, job->address = 0) {
        if (job->tried && !job->waiter.granted && deliver_is_stopping(d))
            break; /* but a place that is kept for the job is used, and so given back */
        policy_resolve(p, job->host, deadline_in(job->settings->conf->resolver_timeout));
        struct policy_host *host = &p->host[job->host];
        if (host->state == POLICY_HOST_OUT) {
            struct outcome o = trouble_of_plan(PLAN_DEFER, &host->trouble, &job->arena);
            o.blame = BLAME_HOST; /* the next one may do */
            end_without_host(d, job, host, o);
            continue;
        }
        if (try_host(d, job, host) == STEP_LEFT)
            return false;
    }
    return true;
}

/* When every host was out, the plan says what that means: later, or never. */
static void conclude(struct job *job)
{
    policy_conclude(&job->plan);
    if (job->plan.verdict == PLAN_GO)
        return;
    struct outcome o = trouble_of_plan(job->plan.verdict, &job->plan.trouble, &job->arena);
    for (size_t i = 0; i < job->count; i++)
        job->rcpt[i].outcome = o;
}

void attempt_run(struct deliver *d, struct job *job)
{
    if (deliver_is_stopping(d) && !job->waiter.granted && !job->tried) {
        put_back(d, job, JOB_SOON);
        return;
    }
    if (!job->planned && !plan(d, job))
        return;
    if (job->plan.verdict == PLAN_GO) {
        if (!try_hosts(d, job))
            return;
        conclude(job);
    } else {
        end_without_host(d, job, NULL, trouble_of_plan(job->plan.verdict, &job->plan.trouble, &job->arena));
    }
    atomic_fetch_add(&d->attempts, 1);
    delivery_job_done(d, job);
}
