#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <sys/socket.h>
#include <unistd.h>

#include "smtp/reply.h"

/* Sends the octets (and end of file) to a reader and returns what it made of them. */
static enum err read_reply(struct str wire, struct arena *a, struct smtp_reply *out, struct buf *why)
{
    int pair[2];
    struct stream s;
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    for (size_t at = 0; at < wire.n;) {
        ssize_t n = write(pair[1], wire.p + at, wire.n - at);
        assert_true(n > 0);
        at += (size_t)n;
    }
    (void)close(pair[1]);
    stream_init(&s, pair[0]);
    enum err e = smtp_reply_read(&s, deadline_in(5000), a, out, why);
    assert_int_equal(stream_error(&s), e);
    stream_release(&s);
    return e;
}

static void replies(void **state)
{
    (void)state;
    static const struct {
        struct str wire;
        enum err e;
        unsigned code;
        uint16_t status[3];
        struct str text;
    } rows[] = {
        {STR("250 ok\r\n"), OK, 250, {0}, STR("ok")},
        {STR("250\r\n"), OK, 250, {0}, STR("")},
        {STR("250 \r\n"), OK, 250, {0}, STR("")},
        {STR("550 5.1.1 no such user\r\n"), OK, 550, {5, 1, 1}, STR("5.1.1 no such user")},
        {STR("421 4.7.321\r\n"), OK, 421, {4, 7, 321}, STR("4.7.321")},
        {STR("550-5.7.1 a\r\n550-5.7.1 b\r\n550 5.7.1 c\r\n"),
         OK,
         550,
         {5, 7, 1},
         STR("5.7.1 a\n5.7.1 b\n5.7.1 c")},
        {STR("550 4.1.1 other class\r\n"), OK, 550, {0}, STR("4.1.1 other class")},
        {STR("550 5.1 short\r\n"), OK, 550, {0}, STR("5.1 short")},
        {STR("550 5.1.1.1 long\r\n"), OK, 550, {0}, STR("5.1.1.1 long")},
        {STR("550 5.1.1000 wide\r\n"), OK, 550, {0}, STR("5.1.1000 wide")},
        {STR("571 odd but a reply\r\n"), OK, 571, {0}, STR("odd but a reply")},
        {STR("250 a\x1b[31m\x07\tb\x7f\rc\r\n"), OK, 250, {0}, STR("a?[31m? b??c")},
        {STR("250 \xc3\xbc \xe2\x82\xac \xf0\x9f\x93\xa7\r\n"),
         OK,
         250,
         {0},
         STR("\xc3\xbc \xe2\x82\xac \xf0\x9f\x93\xa7")},
        {STR("250 \xc3 \xbc \xc0\xaf \xed\xa0\x80.\r\n"), OK, 250, {0}, STR("? ? ?? ???.")},
        {STR("250 \xc2\x9b \xc2\xa0 \xe2\x80\xae.\xe2\x81\xa6.\xef\xbb\xbf.\r\n"),
         OK,
         250,
         {0},
         STR("? \xc2\xa0 ?.?.?.")},
        {STR("250-a\r\n550 b\r\n"), ERR_MALFORMED, 0, {0}, {0}},
        {STR("150 x\r\n"), ERR_MALFORMED, 0, {0}, {0}},
        {STR("650 x\r\n"), ERR_MALFORMED, 0, {0}, {0}},
        {STR("25 x\r\n"), ERR_MALFORMED, 0, {0}, {0}},
        {STR("250x\r\n"), ERR_MALFORMED, 0, {0}, {0}},
        {STR("25\r\n"), ERR_MALFORMED, 0, {0}, {0}},
        {STR("\r\n"), ERR_MALFORMED, 0, {0}, {0}},
        {STR("HTTP/1.1 400 Bad Request\r\n"), ERR_MALFORMED, 0, {0}, {0}},
        {STR("250 ok\n"), ERR_MALFORMED, 0, {0}, {0}},
        {STR("250 o\0k\r\n"), ERR_MALFORMED, 0, {0}, {0}},
        {STR("250 ok"), ERR_CLOSED, 0, {0}, {0}},
        {STR("250-ok\r\n"), ERR_CLOSED, 0, {0}, {0}},
        {STR(""), ERR_CLOSED, 0, {0}, {0}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {0};
        struct buf why = {0};
        struct smtp_reply r;
        enum err e = read_reply(rows[i].wire, &a, &r, &why);
        if (e != rows[i].e || r.code != rows[i].code ||
            memcmp(r.status, rows[i].status, sizeof r.status) != 0 || !str_equal(r.text, rows[i].text) ||
            (e && !why.n))
            fail_msg("'%s': %s %u '%.*s' (%s)", rows[i].wire.p, err_text(e), r.code, STR_ARG(r.text),
                     buf_cstr(&why));
        buf_release(&why);
        arena_release(&a);
    }
}

static void caps(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf wire = {0}, why = {0};
    struct smtp_reply r;
    buf_printf(&wire, "250 %0*d\r\n", 2000, 7);
    assert_int_equal(read_reply(buf_str(&wire), &a, &r, &why), OK); /* a long line is cut */
    assert_int_equal(r.text.n, SMTP_REPLY_LINE_MAX - 2 - 4);
    buf_clear(&wire);
    for (int i = 0; i < 140; i++)
        buf_printf(&wire, "250-%0*d\r\n", 500, i);
    buf_printf(&wire, "250 end\r\n");
    assert_int_equal(read_reply(buf_str(&wire), &a, &r, &why), ERR_MALFORMED); /* 64 KiB */
    buf_release(&wire);
    buf_release(&why);
    arena_release(&a);
}

static void description(void **state)
{
    (void)state;
    struct buf out = {0};
    smtp_reply_describe(&(struct smtp_reply){.code = 550, .text = STR("5.1.1 a\nb")}, &out);
    assert_string_equal(buf_cstr(&out), "550 5.1.1 a b");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies),
        cmocka_unit_test(caps),
        cmocka_unit_test(description),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
