#include "dns/resolver.h"

#include <errno.h>
#include <poll.h>

#include "base/codec.h"
#include "base/die.h"
#include "base/rand.h"
#include "dns/message.h"
#include "dns/transport_priv.h"

enum {
    DEFAULT_TIMEOUT_MS = 2000,
    DEFAULT_TRIES = 4,
    REFUSED_WAIT_MS = 250, /* nobody listens there: soon again, it may be restarting */
    UDP_ANSWER_MAX = 4096,
};

struct resolver {
    struct resolver_conf conf;
    struct udp_pool pool;
};

enum err resolver_address_check(const struct addr *address, bool trusted, struct buf *why)
{
    if (trusted || addr_is_loopback(address))
        return OK;
    char text[ADDR_TEXT];
    buf_set(
        why,
        "the resolver %s is not on loopback: anybody on the way could forge what it says; run a validating "
        "resolver on this machine, or name this one as trusted",
        addr_format(address, text));
    return ERR_REFUSED;
}

struct resolver *resolver_new(const struct resolver_conf *conf)
{
    struct resolver *r = must_alloc(calloc(1, sizeof *r));
    r->conf = *conf;
    if (r->conf.timeout_ms <= 0)
        r->conf.timeout_ms = DEFAULT_TIMEOUT_MS;
    if (r->conf.tries <= 0)
        r->conf.tries = DEFAULT_TRIES;
    udp_pool_init(&r->pool, &conf->address);
    return r;
}

void resolver_free(struct resolver *r)
{
    if (!r)
        return;
    udp_pool_release(&r->pool);
    free(r);
}

enum phase {
    ASKING,
    CHECKING,   /* it said SERVFAIL: does the answer exist when nobody validates? */
    CONFIRMING, /* it does: then validation fails, unless that SERVFAIL has passed */
    CUT,        /* the answer did not fit: TCP */
    ANSWERED,
};

struct pending {
    enum phase phase;
    uint16_t id;
    const struct dns_question *question;
    struct buf query;
    struct dns_answer *out;
};

/* One call of resolver_ask_many. */
struct round {
    struct resolver *r;
    struct arena *a;
    deadline until;
    int fd;
    size_t n, waiting;
    struct pending *v;
    bool clean;  /* every message sent was answered exactly once so far */
    int refused; /* errno of the last refusal to carry a message, 0 when none */
};

static bool is_waiting(const struct pending *p)
{
    return p->phase == ASKING || p->phase == CHECKING || p->phase == CONFIRMING;
}

static void finish(struct round *round, struct pending *p)
{
    ENSURE(is_waiting(p));
    p->phase = ANSWERED;
    round->waiting--;
}

/* A fresh id that nothing else in this round has. */
static void write_query(struct round *round, struct pending *p, enum dns_check check)
{
    bool taken;
    do {
        p->id = (uint16_t)rand_u64();
        taken = false;
        for (size_t i = 0; i < round->n; i++)
            taken = taken || (&round->v[i] != p && round->v[i].query.n && round->v[i].id == p->id);
    } while (taken);
    buf_clear(&p->query);
    if (dns_query_write(&p->query, p->id, p->question, check))
        return;
    dns_answer_fail(round->a, p->question, DNS_ERROR_MALFORMED, STR("this is not a domain name"), p->out);
    finish(round, p);
}

static void send_query(struct round *round, const struct pending *p)
{
    if (p->phase != ANSWERED && send(round->fd, p->query.p, p->query.n, MSG_NOSIGNAL) < 0)
        round->refused = errno;
}

static bool is_servfail(const struct dns_answer *a)
{
    return a->status == DNS_ERROR && a->error == DNS_ERROR_SERVFAIL;
}

/* SERVFAIL is what fails for a moment, what fails for long, and what fails validation. Only DNSSEC stands
 * between an answer with checking disabled and a SERVFAIL both before and after it. True when the question
 * is to be asked again. */
static bool judge(struct round *round, struct pending *p, const struct dns_answer *answer)
{
    switch (p->phase) {
    case ASKING:
        *p->out = *answer;
        if (!is_servfail(answer))
            return false;
        p->phase = CHECKING;
        write_query(round, p, DNS_CHECKING_DISABLED);
        return true;
    case CHECKING:
        if (answer->status == DNS_ERROR)
            return false; /* the SERVFAIL stands */
        if (round->r->conf.unchecked) {
            *p->out = *answer;
            return false;
        }
        p->phase = CONFIRMING;
        write_query(round, p, DNS_VALIDATED);
        return true;
    case CONFIRMING:
        if (is_servfail(answer))
            p->out->error = DNS_ERROR_BOGUS;
        else
            *p->out = *answer;
        return false;
    case CUT:
    case ANSWERED:
        break;
    }
    ENSURE(!"waiting for an answer");
    return false;
}

static void take_answer(struct round *round, struct pending *p, struct str message)
{
    struct dns_answer answer;
    enum dns_parsed parsed = dns_answer_parse(round->a, message, p->id, p->question, &answer);
    if (parsed == DNS_NOT_OURS)
        return;
    if (parsed == DNS_TRUNCATED && p->phase == CHECKING && !round->r->conf.unchecked) {
        answer = (struct dns_answer){.status = DNS_DATA}; /* what is too long exists */
    } else if (parsed == DNS_TRUNCATED) {
        finish(round, p);
        p->phase = CUT;
        return;
    }
    if (judge(round, p, &answer))
        send_query(round, p);
    else
        finish(round, p);
}

