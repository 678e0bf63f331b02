/* A message from its claim to its settlement: one job for each next hop, then one decision for each
 * recipient. */
#include "deliver/deliver_priv.h"

#include "dns/name.h"
#include "mail/address.h"

enum { OWN_FAULT_WAIT = 60 * 1000 };

/* 0 is never. */
static int64_t earlier(int64_t a, int64_t b)
{
    return !a || (b && b < a) ? b : a;
}

static struct job *job_new(struct delivery *v, const struct settings *s, struct str domain)
{
    struct job *job = must_alloc(calloc(1, sizeof *job));
    size_t all = v->m->envelope->nrcpt;
    job->delivery = v;
    job->settings = s;
    job->started_ms = clock_wall();
    job->domain = arena_str(&job->arena, domain);
    job->tenant = v->m->envelope->tenant;
    job->rcpt = ARENA_ARRAY(&job->arena, struct job_rcpt, all);
    return job;
}

static void refuse(struct job *job, enum reason reason)
{
    job->planned = true;
    job->plan = (struct policy_plan){.verdict = PLAN_BOUNCE, .trouble = {.reason = reason}};
}

/* Where mail for the job's domain goes: accepted here, a literal, a configured route, or MX. */
static void route(struct job *job, const struct directory_view *view, uint64_t tenant)
{
    const struct settings *s = job->settings;
    struct policy_input *in = &job->input;
    *in = (struct policy_input){.domain = job->domain,
                                .via = POLICY_VIA_MX,
                                .port = (uint16_t)s->conf->smtp_port,
                                .insecure_mx = s->insecure_mx,
                                .self = &s->self,
                                .seed = rand_u64() | 1,
                                .rule = STR("mailbox-host")};
    struct dir_domain accepted;
    if (directory_domain(view, &job->arena, job->domain, &accepted)) {
        in->via = POLICY_VIA_MAILBOX;
        in->host = accepted.host;
        in->port = accepted.port;
        in->tls = accepted.tls;
        job->lmtp = accepted.protocol == DIR_LMTP;
        return;
    }
    struct dir_mode mode;
    directory_mode(view, &job->arena, tenant, job->domain, &mode);
    in->mode = mode.mode;
    in->rule = mode.rule;
    struct dir_route configured;
    if (directory_route(view, &job->arena, tenant, job->domain, &configured)) {
        in->via = POLICY_VIA_ROUTE;
        in->host = configured.host;
        in->port = configured.port;
    }
}

/* "[192.0.2.1]", "[IPv6:2001:db8::1]". */
static bool literal_address(struct str literal, struct addr *out)
{
    struct str inside = str_sub(literal, 1, literal.n - 2);
    return addr_parse_ip(str_starts_nocase(inside, STR("IPv6:")) ? str_from(inside, 5) : inside, out);
}

static void route_literal(struct job *job, const struct directory_view *view, uint64_t tenant)
{
    struct addr a;
    char text[ADDR_TEXT];
    route(job, view, tenant);
    if (!literal_address(job->domain, &a)) {
        refuse(job, REASON_NO_SUCH_DOMAIN);
        return;
    }
    job->input.via = POLICY_VIA_LITERAL;
    job->input.host = arena_str(&job->arena, str_of(addr_ip_format(&a, text)));
}

struct grouping {
    struct delivery *v;
    const struct settings *s;
    const struct directory_view *view;
    uint64_t tenant;
    struct map by_domain;
};

static struct job *job_for(struct grouping *g, const struct mail_address *address, bool good)
{
    struct str domain = STR("");
    if (good && address->domain.n == 0)
        domain = g->s->hello; /* a bare postmaster is ours */
    else if (good && address->is_literal)
        domain = arena_lower(&g->v->arena, address->domain);
    else if (good)
        good = dns_name_normalise(&g->v->arena, address->domain, &domain) == OK;
    struct job *job = map_get(&g->by_domain, domain);
    if (job)
        return job;
    job = job_new(g->v, g->s, domain);
    if (!good)
        refuse(job, REASON_NO_SUCH_DOMAIN);
    else if (address->is_literal)
        route_literal(job, g->view, g->tenant);
    else
        route(job, g->view, g->tenant);
    map_put(&g->by_domain, domain, job);
    g->v->job[g->v->count++] = job;
    return job;
}

static void group(struct grouping *g)
{
    const struct queue_message *m = g->v->m;
    struct dir_tenant tenant;
    if (m->envelope->tenant.n &&
        directory_tenant_by_name(g->view, &g->v->arena, m->envelope->tenant, &tenant))
        g->tenant = tenant.id;
    g->v->job = ARENA_ARRAY(&g->v->arena, struct job *, m->envelope->nrcpt);
    int64_t now = clock_wall();
    for (size_t i = 0; i < m->envelope->nrcpt; i++) {
        const struct queue_recipient *seen = &m->rcpt[i];
        if (queue_status_is_final(seen->status))
            continue;
        if (seen->next_ms > now) { /* the message was due for somebody else */
            g->v->later_ms = earlier(g->v->later_ms, seen->next_ms);
            continue;
        }
        struct mail_address address;
        bool good = mail_address_parse(m->envelope->rcpt[i].address, true, &address, NULL) == OK;
        if (!good && str_equal_nocase(m->envelope->rcpt[i].address, STR("postmaster"))) {
            address = (struct mail_address){0};
            good = true;
        }
        struct job *job = job_for(g, &address, good);
        job->rcpt[job->count++] =
            (struct job_rcpt){.index = i, .outcome = trouble_of_reason(BLAME_US, REASON_STOPPING, STR_NONE)};
        job->clear_text_allowed |=
            schedule_allows_clear_text(&g->s->schedule, seen->reason, seen->last_ms, now);
    }
    map_release(&g->by_domain);
}

