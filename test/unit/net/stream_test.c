#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "net/listen.h"
#include "net/stream.h"

/* A stream over one end of a socket pair; the test holds the other. */
static int open_pair(struct stream *s)
{
    int pair[2];
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    stream_init(s, pair[0]);
    return pair[1];
}

static void put(int fd, struct str text)
{
    assert_int_equal(write(fd, text.p, text.n), text.n);
}

static void expect_line(struct stream *s, size_t max, struct str want, unsigned want_faults)
{
    struct str line;
    unsigned faults;
    assert_int_equal(stream_read_line(s, max, deadline_in(5000), &line, &faults), OK);
    if (!str_equal(line, want) || faults != want_faults)
        fail_msg("'%.*s' faults %u, want '%.*s' faults %u", STR_ARG(line), faults, STR_ARG(want),
                 want_faults);
}

static void lines_and_their_faults(void **state)
{
    (void)state;
    static const struct {
        struct str wire, line;
        unsigned faults;
    } rows[] = {
        {STR("NOOP\r\n"), STR("NOOP"), 0},
        {STR("\r\n"), STR(""), 0},
        {STR("NOOP\n"), STR("NOOP"), STREAM_LINE_BARE_LF},
        {STR("\n"), STR(""), STREAM_LINE_BARE_LF},
        {STR("NO\rOP\r\n"), STR("NO\rOP"), STREAM_LINE_BARE_CR},
        {STR("NOOP\r\r\n"), STR("NOOP\r"), STREAM_LINE_BARE_CR},
        {STR("NO\0OP\r\n"), STR("NO\0OP"), STREAM_LINE_NUL},
        {STR("12345678\r\n"), STR("12345678"), 0}, /* max is 10 */
        {STR("123456789\r\n"), STR("12345678"), STREAM_LINE_TOO_LONG},
        {STR("123456789012345678901234567890\r\n"), STR("12345678"), STREAM_LINE_TOO_LONG},
        {STR("123456789012345678901234567890\n"), STR("12345678"),
         STREAM_LINE_TOO_LONG | STREAM_LINE_BARE_LF},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct stream s;
        int fd = open_pair(&s);
        put(fd, rows[i].wire);
        put(fd, STR("next\r\n"));
        expect_line(&s, 10, rows[i].line, rows[i].faults);
        expect_line(&s, 10, STR("next"), 0);
        stream_release(&s);
        (void)close(fd);
    }
}

struct dripper {
    int fd;
    struct str text;
    size_t step;
};

static void drip(void *arg)
{
    struct dripper *d = arg;
    for (size_t at = 0; at < d->text.n; at += d->step) {
        struct str piece = str_sub(d->text, at, d->step);
        if (write(d->fd, piece.p, piece.n) < 0)
            break;
        (void)usleep(100);
    }
    (void)shutdown(d->fd, SHUT_WR);
}

static void *drip_thread(void *arg)
{
    drip(arg);
    return NULL;
}

static void lines_in_pieces(void **state)
{
    (void)state;
    struct str text = STR("EHLO mx.example\r\n0123456789012345678901234567890123456789\r\nQUIT\r\n");
    for (size_t step = 1; step < 60; step += 7) {
        struct stream s;
        pthread_t thread;
        struct dripper d = {open_pair(&s), text, step};
        assert_int_equal(pthread_create(&thread, NULL, drip_thread, &d), 0);
        expect_line(&s, 20, STR("EHLO mx.example"), 0);
        expect_line(&s, 20, STR("012345678901234567"), STREAM_LINE_TOO_LONG);
        expect_line(&s, 20, STR("QUIT"), 0);
        struct str line;
        unsigned faults;
        assert_int_equal(stream_read_line(&s, 20, deadline_in(5000), &line, &faults), ERR_CLOSED);
        (void)pthread_join(thread, NULL);
        stream_release(&s);
        (void)close(d.fd);
    }
}

