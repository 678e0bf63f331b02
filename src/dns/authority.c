#include "dns/authority.h"

#include <errno.h>
#include <poll.h>

#include "base/file.h"
#include "base/rand.h"
#include "dns/transport_priv.h"

enum {
    TRIES = 3,
    FIRST_TIMEOUT_MS = 700, /* doubles with each try */
    REFUSED_WAIT_MS = 250,  /* nobody listens there: it may be restarting */
    UDP_ANSWER_MAX = 4096,
};

static int64_t now_s(void)
{
    return clock_wall() / 1000;
}

static enum err malformed(const struct authority *s, const char *what, struct buf *why)
{
    char text[ADDR_TEXT];
    buf_set(why, "%s: %s", addr_format(&s->addr, text), what);
    return ERR_MALFORMED;
}

/* One question on its way. */
struct asking {
    const struct authority *s;
    struct arena *a;
    const struct dns_question *question;
    uint16_t id;
    struct buf query;
    deadline until;
    struct authority_answer *out;
    struct buf *why;
};

static enum dns_parsed judge(struct asking *q, struct str message, enum err *e)
{
    enum dns_parsed parsed = authority_answer_parse(q->a, message, q->id, q->question, now_s(), e, q->out);
    if (parsed == DNS_PARSED && *e != OK)
        *e = malformed(q->s, "the answer is malformed", q->why);
    return parsed;
}

/* Until an answer to this question comes, the socket reports an error, or the time is over. DNS_NOT_OURS and
 * *e for the latter two. */
static enum dns_parsed await_answer(struct asking *q, int fd, deadline until, enum err *e)
{
    char bytes[UDP_ANSWER_MAX];
    for (;;) {
        *e = dns_await(fd, POLLIN, until);
        if (*e != OK)
            return DNS_NOT_OURS;
        ssize_t n = recv(fd, bytes, sizeof bytes, 0);
        if (n < 0 && errno != EAGAIN && errno != EINTR) {
            *e = ERR_SYSTEM;
            return DNS_NOT_OURS;
        }
        enum dns_parsed parsed = n < 0 ? DNS_NOT_OURS : judge(q, str_make(bytes, (size_t)n), e);
        if (parsed != DNS_NOT_OURS)
            return parsed;
    }
}

static void pause_for(int64_t ms, deadline until)
{
    deadline end = deadline_in(ms);
    (void)poll(NULL, 0, deadline_poll_ms(end < until ? end : until));
}

static enum dns_parsed ask_over_udp(struct asking *q, enum err *e)
{
    char text[ADDR_TEXT];
    int fd = dns_socket(&q->s->addr, SOCK_DGRAM);
    if (fd < 0) {
        *e = err_system(q->why, "UDP to %s", addr_format(&q->s->addr, text));
        return DNS_NOT_OURS;
    }
    enum dns_parsed parsed = DNS_NOT_OURS;
    int64_t timeout_ms = FIRST_TIMEOUT_MS;
    *e = ERR_TIMEOUT;
    for (int try = 0; try < TRIES && parsed == DNS_NOT_OURS && !deadline_is_over(q->until); try++) {
        deadline retry = deadline_in(timeout_ms);
        timeout_ms *= 2;
        *e = ERR_SYSTEM;
        if (send(fd, q->query.p, q->query.n, MSG_NOSIGNAL) >= 0)
            parsed = await_answer(q, fd, retry < q->until ? retry : q->until, e);
        if (parsed == DNS_NOT_OURS && *e == ERR_SYSTEM) {
            (void)err_system(q->why, "UDP to %s", addr_format(&q->s->addr, text));
            pause_for(REFUSED_WAIT_MS, q->until);
        }
    }
    if (parsed == DNS_NOT_OURS && *e == ERR_TIMEOUT)
        buf_set(q->why, "UDP to %s: no answer", addr_format(&q->s->addr, text));
    file_close(&fd);
    return parsed;
}

static enum err ask_over_tcp(struct asking *q)
{
    struct buf answer = {0};
    enum err e = tcp_exchange(&q->s->addr, buf_str(&q->query), q->until, &answer, q->why);
    if (e == OK && judge(q, buf_str(&answer), &e) != DNS_PARSED)
        e = malformed(q->s, "another answer than asked for, over TCP", q->why);
    buf_release(&answer);
    return e;
}

enum err authority_ask(const struct authority *s, struct arena *a, const struct dns_question *question,
                       deadline until, struct authority_answer *out, struct buf *why)
{
    struct asking q = {.s = s,
                       .a = a,
                       .question = question,
                       .id = (uint16_t)rand_u64(),
                       .until = until,
                       .out = out,
                       .why = why};
    *out = (struct authority_answer){0};
    enum err e = ERR_MALFORMED;
    if (!dns_query_write(&q.query, q.id, question, DNS_AUTHORITATIVE))
        buf_set(why, "%.*s is not a domain name", STR_ARG(question->name));
    else if (ask_over_udp(&q, &e) == DNS_TRUNCATED)
        e = ask_over_tcp(&q);
    buf_release(&q.query);
    return e;
}

