#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "mail/mime.h"

/* "type=content|" of each part. */
static enum err tell(void *ctx, const struct mime_part *part)
{
    struct buf *out = ctx, why = {0};
    buf_printf(out, "%.*s=", STR_ARG(part->type));
    enum err e = mime_decode(part, out, &why);
    buf_add(out, STR("|"));
    buf_release(&why);
    return e;
}

#define MIXED "Content-Type: multipart/mixed; boundary=\"a b\"\r\n\r\n"

static void parts_are_found(void **state)
{
    (void)state;
    static const struct {
        const char *name, *message, *parts;
        enum err e;
    } rows[] = {
        {"no MIME at all", "Subject: x\r\n\r\nbody\r\n", "text/plain=body\r\n|", OK},
        {"no header", "\r\nbody", "text/plain=body|", OK},
        {"no body", "Subject: x\r\n", "text/plain=|", OK},
        {"two parts",
         MIXED
         "preamble\r\n--a b\r\n\r\none\r\n--a b  \r\nContent-Type: Text/HTML\r\n\r\ntwo\r\n--a b--\r\nend",
         "text/plain=one|text/html=two|", OK},
        {"the last delimiter is missing", MIXED "--a b\r\n\r\none", "text/plain=one|", OK},
        {"a boundary that begins alike", MIXED "--a b\r\n\r\none\r\n--a bc\r\ntwo\r\n--a b--",
         "text/plain=one\r\n--a bc\r\ntwo|", OK},
        {"folded, unquoted, with another parameter",
         "Content-Type: multipart/report;\r\n\treport-type=tlsrpt;\r\n "
         "boundary=x\r\n\r\n--x\r\n\r\none\r\n--x--\r\n",
         "text/plain=one|", OK},
        {"no boundary", "Content-Type: multipart/mixed\r\n\r\none", "multipart/mixed=one|", OK},
        {"a message in a message",
         MIXED "--a b\r\nContent-Type: message/rfc822\r\n\r\nContent-Type: a/b\r\n\r\ninner\r\n--a b--\r\n",
         "a/b=inner|", OK},
        {"base64", "Content-Type: a/b\r\nContent-Transfer-Encoding: BASE64\r\n\r\naGVs\r\nbG8=\r\n",
         "a/b=hello|", OK},
        {"damaged base64", "Content-Transfer-Encoding: base64\r\n\r\naGV!\r\n", "text/plain=|",
         ERR_MALFORMED},
        {"quoted-printable", "Content-Transfer-Encoding: quoted-printable\r\n\r\na=3Db=\r\nc=4",
         "text/plain=a=bc|", OK},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {0};
        struct buf out = {0}, why = {0};
        enum err e = mime_walk(str_of(rows[i].message), &a, tell, &out, &why);
        if (e != rows[i].e || !str_equal(buf_str(&out), str_of(rows[i].parts)))
            fail_msg("%s: %s, '%s'", rows[i].name, err_text(e), buf_cstr(&out));
        arena_release(&a);
        buf_release(&out);
        buf_release(&why);
    }
}

/* Parts in parts, and parts beside parts, beyond what a report has. */
static void limits(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf deep = {0}, many = {0}, out = {0}, why = {0};
    for (int i = 0; i <= MIME_DEPTH_MAX; i++)
        buf_add(&deep, STR("Content-Type: message/rfc822\r\n\r\n"));
    buf_add(&many, STR(MIXED));
    for (int i = 0; i <= MIME_PARTS_MAX; i++)
        buf_add(&many, STR("--a b\r\n\r\nx\r\n"));
    assert_int_equal(mime_walk(buf_str(&deep), &a, tell, &out, &why), ERR_MALFORMED);
    assert_true(why.n > 0);
    assert_int_equal(mime_walk(buf_str(&many), &a, tell, &out, &why), ERR_MALFORMED);
    arena_release(&a);
    buf_release(&deep);
    buf_release(&many);
    buf_release(&out);
    buf_release(&why);
}

static void parameters(void **state)
{
    (void)state;
    static const struct {
        const char *value, *name, *found;
    } rows[] = {
        {"a/b; x=1; y=2", "y", "2"},
        {"a/b; X=1", "x", "1"},
        {"a/b; x=\"a;\\\"b\"; y=2", "x", "a;\"b"},
        {"a/b; x=\"a;y=3\"; y=2", "y", "2"},
        {"a/b; x = 1 ;y=2", "x", "1"},
        {"a/b", "x", NULL},
        {"a/b; x", "x", NULL},
        {"x=1", "x", NULL},
        {"a/b; x=\"open", "x", "open"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {0};
        struct str out;
        bool found = mime_parameter(str_of(rows[i].value), str_of(rows[i].name), &a, &out);
        if (found != (rows[i].found != NULL) || (found && !str_equal(out, str_of(rows[i].found))))
            fail_msg("%s of '%s'", rows[i].name, rows[i].value);
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parts_are_found),
        cmocka_unit_test(limits),
        cmocka_unit_test(parameters),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
