#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "smtp/smtp.h"

#define OK_ SMTP_SYNTAX_OK
#define ARGS SMTP_SYNTAX_ARGS
#define UNKNOWN SMTP_SYNTAX_UNKNOWN
#define ROWS(a) (sizeof(a) / sizeof *(a))

static void grammar(void **state)
{
    (void)state;
    static const struct {
        struct str line;
        enum smtp_syntax syntax;
        enum smtp_verb verb;
        struct str path;
        size_t params;
    } rows[] = {
        {STR("EHLO mx.example"), OK_, SMTP_EHLO, {0}, 0},
        {STR("ehlo [192.0.2.1]"), OK_, SMTP_EHLO, {0}, 0},
        {STR("EHLO"), ARGS, SMTP_EHLO, {0}, 0},
        {STR("HELO a b"), ARGS, SMTP_HELO, {0}, 0},
        {STR("EHLO  mx.example"), ARGS, SMTP_EHLO, {0}, 0},
        {STR("EHLO\tmx.example"), UNKNOWN, SMTP_UNKNOWN, {0}, 0},
        {STR("EHLO mx.example  "), OK_, SMTP_EHLO, {0}, 0},
        {STR(""), UNKNOWN, SMTP_UNKNOWN, {0}, 0},
        {STR(" NOOP"), UNKNOWN, SMTP_UNKNOWN, {0}, 0},
        {STR("NOOPE"), UNKNOWN, SMTP_UNKNOWN, {0}, 0},
        {STR("GET / HTTP/1.1"), UNKNOWN, SMTP_UNKNOWN, {0}, 0},
        {STR("NOOP"), OK_, SMTP_NOOP, {0}, 0},
        {STR("NOOP anything goes"), OK_, SMTP_NOOP, {0}, 0},
        {STR("NOOP \x01"), ARGS, SMTP_NOOP, {0}, 0},
        {STR("DATA"), OK_, SMTP_DATA, {0}, 0},
        {STR("data "), OK_, SMTP_DATA, {0}, 0},
        {STR("DATA x"), ARGS, SMTP_DATA, {0}, 0},
        {STR("STARTTLS now"), ARGS, SMTP_STARTTLS, {0}, 0},
        {STR("RSET"), OK_, SMTP_RSET, {0}, 0},
        {STR("QUIT"), OK_, SMTP_QUIT, {0}, 0},
        {STR("VRFY"), ARGS, SMTP_VRFY, {0}, 0},
        {STR("VRFY root"), OK_, SMTP_VRFY, {0}, 0},
        {STR("MAIL FROM:<>"), OK_, SMTP_MAIL, STR("<>"), 0},
        {STR("mail from:<a@b.example>"), OK_, SMTP_MAIL, STR("<a@b.example>"), 0},
        {STR("MAIL FROM:<a@b.example> SIZE=5 BODY=8BITMIME"), OK_, SMTP_MAIL, STR("<a@b.example>"), 2},
        {STR("MAIL FROM:<a@b.example> smtputf8"), OK_, SMTP_MAIL, STR("<a@b.example>"), 1},
        {STR("MAIL FROM:<\"a b>\\\"\"@c> X=y"), OK_, SMTP_MAIL, STR("<\"a b>\\\"\"@c>"), 1},
        {STR("MAIL FROM:<a@b.example> SIZE=5 size=6"), ARGS, SMTP_MAIL, STR("<a@b.example>"), 0},
        {STR("MAIL FROM:<a@b.example>  SIZE=5"), ARGS, SMTP_MAIL, STR("<a@b.example>"), 0},
        {STR("MAIL FROM:<a@b.example>SIZE=5"), ARGS, SMTP_MAIL, STR("<a@b.example>"), 0},
        {STR("MAIL FROM:<a@b.example> SIZE="), ARGS, SMTP_MAIL, STR("<a@b.example>"), 0},
        {STR("MAIL FROM:<a@b.example> -X=1"), ARGS, SMTP_MAIL, STR("<a@b.example>"), 0},
        {STR("MAIL FROM:<a@b.example> X=1=2"), ARGS, SMTP_MAIL, STR("<a@b.example>"), 0},
        {STR("MAIL FROM: <a@b.example>"), ARGS, SMTP_MAIL, {0}, 0},
        {STR("MAIL FROM :<a@b.example>"), ARGS, SMTP_MAIL, {0}, 0},
        {STR("MAIL FROM:a@b.example"), ARGS, SMTP_MAIL, {0}, 0},
        {STR("MAIL FROM:<a@b.example"), ARGS, SMTP_MAIL, {0}, 0},
        {STR("MAIL FROM:<a b@c.example>"), ARGS, SMTP_MAIL, {0}, 0},
        {STR("MAIL FROM:<\"a\\"), ARGS, SMTP_MAIL, {0}, 0},
        {STR("MAIL"), ARGS, SMTP_MAIL, {0}, 0},
        {STR("MAIL TO:<a@b.example>"), ARGS, SMTP_MAIL, {0}, 0},
        {STR("RCPT TO:<postmaster>"), OK_, SMTP_RCPT, STR("<postmaster>"), 0},
        {STR("RCPT TO:<@a,@b:c@d> NOTIFY=NEVER"), OK_, SMTP_RCPT, STR("<@a,@b:c@d>"), 1},
        {STR("RCPT FROM:<a@b.example>"), ARGS, SMTP_RCPT, {0}, 0},
        {STR("BDAT 100"), OK_, SMTP_BDAT, {0}, 0},
        {STR("BDAT 0 last"), OK_, SMTP_BDAT, {0}, 0},
        {STR("BDAT"), ARGS, SMTP_BDAT, {0}, 0},
        {STR("BDAT -1"), ARGS, SMTP_BDAT, {0}, 0},
        {STR("BDAT 18446744073709551616"), ARGS, SMTP_BDAT, {0}, 0},
        {STR("BDAT 1 FIRST"), ARGS, SMTP_BDAT, {0}, 0},
        {STR("BDAT 1  LAST"), ARGS, SMTP_BDAT, {0}, 0},
        {STR("MAIL FROM:<a@b> A=1 B=1 C=1 D=1 E=1 F=1 G=1 H=1 I=1 J=1 K=1 L=1 M=1 N=1 O=1 P=1 Q=1 R=1 S=1 "
             "T=1"),
         OK_, SMTP_MAIL, STR("<a@b>"), 20},
        {STR("MAIL FROM:<a@b> A=1 B=1 C=1 D=1 E=1 F=1 G=1 H=1 I=1 J=1 K=1 L=1 M=1 N=1 O=1 P=1 Q=1 R=1 S=1 "
             "T=1 U=1"),
         SMTP_SYNTAX_TOO_MANY, SMTP_MAIL, STR("<a@b>"), 20},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct smtp_command c;
        const char *why;
        enum smtp_syntax got = smtp_command_parse(rows[i].line, &c, &why);
        if (got != rows[i].syntax || c.verb != rows[i].verb || (got == OK_) != (*why == '\0') ||
            (got == OK_ && (!str_equal(c.path, rows[i].path) || c.param_n != rows[i].params)))
            fail_msg("'%s': %d %d '%s', path '%.*s', %zu parameters", rows[i].line.p, got, c.verb, why,
                     STR_ARG(c.path), c.param_n);
    }
}

