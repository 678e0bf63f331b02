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
#include "zone/publish.h"

enum { SERVFAIL = 2, REFUSED = 5, NOTAUTH = 9, QR_UPDATE = 0xa800, MESSAGES_MAX = 512 };

static const struct str ZONE = {"mx.example", 10};

/* A primary that refuses what has a name with "bad" in it, or everything, and remembers which names came in
 * which message. */
static struct {
    int fd, stop[2];
    struct addr address;
    pthread_t thread;
    unsigned refuse_all; /* with this rcode */
    size_t fail;         /* so many messages, with SERVFAIL */
    size_t n;            /* messages */
    size_t changes[MESSAGES_MAX];
    struct buf names[MESSAGES_MAX]; /* "-host1.mx.example +host1.mx.example " */
} primary;

static unsigned take(struct str message)
{
    struct dns_reader r = {.message = (const uint8_t *)message.p, .at = 12, .end = message.n};
    struct dns_name_text zone;
    struct dns_rr rr;
    struct buf *names = &primary.names[primary.n];
    dns_read_name(&r, &zone);
    (void)dns_read_u32(&r);
    primary.changes[primary.n] = get_u16(message.p + 8);
    for (size_t i = 0; i < primary.changes[primary.n] && dns_read_rr(&r, &rr); i++)
        buf_printf(names, "%c%.*s ", rr.class == DNS_CLASS_IN ? '+' : '-', (int)rr.owner.n, rr.owner.p);
    primary.n++;
    if (primary.refuse_all)
        return primary.refuse_all;
    if (primary.n <= primary.fail)
        return SERVFAIL;
    return str_find(buf_str(names), STR("bad")) == SIZE_MAX ? 0 : REFUSED;
}

static bool receive(int fd, char *to, size_t n)
{
    for (size_t got = 0; got < n;) {
        ssize_t more = recv(fd, to + got, n - got, 0);
        if (more <= 0)
            return false;
        got += (size_t)more;
    }
    return true;
}

static void answer_one(void)
{
    static char message[65535];
    char length[2], answer[14] = {0, 12};
    int fd = accept(primary.fd, NULL, NULL);
    if (receive(fd, length, 2) && receive(fd, message, get_u16(length))) {
        memcpy(answer + 2, message, 2);
        put_u16(answer + 4, (uint16_t)(QR_UPDATE | take(str_make(message, get_u16(length)))));
        (void)send(fd, answer, sizeof answer, MSG_NOSIGNAL);
    }
    file_close(&fd);
}

static void serve(void *arg)
{
    (void)arg;
    for (;;) {
        struct pollfd p[] = {{primary.stop[0], POLLIN, 0}, {primary.fd, POLLIN, 0}};
        (void)poll(p, 2, -1);
        if (p[0].revents)
            return;
        answer_one();
    }
}

static struct arena arena;

static int set_up(void **state)
{
    (void)state;
    memset(&primary, 0, sizeof primary);
    assert_int_equal(pipe(primary.stop), 0);
    assert_true(addr_parse(STR("127.0.0.1"), 0, &primary.address));
    primary.fd = socket(AF_INET, SOCK_STREAM, 0);
    assert_int_equal(bind(primary.fd, (struct sockaddr *)&primary.address.ss, primary.address.n), 0);
    assert_int_equal(getsockname(primary.fd, (struct sockaddr *)&primary.address.ss, &primary.address.n), 0);
    assert_int_equal(listen(primary.fd, 16), 0);
    assert_int_equal(thread_start_joinable(serve, NULL, &primary.thread, NULL), OK);
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    assert_int_equal(write(primary.stop[1], "", 1), 1);
    assert_int_equal(pthread_join(primary.thread, NULL), 0);
    file_close(&primary.fd);
    file_close(&primary.stop[0]);
    file_close(&primary.stop[1]);
    for (size_t i = 0; i < primary.n; i++)
        buf_release(&primary.names[i]);
    arena_release(&arena);
    return 0;
}

static struct dns_change change(enum dns_change_op op, const char *label, size_t octets)
{
    char *data = arena_alloc(&arena, octets);
    memset(data, 'x', octets);
    return (struct dns_change){op,
                               {.owner = arena_printf(&arena, "%s.%.*s", label, STR_ARG(ZONE)),
                                .type = 65280,
                                .ttl = 60,
                                .rdata = str_make(data, octets)}};
}

static enum err publish(const struct dns_change *changes, size_t n, struct zone_published *out,
                        struct buf *why)
{
    struct authority server = {.addr = primary.address};
    return zone_publish(&server, ZONE, changes, n, deadline_in(10000), &arena, out, why);
}

