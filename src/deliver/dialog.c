#include "deliver/dialog.h"

#include "mail/header.h"
#include "smtp/content.h"
#include "smtp/orcpt.h"
#include "smtp/xtext.h"

enum {
    RCPT_MAX = 100,         /* RFC 5321 4.5.3.1.8: every server takes that many */
    CHUNK = 256 * 1024,     /* content of one BDAT */
    EAGER_MAX = 256 * 1024, /* content sent before MAIL and RCPT are answered */
    FLUSH_AT = 64 * 1024,
    PIECE = 16 * 1024, /* of content read at a time; on the stack */
};

struct expected {
    enum stage stage;
    size_t rcpt;
};

struct dialog {
    struct connection *c;
    const struct dialog_message *m;
    struct arena *a;
    struct outcome *results;
    struct expected *expected; /* replies not read yet, in their order */
    size_t head, tail;
    struct outcome mail, data, content;
    size_t accepted; /* recipients that were not refused */
    bool settled;    /* every recipient has its own, final outcome */
    bool broken;     /* no more to be read: `lost` says why */
    bool storage_failed;
    struct outcome lost;
    bool utf8;
};

size_t dialog_rcpt_max(const struct connection *c)
{
    uint32_t limit = c->offered.rcpt_max;
    return limit && limit < RCPT_MAX ? limit : RCPT_MAX;
}

bool dialog_may_repeat(const struct outcome *o)
{
    return o->blame == BLAME_RECIPIENT && (o->reply.code == 452 || o->reply.code == 552);
}

static bool offers(const struct dialog *d, enum smtp_extension e)
{
    return d->c->offered.bits & e;
}

static void take(struct dialog *d, struct expected e, struct outcome o)
{
    switch (e.stage) {
    case STAGE_MAIL:
        d->mail = o;
        break;
    case STAGE_RCPT:
        d->results[e.rcpt] = o;
        d->accepted += o.blame == BLAME_NOBODY;
        break;
    case STAGE_DATA:
        d->data = o;
        break;
    case STAGE_CONTENT: /* of several chunks the first refusal decides */
        if (d->content.blame == BLAME_NOBODY)
            d->content = o;
        break;
    default: /* RSET: whatever it says */
        break;
    }
}

/* Reads all replies that are due. */
static void drain(struct dialog *d)
{
    for (; d->head < d->tail && !d->broken; d->head++) {
        struct outcome o = connection_reply(d->c, d->expected[d->head].stage, d->a);
        if (!o.reply.code || o.reply.code == 421) {
            d->broken = true;
            d->lost = o;
        }
        take(d, d->expected[d->head], o);
    }
}

static void expect(struct dialog *d, enum stage stage, size_t rcpt)
{
    d->expected[d->tail++] = (struct expected){stage, rcpt};
    if (!offers(d, SMTP_EXT_PIPELINING))
        drain(d);
}

static void say_mail(struct dialog *d)
{
    const struct envelope *e = d->m->envelope;
    struct stream *s = &d->c->stream;
    stream_printf(s, "MAIL FROM:<%.*s>", STR_ARG(e->sender));
    if (offers(d, SMTP_EXT_SIZE))
        stream_printf(s, " SIZE=%llu", (unsigned long long)d->m->size);
    if (e->body_8bit && offers(d, SMTP_EXT_8BITMIME))
        stream_add(s, STR(" BODY=8BITMIME"));
    if (d->utf8)
        stream_add(s, STR(" SMTPUTF8"));
    if (offers(d, SMTP_EXT_DSN)) {
        if (e->ret != ENVELOPE_RET_UNSET)
            stream_add(s, e->ret == ENVELOPE_RET_FULL ? STR(" RET=FULL") : STR(" RET=HDRS"));
        if (e->envid.n) {
            struct buf xtext = {0};
            smtp_xtext_encode(e->envid, &xtext);
            stream_printf(s, " ENVID=%s", buf_cstr(&xtext));
            buf_release(&xtext);
        }
    }
    stream_add(s, STR("\r\n"));
}