static void chunk_sizes(void **state)
{
    (void)state;
    struct smtp_command c;
    const char *why;
    assert_int_equal(smtp_command_parse(STR("BDAT 123 LAST"), &c, &why), OK_);
    assert_true(c.chunk_size == 123 && c.chunk_is_last);
    assert_int_equal(smtp_command_parse(STR("BDAT 18446744073709551615"), &c, &why), OK_);
    assert_true(c.chunk_size == UINT64_MAX && !c.chunk_is_last);
    assert_string_equal(smtp_verb_name(c.verb), "BDAT");
}

enum { ALL = (1 << SMTP_EXTENSION_COUNT) - 1 };

static void mail_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *params;
        uint32_t offered;
        enum smtp_syntax syntax;
        struct smtp_mail_params want;
    } rows[] = {
        {"", 0, OK_, {0}},
        {" SIZE=0", ALL, OK_, {.has_size = true}},
        {" SIZE=18446744073709551615", ALL, OK_, {.has_size = true, .size = UINT64_MAX}},
        {" SIZE=18446744073709551616", ALL, ARGS, {0}},
        {" SIZE=-1", ALL, ARGS, {0}},
        {" SIZE", ALL, ARGS, {0}},
        {" SIZE=1", ALL & ~SMTP_EXT_SIZE, SMTP_SYNTAX_PARAM, {0}},
        {" BODY=8bitmime", ALL, OK_, {.body = SMTP_BODY_8BITMIME}},
        {" BODY=BINARYMIME", ALL, OK_, {.body = SMTP_BODY_BINARYMIME}},
        {" BODY=BINARYMIME", ALL & ~SMTP_EXT_BINARYMIME, SMTP_SYNTAX_PARAM, {0}},
        {" BODY=9BIT", ALL, ARGS, {0}},
        {" SMTPUTF8", ALL, OK_, {.is_utf8 = true}},
        {" SMTPUTF8=yes", ALL, ARGS, {0}},
        {" SMTPUTF8", 0, SMTP_SYNTAX_PARAM, {0}},
        {" REQUIRETLS", ALL, OK_, {.is_requiretls = true}},
        {" REQUIRETLS", ALL & ~SMTP_EXT_REQUIRETLS, SMTP_SYNTAX_PARAM, {0}},
        {" RET=HDRS ENVID=a+2Bb", ALL, OK_, {.ret = SMTP_RET_HDRS, .envid = STR("a+2Bb")}},
        {" RET=full", ALL, OK_, {.ret = SMTP_RET_FULL}},
        {" RET=none", ALL, ARGS, {0}},
        {" ENVID=a+2", ALL, ARGS, {0}},
        {" ENVID=a+2b", ALL, ARGS, {0}}, /* hex digits are upper case */
        {" ENVID=a+0D", ALL, ARGS, {0}},
        {" ENVID", ALL, ARGS, {0}},
        {" AUTH=<>", ALL, OK_, {0}},
        {" AUTH=a@b", ALL & ~SMTP_EXT_AUTH, SMTP_SYNTAX_PARAM, {0}},
        {" X-NEW=1", ALL, SMTP_SYNTAX_PARAM, {0}},
        {" NOTIFY=NEVER", ALL, SMTP_SYNTAX_PARAM, {0}},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf line = {0};
        struct smtp_command c;
        struct smtp_mail_params p;
        const char *why;
        buf_printf(&line, "MAIL FROM:<a@b>%s", rows[i].params);
        assert_int_equal(smtp_command_parse(buf_str(&line), &c, &why), OK_);
        enum smtp_syntax got = smtp_mail_params_parse(&c, rows[i].offered, &p, &why);
        const struct smtp_mail_params *w = &rows[i].want;
        if (got != rows[i].syntax ||
            (got == OK_ && (p.has_size != w->has_size || p.size != w->size || p.body != w->body ||
                            p.is_utf8 != w->is_utf8 || p.is_requiretls != w->is_requiretls ||
                            p.ret != w->ret || !str_equal(p.envid, w->envid))))
            fail_msg("'%s': %d %s", rows[i].params, got, why);
        buf_release(&line);
    }
}