static void delivery_free(struct delivery *v)
{
    for (size_t i = 0; i < v->count; i++) {
        arena_release(&v->job[i]->arena);
        free(v->job[i]);
    }
    arena_release(&v->arena);
    pthread_mutex_destroy(&v->settling);
    free(v);
}

void delivery_start(struct deliver *d, struct queue_message *m)
{
    struct buf why = {0};
    struct directory_view view = {0};
    bool known = directory_begin(d->parts.directory, &view, &why) == OK && directory_epoch(&view) > 0;
    if (!known) { /* whose domain is whose is not known yet: nothing could be routed rightly */
        log_event(LOG_DEBUG, "directory-empty", LOG_TEXT("queue_id", m->id), LOG_STR("why", buf_str(&why)));
        directory_end(&view);
        buf_release(&why);
        queue_put_back(d->parts.queue, m, clock_wall() + JOB_SOON + rand_below(JOB_SPREAD));
        return;
    }
    struct delivery *v = must_alloc(calloc(1, sizeof *v));
    v->m = m;
    ENSURE(pthread_mutex_init(&v->settling, NULL) == 0);
    struct grouping g = {.v = v, .s = atomic_load(&d->settings), .view = &view};
    group(&g);
    directory_end(&view);
    buf_release(&why);
    size_t count = v->count;
    atomic_store(&v->open, count);
    if (count == 0) {
        if (v->later_ms) /* the clock was set back */
            queue_put_back(d->parts.queue, m, v->later_ms);
        else /* nobody is left to deliver to */
            (void)queue_settle(d->parts.queue, m, &(struct queue_settlement){0}, NULL);
        delivery_free(v);
        return;
    }
    struct job **jobs =
        v->job; /* the last one to end frees v: until the loop's last turn one is still to come */
    for (size_t i = 0; i < count; i++)
        worker_ready(d, jobs[i]);
}

/* ---- the end ---------------------------------------------------------------------------------------------
 */

struct ending {
    struct deliver *d;
    struct delivery *v;
    int64_t now;
    struct queue_result *result;
    size_t result_count;
    struct bounce_rcpt *bounce;
    size_t bounce_count;
    int64_t next_ms; /* 0: nothing is left */
};

static struct str result_text(const struct job_rcpt *r, struct arena *a)
{
    struct buf b = {0};
    if (r->host.n)
        buf_printf(&b, "%.*s: ", STR_ARG(r->host));
    if (r->outcome.reply.code)
        smtp_reply_describe(&r->outcome.reply, &b);
    else
        buf_add(&b, str_of(reason_row(r->outcome.reason)->sentence));
    if (!r->outcome.reply.code && r->outcome.text.n)
        buf_printf(&b, " (%.*s)", STR_ARG(r->outcome.text));
    struct str text = arena_str(a, buf_str(&b));
    buf_release(&b);
    return text;
}

static struct queue_result *add_result(struct ending *e, const struct job_rcpt *r, enum queue_status status)
{
    struct queue_result *result = &e->result[e->result_count++];
    *result = (struct queue_result){
        .rcpt = r->index,
        .status = status,
        .reason = status == QUEUE_DELIVERED ? STR("") : str_of(reason_name(r->outcome.reason)),
        .text = result_text(r, &e->v->arena),
    };
    return result;
}

/* About the recipient whose result was the last to be added. */
static void add_bounce(struct ending *e, const struct job_rcpt *r, enum dsn_action action, const char *status)
{
    if (!dsn_is_wanted(e->v->m->envelope, r->index, action))
        return;
    e->bounce[e->bounce_count++] = (struct bounce_rcpt){
        .index = r->index, .result = e->result_count - 1, .action = action, .rcpt = r, .status = status};
}

static void defer(struct ending *e, const struct job *job, const struct job_rcpt *r)
{
    const struct schedule *s = &job->settings->schedule;
    const struct queue_recipient *before = &e->v->m->rcpt[r->index];
    int64_t received = e->v->m->envelope->received_ms;
    enum reason reason = r->outcome.reason;
    struct queue_result *result = add_result(e, r, QUEUE_DEFERRED);
    result->next_ms = reason == REASON_RESOLVER_FAULT
                          ? e->now + job->settings->conf->resolver_proof_interval + rand_below(JOB_SPREAD)
                          : schedule_next(s, reason, before->attempts + 1, received, e->now);
    e->next_ms = earlier(e->next_ms, result->next_ms);
    if (!schedule_warns(s, received, before->warned_ms, e->now))
        return;
    result->warned_ms = e->now;
    size_t warning = e->bounce_count;
    add_bounce(e, r, DSN_DELAYED, trouble_queued_code(&r->outcome));
    int64_t end = received + schedule_lifetime(s, reason);
    if (e->bounce_count > warning)
        e->bounce[warning].retry_until_ms = end > result->next_ms ? end : result->next_ms;
}