static void say_orcpt(struct dialog *d, struct str orcpt)
{
    struct buf value = {0};
    if (orcpt.n && smtp_orcpt_encode(orcpt, d->utf8, &value))
        stream_printf(&d->c->stream, " ORCPT=%s", buf_cstr(&value));
    buf_release(&value);
}

static void say_rcpt(struct dialog *d, size_t i)
{
    const struct envelope_rcpt *r = &d->m->envelope->rcpt[d->m->rcpt[i]];
    struct stream *s = &d->c->stream;
    stream_printf(s, "RCPT TO:<%.*s>", STR_ARG(r->address));
    if (offers(d, SMTP_EXT_DSN)) {
        if (r->notify) {
            char notify[ENVELOPE_NOTIFY_TEXT];
            envelope_notify_text(r->notify, notify);
            stream_printf(s, " NOTIFY=%s", notify);
        }
        say_orcpt(d, r->orcpt);
    }
    stream_add(s, STR("\r\n"));
}

static void to_stream(void *ctx, const char *p, size_t n)
{
    stream_write(ctx, p, n);
}

static void to_buf(void *ctx, const char *p, size_t n)
{
    buf_append(ctx, p, n);
}

/* The next piece of the content; 0 at its end. A failing disk is ours to bear: the connection is cut, so that
 * no half message is taken for a whole one. */
static size_t read_piece(struct dialog *d, uint64_t at, char *p, size_t n)
{
    struct buf why = {0};
    ssize_t got = d->storage_failed ? 0 : d->m->read(d->m->ctx, at, p, n, &why);
    if (got < 0 || (got == 0 && at < d->m->size)) {
        d->storage_failed = d->broken = true;
        d->lost =
            trouble_of_reason(BLAME_US, REASON_OWN_FAULT,
                              arena_printf(d->a, "the stored content cannot be read: %s", buf_cstr(&why)));
        d->content = d->lost;
        (void)stream_fail(&d->c->stream, ERR_CLOSED, "the stored content cannot be read");
        got = 0;
    }
    buf_release(&why);
    return (size_t)got;
}

static void flush_some(struct dialog *d)
{
    if (stream_unsent(&d->c->stream) >= FLUSH_AT)
        (void)stream_flush(&d->c->stream, deadline_in(d->c->smtp_timeout)); /* sticky: the reply tells */
}

static void send_dotted(struct dialog *d)
{
    struct smtp_encoder encoder;
    smtp_encoder_init(&encoder, SMTP_FRAMING_DATA);
    char piece[PIECE];
    uint64_t at = 0;
    for (size_t n; (n = read_piece(d, at, piece, sizeof piece)) > 0; at += n) {
        smtp_encode(&encoder, piece, n, to_stream, &d->c->stream);
        flush_some(d);
    }
    if (!d->storage_failed)
        smtp_encode_finish(&encoder, to_stream, &d->c->stream);
}

/* BDAT: a chunk has its length in front, so it is encoded before it is announced. */
static void send_chunks(struct dialog *d)
{
    struct smtp_encoder encoder;
    smtp_encoder_init(&encoder, SMTP_FRAMING_BDAT);
    char piece[PIECE];
    struct buf chunk = {0};
    uint64_t at = 0;
    bool last = false;
    while (!last && !d->broken) {
        size_t n = 0;
        while (chunk.n < CHUNK && (n = read_piece(d, at, piece, sizeof piece)) > 0) {
            smtp_encode(&encoder, piece, n, to_buf, &chunk);
            at += n;
        }
        if (d->storage_failed)
            break;
        last = at >= d->m->size;
        if (last)
            smtp_encode_finish(&encoder, to_buf, &chunk);
        stream_printf(&d->c->stream, "BDAT %zu%s\r\n", chunk.n, last ? " LAST" : "");
        stream_add(&d->c->stream, buf_str(&chunk));
        buf_clear(&chunk);
        flush_some(d);
        expect(d, STAGE_CONTENT, 0);
        if (d->head == d->tail && d->content.blame != BLAME_NOBODY)
            break; /* without pipelining a chunk's refusal is known at once */
    }
    buf_release(&chunk);
}

