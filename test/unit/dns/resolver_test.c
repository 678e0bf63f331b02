#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/file.h"
#include "base/thread.h"
#include "dns/resolver.h"
#include "dns/wire.h"

/* A resolver that does as the asked name says: the first label is its order. */
struct server {
    int udp, tcp, stop[2];
    struct addr address;
    pthread_t thread;
    _Atomic unsigned questions, checking_disabled; /* read by the test while the thread runs */
};

enum { QR = 0x8000, TC = 0x0200, AD = 0x0020, CD = 0x0010, SERVFAIL = 2, REFUSED = 5 };

static bool orders(const struct dns_name_text *name, const char *order)
{
    return str_starts(str_make(name->p, name->n), str_of(order));
}

/* The answer to a question into out; false: none. */
static bool reply(struct server *s, struct str question, bool over_tcp, struct buf *out)
{
    struct dns_reader r = {.message = (const uint8_t *)question.p, .at = 12, .end = question.n};
    struct dns_name_text name;
    dns_read_name(&r, &name);
    uint16_t type = dns_read_u16(&r);
    (void)dns_read_u16(&r);
    bool unchecked = get_u16(question.p + 2) & CD;
    s->questions++;
    s->checking_disabled += unchecked;
    unsigned flags = QR | AD;
    if (orders(&name, "drop-once") && s->questions == 1)
        return false;
    if (orders(&name, "silent") || (over_tcp && orders(&name, "long-hangup")))
        return false;
    if (orders(&name, "insecure") || (orders(&name, "permissive")))
        flags = QR;
    bool fits = over_tcp || !orders(&name, "long");
    if (orders(&name, "servfail") || (orders(&name, "bogus") && !unchecked))
        flags = QR | SERVFAIL;
    if ((orders(&name, "blip") || orders(&name, "late")) && s->questions == 1)
        flags = QR | SERVFAIL;
    if (orders(&name, "late") && s->questions > 2)
        return false;
    if (fits && orders(&name, "long-blip") && s->questions == 2)
        flags = QR | SERVFAIL;
    if (fits && (orders(&name, "long-servfail") || (orders(&name, "long-bogus") && !unchecked)))
        flags = QR | SERVFAIL;
    if (orders(&name, "refused"))
        flags = QR | REFUSED;
    if (!fits)
        flags |= TC;
    buf_add(out, str_sub(question, 0, 2));
    buf_add_u16(out, (uint16_t)flags);
    bool data = !(flags & (TC | 0xf)) && (type == DNS_A || type == DNS_SOA);
    buf_add_u16(out, 1), buf_add_u16(out, data), buf_add_u16(out, 0), buf_add_u16(out, 0);
    buf_add(out, str_sub(question, 12, r.at - 12));
    if (data && type == DNS_A)
        buf_add(out, STR("\xc0\x0c\0\1\0\1\0\0\0\x3c\0\4\x7f\0\0\1"));
    else if (data)
        buf_add(out, STR("\xc0\x0c\0\6\0\1\0\0\0\x3c\0\x16\0\0\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1\0\0\0\1"));
    return true;
}

static void serve_udp(struct server *s)
{
    char question[512];
    struct sockaddr_storage from;
    socklen_t n = sizeof from;
    ssize_t size = recvfrom(s->udp, question, sizeof question, 0, (struct sockaddr *)&from, &n);
    if (size < 12)
        return;
    struct buf out = {0};
    struct str asked = str_make(question, (size_t)size);
    if (str_find(asked, STR("forged")) !=
        SIZE_MAX) { /* wrong id, wrong question, no answer at all: then the true one */
        static const char *const forged[] = {"\0\0", "\0\0\x81\x80\0\1\0\0\0\0\0\0\1x\0\0\1\0\1", ""};
        for (size_t i = 0; i < 3; i++)
            (void)sendto(s->udp, forged[i], i == 1 ? 19 : 2 - i, 0, (struct sockaddr *)&from, n);
    }
    if (reply(s, asked, false, &out))
        (void)sendto(s->udp, out.p, out.n, 0, (struct sockaddr *)&from, n);
    buf_release(&out);
}

