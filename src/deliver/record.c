/* The evidence of an attempt: everything that answers "why this level of security?", as one logfmt line and
 * one event in the journal. */
#include "deliver/deliver_priv.h"

#include "mail/address.h"

static const char *security_of(const struct policy_lookup *l)
{
    if (!l->asked)
        return NULL;
    if (l->answer.status == DNS_ERROR)
        return "indeterminate";
    return l->answer.security == DNS_SECURE ? "secure" : "insecure";
}

static void write_mx(struct json_out *j, const struct policy_plan *p)
{
    if (!p->in)
        return;
    json_text(j, "via", policy_via_name(p->via));
    json_text(j, "mx_security", security_of(&p->mx));
    if (p->mx.asked && p->mx.answer.status == DNS_ERROR)
        json_text(j, "mx_error", dns_error_name(p->mx.answer.error));
    json_open(j, "mx", '[');
    for (size_t i = 0; i < p->nhost; i++) {
        json_open(j, NULL, '{');
        json_num(j, "preference", p->host[i].preference);
        json_str(j, "host", p->host[i].name);
        json_close(j, '}');
    }
    json_close(j, ']');
    if (p->mx_left_out)
        json_num(j, "mx_left_out", (int64_t)p->mx_left_out);
}

static void write_host(struct json_out *j, const struct policy_host *h)
{
    if (!h)
        return;
    json_str(j, "host", h->name);
    json_text(j, "address_security",
              h->a.asked && h->naddr ? (h->address_secure ? "secure" : "insecure") : NULL);
    if (h->state == POLICY_HOST_OUT)
        return;
    json_str(j, "base_domain", h->base);
    json_text(j, "required_level", level_name(h->level));
    json_text(j, "cause", level_cause_name(h->cause));
    if (h->mx_insecure)
        json_bool(j, "mx_insecure", true);
    json_open(j, "tlsa", '[');
    for (size_t i = 0; i < h->published.n; i++) {
        struct buf text = {0};
        dane_tlsa_format(&text, &h->published.v[i]);
        json_str(j, NULL, buf_str(&text));
        buf_release(&text);
    }
    json_close(j, ']');
    if (h->usable.n != h->published.n)
        json_num(j, "tlsa_usable", (int64_t)h->usable.n);
}

static void write_connection(struct json_out *j, const struct connection *c)
{
    if (!c)
        return;
    json_text(j, "level", level_name(c->level));
    if (c->matched.n) {
        json_str(j, "matched", buf_str(&c->matched));
        json_num(j, "depth", c->depth);
    }
    if (c->tls.has_peer_certificate) {
        struct buf hex = {0};
        hex_append(&hex, c->tls.peer_spki_sha256, sizeof c->tls.peer_spki_sha256);
        json_str(j, "leaf_key_sha256", buf_str(&hex));
        buf_release(&hex);
    }
    json_text(j, "tls", c->tls.protocol);
    json_text(j, "cipher", c->tls.cipher);
    if (c->tls.is_resumed)
        json_bool(j, "resumed", true);
    if (c->handshake_failed)
        json_bool(j, "clear_after_failed_handshake", true);
    if (c->is_reused)
        json_bool(j, "reused", true);
}

static void write_outcome(struct json_out *j, const struct outcome *o)
{
    static const char *const verdicts[] = {"delivered", "next-host", "retry", "bounce"};
    json_text(j, "verdict", verdicts[trouble_verdict(o)]);
    if (o->blame == BLAME_NOBODY)
        json_text(j, "reason", NULL);
    else
        json_text(j, "reason", reason_name(o->reason));
    json_str(j, "code", str_of(o->code));
    if (o->reply.code) {
        struct buf reply = {0};
        smtp_reply_describe(&o->reply, &reply);
        json_str(j, "reply", buf_str(&reply));
        buf_release(&reply);
    } else if (o->text.n) {
        json_str(j, "detail", o->text);
    }
}

static void write_rcpts(struct json_out *j, const struct attempt_record *r)
{
    const struct envelope *e = r->job->delivery->m->envelope;
    json_open(j, "recipients", '[');
    for (size_t i = 0; r->results && i < r->count; i++) {
        json_open(j, NULL, '{');
        json_str(j, "address", e->rcpt[r->rcpt[i]].address);
        write_outcome(j, &r->results[i]);
        json_close(j, '}');
    }
    for (size_t i = 0; !r->results && i < r->job->count; i++) {
        if (r->job->rcpt[i].decided)
            continue;
        json_open(j, NULL, '{');
        json_str(j, "address", e->rcpt[r->job->rcpt[i].index].address);
        json_close(j, '}');
    }
    json_close(j, ']');
}

