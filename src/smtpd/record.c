/* What is written down: a journal event for each message, one for each session, and the session's line in the
 * log. */
#include "smtpd/session_priv.h"

static void add_tls(struct json_out *w, const struct session *s)
{
    json_text(w, "level", s->has_tls ? "encrypt" : "none");
    if (s->tls_info.sni[0])
        json_text(w, "sni", s->tls_info.sni);
    if (s->tls_info.is_refused)
        json_bool(w, "certificate_refused", true);
    if (!s->has_tls)
        return;
    json_text(w, "tls", s->tls_info.protocol);
    json_text(w, "cipher", s->tls_info.cipher);
    json_num(w, "key_set", (int64_t)s->tls_info.key_set);
    json_bool(w, "resumed", s->tls_info.is_resumed);
}

static void begin(struct json_out *w, struct buf *out, const struct session *s, const char *event)
{
    char now[CLOCK_TEXT];
    clock_iso(clock_wall(), now);
    *w = (struct json_out){.to = out};
    json_open(w, NULL, '{');
    json_text(w, "time", now);
    json_text(w, "event", event);
    json_text(w, "peer", s->peer_text);
    json_str(w, "helo", buf_str(&s->helo));
}

void record_message(struct session *s, const char *id)
{
    const struct envelope *e = &s->t.envelope;
    struct buf line = {0};
    struct json_out w;
    begin(&w, &line, s, "received");
    json_text(&w, "queue_id", id);
    json_str(&w, "sender", e->sender);
    json_open(&w, "recipients", '[');
    for (size_t i = 0; i < e->nrcpt; i++)
        json_str(&w, NULL, e->rcpt[i].address);
    json_close(&w, ']');
    json_num(&w, "octets", (int64_t)s->t.content.size);
    if (s->t.content.header.message_id[0])
        json_text(&w, "message_id", s->t.content.header.message_id);
    if (s->t.content.decoder.has_long_line)
        json_bool(&w, "long_line", true);
    if (e->tenant.n)
        json_str(&w, "tenant", e->tenant);
    add_tls(&w, s);
    json_close(&w, '}');
    s->outside->record(s->outside->ctx, buf_str(&line));
    buf_release(&line);
}

static void log_session(const struct session *s, int64_t ms)
{
    log_event(LOG_INFO, "session", LOG_TEXT("peer", s->peer_text), LOG_STR("helo", buf_str(&s->helo)),
              LOG_TEXT("level", s->has_tls ? "encrypt" : "none"),
              LOG_TEXT("tls", s->has_tls ? s->tls_info.protocol : "-"),
              LOG_TEXT("cipher", s->has_tls ? s->tls_info.cipher : "-"),
              LOG_TEXT("sni", s->tls_info.sni[0] ? s->tls_info.sni : "-"), LOG_NUM("messages", s->messages),
              LOG_NUM("recipients", s->recipients), LOG_NUM("octets", s->octets),
              LOG_NUM("commands", s->commands), LOG_NUM("refusals", s->refusals),
              LOG_TEXT("last_refusal", s->refusal ? s->refusal : "-"), LOG_NUM("ms", ms),
              LOG_TEXT("end", s->end_reason ? s->end_reason : "-"));
}

void record_session(struct session *s)
{
    int64_t ms = clock_mono() - s->started_ms;
    struct buf line = {0};
    struct json_out w;
    log_session(s, ms);
    begin(&w, &line, s, "session");
    json_num(&w, "messages", s->messages);
    json_num(&w, "refusals", s->refusals);
    if (s->refusal)
        json_text(&w, "last_refusal", s->refusal);
    json_text(&w, "end", s->end_reason);
    json_num(&w, "ms", ms);
    add_tls(&w, s);
    json_close(&w, '}');
    s->outside->record(s->outside->ctx, buf_str(&line));
    buf_release(&line);
}