static void replies_are_grouped(void **state)
{
    (void)state;
    struct stream s;
    char got[64];
    int fd = open_pair(&s);
    put(fd, STR("A\r\nB\r\n"));
    expect_line(&s, 10, STR("A"), 0);
    stream_printf(&s, "%d a\r\n", 250);
    expect_line(&s, 10, STR("B"), 0);
    assert_int_equal(recv(fd, got, sizeof got, MSG_DONTWAIT), -1); /* nothing before the group ends */
    stream_add(&s, STR("250 b\r\n"));
    assert_int_equal(stream_unsent(&s), 14);
    struct str line;
    unsigned faults;
    assert_int_equal(stream_read_line(&s, 10, deadline_in(20), &line, &faults), ERR_TIMEOUT);
    assert_int_equal(recv(fd, got, sizeof got, MSG_DONTWAIT), 14);
    /* a timeout ends reading, not writing; both stick */
    put(fd, STR("C\r\n"));
    assert_int_equal(stream_read_line(&s, 10, deadline_in(5000), &line, &faults), ERR_TIMEOUT);
    assert_int_equal(stream_error(&s), ERR_TIMEOUT);
    assert_true(strlen(stream_why(&s)) > 0);
    stream_add(&s, STR("421\r\n"));
    assert_int_equal(stream_flush(&s, deadline_in(1000)), OK);
    assert_int_equal(recv(fd, got, sizeof got, MSG_DONTWAIT), 5);
    stream_release(&s);
    (void)close(fd);
}

static void what_is_buffered_shows(void **state)
{
    (void)state;
    struct stream s;
    int fd = open_pair(&s);
    put(fd, STR("STARTTLS\r\nMAIL FROM:<>\r\n"));
    assert_int_equal(stream_buffered(&s), 0);
    expect_line(&s, 512, STR("STARTTLS"), 0);
    assert_int_equal(stream_buffered(&s), 14);
    expect_line(&s, 512, STR("MAIL FROM:<>"), 0);
    assert_int_equal(stream_buffered(&s), 0);
    assert_false(stream_is_readable(&s, deadline_in(1)));
    put(fd, STR("x"));
    assert_true(stream_is_readable(&s, deadline_in(1000)));
    stream_release(&s);
    (void)close(fd);
}

static void cancelling_wakes_between_lines_only(void **state)
{
    (void)state;
    struct stream s;
    struct str line;
    unsigned faults;
    int fd = open_pair(&s), stop = eventfd(1, EFD_CLOEXEC);
    stream_set_cancel(&s, stop);
    assert_int_equal(stream_read_line(&s, 512, DEADLINE_NEVER, &line, &faults), ERR_STOPPED);
    put(fd, STR("NOOP\r\n")); /* what is there already is served first */
    expect_line(&s, 512, STR("NOOP"), 0);
    put(fd, STR("QUI"));
    struct str bytes;
    assert_int_equal(stream_fill(&s, deadline_in(1000), &bytes), OK);
    assert_int_equal(stream_read_line(&s, 512, deadline_in(30), &line, &faults), ERR_TIMEOUT);
    stream_release(&s);
    (void)close(fd);
    (void)close(stop);
}

static void *drain(void *arg)
{
    char *got = must_alloc(malloc(1 << 16));
    size_t total = 0;
    for (ssize_t n; (n = read(*(int *)arg, got, 1 << 16)) > 0;) {
        total += (size_t)n;
        (void)usleep(200);
    }
    free(got);
    return (void *)total;
}

static void bulk_both_ways(void **state)
{
    (void)state;
    enum { SIZE = 3 << 20 };
    struct stream s;
    pthread_t thread;
    void *total;
    int fd = open_pair(&s);
    char *block = must_alloc(malloc(SIZE));
    for (size_t i = 0; i < SIZE; i++)
        block[i] = (char)(i * 31 >> 3);
    assert_int_equal(pthread_create(&thread, NULL, drain, &fd), 0);
    stream_write(&s, block, SIZE);
    assert_int_equal(stream_flush(&s, deadline_in(20000)), OK);
    assert_int_equal(shutdown(s.fd, SHUT_WR), 0);
    (void)pthread_join(thread, &total);
    assert_int_equal((size_t)total, SIZE);
    assert_int_equal(s.octets_out, SIZE);

    struct dripper d = {fd, str_make(block, SIZE), 100000};
    assert_int_equal(pthread_create(&thread, NULL, drip_thread, &d), 0);
    size_t at = 0;
    struct str bytes;
    while (stream_fill(&s, deadline_in(20000), &bytes) == OK) {
        assert_true(at + bytes.n <= SIZE && memcmp(bytes.p, block + at, bytes.n) == 0);
        at += bytes.n;
        stream_consume(&s, bytes.n);
    }
    assert_int_equal(at, SIZE);
    assert_int_equal(s.read_error, ERR_CLOSED);
    (void)pthread_join(thread, NULL);
    free(block);
    stream_release(&s);
    (void)close(fd);
}