static void rcpt_parameters(void **state)
{
    (void)state;
    static const struct {
        const char *params;
        enum smtp_syntax syntax;
        unsigned notify;
        struct str orcpt;
    } rows[] = {
        {" NOTIFY=NEVER", OK_, SMTP_NOTIFY_NEVER, {0}},
        {" NOTIFY=success,DELAY,Failure",
         OK_,
         SMTP_NOTIFY_SUCCESS | SMTP_NOTIFY_DELAY | SMTP_NOTIFY_FAILURE,
         {0}},
        {" NOTIFY=NEVER,DELAY", ARGS, 0, {0}},
        {" NOTIFY=DELAY,", ARGS, 0, {0}},
        {" NOTIFY=", ARGS, 0, {0}},
        {" NOTIFY", ARGS, 0, {0}},
        {" ORCPT=rfc822;a+2Bb@c", OK_, 0, STR("rfc822;a+2Bb@c")},
        {" ORCPT=utf-8;\xc3\xbc@c", OK_, 0, STR("utf-8;\xc3\xbc@c")},
        {" ORCPT=rfc822;\xc3\xbc@c", ARGS, 0, {0}},
        {" ORCPT=rfc822;a+0Ab@c", ARGS, 0, {0}},
        {" ORCPT=utf-8;\xc3@c", ARGS, 0, {0}},
        {" ORCPT=utf-8;a+2Bb@c", ARGS, 0, {0}},
        {" ORCPT=rfc822;", ARGS, 0, {0}},
        {" ORCPT=rfc822", ARGS, 0, {0}},
        {" ORCPT=;a@b", ARGS, 0, {0}},
        {" SIZE=1", SMTP_SYNTAX_PARAM, 0, {0}},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct buf line = {0};
        struct smtp_command c;
        struct smtp_rcpt_params p;
        const char *why;
        buf_printf(&line, "RCPT TO:<a@b>%s", rows[i].params);
        enum smtp_syntax got = smtp_command_parse(buf_str(&line), &c, &why);
        if (got == OK_)
            got = smtp_rcpt_params_parse(&c, ALL, &p, &why);
        if (got != rows[i].syntax ||
            (got == OK_ && (p.notify != rows[i].notify || !str_equal(p.orcpt, rows[i].orcpt))))
            fail_msg("'%s': %d %s", rows[i].params, got, why);
        buf_release(&line);
    }
}

