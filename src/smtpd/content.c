/* DATA and BDAT: the message itself. A message is refused with the first fault found, but only when it has
 * been read to its end; what comes after a fault is dropped as it comes. */
#include <inttypes.h>

#include "smtpd/session_priv.h"

void content_release(struct session *s)
{
    if (s->t.content.draft)
        s->outside->draft_drop(s->t.content.draft);
    s->t.content.draft = NULL;
}

static void refuse(struct session *s, enum answer a)
{
    if (s->t.content.refusal == ANSWER_ok)
        s->t.content.refusal = a;
    content_release(s);
}

/* The decoder's sink. */
static void take(void *ctx, const char *p, size_t n)
{
    struct session *s = ctx;
    struct content *c = &s->t.content;
    if (!c->draft)
        return;
    c->size += n;
    if (!c->header.ended) {
        header_scan(&c->header, str_make(p, n));
        if (c->header.octets > (uint64_t)s->conf->max_header_size)
            refuse(s, ANSWER_header_too_big);
        else if (c->header.received > (uint64_t)s->conf->max_received)
            refuse(s, ANSWER_loop);
    }
    if (c->size > (uint64_t)s->conf->max_message_size)
        refuse(s, ANSWER_too_big);
    if (c->draft)
        s->outside->draft_write(c->draft, p, n);
}

static void content_begin(struct session *s, enum smtp_framing framing)
{
    struct content *c = &s->t.content;
    bool normalise = smtpd_networks_contain(&s->settings->normalising, &s->peer);
    *c = (struct content){.started = clock_mono(), .refusal = ANSWER_ok};
    smtp_decoder_init(&c->decoder, framing, normalise ? SMTP_LINE_ENDS_NORMALISE : SMTP_LINE_ENDS_STRICT);
    c->decoder.line_max = (size_t)s->conf->max_line_length;
    s->t.envelope.received_ms = clock_wall();
    c->draft = s->outside->draft_new(s->outside->ctx);
    struct buf trace = {0};
    trace_write(&(struct trace_facts){.helo = buf_str(&s->helo),
                                      .peer = str_of(s->peer_text),
                                      .hostname = s->settings->hostname,
                                      .is_ehlo = s->hello == HELLO_EHLO,
                                      .is_utf8 = s->t.envelope.smtputf8,
                                      .tls = s->has_tls ? &s->tls_info : NULL,
                                      .id = s->outside->draft_id(c->draft),
                                      .now_ms = s->t.envelope.received_ms},
                &trace);
    s->outside->draft_write(c->draft, trace.p, trace.n);
    buf_release(&trace);
}

static enum answer fault_of(unsigned faults)
{
    if (faults & (SMTP_CONTENT_BARE_CR | SMTP_CONTENT_BARE_LF | SMTP_CONTENT_NUL))
        return ANSWER_content_line_ends;
    return ANSWER_content_line_long;
}

/* Pauses are bounded, and on the whole the octets must come faster than the floor: each one buys the time
 * that it may take. */
static deadline content_deadline(const struct session *s)
{
    const struct content *c = &s->t.content;
    deadline until = session_deadline(s, s->conf->data_timeout);
    if (s->conf->min_data_rate > 0) {
        deadline floor = c->started + s->conf->data_timeout +
                         (int64_t)(c->arrived * 1000 / (uint64_t)s->conf->min_data_rate);
        until = floor < until ? floor : until;
    }
    return until;
}

/* Whatever octets are there. False when the session is over. */
static bool fill(struct session *s, struct str *bytes)
{
    enum err e = stream_fill(s->stream, content_deadline(s), bytes);
    if (e == ERR_TIMEOUT)
        session_end(s, deadline_is_over(s->end) ? ANSWER_session_timeout : ANSWER_data_timeout);
    else if (e)
        session_drop(s, "closed-in-message");
    return !e;
}

static void decode(struct session *s, const char *p, size_t n, size_t *used)
{
    struct content *c = &s->t.content;
    *used = smtp_decode(&c->decoder, p, n, take, s);
    c->arrived += *used;
    if (c->decoder.faults)
        refuse(s, fault_of(c->decoder.faults));
}