/* Everything that has arrived. */
static void receive(struct round *round)
{
    char bytes[UDP_ANSWER_MAX];
    while (round->waiting) {
        ssize_t n = recv(round->fd, bytes, sizeof bytes, 0);
        if (n < 0) {
            if (errno != EAGAIN && errno != EINTR)
                round->refused = errno;
            return;
        }
        for (size_t i = 0; i < round->n; i++) {
            struct pending *p = &round->v[i];
            if (is_waiting(p) && n >= 2 && get_u16(bytes) == p->id) {
                take_answer(round, p, str_make(bytes, (size_t)n));
                break;
            }
        }
    }
}

static void await_answers(struct round *round, int timeout_ms)
{
    deadline retry = deadline_in(timeout_ms);
    if (retry > round->until)
        retry = round->until;
    while (round->waiting) {
        if (round->refused && retry > deadline_in(REFUSED_WAIT_MS))
            retry = deadline_in(REFUSED_WAIT_MS);
        struct pollfd p = {.fd = round->fd, .events = POLLIN};
        int n = poll(&p, 1, deadline_poll_ms(retry));
        if (n > 0)
            receive(round);
        else if (n == 0)
            return;
    }
}

static void ask_over_udp(struct round *round)
{
    int timeout_ms = round->r->conf.timeout_ms;
    for (int try = 0; try < round->r->conf.tries && round->waiting && !deadline_is_over(round->until);
         try++) {
        round->refused = 0;
        if (try > 0)
            round->clean = false;
        for (size_t i = 0; i < round->n; i++)
            if (is_waiting(&round->v[i]))
                send_query(round, &round->v[i]);
        await_answers(round, timeout_ms);
        timeout_ms += timeout_ms / 2;
    }
}

static void exchange_over_tcp(struct round *round, struct pending *p, struct dns_answer *out)
{
    struct buf answer = {0}, why = {0};
    enum err e = tcp_exchange(&round->r->conf.address, buf_str(&p->query), round->until, &answer, &why);
    if (e != OK) {
        dns_answer_fail(round->a, p->question, e == ERR_TIMEOUT ? DNS_ERROR_TIMEOUT : DNS_ERROR_UNREACHABLE,
                        buf_str(&why), out);
    } else if (dns_answer_parse(round->a, buf_str(&answer), p->id, p->question, out) != DNS_PARSED) {
        dns_answer_fail(round->a, p->question, DNS_ERROR_MALFORMED,
                        STR("another answer than asked for, over TCP"), out);
    }
    buf_release(&answer);
    buf_release(&why);
}

/* The whole dialog, the questions after a SERVFAIL included, as over UDP. */
static void ask_over_tcp(struct round *round, struct pending *p)
{
    struct dns_answer answer;
    p->phase = ASKING;
    do
        exchange_over_tcp(round, p, &answer);
    while (judge(round, p, &answer));
    p->phase = ANSWERED;
}

static void give_up(struct round *round, struct pending *p)
{
    if (p->phase != ASKING)
        return; /* the SERVFAIL stands */
    struct buf why = {0};
    char to[ADDR_TEXT];
    buf_set(&why, "no answer from the resolver %s", addr_format(&round->r->conf.address, to));
    if (round->refused)
        buf_printf(&why, ": %s", strerrordesc_np(round->refused));
    dns_answer_fail(round->a, p->question, round->refused ? DNS_ERROR_UNREACHABLE : DNS_ERROR_TIMEOUT,
                    buf_str(&why), p->out);
    buf_release(&why);
}

static void run(struct round *round)
{
    enum dns_check check = round->r->conf.unchecked ? DNS_CHECKING_DISABLED : DNS_VALIDATED;
    for (size_t i = 0; i < round->n; i++)
        write_query(round, &round->v[i], check);
    ask_over_udp(round);
    for (size_t i = 0; i < round->n; i++) {
        struct pending *p = &round->v[i];
        if (p->phase == CUT)
            ask_over_tcp(round, p);
        else if (p->phase != ANSWERED)
            give_up(round, p);
        buf_release(&p->query);
    }
}

void resolver_ask_many(struct resolver *r, struct arena *a, const struct dns_question *questions, size_t n,
                       deadline until, struct dns_answer *out)
{
    struct round round = {.r = r, .a = a, .until = until, .n = n, .waiting = n, .clean = true};
    round.fd = udp_pool_take(&r->pool);
    if (round.fd < 0) {
        struct str text = str_of(strerrordesc_np(errno));
        for (size_t i = 0; i < n; i++)
            dns_answer_fail(a, &questions[i], DNS_ERROR_UNREACHABLE, text, &out[i]);
        return;
    }
    round.v = ARENA_ARRAY(a, struct pending, n);
    for (size_t i = 0; i < n; i++)
        round.v[i] = (struct pending){.question = &questions[i], .out = &out[i]};
    run(&round);
    udp_pool_give(&r->pool, round.fd, round.clean && round.waiting == 0);
}

void resolver_ask(struct resolver *r, struct arena *a, struct str name, enum dns_type type, deadline until,
                  struct dns_answer *out)
{
    struct dns_question q = {name, type};
    resolver_ask_many(r, a, &q, 1, until, out);
}

static void source_ask(void *ctx, struct arena *a, const struct dns_question *questions, size_t n,
                       deadline until, struct dns_answer *out)
{
    resolver_ask_many(ctx, a, questions, n, until, out);
}

struct dns_source resolver_source(struct resolver *r)
{
    return (struct dns_source){.ctx = r, .ask = source_ask};
}
