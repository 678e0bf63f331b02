#include "deliver/connection.h"

#include <openssl/sha.h>
#include <openssl/x509_vfy.h>

#include "dane/dane.h"

void connection_key(const struct connection_target *t, uint8_t out[CONNECTION_KEY])
{
    struct buf b = {0};
    buf_append(&b, t->host->fingerprint, sizeof t->host->fingerprint);
    pack_str(&b, addr_octets(&t->to));
    buf_add_u16(&b, addr_port(&t->to));
    pack_str(&b, t->source ? addr_octets(t->source) : STR_NONE);
    buf_add_char(&b, t->lmtp ? 'l' : 's');
    buf_add_char(&b, t->host->level == LEVEL_NONE ? (char)t->strength_none : '-');
    SHA256((const uint8_t *)b.p, b.n, out);
    buf_release(&b);
}

struct outcome connection_reply(struct connection *c, enum stage stage, struct arena *a)
{
    struct smtp_reply reply;
    struct buf why = {0};
    /* the answer to the content may take twice as long: the peer makes it durable (RFC 5321 4.5.3.2.6) */
    deadline until = deadline_in(stage == STAGE_CONTENT ? 2 * c->smtp_timeout : c->smtp_timeout);
    enum err e = smtp_reply_read(&c->stream, until, a, &reply, &why);
    struct outcome o = e == OK ? trouble_of_reply(stage, &reply)
                               : trouble_of_silence(stage, e,
                                                    arena_printf(a, "no reply to %s: %s", stage_name(stage),
                                                                 why.n ? buf_cstr(&why) : err_text(e)));
    buf_release(&why);
    return o;
}

/* EHLO; where clear text would do anyway, HELO when EHLO is refused. Whatever was offered before is
 * forgotten. */
static struct outcome hello(struct connection *c, const struct connection_target *t, bool helo_will_do,
                            struct arena *a)
{
    c->offered = (struct smtp_extensions){0};
    stream_printf(&c->stream, "%s %.*s\r\n", t->lmtp ? "LHLO" : "EHLO", STR_ARG(t->hello));
    struct outcome o = connection_reply(c, STAGE_HELLO, a);
    if (o.blame == BLAME_NOBODY) {
        smtp_extensions_parse(o.reply.text, &c->offered);
        return o;
    }
    if (t->lmtp || !helo_will_do || !smtp_reply_is_permanent(&o.reply))
        return o;
    stream_printf(&c->stream, "HELO %.*s\r\n", STR_ARG(t->hello));
    return connection_reply(c, STAGE_HELLO, a);
}

/* What the hooks of tls_connect need. */
struct judge {
    const struct policy_host *host;
    struct dane_identity who;
    struct dane_verdict verdict;
};

static enum err prepare_dane(void *ctx, SSL *ssl, struct buf *why)
{
    const struct judge *j = ctx;
    return dane_prepare(ssl, &j->who, why);
}

static void judge_dane(void *ctx, SSL *ssl)
{
    struct judge *j = ctx;
    dane_judge(ssl, &j->host->usable, &j->who, &j->verdict);
}

static bool is_name(struct str host)
{
    struct addr ignored;
    return !addr_parse_ip(host, &ignored);
}

static struct outcome judged(struct connection *c, const struct judge *j, struct arena *a)
{
    const struct policy_host *h = j->host;
    c->level = h->level;
    if (h->level == LEVEL_DANE) {
        if (!j->verdict.match)
            return trouble_of_dane(&j->verdict, a);
        dane_tlsa_format(&c->matched, &j->verdict.record);
        c->depth = j->verdict.depth;
    } else if ((h->level == LEVEL_VERIFY || h->level == LEVEL_STS) && c->tls.webpki_error != X509_V_OK) {
        return trouble_of_reason(
            BLAME_HOST, h->level == LEVEL_STS ? REASON_STS_CERTIFICATE : REASON_CERTIFICATE_NOT_TRUSTED,
            str_of(X509_verify_cert_error_string(c->tls.webpki_error)));
    }
    return (struct outcome){0};
}

static struct outcome handshake(struct connection *c, const struct connection_target *t, struct arena *a)
{
    const struct policy_host *h = t->host;
    struct judge j = {.host = h, .who = {h->base, h->names, h->name_count}};
    bool dane = h->level == LEVEL_DANE, webpki = h->level == LEVEL_VERIFY || h->level == LEVEL_STS;
    struct tls_connect_args args = {
        .sni = is_name(h->base) ? h->base : STR_NONE,
        .strength = h->level == LEVEL_NONE ? t->strength_none : TLS_STRENGTH_MODERN,
        .prepare = dane ? prepare_dane : NULL,
        .judge = dane ? judge_dane : NULL,
        .ctx = &j,
        .webpki_name = webpki ? h->name : STR_NONE,
        .session_key = str_make((const char *)c->key, sizeof c->key),
    };
    struct buf why = {0};
    enum err e = tls_connect(&c->stream, t->tls, &args, deadline_in(t->smtp_timeout), &c->tls, &why);
    struct outcome o;
    if (e == OK) {
        o = judged(c, &j, a);
    } else {
        c->tls = (struct tls_info){0};
        o = trouble_of_reason(BLAME_HOST, REASON_HANDSHAKE_FAILED, arena_str(a, buf_str(&why)));
    }
    buf_release(&why);
    return o;
}