static void serve_tcp(struct server *s)
{
    int fd = accept(s->tcp, NULL, NULL);
    char frame[512];
    ssize_t size = recv(fd, frame, sizeof frame, 0);
    struct buf out = {0};
    if (size > 14 && reply(s, str_make(frame + 2, (size_t)size - 2), true, &out)) {
        char length[2];
        put_u16(length, (uint16_t)out.n);
        (void)send(fd, length, 2, MSG_NOSIGNAL);
        (void)send(fd, out.p, out.n, MSG_NOSIGNAL);
    }
    buf_release(&out);
    file_close(&fd);
}

static void serve(void *arg)
{
    struct server *s = arg;
    for (;;) {
        struct pollfd p[] = {{s->stop[0], POLLIN, 0}, {s->udp, POLLIN, 0}, {s->tcp, POLLIN, 0}};
        (void)poll(p, 3, -1);
        if (p[0].revents)
            return;
        if (p[1].revents)
            serve_udp(s);
        if (p[2].revents)
            serve_tcp(s);
    }
}

static void start(struct server *s)
{
    *s = (struct server){0};
    assert_int_equal(pipe(s->stop), 0);
    for (;;) { /* the same free port for both */
        assert_true(addr_parse(STR("127.0.0.1"), 0, &s->address));
        s->udp = socket(AF_INET, SOCK_DGRAM, 0);
        s->tcp = socket(AF_INET, SOCK_STREAM, 0);
        assert_int_equal(bind(s->udp, (struct sockaddr *)&s->address.ss, s->address.n), 0);
        assert_int_equal(getsockname(s->udp, (struct sockaddr *)&s->address.ss, &s->address.n), 0);
        if (bind(s->tcp, (struct sockaddr *)&s->address.ss, s->address.n) == 0 && listen(s->tcp, 5) == 0)
            break;
        file_close(&s->udp);
        file_close(&s->tcp);
    }
    assert_int_equal(thread_start_joinable(serve, s, &s->thread, NULL), OK);
}

static void stop(struct server *s)
{
    assert_int_equal(write(s->stop[1], "", 1), 1);
    assert_int_equal(pthread_join(s->thread, NULL), 0);
    file_close(&s->udp);
    file_close(&s->tcp);
    file_close(&s->stop[0]);
    file_close(&s->stop[1]);
}

static struct server server;
static struct resolver *resolver;
static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    start(&server);
    resolver =
        resolver_new(&(struct resolver_conf){.address = server.address, .timeout_ms = 100, .tries = 2});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    stop(&server);
    resolver_free(resolver);
    arena_release(&arena);
    return 0;
}

static struct dns_answer ask(const char *name, enum dns_type type)
{
    struct dns_answer out;
    resolver_ask(resolver, &arena, str_of(name), type, deadline_in(5000), &out);
    return out;
}

static void an_answer(void **state)
{
    (void)state;
    struct dns_answer out = ask("good.example", DNS_A);
    assert_int_equal(out.status, DNS_DATA);
    assert_int_equal(out.security, DNS_SECURE);
    assert_int_equal(out.ttl, 60);
    assert_int_equal(ask("insecure.example", DNS_A).security, DNS_INSECURE);
    assert_int_equal(ask("good.example", DNS_TLSA).status, DNS_NODATA);
    assert_int_equal(server.questions, 3);
}

static void many_at_once(void **state)
{
    (void)state;
    enum { COUNT = 40 };
    struct dns_question q[COUNT];
    struct dns_answer out[COUNT];
    for (int i = 0; i < COUNT; i++)
        q[i] = (struct dns_question){arena_printf(&arena, "%s%d.example", i % 3 ? "good" : "insecure", i),
                                     i % 2 ? DNS_A : DNS_AAAA};
    resolver_ask_many(resolver, &arena, q, COUNT, deadline_in(5000), out);
    for (int i = 0; i < COUNT; i++) {
        assert_true(str_equal(out[i].qname, q[i].name));
        assert_int_equal(out[i].status, i % 2 ? DNS_DATA : DNS_NODATA);
        assert_int_equal(out[i].security, i % 3 ? DNS_SECURE : DNS_INSECURE);
    }
}

static void a_lost_question_is_repeated(void **state)
{
    (void)state;
    assert_int_equal(ask("drop-once.example", DNS_A).status, DNS_DATA);
    assert_int_equal(server.questions, 2);
}

