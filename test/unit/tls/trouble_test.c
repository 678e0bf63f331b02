/* Handshakes that go wrong, and what is left of them. */
#include "shop.h"

static void octets_before_the_handshake(void **state)
{
    (void)state;
    struct fixture f;
    struct stream s;
    struct str line;
    unsigned faults;
    int pair[2];
    struct tls_info info;
    struct buf why = {0};
    open_fixture(&f, NOT_WANTED);
    static const char injected[] = "STARTTLS\r\nMAIL FROM:<evil@example>\r\n";
    for (int client = 0; client < 2; client++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        stream_init(&s, pair[0]);
        assert_int_equal(write(pair[1], injected, sizeof injected - 1), sizeof injected - 1);
        assert_int_equal(stream_read_line(&s, 512, deadline_in(1000), &line, &faults), OK);
        enum err e =
            client ? tls_connect(&s, f.client, &(struct tls_connect_args){0}, deadline_in(1000), &info, &why)
                   : tls_accept(&s, f.server, deadline_in(1000), &info, &why);
        assert_int_equal(e, ERR_REFUSED);
        assert_int_equal(stream_error(&s), ERR_REFUSED);
        assert_null(info.protocol);
        stream_release(&s);
        (void)close(pair[1]);
    }
    buf_release(&why);
    close_fixture(&f);
}

static void handshakes_that_go_nowhere(void **state)
{
    (void)state;
    struct fixture f;
    struct stream s;
    struct tls_info info;
    struct buf why = {0};
    int pair[2];
    open_fixture(&f, NOT_WANTED);
    static const struct {
        struct str sent;
        enum err e;
    } rows[] = {
        {STR(""), ERR_TIMEOUT},
        {STR("EHLO mx.example\r\nMAIL FROM:<a@b>\r\n"), ERR_TLS},
        {STR("\x16\x03\x01\x02\x00\x01"), ERR_TIMEOUT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        stream_init(&s, pair[0]);
        assert_int_equal(write(pair[1], rows[i].sent.p, rows[i].sent.n), rows[i].sent.n);
        assert_int_equal(tls_accept(&s, f.server, deadline_in(50), &info, &why), rows[i].e);
        stream_add(&s, STR("421 in clear text\r\n")); /* must not get out */
        assert_int_equal(stream_flush(&s, deadline_in(50)), rows[i].e);
        stream_release(&s);
        (void)close(pair[1]);
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    stream_init(&s, pair[0]);
    (void)close(pair[1]);
    assert_int_equal(tls_accept(&s, f.server, deadline_in(1000), &info, &why), ERR_CLOSED);
    stream_release(&s);
    buf_release(&why);
    close_fixture(&f);
}

/* Accepts, speaks, and is gone without having read a thing. */
static void *refuse(void *arg)
{
    struct serving *v = arg;
    v->e = tls_accept(&v->stream, v->server, deadline_in(10000), &v->info, &v->why);
    stream_add(&v->stream, STR("552 too large\r\n"));
    (void)stream_flush(&v->stream, deadline_in(10000));
    stream_release(&v->stream);
    return NULL;
}

static void what_was_said_before_the_end_is_heard(void **state)
{
    (void)state;
    static char much[1 << 20];
    struct fixture f = {0};
    int pair[2];
    pthread_t thread;
    struct stream s;
    struct tls_info info;
    struct buf why = {0};
    struct str line;
    unsigned faults;
    open_fixture(&f, NOT_WANTED);
    struct serving v = {.server = f.server};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    stream_init(&v.stream, pair[0]);
    stream_init(&s, pair[1]);
    stream_hear_out(&s);
    assert_int_equal(pthread_create(&thread, NULL, refuse, &v), 0);
    struct tls_connect_args args = {.sni = STR("mx.example")};
    assert_int_equal(tls_connect(&s, f.client, &args, deadline_in(10000), &info, &why), OK);
    (void)pthread_join(thread, NULL);
    stream_write(&s, much, sizeof much);
    assert_int_equal(stream_flush(&s, deadline_in(10000)), ERR_CLOSED);
    assert_int_equal(stream_read_line(&s, 512, deadline_in(10000), &line, &faults), OK);
    assert_true(str_equal(line, STR("552 too large")));
    assert_int_equal(stream_read_line(&s, 512, deadline_in(10000), &line, &faults), ERR_CLOSED);
    stream_release(&s);
    close_fixture(&f);
}

struct waiting {
    struct fixture *f;
    int fd;
    enum err e;
};

static void *wait_for_hello(void *arg)
{
    struct waiting *w = arg;
    struct stream s;
    struct tls_info info;
    struct buf why = {0};
    stream_init(&s, w->fd);
    w->e = tls_accept(&s, w->f->server, deadline_in(10000), &info, &why);
    stream_release(&s);
    buf_release(&why);
    return NULL;
}

/* A change of keys holds for every handshake once all that began before it are over. */
static void a_mark_is_past_when_earlier_handshakes_are(void **state)
{
    (void)state;
    struct fixture f;
    int first[2], second[2];
    pthread_t thread[2];
    open_fixture(&f, NOT_WANTED);
    uint64_t mark = tls_server_mark(f.server);
    assert_true(tls_server_is_past(f.server, mark));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, first), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, second), 0);
    struct waiting early = {.f = &f, .fd = first[0]}, late = {.f = &f, .fd = second[0]};
    assert_int_equal(pthread_create(&thread[0], NULL, wait_for_hello, &early), 0);
    do { /* until it waits for its client */
        (void)usleep(1000);
        mark = tls_server_mark(f.server);
    } while (tls_server_is_past(f.server, mark));
    assert_int_equal(pthread_create(&thread[1], NULL, wait_for_hello, &late), 0);
    (void)usleep(20000);
    assert_false(tls_server_is_past(f.server, mark));
    (void)close(first[1]);
    (void)pthread_join(thread[0], NULL);
    while (tls_server_is_past(f.server, tls_server_mark(f.server)))
        (void)usleep(1000);                          /* until the late one waits, too */
    assert_true(tls_server_is_past(f.server, mark)); /* it does not matter */
    (void)close(second[1]);
    (void)pthread_join(thread[1], NULL);
    assert_true(tls_server_is_past(f.server, tls_server_mark(f.server)));
    assert_true(early.e == ERR_CLOSED && late.e == ERR_CLOSED);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(octets_before_the_handshake),
        cmocka_unit_test(handshakes_that_go_nowhere),
        cmocka_unit_test(what_was_said_before_the_end_is_heard),
        cmocka_unit_test(a_mark_is_past_when_earlier_handshakes_are),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