static void at_least(void **state)
{
    (void)state;
    struct stream s;
    struct str bytes;
    char got[4];
    size_t n;
    pthread_t thread;
    struct dripper d = {open_pair(&s), STR("0123456789abcdef"), 3};
    assert_int_equal(pthread_create(&thread, NULL, drip_thread, &d), 0);
    assert_int_equal(stream_fill_least(&s, 16, deadline_in(5000), &bytes), OK);
    assert_int_equal(bytes.n, 16);
    stream_consume(&s, 12);
    assert_int_equal(stream_read(&s, got, sizeof got, deadline_in(1000), &n), OK);
    assert_true(n == 4 && memcmp(got, "cdef", 4) == 0);
    assert_int_equal(stream_fill_least(&s, 1, deadline_in(5000), &bytes), ERR_CLOSED);
    (void)pthread_join(thread, NULL);
    stream_release(&s);
    (void)close(d.fd);
}

static void a_peer_that_does_not_read(void **state)
{
    (void)state;
    struct stream s;
    int fd = open_pair(&s);
    char *block = must_alloc(calloc(1, 1 << 20));
    for (int i = 0; i < 4; i++)
        stream_write(&s, block, 1 << 20);
    assert_int_equal(stream_flush(&s, deadline_in(30)), ERR_TIMEOUT);
    stream_add(&s, STR("dropped"));
    assert_int_equal(stream_unsent(&s), 0);
    assert_int_equal(stream_flush(&s, deadline_in(30)), ERR_TIMEOUT);
    free(block);
    stream_release(&s);
    stream_release(&s); /* empty is fine */
    (void)close(fd);
}

static void a_peer_that_is_gone(void **state)
{
    (void)state;
    struct stream s;
    struct str line;
    unsigned faults;
    int fd = open_pair(&s);
    (void)close(fd);
    stream_add(&s, STR("220\r\n"));
    assert_int_equal(stream_read_line(&s, 512, deadline_in(1000), &line, &faults), ERR_CLOSED);
    assert_int_equal(stream_error(&s), ERR_CLOSED);
    stream_release(&s);
}

static void connecting(void **state)
{
    (void)state;
    static const char *const any[] = {"127.0.0.1:0", "[::1]:0"};
    for (int i = 0; i < 2; i++) {
        struct addr at, peer, source;
        struct buf why = {0};
        struct stream s;
        int listener, fd;
        assert_true(addr_parse(str_of(any[i]), 0, &at));
        assert_int_equal(net_listen(&at, NET_ONE_FAMILY, &listener, &why), OK);
        at = net_local_addr(listener);
        assert_int_equal(net_accept(listener, &fd, &peer, &why), ERR_TIMEOUT);
        source = at;
        addr_set_port(&source, 0);
        assert_int_equal(stream_connect(&s, &at, &source, deadline_in(5000), &why), OK);
        struct pollfd wait = {.fd = listener, .events = POLLIN};
        assert_int_equal(poll(&wait, 1, 5000), 1);
        assert_int_equal(net_accept(listener, &fd, &peer, &why), OK);
        assert_true(addr_equal_ip(&peer, &at));
        struct addr seen = net_peer_addr(fd), ours = net_local_addr(s.fd);
        assert_int_equal(addr_port(&seen), addr_port(&ours));
        assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
        assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
        stream_release(&s);
        (void)close(fd);
        /* the address is taken, and the text says where and what to do */
        int second;
        assert_int_equal(net_listen(&at, NET_ONE_FAMILY, &second, &why), ERR_SYSTEM);
        char text[ADDR_TEXT];
        assert_true(str_find(buf_str(&why), str_of(addr_format(&at, text))) != SIZE_MAX);
        assert_true(str_find(buf_str(&why), STR("another program")) != SIZE_MAX);
        assert_int_equal(second, -1);
        (void)close(listener);
        assert_int_equal(stream_connect(&s, &at, NULL, deadline_in(5000), &why), ERR_CLOSED); /* refused */
        assert_true(str_find(buf_str(&why), STR("refused")) != SIZE_MAX);
        stream_release(&s);
        buf_release(&why);
    }
}