/* LMTP answers the content once for every accepted recipient (RFC 2033 4.2). */
static void read_lmtp(struct dialog *d)
{
    for (size_t i = 0; i < d->m->count; i++) {
        if (d->results[i].blame != BLAME_NOBODY)
            continue;
        if (!d->broken) {
            struct outcome o = connection_reply(d->c, STAGE_CONTENT, d->a);
            d->broken = !o.reply.code || o.reply.code == 421;
            d->content = o;
        }
        d->results[i] = d->content;
    }
    d->settled = true;
}

static void reset(struct dialog *d)
{
    if (d->broken)
        return;
    stream_add(&d->c->stream, STR("RSET\r\n"));
    expect(d, STAGE_HELLO, 0);
    drain(d);
}

/* Accepted recipients share the fate of the content. */
static void settle_accepted(struct dialog *d, const struct outcome *fate)
{
    for (size_t i = 0; i < d->m->count; i++)
        if (d->results[i].blame == BLAME_NOBODY)
            d->results[i] = *fate;
}

static void send_data(struct dialog *d, bool data_said)
{
    if (!data_said) {
        stream_add(&d->c->stream, STR("DATA\r\n"));
        expect(d, STAGE_DATA, 0);
        drain(d);
    }
    if (d->broken)
        return;
    if (d->data.reply.code != 354) {
        if (d->accepted)
            settle_accepted(d, &d->data);
        reset(d);
        return;
    }
    if (d->accepted == 0 ||
        d->mail.blame != BLAME_NOBODY) { /* RFC 2920 3.1: an empty message that nobody gets */
        stream_add(&d->c->stream, STR(".\r\n"));
        expect(d, STAGE_HELLO, 0);
        drain(d);
        return;
    }
    send_dotted(d);
    if (d->c->lmtp) {
        read_lmtp(d);
        return;
    }
    expect(d, STAGE_CONTENT, 0);
    drain(d);
    settle_accepted(d, &d->content);
}

/* Accepted recipients after BDAT. When the connection was lost behind MAIL, all of the content may have
 * arrived; a peer that said 421 has told what it took. */
static void settle_chunks(struct dialog *d)
{
    drain(d);
    if (d->broken && !d->storage_failed && !d->lost.reply.code && d->mail.blame == BLAME_NOBODY) {
        d->lost = trouble_of_silence(STAGE_CONTENT, stream_error(&d->c->stream), d->lost.text);
        for (size_t i = 0; i < d->m->count; i++)
            if (d->results[i].blame == BLAME_HOST)
                d->results[i] = d->lost;
    }
    if (d->broken)
        return;
    settle_accepted(d, &d->content);
    if (d->content.blame != BLAME_NOBODY)
        reset(d);
}

/* Everything the peer never answered for, it has not taken. */
static void settle_lost(struct dialog *d)
{
    for (size_t i = 0; i < d->m->count; i++)
        if (d->results[i].blame == BLAME_NOBODY)
            d->results[i] = d->lost;
}

static bool refuse_all(struct dialog *d, enum reason reason, const char *text)
{
    struct outcome o = trouble_of_reason(BLAME_MESSAGE, reason, str_of(text));
    o.permanent = true;
    (void)snprintf(o.code, sizeof o.code, "%s", reason_row(reason)->final);
    for (size_t i = 0; i < d->m->count; i++)
        d->results[i] = o;
    return false;
}

static bool is_ascii(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127)
            return false;
    return true;
}