/* Commits, answers, and ends the transaction. */
static void content_end(struct session *s)
{
    struct transaction *t = &s->t;
    struct content *c = &t->content;
    if (c->decoder.framing == SMTP_FRAMING_BDAT) {
        smtp_decode_finish(&c->decoder, take, s);
        if (c->decoder.faults)
            refuse(s, fault_of(c->decoder.faults));
    }
    if (c->refusal != ANSWER_ok) {
        session_answer(s, c->refusal);
        transaction_reset(s);
        return;
    }
    struct buf why = {0};
    char id[32];
    void *draft = c->draft;
    ENSURE(str_copy(str_of(s->outside->draft_id(draft)), id, sizeof id));
    /* What was seen, not what BODY said: many say 8BITMIME of plain ASCII, which every next hop takes. */
    t->envelope.body_8bit = c->decoder.has_8bit;
    c->draft = NULL;
    enum err e = s->outside->draft_commit(draft, &t->envelope, &why);
    if (e) {
        log_event(LOG_ERROR, "queue-refused", LOG_TEXT("peer", s->peer_text),
                  LOG_TEXT("why", buf_cstr(&why)));
        session_answer(s, e == ERR_FULL ? ANSWER_no_space : ANSWER_queue_trouble);
    } else {
        stream_printf(s->stream, "250 2.0.0 Ok: queued as %s\r\n", id);
        s->messages++;
        s->recipients += (uint32_t)t->envelope.nrcpt;
        s->octets += c->size;
        record_message(s, id);
    }
    buf_release(&why);
    transaction_reset(s);
}

static enum answer may_begin(struct session *s)
{
    if (!s->t.has_mail)
        return ANSWER_mail_first;
    if (s->t.envelope.nrcpt == 0)
        return s->t.rcpt_refused ? ANSWER_no_recipient : ANSWER_rcpt_first;
    if (!s->outside->has_space(s->outside->ctx))
        return ANSWER_no_space;
    return ANSWER_ok;
}

void verb_data(struct session *s, const struct smtp_command *c)
{
    (void)c;
    enum answer a = s->t.in_bdat ? ANSWER_in_bdat : may_begin(s);
    if (a != ANSWER_ok) {
        session_answer(s, a);
        return;
    }
    content_begin(s, SMTP_FRAMING_DATA);
    stream_add(s->stream, STR("354 End data with <CR><LF>.<CR><LF>\r\n"));
    struct str bytes;
    while (!s->t.content.decoder.is_done && fill(s, &bytes)) {
        size_t used;
        decode(s, bytes.p, bytes.n, &used);
        stream_consume(s->stream, used);
    }
    if (s->t.content.decoder.is_done)
        content_end(s);
    else
        transaction_reset(s);
}

/* The announced octets, to the decoder or to nowhere. */
static bool read_chunk(struct session *s, uint64_t left, bool wanted)
{
    struct str bytes;
    while (left && fill(s, &bytes)) {
        size_t n = bytes.n < left ? bytes.n : (size_t)left, used;
        if (wanted)
            decode(s, bytes.p, n, &used);
        else
            s->t.content.arrived += n;
        stream_consume(s->stream, n);
        left -= n;
    }
    return left == 0;
}

void verb_bdat(struct session *s, const struct smtp_command *c)
{
    struct transaction *t = &s->t;
    enum answer a = ANSWER_ok;
    if (s->hello != HELLO_EHLO)
        a = s->hello == HELLO_NONE ? ANSWER_hello_first : ANSWER_not_offered;
    else if (!t->in_bdat)
        a = may_begin(s);
    if (a != ANSWER_ok) {
        /* RFC 3030 section 2: the chunk follows whatever we think of it. */
        t->content.started = clock_mono(), t->content.arrived = 0;
        if (read_chunk(s, c->chunk_size, false))
            session_answer(s, a);
        transaction_reset(s);
        return;
    }
    if (!t->in_bdat)
        content_begin(s, SMTP_FRAMING_BDAT);
    t->in_bdat = true;
    if (!read_chunk(s, c->chunk_size, true)) {
        transaction_reset(s);
    } else if (c->chunk_is_last) {
        content_end(s);
    } else if (t->content.refusal != ANSWER_ok) {
        session_answer(s, t->content.refusal);
        transaction_reset(s);
    } else {
        stream_printf(s->stream, "250 2.0.0 %" PRIu64 " octets received\r\n", c->chunk_size);
    }
}
