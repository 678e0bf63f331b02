#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "mail/address.h"

struct row {
    const char *text;
    bool ok, utf8;
    const char *mailbox, *domain;
};

static void paths(void **state)
{
    (void)state;
    static const struct row rows[] = {
        {"<a@b.example>", true, false, "a@b.example", "b.example"},
        {"<a.b+c=d@b.example>", true, false, "a.b+c=d@b.example", "b.example"},
        {"<\"a b\"@b.example>", true, false, "\"a b\"@b.example", "b.example"},
        {"<\"a@c.example\"@b.example>", true, false, "\"a@c.example\"@b.example", "b.example"},
        {"<\"a\\\"b\"@b.example>", true, false, "\"a\\\"b\"@b.example", "b.example"},
        {"<a%c.example@b.example>", true, false, "a%c.example@b.example", "b.example"},
        {"<@c.example:a@b.example>", true, false, "a@b.example", "b.example"},
        {"<@c.example,@d.example:a@b.example>", true, false, "a@b.example", "b.example"},
        {"<a@[192.0.2.1]>", true, false, "a@[192.0.2.1]", "[192.0.2.1]"},
        {"<a@[IPv6:2001:db8::1]>", true, false, "a@[IPv6:2001:db8::1]", "[IPv6:2001:db8::1]"},
        {"<a@[tag:text]>", false, false, NULL, NULL},
        {"<a@localhost>", true, false, "a@localhost", "localhost"},
        {"<a@1.example>", true, false, "a@1.example", "1.example"},
        {"<postmaster>", true, false, "postmaster", ""},
        {"<PostMaster>", true, false, "PostMaster", ""},
        {"<\xc3\xbc@b.example>", true, true, "\xc3\xbc@b.example", "b.example"},
        {"<a@b\xc3\xbc.example>", true, true, "a@b\xc3\xbc.example", "b\xc3\xbc.example"},
        {"<\xc3\xbc@b.example>", false, false, NULL, NULL},
        {"<a@b\xc3\xbc.example>", false, false, NULL, NULL},
        {"<\xc3@b.example>", false, true, NULL, NULL},
        {"<\xed\xa0\x80@b.example>", false, true, NULL, NULL},
        {"<\xc0\x80@b.example>", false, true, NULL, NULL},
        {"<\xf4\x90\x80\x80@b.example>", false, true, NULL, NULL},
        {"a@b.example", false, false, NULL, NULL},
        {"<a@b.example", false, false, NULL, NULL},
        {"a@b.example>", false, false, NULL, NULL},
        {"<<a@b.example>>", false, false, NULL, NULL},
        {"< a@b.example>", false, false, NULL, NULL},
        {"<a@b.example >", false, false, NULL, NULL},
        {"<a>", false, false, NULL, NULL},
        {"<>", false, false, NULL, NULL},
        {"<@b.example>", false, false, NULL, NULL},
        {"<a@>", false, false, NULL, NULL},
        {"<a@b@c.example>", false, false, NULL, NULL},
        {"<a..b@c.example>", false, false, NULL, NULL},
        {"<.a@c.example>", false, false, NULL, NULL},
        {"<a.@c.example>", false, false, NULL, NULL},
        {"<a b@c.example>", false, false, NULL, NULL},
        {"<a(comment)@c.example>", false, false, NULL, NULL},
        {"<\"a@c.example>", false, false, NULL, NULL},
        {"<\"a\"b@c.example>", false, false, NULL, NULL},
        {"<\"a\tb\"@c.example>", false, false, NULL, NULL},
        {"<a@b.example.>", false, false, NULL, NULL},
        {"<a@.b.example>", false, false, NULL, NULL},
        {"<a@b..example>", false, false, NULL, NULL},
        {"<a@-b.example>", false, false, NULL, NULL},
        {"<a@b-.example>", false, false, NULL, NULL},
        {"<a@b.example->", false, false, NULL, NULL},
        {"<a@b_c.example>", false, false, NULL, NULL},
        {"<a@[192.0.2.256]>", false, false, NULL, NULL},
        {"<a@[192.0.2.1>", false, false, NULL, NULL},
        {"<a@[]>", false, false, NULL, NULL},
        {"<a@[IPv6:]>", false, false, NULL, NULL},
        {"<a@[tag:a]b]>", false, false, NULL, NULL},
        {"<a@[tag-:x]>", false, false, NULL, NULL},
        {"<@c.example a@b.example>", false, false, NULL, NULL},
        {"<@c.example,:a@b.example>", false, false, NULL, NULL},
        {"<@:a@b.example>", false, false, NULL, NULL},
        {"<c.example:a@b.example>", false, false, NULL, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct mail_address a;
        const char *why = NULL;
        enum err e = mail_path_parse(str_of(rows[i].text), MAIL_FORWARD_PATH, rows[i].utf8, &a, &why);
        if ((e == OK) != rows[i].ok)
            fail_msg("%s: %s", rows[i].text, why ? why : "was accepted");
        assert_true(e == OK || (why && a.text.n == 0));
        if (e == OK &&
            (!str_equal(a.text, str_of(rows[i].mailbox)) || !str_equal(a.domain, str_of(rows[i].domain))))
            fail_msg("%s: mailbox %.*s domain %.*s", rows[i].text, STR_ARG(a.text), STR_ARG(a.domain));
    }
}

static void nul_in_path(void **state)
{
    (void)state;
    struct mail_address a;
    assert_int_equal(mail_path_parse(STR("<a\0@b.example>"), MAIL_FORWARD_PATH, true, &a, NULL),
                     ERR_MALFORMED);
    assert_int_equal(mail_path_parse(STR("<a@b.exam\0ple>"), MAIL_FORWARD_PATH, true, &a, NULL),
                     ERR_MALFORMED);
    assert_int_equal(mail_path_parse(STR("<a@b.example\0>"), MAIL_FORWARD_PATH, true, &a, NULL),
                     ERR_MALFORMED);
    assert_int_equal(mail_path_parse(STR("<\"a\0\"@b.example>"), MAIL_FORWARD_PATH, true, &a, NULL),
                     ERR_MALFORMED);
}

static void nul_in_literal(void **state)
{
    (void)state;
    assert_true(mail_literal_is_valid(STR("[IPv6:::1]")));
    assert_false(mail_literal_is_valid(STR("[IPv6:::1\0x]")));
    assert_false(mail_literal_is_valid(STR("[192.0.2.1\0@b.example]")));
}

static void null_path_is_only_a_sender(void **state)
{
    (void)state;
    struct mail_address a;
    assert_int_equal(mail_path_parse(STR("<>"), MAIL_REVERSE_PATH, false, &a, NULL), OK);
    assert_int_equal(a.text.n, 0);
    assert_int_equal(mail_path_parse(STR("<postmaster>"), MAIL_REVERSE_PATH, false, &a, NULL), ERR_MALFORMED);
}

static void lengths(void **state)
{
    (void)state;
    struct mail_address a;
    struct buf b = {0};
    for (size_t n = 63; n <= 66; n++) {
        buf_set(&b, "<%.*s@b.example>", (int)n,
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        assert_int_equal(mail_path_parse(buf_str(&b), MAIL_FORWARD_PATH, false, &a, NULL),
                         n <= 64 ? OK : ERR_MALFORMED);
        buf_set(&b, "<a@%.*s.example>", (int)n,
                "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa");
        assert_int_equal(mail_path_parse(buf_str(&b), MAIL_FORWARD_PATH, false, &a, NULL),
                         n <= 63 ? OK : ERR_MALFORMED);
    }
    buf_set(&b, "<a@");
    while (b.n < MAIL_PATH_MAX)
        buf_add(&b, STR("aaaaa.aa."));
    buf_add(&b, STR("example>"));
    assert_int_equal(mail_path_parse(buf_str(&b), MAIL_FORWARD_PATH, false, &a, NULL), ERR_MALFORMED);
    buf_release(&b);
}

static void postmaster_in_every_spelling(void **state)
{
    (void)state;
    static const char *const yes[] = {"<postmaster>", "<POSTMASTER@b.example>", "<\"postmaster\"@b.example>",
                                      "<\"post\\master\"@b.example>"};
    struct mail_address a;
    for (size_t i = 0; i < sizeof yes / sizeof *yes; i++) {
        assert_int_equal(mail_path_parse(str_of(yes[i]), MAIL_FORWARD_PATH, false, &a, NULL), OK);
        assert_true(mail_is_postmaster(&a));
    }
    assert_int_equal(mail_path_parse(STR("<postmaster1@b.example>"), MAIL_FORWARD_PATH, false, &a, NULL), OK);
    assert_false(mail_is_postmaster(&a));
}

static void stored_addresses_are_cut_at_the_last_at(void **state)
{
    (void)state;
    assert_true(str_equal(mail_domain_of(STR("\"a@b\"@c.example")), STR("c.example")));
    assert_true(str_equal(mail_local_of(STR("\"a@b\"@c.example")), STR("\"a@b\"")));
    assert_int_equal(mail_domain_of(STR("postmaster")).n, 0);
    assert_true(str_equal(mail_local_of(STR("postmaster")), STR("postmaster")));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(paths),
        cmocka_unit_test(nul_in_path),
        cmocka_unit_test(nul_in_literal),
        cmocka_unit_test(null_path_is_only_a_sender),
        cmocka_unit_test(lengths),
        cmocka_unit_test(postmaster_in_every_spelling),
        cmocka_unit_test(stored_addresses_are_cut_at_the_last_at),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