static void write_journal(struct deliver *d, const struct attempt_record *r)
{
    const struct queue_message *m = r->job->delivery->m;
    struct buf line = {0};
    struct json_out j;
    char stamp[CLOCK_TEXT], address[ADDR_TEXT];
    journal_begin(&j, &line, "attempt");
    json_text(&j, "queue_id", m->id);
    if (m->envelope->tenant.n)
        json_str(&j, "tenant", m->envelope->tenant);
    json_str(&j, "sender_domain", mail_domain_of(m->envelope->sender));
    json_str(&j, "domain", r->job->domain);
    json_text(&j, "mode", mode_name(r->job->input.mode));
    json_str(&j, "rule", r->job->input.rule);
    write_mx(&j, &r->job->plan);
    write_host(&j, r->host);
    json_text(&j, "address", r->to ? addr_format(r->to, address) : NULL);
    write_connection(&j, r->connection);
    write_outcome(&j, r->outcome);
    write_rcpts(&j, r);
    clock_iso(r->started_ms, stamp);
    json_text(&j, "started", stamp);
    json_num(&j, "duration_ms", r->ended_ms - r->started_ms);
    json_close(&j, '}');
    journal_append(d->parts.journal, buf_str(&line));
    buf_release(&line);
}

static void add_field(struct buf *line, const char *key, struct str value)
{
    if (value.n)
        log_append_field(line, LOG_STR(key, value));
}

/* "required=dane cause=tlsa level=dane base=mx.example matched=..." */
static struct str evidence_line(const struct attempt_record *r)
{
    struct buf line = {0};
    char address[ADDR_TEXT];
    const struct policy_host *h = r->host;
    const struct connection *c = r->connection;
    add_field(&line, "mode", str_of(mode_name(r->job->input.mode)));
    add_field(&line, "rule", r->job->input.rule);
    add_field(&line, "mx", str_of(security_of(&r->job->plan.mx)));
    if (r->job->plan.mx_left_out)
        log_append_field(&line, LOG_NUM("mx_left_out", r->job->plan.mx_left_out));
    if (h) {
        add_field(&line, "host", h->name);
        add_field(&line, "address", str_of(r->to ? addr_format(r->to, address) : NULL));
    }
    if (h && h->state == POLICY_HOST_USABLE) {
        add_field(&line, "required", str_of(level_name(h->level)));
        add_field(&line, "cause", str_of(level_cause_name(h->cause)));
        if (h->level == LEVEL_DANE || !str_equal(h->base, h->name))
            add_field(&line, "base", h->base);
    }
    if (c) {
        add_field(&line, "level", str_of(level_name(c->level)));
        add_field(&line, "tls", str_of(c->tls.protocol));
        add_field(&line, "cipher", str_of(c->tls.cipher));
        add_field(&line, "matched", buf_str(&c->matched));
        if (c->matched.n)
            log_append_field(&line, LOG_NUM("depth", c->depth));
    }
    struct str text = arena_str(&r->job->arena, str_trim(buf_str(&line)));
    buf_release(&line);
    return text;
}

static void write_log(const struct attempt_record *r, struct str evidence)
{
    static const char *const outcomes[] = {"delivered", "next-host", "deferred", "bounced"};
    const struct outcome *o = r->outcome;
    enum log_level level = o->blame == BLAME_NOBODY ? LOG_INFO : LOG_WARN;
    if (!log_is_on(level))
        return;
    struct buf reply = {0};
    if (o->reply.code)
        smtp_reply_describe(&o->reply, &reply);
    else
        buf_add(&reply, o->text);
    log_event(
        level, "attempt", LOG_TEXT("queue_id", r->job->delivery->m->id), LOG_STR("domain", r->job->domain),
        LOG_TEXT("outcome", outcomes[trouble_verdict(o)]), LOG_TEXT("reason", reason_name(o->reason)),
        LOG_TEXT("code", o->code), LOG_STR("reply", buf_str(&reply)), LOG_STR("evidence", evidence),
        LOG_NUM("rcpts", r->results ? r->count : r->job->count), LOG_NUM("ms", r->ended_ms - r->started_ms));
    buf_release(&reply);
}

struct str record_attempt(struct deliver *d, const struct attempt_record *r)
{
    struct str evidence = evidence_line(r);
    write_log(r, evidence);
    if (d->parts.journal)
        write_journal(d, r);
    return evidence;
}