static void silence_ends(void **state)
{
    (void)state;
    int64_t before = clock_mono();
    struct dns_answer out = ask("silent.example", DNS_A);
    assert_int_equal(out.error, DNS_ERROR_TIMEOUT);
    assert_int_equal(server.questions, 2);
    assert_in_range(clock_mono() - before, 240, 2000);
    before = clock_mono();
    resolver_ask(resolver, &arena, STR("silent.example"), DNS_A, deadline_in(30), &out);
    assert_int_equal(out.error, DNS_ERROR_TIMEOUT);
    assert_in_range(clock_mono() - before, 25, 95);
}

static void servfail_and_bogus(void **state)
{
    (void)state;
    assert_int_equal(ask("servfail.example", DNS_A).error, DNS_ERROR_SERVFAIL);
    assert_int_equal(server.checking_disabled, 1);
    assert_int_equal(ask("bogus.example", DNS_A).error, DNS_ERROR_BOGUS);
    assert_int_equal(server.questions, 2 + 3); /* the last to see that the first was no blip */
    assert_int_equal(ask("bogus.example", DNS_TLSA).error, DNS_ERROR_BOGUS);
    assert_int_equal(ask("refused.example", DNS_A).error, DNS_ERROR_REFUSED);
}

/* A SERVFAIL that has passed when the answer turns out to exist says nothing about DNSSEC. */
static void a_servfail_that_passes_is_not_bogus(void **state)
{
    (void)state;
    struct dns_answer out = ask("blip.example", DNS_A);
    assert_int_equal(out.status, DNS_DATA);
    assert_int_equal(out.security, DNS_SECURE);
    assert_int_equal(server.questions, 3);
    assert_int_equal(server.checking_disabled, 1);
    server.questions = 0;
    assert_int_equal(ask("late.example", DNS_A).error, DNS_ERROR_SERVFAIL); /* nothing confirms it */
    server.questions = 0;
    assert_int_equal(ask("long-blip.example", DNS_A).status, DNS_DATA);
    assert_int_equal(server.questions, 4);
}

/* Who asks for no validation gets the second answer, and never hears of DNSSEC. */
static void unchecked_questions(void **state)
{
    (void)state;
    struct resolver *checking = resolver;
    resolver = resolver_new(
        &(struct resolver_conf){.address = server.address, .timeout_ms = 100, .tries = 2, .unchecked = true});
    static const struct {
        const char *name;
        enum dns_status status;
        enum dns_error error;
        unsigned questions;
    } rows[] = {
        {"bogus.example", DNS_DATA, DNS_ERROR_NONE, 1},
        {"blip.example", DNS_DATA, DNS_ERROR_NONE, 2},
        {"servfail.example", DNS_ERROR, DNS_ERROR_SERVFAIL, 2},
        {"long-blip.example", DNS_DATA, DNS_ERROR_NONE, 3},
        {"long-servfail.example", DNS_ERROR, DNS_ERROR_SERVFAIL, 3},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        server.questions = server.checking_disabled = 0;
        struct dns_answer out = ask(rows[i].name, DNS_A);
        assert_int_equal(out.status, rows[i].status);
        assert_int_equal(out.error, rows[i].error);
        assert_int_equal(server.questions, rows[i].questions);
        assert_int_equal(server.checking_disabled, rows[i].questions);
    }
    resolver_free(resolver);
    resolver = checking;
}

static void truncation(void **state)
{
    (void)state;
    struct dns_answer out = ask("long.example", DNS_A);
    assert_int_equal(out.status, DNS_DATA);
    assert_int_equal(out.security, DNS_SECURE);
    assert_int_equal(server.questions, 2);
}

/* The second question after a SERVFAIL is asked over TCP, too. */
static void truncation_then_servfail(void **state)
{
    (void)state;
    assert_int_equal(ask("long-servfail.example", DNS_A).error, DNS_ERROR_SERVFAIL);
    assert_int_equal(server.questions, 3);
    assert_int_equal(server.checking_disabled, 1);
    assert_int_equal(ask("long-bogus.example", DNS_A).error, DNS_ERROR_BOGUS);
}

static void forgeries(void **state)
{
    (void)state;
    assert_int_equal(ask("forged.example", DNS_A).status, DNS_DATA);
}