/* A failed handshake where no security is required is followed by clear text, so it ends
 * nothing before that was tried. */
static bool is_expired(const struct ending *e, const struct job *job, const struct job_rcpt *r)
{
    const struct queue_message *m = e->v->m;
    struct str before = r->needs_clear_text ? STR_NONE : m->rcpt[r->index].reason;
    return schedule_is_expired(&job->settings->schedule, before, r->outcome.reason, m->envelope->received_ms,
                               e->now);
}

static void end_rcpt(struct ending *e, const struct job *job, const struct job_rcpt *r)
{
    enum verdict verdict = trouble_verdict(&r->outcome);
    bool expired = verdict != VERDICT_DONE && verdict != VERDICT_BOUNCE && is_expired(e, job, r);
    if (verdict == VERDICT_DONE) {
        atomic_fetch_add(&e->d->delivered, 1);
        add_result(e, r, QUEUE_DELIVERED);
        if (!r->dsn_passed)
            add_bounce(e, r, job->lmtp ? DSN_DELIVERED : DSN_RELAYED, "2.0.0");
    } else if (verdict == VERDICT_BOUNCE || expired) {
        atomic_fetch_add(&e->d->bounced, 1);
        add_result(e, r, QUEUE_BOUNCED);
        add_bounce(e, r, DSN_FAILED, trouble_final_code(&r->outcome, expired));
    } else {
        atomic_fetch_add(&e->d->deferred, 1);
        defer(e, job, r);
    }
}

/* What could not be told must not be taken for told: what would have been returned stays queued, a delay is
 * told another time. */
static void keep_untold(struct ending *e)
{
    for (size_t i = 0; i < e->bounce_count; i++) {
        const struct bounce_rcpt *b = &e->bounce[i];
        struct queue_result *r = &e->result[b->result];
        if (b->sent)
            continue;
        r->warned_ms = 0;
        if (b->action != DSN_FAILED)
            continue;
        r->status = QUEUE_DEFERRED;
        r->next_ms = e->now + OWN_FAULT_WAIT;
        e->next_ms = earlier(e->next_ms, r->next_ms);
    }
}

static void end_all(struct ending *e)
{
    for (size_t i = 0; i < e->v->count; i++) {
        const struct job *job = e->v->job[i];
        e->next_ms = earlier(e->next_ms, job->put_back_ms);
        for (size_t k = 0; k < job->count && !job->put_back_ms; k++)
            end_rcpt(e, job, &job->rcpt[k]);
    }
}

static void delivery_end(struct deliver *d, struct delivery *v)
{
    size_t all = v->m->envelope->nrcpt;
    struct ending e = {.d = d, .v = v, .now = clock_wall(), .next_ms = v->later_ms};
    e.result = ARENA_ARRAY(&v->arena, struct queue_result, all);
    e.bounce = ARENA_ARRAY(&v->arena, struct bounce_rcpt, all);
    end_all(&e);
    if (e.result_count == 0) {
        queue_put_back(d->parts.queue, v->m, e.next_ms);
        delivery_free(v);
        return;
    }
    bounce_send(d, v->m, e.bounce, e.bounce_count);
    keep_untold(&e);
    struct buf why = {0};
    struct queue_settlement settlement = {.results = e.result, .count = e.result_count, .next_ms = e.next_ms};
    if (queue_settle(d->parts.queue, v->m, &settlement, &why) != OK)
        log_event(LOG_ERROR, "outcome-not-stored", LOG_STR("why", buf_str(&why)));
    buf_release(&why);
    delivery_free(v);
}

/* A message with many next hops writes down each delivery as it ends, so that a crash repeats little. */
static void progress(struct deliver *d, struct job *job)
{
    struct delivery *v = job->delivery;
    struct queue_result *result = ARENA_ARRAY(&job->arena, struct queue_result, job->count);
    size_t n = 0;
    for (size_t i = 0; i < job->count; i++)
        if (!job->put_back_ms && job->rcpt[i].outcome.blame == BLAME_NOBODY)
            result[n++] = (struct queue_result){.rcpt = job->rcpt[i].index,
                                                .status = QUEUE_DELIVERED,
                                                .text = result_text(&job->rcpt[i], &job->arena)};
    if (n == 0)
        return;
    struct queue_settlement settlement = {.results = result, .count = n};
    pthread_mutex_lock(&v->settling);
    (void)queue_progress(d->parts.queue, v->m, &settlement, NULL); /* the settlement says it again */
    pthread_mutex_unlock(&v->settling);
}

void delivery_job_done(struct deliver *d, struct job *job)
{
    struct delivery *v = job->delivery;
    if (v->count > 1)
        progress(d, job);
    if (atomic_fetch_sub(&v->open, 1) == 1)
        delivery_end(d, v);
}