/* Was SMTPUTF8 asked for and is it really needed: by an address, or by the header? */
static bool needs_utf8(struct dialog *d)
{
    const struct envelope *e = d->m->envelope;
    if (!e->smtputf8)
        return false;
    bool needs = !is_ascii(e->sender);
    for (size_t i = 0; i < d->m->count; i++)
        needs |= !is_ascii(e->rcpt[d->m->rcpt[i]].address);
    if (needs || offers(d, SMTP_EXT_SMTPUTF8))
        return true;
    struct header_scan scan = {0};
    char piece[PIECE];
    uint64_t at = 0;
    for (size_t n; !scan.ended && (n = read_piece(d, at, piece, sizeof piece)) > 0; at += n)
        header_scan(&scan, str_make(piece, n));
    return scan.has_8bit;
}

/* What the peer cannot take is returned rather than mangled. */
static bool fits(struct dialog *d)
{
    const struct envelope *e = d->m->envelope;
    d->utf8 = needs_utf8(d);
    if (d->storage_failed) {
        settle_lost(d);
        return false;
    }
    if (d->utf8 && !offers(d, SMTP_EXT_SMTPUTF8))
        return refuse_all(d, REASON_NEEDS_SMTPUTF8, "");
    if (e->body_8bit && !offers(d, SMTP_EXT_8BITMIME))
        return refuse_all(d, REASON_NEEDS_8BITMIME, "");
    if (offers(d, SMTP_EXT_SIZE) && d->c->offered.size && d->m->size > d->c->offered.size)
        return refuse_all(d, REASON_TOO_LARGE,
                          arena_printf(d->a, "%llu octets, the server takes %llu",
                                       (unsigned long long)d->m->size, (unsigned long long)d->c->offered.size)
                              .p);
    return true;
}

static bool all_said(struct dialog *d)
{
    return !d->broken && d->mail.blame == BLAME_NOBODY;
}

bool dialog_send(struct connection *c, const struct dialog_message *m, struct arena *a,
                 struct outcome *results)
{
    struct dialog d = {.c = c, .m = m, .a = a, .results = results};
    for (size_t i = 0; i < m->count; i++)
        results[i] = (struct outcome){0};
    if (!fits(&d))
        return !d.storage_failed;
    size_t chunks = (size_t)(2 * m->size / CHUNK) + 2; /* bare line ends grow, at most to the double */
    d.expected = ARENA_ARRAY(a, struct expected, m->count + chunks + 4);
    bool pipelining = offers(&d, SMTP_EXT_PIPELINING), chunking = offers(&d, SMTP_EXT_CHUNKING) && !c->lmtp;

    say_mail(&d);
    expect(&d, STAGE_MAIL, 0);
    for (size_t i = 0; i < m->count && all_said(&d); i++) {
        say_rcpt(&d, i);
        expect(&d, STAGE_RCPT, i);
    }
    bool eager = pipelining && m->size <= EAGER_MAX;
    bool data_said = false;
    if (eager && chunking) {
        send_chunks(&d);
    } else if (pipelining && !chunking) {
        stream_add(&c->stream, STR("DATA\r\n"));
        expect(&d, STAGE_DATA, 0);
        data_said = true;
    }
    drain(&d);

    if (d.mail.blame != BLAME_NOBODY)
        for (size_t i = 0; i < m->count; i++)
            results[i] = d.mail;
    if (eager && chunking) {
        settle_chunks(&d);
    } else if (data_said || (all_said(&d) && d.accepted && !chunking)) {
        send_data(&d, data_said);
    } else if (all_said(&d) && d.accepted) {
        send_chunks(&d);
        settle_chunks(&d);
    } else if (all_said(&d)) {
        reset(&d);
    }
    if (d.broken && !d.settled)
        settle_lost(&d);
    c->messages++;
    return !d.broken && stream_error(&c->stream) == OK;
}