static void ask_often(void *arg)
{
    unsigned *good = arg;
    struct arena a = {0};
    for (int i = 0; i < 50; i++) {
        struct dns_question q[] = {{STR("good.example"), DNS_A}, {STR("insecure.example"), DNS_AAAA}};
        struct dns_answer out[2];
        resolver_ask_many(resolver, &a, q, 2, deadline_in(10000), out);
        *good += out[0].status == DNS_DATA && out[0].security == DNS_SECURE && out[1].status == DNS_NODATA;
    }
    arena_release(&a);
}

static void many_threads(void **state)
{
    (void)state;
    enum { THREADS = 8 };
    pthread_t threads[THREADS];
    unsigned good[THREADS] = {0};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(thread_start_joinable(ask_often, &good[i], &threads[i], NULL), OK);
    for (int i = 0; i < THREADS; i++) {
        assert_int_equal(pthread_join(threads[i], NULL), 0);
        assert_int_equal(good[i], 50);
    }
}

static void names_that_are_none(void **state)
{
    (void)state;
    assert_int_equal(ask("a..b", DNS_A).error, DNS_ERROR_MALFORMED);
    assert_int_equal(server.questions, 0);
}

static void nobody_listens(void **state)
{
    (void)state;
    struct addr nobody = server.address;
    int probe = socket(AF_INET, SOCK_DGRAM, 0);
    addr_set_port(&nobody, 0);
    assert_int_equal(bind(probe, (struct sockaddr *)&nobody.ss, nobody.n), 0);
    assert_int_equal(getsockname(probe, (struct sockaddr *)&nobody.ss, &nobody.n), 0);
    file_close(&probe);
    struct resolver *r =
        resolver_new(&(struct resolver_conf){.address = nobody, .timeout_ms = 5000, .tries = 2});
    struct dns_answer out;
    int64_t before = clock_mono();
    resolver_ask(r, &arena, STR("good.example"), DNS_A, deadline_in(20000), &out);
    assert_int_equal(out.error, DNS_ERROR_UNREACHABLE);
    assert_true(str_find(out.ede_text, STR("refused")) != SIZE_MAX);
    assert_in_range(clock_mono() - before, 200, 3000);
    resolver_free(r);
    assert_int_equal(ask("long-hangup.example", DNS_A).error, DNS_ERROR_UNREACHABLE);
}

static void proof(void **state)
{
    (void)state;
    struct buf why = {0};
    deadline until = deadline_in(5000);
    assert_int_equal(resolver_prove(resolver, STR("good.example"), STR("bogus.example"), until, &why), OK);
    assert_int_equal(resolver_prove(resolver, STR(""), STR(""), until, &why), OK);
    assert_int_equal(resolver_prove(resolver, STR("insecure.example"), STR(""), until, &why), ERR_REFUSED);
    assert_true(str_find(buf_str(&why), STR("does not validate")) != SIZE_MAX);
    assert_int_equal(resolver_prove(resolver, STR("good.example"), STR("permissive.example"), until, &why),
                     ERR_REFUSED);
    assert_int_equal(resolver_prove(resolver, STR("good.example"), STR("servfail.example"), until, &why),
                     ERR_REFUSED);
    assert_int_equal(resolver_prove(resolver, STR("silent.example"), STR(""), until, &why), ERR_TIMEOUT);
    buf_release(&why);
}

static void addresses(void **state)
{
    (void)state;
    static const struct {
        const char *address;
        bool trusted, good;
    } rows[] = {
        {"127.0.0.1:53", false, true},
        {"127.9.8.7:5353", false, true},
        {"[::1]:53", false, true},
        {"192.0.2.1:53", false, false},
        {"192.0.2.1:53", true, true},
        {"[2001:db8::1]:53", false, false},
        {"[::ffff:127.0.0.1]:53", false, true},
    };
    struct buf why = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct addr a;
        assert_true(addr_parse(str_of(rows[i].address), 53, &a));
        assert_int_equal(resolver_address_check(&a, rows[i].trusted, &why), rows[i].good ? OK : ERR_REFUSED);
    }
    buf_release(&why);
}

#define T(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_answer),
        T(many_at_once),
        T(a_lost_question_is_repeated),
        T(silence_ends),
        T(servfail_and_bogus),
        T(a_servfail_that_passes_is_not_bogus),
        T(unchecked_questions),
        T(truncation),
        T(truncation_then_servfail),
        T(forgeries),
        T(many_threads),
        T(names_that_are_none),
        T(nobody_listens),
        T(proof),
        cmocka_unit_test(addresses),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