static void removals_come_first(void **state)
{
    (void)state;
    struct dns_change changes[] = {change(DNS_ADD, "b", 4), change(DNS_ADD, "a", 5),
                                   change(DNS_REMOVE, "b", 3), change(DNS_REMOVE, "a", 4)};
    struct zone_published out;
    assert_int_equal(publish(changes, 4, &out, NULL), OK);
    assert_int_equal(out.sent, 4);
    assert_int_equal(primary.n, 1);
    assert_string_equal(buf_cstr(&primary.names[0]),
                        "-a.mx.example +a.mx.example -b.mx.example +b.mx.example ");
}

static void nothing_to_do(void **state)
{
    (void)state;
    struct zone_published out;
    assert_int_equal(publish(NULL, 0, &out, NULL), OK);
    assert_int_equal(out.sent + out.nrefused + primary.n, 0);
}

/* However large the batch: the changes of a name are never in two messages. */
static void a_name_changes_at_once(void **state)
{
    (void)state;
    enum { NAMES = 60, EACH = 7, COUNT = NAMES * EACH };
    struct dns_change changes[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        changes[i] =
            change(i / NAMES % 2 ? DNS_REMOVE : DNS_ADD, arena_printf(&arena, "n%zu", i % NAMES).p, 900 + i);
    struct zone_published out;
    assert_int_equal(publish(changes, COUNT, &out, NULL), OK);
    assert_int_equal(out.sent, COUNT);
    assert_in_range(primary.n, 5, 12);
    for (size_t name = 0; name < NAMES; name++) {
        struct str owner = arena_printf(&arena, "+n%zu.mx.example", name);
        size_t seen = 0;
        for (size_t i = 0; i < primary.n; i++)
            seen += str_find(buf_str(&primary.names[i]), owner) != SIZE_MAX;
        assert_int_equal(seen, 1);
    }
}

static void a_name_too_large_for_one_message(void **state)
{
    (void)state;
    struct dns_change changes[] = {change(DNS_ADD, "a", 40000), change(DNS_ADD, "a", 40001),
                                   change(DNS_ADD, "a", 60000), change(DNS_ADD, "a", 65000)};
    struct zone_published out;
    assert_int_equal(publish(changes, 4, &out, NULL), OK);
    assert_int_equal(out.sent, 3);
    assert_int_equal(out.nrefused, 1); /* fits no message */
    assert_int_equal(out.refused[0].change, 3);
}

static void bad_ones_are_found(void **state)
{
    (void)state;
    enum { COUNT = 1000 };
    struct dns_change changes[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        changes[i] = change(DNS_ADD, arena_printf(&arena, i % 300 == 7 ? "bad%zu" : "n%zu", i).p, 4);
    struct zone_published out;
    struct buf why = {0};
    assert_int_equal(publish(changes, COUNT, &out, &why), OK);
    assert_int_equal(out.sent, COUNT - 4);
    assert_int_equal(out.nrefused, 4);
    for (size_t i = 0; i < 4; i++) {
        assert_int_equal(out.refused[i].change, 300 * i + 7);
        assert_true(str_find(out.refused[i].why, STR("REFUSED")) != SIZE_MAX);
        assert_false(out.is_sent[300 * i + 7]);
    }
    assert_true(out.is_sent[0] && out.is_sent[COUNT - 1]);
    assert_in_range(primary.n, 8, 4 * 2 * 11);
    buf_release(&why);
}

static struct dns_change typed(enum dns_change_op op, const char *label, uint16_t type, size_t octets)
{
    struct dns_change c = change(op, label, octets);
    c.record.type = type;
    return c;
}

/* The primary fails for a moment, in which a TLSA RRset would be divided: half of it would match nothing. */
static void half_an_rrset_is_never_sent(void **state)
{
    (void)state;
    static const struct {
        size_t fail, sent, refused;
        const char *last; /* message */
    } rows[] = {
        {0, 5, 0, "+_dane.g1.mx.example +_dane.g1.mx.example +a.mx.example +a.mx.example +b.mx.example "},
        {1, 5, 0, "+a.mx.example +a.mx.example +b.mx.example "},
        {2, 3, 2, "+a.mx.example +a.mx.example +b.mx.example "}, /* all of g1 is refused, at once */
        {3, 3, 2, "+b.mx.example "},
        {5, 2, 3, "+b.mx.example "}, /* addresses are records of their own */
        {7, 0, 5, "+b.mx.example "},
    };
    struct dns_change changes[] = {typed(DNS_ADD, "_dane.g1", DNS_TLSA, 35), typed(DNS_ADD, "a", DNS_A, 4),
                                   typed(DNS_ADD, "_dane.g1", DNS_TLSA, 36),
                                   typed(DNS_ADD, "a", DNS_AAAA, 16), typed(DNS_ADD, "b", DNS_A, 4)};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct zone_published out;
        for (size_t m = 0; m < primary.n; m++)
            buf_release(&primary.names[m]);
        primary.n = 0;
        primary.fail = rows[i].fail;
        assert_int_equal(publish(changes, 5, &out, NULL), OK);
        assert_int_equal(out.sent, rows[i].sent);
        assert_int_equal(out.nrefused, rows[i].refused);
        assert_int_equal(out.is_sent[0], out.is_sent[2]);
        assert_string_equal(buf_cstr(&primary.names[primary.n - 1]), rows[i].last);
    }
}

/* An alias that becomes records, an address that is replaced: not the one without the other. */
static void a_removal_stays_with_its_addition(void **state)
{
    (void)state;
    struct dns_change changes[] = {typed(DNS_REMOVE, "_25._tcp.a", DNS_CNAME, 20),
                                   typed(DNS_ADD, "_25._tcp.a", DNS_TLSA, 35),
                                   typed(DNS_REMOVE, "a", DNS_A, 4), typed(DNS_ADD, "a", DNS_AAAA, 16)};
    struct zone_published out;
    primary.fail = 3; /* both, the first, the second */
    assert_int_equal(publish(changes, 4, &out, NULL), OK);
    assert_int_equal(out.sent, 0);
    assert_int_equal(out.nrefused, 4);
    assert_int_equal(primary.n, 3);
}

/* Everything is refused: it ends soon, and is said. */
static void hopeless(void **state)
{
    (void)state;
    enum { COUNT = 500 };
    struct dns_change changes[COUNT];
    for (size_t i = 0; i < COUNT; i++)
        changes[i] = change(DNS_ADD, arena_printf(&arena, "bad%zu", i).p, 4);
    struct zone_published out;
    struct buf why = {0};
    assert_int_equal(publish(changes, COUNT, &out, &why), ERR_REFUSED);
    assert_int_equal(out.sent, 0);
    assert_in_range(primary.n, 16, 60);
    primary.refuse_all = NOTAUTH;
    size_t before = primary.n;
    assert_int_equal(publish(changes, COUNT, &out, &why), ERR_REFUSED);
    assert_int_equal(primary.n, before + 1);
    assert_true(str_find(buf_str(&why), STR("NOTAUTH")) != SIZE_MAX);
    buf_release(&why);
}

static struct str line_of(const struct zone_snapshot *s)
{
    struct buf b = {0};
    for (size_t i = 0; i < s->n; i++)
        buf_printf(&b, "%.*s/%u/%zu ", STR_ARG(s->records[i].owner), s->records[i].ttl,
                   s->records[i].rdata.n);
    struct str line = arena_str(&arena, buf_str(&b));
    buf_release(&b);
    return line;
}

static void a_snapshot_after_changes(void **state)
{
    (void)state;
    struct zone_snapshot s = {0};
    struct dns_change first[] = {change(DNS_ADD, "b", 2), change(DNS_ADD, "a", 1), change(DNS_ADD, "b", 1)};
    zone_snapshot_apply(&s, first, 3);
    assert_string_equal(line_of(&s).p, "a.mx.example/60/1 b.mx.example/60/1 b.mx.example/60/2 ");
    struct dns_change second[] = {change(DNS_ADD, "b", 1), change(DNS_REMOVE, "b", 1),
                                  change(DNS_REMOVE, "a", 1), change(DNS_REMOVE, "c", 1),
                                  change(DNS_ADD, "b", 2)};
    second[0].record.ttl = 7;
    second[4].record.ttl = 8;
    zone_snapshot_apply(&s, second, 5);
    assert_string_equal(line_of(&s).p, "b.mx.example/7/1 b.mx.example/8/2 ");
    struct dns_change aliases[] = {typed(DNS_ADD, "a", DNS_CNAME, 5), typed(DNS_ADD, "c", DNS_CNAME, 5)},
                      others[] = {typed(DNS_ADD, "c", DNS_CNAME, 6), typed(DNS_ADD, "a", DNS_CNAME, 5)};
    others[1].record.ttl = 9;
    zone_snapshot_apply(&s, aliases, 2);
    zone_snapshot_apply(&s, others, 2); /* one replaces another, or the TTL alone */
    assert_string_equal(line_of(&s).p,
                        "a.mx.example/9/5 b.mx.example/7/1 b.mx.example/8/2 c.mx.example/60/6 ");
    zone_snapshot_release(&s);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, set_up, tear_down)
    const struct CMUnitTest tests[] = {
        T(removals_come_first),
        T(nothing_to_do),
        T(a_name_changes_at_once),
        T(a_name_too_large_for_one_message),
        T(bad_ones_are_found),
        T(half_an_rrset_is_never_sent),
        T(a_removal_stays_with_its_addition),
        T(hopeless),
        T(a_snapshot_after_changes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
