#include "inspect/dial.h"

#include <openssl/x509v3.h>

#include "dane/dane.h"
#include "smtp/extension.h"
#include "smtp/reply.h"

enum { QUIT_MS = 1000, OFFER_STARTTLS = 220 };

struct dialling {
    const struct dial_conf *conf;
    struct facts_dial *d;
    struct arena *a;
    struct stream stream;
};

static bool stop(struct dialling *x, enum dial_end end, struct str said)
{
    x->d->end = end;
    x->d->said = arena_str(x->a, said);
    return false;
}

static struct str reply_text(struct dialling *x, const struct smtp_reply *reply)
{
    struct buf b = {0};
    smtp_reply_describe(reply, &b);
    struct str text = arena_str(x->a, buf_str(&b));
    buf_release(&b);
    return text;
}

/* The next reply; its code, 0 when there is none. */
static unsigned read_reply(struct dialling *x, struct smtp_reply *reply, struct str *text)
{
    struct buf why = {0};
    enum err e = smtp_reply_read(&x->stream, deadline_in(x->conf->smtp_ms), x->a, reply, &why);
    *text = e ? arena_str(x->a, why.n ? buf_str(&why) : str_of(err_text(e))) : reply_text(x, reply);
    buf_release(&why);
    return e ? 0 : reply->code;
}

static bool hello(struct dialling *x, uint32_t *bits)
{
    struct smtp_reply reply;
    struct smtp_extensions offered;
    struct str text;
    stream_printf(&x->stream, "EHLO %.*s\r\n", STR_ARG(x->conf->hello));
    if (read_reply(x, &reply, &text) / 100 != 2)
        return stop(x, DIAL_HELLO, text);
    smtp_extensions_parse(reply.text, &offered);
    *bits = offered.bits;
    return true;
}

/* Only one algorithm of certificates is offered: the server shows that one or cannot. */
static enum err narrow(void *ctx, SSL *ssl, struct buf *why)
{
    static char ecdsa[] = "ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512";
    static char rsa[] = "rsa_pss_rsae_sha256:rsa_pss_rsae_sha384:rsa_pss_rsae_sha512:RSA+SHA256:RSA+SHA384:"
                        "RSA+SHA512";
    const struct dialling *x = ctx;
    if (x->d->asked == DIAL_ANY || SSL_set1_sigalgs_list(ssl, x->d->asked == DIAL_RSA ? rsa : ecdsa))
        return OK;
    buf_set(why, "OpenSSL takes no list of signature algorithms");
    return ERR_TLS;
}

static int64_t not_after(const X509 *certificate)
{
    struct tm tm;
    if (!ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &tm))
        return 0;
    return (int64_t)timegm(&tm) * 1000;
}

static void judge(void *ctx, SSL *ssl)
{
    struct dialling *x = ctx;
    const struct dns_answer *tlsa = x->conf->tlsa;
    struct dane_identity who = {.base = x->conf->host};
    X509 *leaf = SSL_get0_peer_certificate(ssl);
    if (!leaf)
        return;
    EVP_PKEY *key = X509_get0_pubkey(leaf);
    x->d->shown = key && EVP_PKEY_is_a(key, "RSA") ? DIAL_RSA : DIAL_ECDSA;
    x->d->not_after_ms = not_after(leaf);
    x->d->is_named = X509_check_host(leaf, x->conf->host.p, x->conf->host.n, 0, NULL) == 1;
    for (size_t i = 0; i < tlsa->n; i++) {
        struct tlsa record = tlsa->records[i].tlsa;
        struct tlsa_set one = {.v = &record, .n = 1};
        struct dane_verdict verdict;
        if (dane_tlsa_fault(&record) != DANE_TLSA_USABLE)
            continue;
        dane_judge(ssl, &one, &who, &verdict);
        x->d->matched[i] = verdict.match;
    }
}

static bool start_tls(struct dialling *x)
{
    struct smtp_reply reply;
    struct str text;
    struct buf why = {0};
    stream_add(&x->stream, STR("STARTTLS\r\n"));
    if (read_reply(x, &reply, &text) != OFFER_STARTTLS)
        return stop(x, DIAL_STARTTLS, text);
    if (stream_buffered(&x->stream))
        return stop(x, DIAL_STARTTLS, STR("octets follow its reply: somebody injects commands"));
    struct tls_connect_args args = {.sni = x->conf->host,
                                    .strength = TLS_STRENGTH_MODERN,
                                    .prepare = narrow,
                                    .judge = judge,
                                    .ctx = x,
                                    .webpki_name = x->conf->host};
    enum err e =
        tls_connect(&x->stream, x->conf->tls, &args, deadline_in(x->conf->smtp_ms), &x->d->tls, &why);
    if (e)
        stop(x, DIAL_HANDSHAKE, buf_str(&why));
    else
        x->d->is_trusted =
            x->d->tls.webpki_error == X509_V_OK || x->d->tls.webpki_error == X509_V_ERR_HOSTNAME_MISMATCH;
    buf_release(&why);
    return e == OK;
}

/* Would it take mail for the domain? */
static void ask_recipient(struct dialling *x)
{
    struct smtp_reply reply;
    stream_add(&x->stream, STR("MAIL FROM:<>\r\n"));
    x->d->rcpt = read_reply(x, &reply, &x->d->rcpt_said);
    if (x->d->rcpt / 100 != 2)
        return;
    stream_printf(&x->stream, "RCPT TO:<postmaster@%.*s>\r\n", STR_ARG(x->conf->domain));
    x->d->rcpt = read_reply(x, &reply, &x->d->rcpt_said);
}

static void talk(struct dialling *x)
{
    struct smtp_reply reply;
    struct str text;
    uint32_t bits = 0;
    if (read_reply(x, &reply, &text) / 100 != 2) {
        stop(x, DIAL_GREETING, text);
        return;
    }
    if (!hello(x, &bits))
        return;
    if (!(bits & SMTP_EXT_STARTTLS)) {
        stop(x, DIAL_NO_STARTTLS, STR_NONE);
        return;
    }
    /* The server has forgotten who we are (RFC 3207, section 4.2), and an edge of ours must know it: who
     * leaves nameless after the handshake is a sender that turns away. */
    if (!start_tls(x) || !hello(x, &bits))
        return;
    if (x->conf->domain.n && x->d->asked == DIAL_ANY)
        ask_recipient(x);
}

void dial(const struct dial_conf *conf, struct facts_dial *d, struct arena *a)
{
    struct dialling x = {.conf = conf, .d = d, .a = a, .stream = STREAM_EMPTY};
    struct buf why = {0};
    d->matched = ARENA_ARRAY(a, bool, conf->tlsa->n);
    if (stream_connect(&x.stream, &d->to, conf->source, deadline_in(conf->connect_ms), &why)) {
        stop(&x, DIAL_CONNECT, buf_str(&why));
    } else {
        d->end = DIAL_DONE;
        talk(&x);
        stream_add(&x.stream, STR("QUIT\r\n"));
        (void)stream_flush(&x.stream, deadline_in(QUIT_MS)); /* a courtesy */
    }
    stream_release(&x.stream);
    buf_release(&why);
}