/* A server that accepts our signature signs its refusals, too. */
static enum err refuse(const struct authority *s, const char *what, struct str zone, enum dns_rcode rcode,
                       enum tsig_error tsig, struct buf *why)
{
    char text[ADDR_TEXT];
    struct buf doubt = {0};
    if (s->key && tsig == TSIG_ERROR_UNSIGNED)
        buf_set(&doubt,
                "; it did not sign this, so it may not accept the TSIG key %.*s: not known there, another "
                "secret, another algorithm than %s, or its clock is wrong",
                STR_ARG(s->key->name), tsig_algorithm_name(s->key->algorithm));
    buf_set(why, "%s refuses the %s of %.*s: %s (%s)%s", addr_format(&s->addr, text), what, STR_ARG(zone),
            dns_rcode_sentence(rcode), dns_rcode_name(rcode), buf_cstr(&doubt));
    buf_release(&doubt);
    return ERR_REFUSED;
}

static enum err explain_tsig(const struct authority *s, const struct tsig *t, enum tsig_error error,
                             struct buf *why)
{
    char text[ADDR_TEXT];
    struct buf sentence = {0};
    tsig_error_sentence(t, error, now_s(), &sentence);
    buf_set(why, "%s: %s", addr_format(&s->addr, text), buf_cstr(&sentence));
    buf_release(&sentence);
    return ERR_REFUSED;
}

/* What the answer to an update means. An error that nobody signed is believed as an error: it changes
 * nothing here, and most servers cannot sign what they refuse. */
static enum err judge_update(const struct authority *s, struct str zone, struct tsig *t, uint16_t id,
                             struct str message, struct authority_update *out, struct buf *why)
{
    struct str plain = message;
    if (s->key)
        out->tsig = tsig_verify(t, message, now_s(), &plain);
    if (!dns_update_parse(plain, id, &out->rcode))
        return malformed(s, "another answer than to the update", why);
    bool is_unsigned_error = out->tsig == TSIG_ERROR_UNSIGNED && out->rcode != DNS_RCODE_NOERROR;
    if (out->tsig != TSIG_ERROR_NONE && !is_unsigned_error)
        return explain_tsig(s, t, out->tsig, why);
    if (out->rcode == DNS_RCODE_NOERROR)
        return OK;
    return refuse(s, "update", zone, out->rcode, out->tsig, why);
}

enum err authority_update(const struct authority *s, struct str zone, const struct dns_change *changes,
                          size_t n, deadline until, struct authority_update *out, struct buf *why)
{
    struct tsig t = {0};
    struct buf message = {0}, answer = {0};
    uint16_t id = (uint16_t)rand_u64();
    *out = (struct authority_update){0};
    out->taken = dns_update_write(&message, id, zone, changes, n, DNS_UPDATE_MAX);
    enum err e = ERR_MALFORMED;
    if (out->taken == 0) {
        buf_set(why, "nothing that can be written as an update of %.*s", STR_ARG(zone));
    } else {
        if (s->key) {
            tsig_init(&t, s->key);
            tsig_sign(&t, &message, now_s());
        }
        e = tcp_exchange(&s->addr, buf_str(&message), until, &answer, why);
    }
    if (e == OK)
        e = judge_update(s, zone, &t, id, buf_str(&answer), out, why);
    tsig_release(&t);
    buf_release(&message);
    buf_release(&answer);
    return e;
}

/* One message of a transfer; *over when it was the last. */
static enum err take_message(const struct authority *s, struct dns_transfer *transfer, struct tsig *t,
                             struct str message, bool *over, struct buf *why)
{
    struct str plain = message;
    enum tsig_error bad = s->key ? tsig_verify(t, message, now_s(), &plain) : TSIG_ERROR_NONE;
    if (bad != TSIG_ERROR_NONE && bad != TSIG_ERROR_UNSIGNED)
        return explain_tsig(s, t, bad, why);
    enum dns_transfer_step step = dns_transfer_feed(transfer, plain);
    if (step == DNS_TRANSFER_BROKEN)
        return malformed(s, "the zone transfer is malformed", why);
    if (step == DNS_TRANSFER_REFUSED)
        return refuse(s, "transfer", transfer->zone, transfer->rcode, bad, why);
    if (bad == TSIG_ERROR_NONE && step == DNS_TRANSFER_OVER && s->key)
        bad = tsig_end(t);
    if (bad != TSIG_ERROR_NONE)
        return explain_tsig(s, t, bad, why);
    *over = step == DNS_TRANSFER_OVER;
    return OK;
}

static enum err run_transfer(const struct authority *s, struct dns_transfer *transfer, struct dns_tcp *c,
                             deadline until, struct buf *why)
{
    struct tsig t = {0};
    struct buf message = {0};
    enum err e = ERR_MALFORMED;
    bool over = false;
    if (!dns_transfer_write(&message, transfer->id, transfer->zone)) {
        buf_set(why, "%.*s is not a domain name", STR_ARG(transfer->zone));
        goto out;
    }
    if (s->key) {
        tsig_init(&t, s->key);
        tsig_sign(&t, &message, now_s());
    }
    e = tcp_send(c, buf_str(&message), until, why);
    while (e == OK && !over) {
        e = tcp_receive(c, until, &message, why);
        if (e == OK)
            e = take_message(s, transfer, &t, buf_str(&message), &over, why);
    }
out:
    tsig_release(&t);
    buf_release(&message);
    return e;
}

enum err authority_transfer(const struct authority *s, struct str zone, deadline until, authority_each *each,
                            void *ctx, struct buf *why)
{
    struct dns_transfer transfer = {.zone = zone, .id = (uint16_t)rand_u64(), .each = each, .ctx = ctx};
    struct dns_tcp c;
    enum err e = tcp_open(&c, &s->addr, until, why);
    if (e == OK)
        e = run_transfer(s, &transfer, &c, until, why);
    tcp_close(&c);
    return e;
}