/* STARTTLS up to the second EHLO. BLAME_NOBODY with tls.protocol NULL: it goes on in clear text, as level
 * none allows. */
static struct outcome start_tls(struct connection *c, const struct connection_target *t, struct arena *a)
{
    bool optional = t->host->level == LEVEL_NONE;
    if (!(c->offered.bits & SMTP_EXT_STARTTLS)) {
        if (optional)
            return (struct outcome){0};
        return trouble_of_reason(BLAME_HOST, REASON_STARTTLS_NOT_OFFERED, STR_NONE);
    }
    stream_add(&c->stream, STR("STARTTLS\r\n"));
    struct outcome o = connection_reply(c, STAGE_STARTTLS, a);
    if (o.blame != BLAME_NOBODY) {
        bool goes_on = optional && o.reply.code != 0 && o.reply.code != 421;
        if (goes_on)
            o = (struct outcome){0};
        return o;
    }
    if (stream_buffered(&c->stream))
        return trouble_of_reason(BLAME_HOST, REASON_STARTTLS_INJECTED, STR_NONE);
    o = handshake(c, t, a);
    return o.blame == BLAME_NOBODY ? hello(c, t, false, a) : o;
}

static struct outcome connect_tcp(struct connection *c, const struct connection_target *t, struct arena *a)
{
    struct buf why = {0};
    enum err e = stream_connect(&c->stream, &t->to, t->source, deadline_in(t->connect_timeout), &why);
    struct outcome o = {0};
    if (e == OK) {
        stream_hear_out(&c->stream);
        live_add(t->live, &c->link, c->stream.fd);
    } else {
        o = trouble_of_reason(BLAME_HOST, REASON_CONNECT_FAILED, arena_str(a, buf_str(&why)));
    }
    buf_release(&why);
    return o;
}

static struct outcome try_open(struct connection *c, const struct connection_target *t, bool tls,
                               struct arena *a)
{
    *c = (struct connection){.stream = STREAM_EMPTY,
                             .live = t->live,
                             .to = t->to,
                             .lmtp = t->lmtp,
                             .depth = -1,
                             .level = LEVEL_NONE,
                             .smtp_timeout = t->smtp_timeout};
    connection_key(t, c->key);
    struct outcome o = connect_tcp(c, t, a);
    if (o.blame == BLAME_NOBODY)
        o = connection_reply(c, STAGE_GREETING, a);
    if (o.blame != BLAME_NOBODY)
        return o;
    bool clear_will_do = t->host->level == LEVEL_NONE;
    o = hello(c, t, clear_will_do, a);
    if (!clear_will_do && smtp_reply_is_permanent(&o.reply))
        return trouble_of_reason(BLAME_HOST, REASON_STARTTLS_NOT_OFFERED,
                                 o.text); /* no EHLO, hence no STARTTLS */
    return o.blame == BLAME_NOBODY && tls ? start_tls(c, t, a) : o;
}

struct outcome connection_open(struct connection *c, const struct connection_target *t, struct arena *a)
{
    struct outcome o = try_open(c, t, true, a);
    if (o.reason == REASON_HANDSHAKE_FAILED && t->host->level == LEVEL_NONE && t->clear_text_allowed) {
        connection_release(c);
        o = try_open(c, t, false, a);
        c->handshake_failed = true;
    }
    if (o.blame == BLAME_NOBODY)
        return o;
    if (c->stream.fd >= 0 && o.reply.code != 421) {
        stream_add(&c->stream, STR("QUIT\r\n"));
        (void)stream_flush(&c->stream, deadline_in(1000)); /* a courtesy */
    }
    struct tls_info seen = c->tls; /* evidence: whose certificate it was that did not do */
    connection_release(c);
    c->tls = seen;
    return o;
}

void connection_quit(struct connection *c, struct tls_client *tls)
{
    if (c->stream.fd >= 0 && stream_error(&c->stream) == OK) {
        if (c->stream.ssl && c->messages)
            tls_remember(tls, &c->stream, str_make((const char *)c->key, sizeof c->key));
        stream_add(&c->stream, STR("QUIT\r\n"));
        (void)stream_flush(&c->stream, deadline_in(1000));
    }
    connection_release(c);
}

void connection_release(struct connection *c)
{
    if (c->link.at)
        live_remove(c->live, &c->link);
    stream_release(&c->stream);
    buf_release(&c->matched);
    *c = (struct connection){.stream = STREAM_EMPTY, .depth = -1};
}