static void xtext(void **state)
{
    (void)state;
    struct buf encoded = {0}, decoded = {0};
    struct str text = STR("a+b=c \xc3\xbc~!");
    smtp_xtext_encode(text, &encoded);
    assert_string_equal(buf_cstr(&encoded), "a+2Bb+3Dc+20+C3+BC~!");
    assert_true(smtp_xtext_is_valid(buf_str(&encoded)));
    assert_true(smtp_xtext_decode(buf_str(&encoded), &decoded));
    assert_true(str_equal(buf_str(&decoded), text));
    static const char *const wrong[] = {"a b", "a=b", "+", "+4", "+4g", "+aa", "\x80", "a\x7f"};
    for (size_t i = 0; i < ROWS(wrong); i++)
        assert_false(smtp_xtext_is_valid(str_of(wrong[i])));
    buf_release(&encoded);
    buf_release(&decoded);
}

static void extensions(void **state)
{
    (void)state;
    struct smtp_extensions e;
    smtp_extensions_parse(
        STR("PIPELINING greets you\nsize 1000\nStartTLS\n8BITMIME\nX-THING a b\nAUTH=LOGIN\n"
            "LIMITS RCPTMAX=50 MAILMAX=7 RCPTDOMAINMAX=1 OTHER=1 RCPTMAX=x"),
        &e);
    assert_int_equal(e.bits,
                     SMTP_EXT_SIZE | SMTP_EXT_STARTTLS | SMTP_EXT_8BITMIME | SMTP_EXT_AUTH | SMTP_EXT_LIMITS);
    assert_true(e.size == 1000 && e.rcpt_max == 50 && e.mail_max == 7 && e.rcpt_domain_max == 1);
    smtp_extensions_parse(STR("hello\nSIZE\nCHUNKING"), &e);
    assert_true(e.size == 0 && e.bits == (SMTP_EXT_SIZE | SMTP_EXT_CHUNKING));
    smtp_extensions_parse(STR("hello\nSIZE 99999999999999999999999"), &e);
    assert_true(e.size == 0);
    smtp_extensions_parse(STR(""), &e);
    assert_int_equal(e.bits, 0);

    struct buf out = {0};
    e = (struct smtp_extensions){
        .bits = SMTP_EXT_PIPELINING | SMTP_EXT_SIZE | SMTP_EXT_LIMITS, .size = 5, .rcpt_max = 1000};
    smtp_extensions_format(STR("mx.example"), &e, &out);
    assert_string_equal(buf_cstr(&out),
                        "250-mx.example\r\n250-PIPELINING\r\n250-SIZE 5\r\n250 LIMITS RCPTMAX=1000\r\n");
    buf_clear(&out);
    smtp_extensions_format(STR("mx.example"), &(struct smtp_extensions){0}, &out);
    assert_string_equal(buf_cstr(&out), "250 mx.example\r\n");
    buf_clear(&out);
    smtp_extensions_describe(SMTP_EXT_DSN | SMTP_EXT_SIZE, &out);
    assert_string_equal(buf_cstr(&out), "SIZE DSN");
    buf_release(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grammar),         cmocka_unit_test(chunk_sizes), cmocka_unit_test(mail_parameters),
        cmocka_unit_test(rcpt_parameters), cmocka_unit_test(xtext),       cmocka_unit_test(extensions),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