static void a_source_that_is_not_ours(void **state)
{
    (void)state;
    struct addr to, source;
    struct buf why = {0};
    struct stream s;
    assert_true(addr_parse(STR("127.0.0.1:9"), 0, &to) && addr_parse(STR("192.0.2.77"), 0, &source));
    assert_int_equal(stream_connect(&s, &to, &source, deadline_in(5000), &why), ERR_SYSTEM);
    assert_true(str_find(buf_str(&why), STR("192.0.2.77")) != SIZE_MAX);
    stream_release(&s);
    buf_release(&why);
}

static void dual_stack(void **state)
{
    (void)state;
    struct addr any, v4, peer;
    struct buf why = {0};
    struct stream s;
    int listener, fd;
    assert_true(addr_parse(STR("[::]:0"), 0, &any));
    assert_int_equal(net_listen(&any, NET_DUAL_STACK, &listener, &why), OK);
    any = net_local_addr(listener);
    assert_true(addr_parse(STR("127.0.0.1"), addr_port(&any), &v4));
    assert_int_equal(stream_connect(&s, &v4, NULL, deadline_in(5000), &why), OK);
    struct pollfd wait = {.fd = listener, .events = POLLIN};
    assert_int_equal(poll(&wait, 1, 5000), 1);
    assert_int_equal(net_accept(listener, &fd, &peer, &why), OK);
    assert_true(addr_is_v4(&peer) && addr_is_loopback(&peer)); /* not ::ffff:127.0.0.1 */
    stream_release(&s);
    (void)close(fd);
    (void)close(listener);
    buf_release(&why);
}

/* The peer spoke and closed before we had written all: a client that hears out reads it, others end at once.
 */
static void what_was_said_before_the_end_is_heard(void **state)
{
    (void)state;
    for (int hears = 0; hears < 2; hears++) {
        struct stream s;
        struct str line;
        unsigned faults;
        int fd = open_pair(&s);
        if (hears)
            stream_hear_out(&s);
        put(fd, STR("552 too large\r\n"));
        (void)close(fd);
        stream_add(&s, STR("content\r\n"));
        assert_int_equal(stream_flush(&s, deadline_in(1000)), ERR_CLOSED);
        if (hears)
            expect_line(&s, 512, STR("552 too large"), 0);
        assert_int_equal(stream_read_line(&s, 512, deadline_in(60000), &line, &faults), ERR_CLOSED);
        assert_int_equal(stream_error(&s), ERR_CLOSED);
        stream_release(&s);
    }
}

/* A peer that neither reads nor speaks costs the time of the write, not that of a read on top. */
static void a_write_that_timed_out_is_not_waited_for_again(void **state)
{
    (void)state;
    struct stream s;
    struct str line;
    unsigned faults;
    static char much[4 << 20];
    int fd = open_pair(&s);
    stream_hear_out(&s);
    stream_write(&s, much, sizeof much);
    assert_int_equal(stream_flush(&s, deadline_in(50)), ERR_TIMEOUT);
    int64_t start = clock_mono();
    assert_int_equal(stream_read_line(&s, 512, deadline_in(60000), &line, &faults), ERR_TIMEOUT);
    assert_true(clock_mono() - start < 20000);
    stream_release(&s);
    (void)close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_was_said_before_the_end_is_heard),
        cmocka_unit_test(a_write_that_timed_out_is_not_waited_for_again),
        cmocka_unit_test(lines_and_their_faults),
        cmocka_unit_test(lines_in_pieces),
        cmocka_unit_test(replies_are_grouped),
        cmocka_unit_test(what_is_buffered_shows),
        cmocka_unit_test(cancelling_wakes_between_lines_only),
        cmocka_unit_test(bulk_both_ways),
        cmocka_unit_test(at_least),
        cmocka_unit_test(a_peer_that_does_not_read),
        cmocka_unit_test(a_peer_that_is_gone),
        cmocka_unit_test(connecting),
        cmocka_unit_test(a_source_that_is_not_ours),
        cmocka_unit_test(dual_stack),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
