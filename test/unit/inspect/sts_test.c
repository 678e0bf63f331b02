#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/base.h"
#include "inspect/sts.h"

static enum sts_state state_of(size_t n, const char *const *texts, struct str *id)
{
    struct arena a = {0};
    struct dns_record records[3] = {0};
    for (size_t i = 0; i < n; i++)
        records[i].txt = str_of(texts[i]);
    struct dns_answer answer = {.status = n ? DNS_DATA : DNS_NXDOMAIN, .n = n, .records = records};
    struct sts_facts out;
    enum sts_state s = sts_record_parse(&a, &answer, &out);
    static char kept[64];
    *id = str_copy(out.id, kept, sizeof kept) ? str_of(kept) : STR_NONE;
    arena_release(&a);
    return s;
}

static void records(void **state)
{
    (void)state;
    static const struct {
        const char *text[3];
        size_t n;
        enum sts_state state;
        const char *id;
    } rows[] = {
        {{"v=STSv1; id=20160831085700Z;"}, 1, STS_VALID, "20160831085700Z"},
        {{"v=STSv1;id=1"}, 1, STS_VALID, "1"},
        {{"v=STSv1; id=1; other=x"}, 1, STS_VALID, "1"},
        {{"something else", "v=STSv1; id=1"}, 2, STS_VALID, "1"},
        {{"v=STSv1; id=1", "v=STSv1; id=2"}, 2, STS_RECORD, NULL},
        {{"v=STSv1"}, 1, STS_RECORD, NULL},
        {{"v=STSv1; id="}, 1, STS_RECORD, NULL},
        {{"v=STSv1; id=not good"}, 1, STS_RECORD, NULL},
        {{"v=STSv1; id=123456789012345678901234567890123"}, 1, STS_RECORD, NULL},
        {{"id=1; v=STSv1"}, 1, STS_ABSENT, NULL},
        {{"v=spf1 -all"}, 1, STS_ABSENT, NULL},
        {{NULL}, 0, STS_ABSENT, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str id;
        assert_int_equal(state_of(rows[i].n, rows[i].text, &id), rows[i].state);
        if (rows[i].id)
            assert_string_equal(id.p, rows[i].id);
    }
}

static void policies(void **state)
{
    (void)state;
    static const struct {
        const char *text, *why; /* NULL: valid */
    } rows[] = {
        {"version: STSv1\r\nmode: enforce\r\nmx: mail.example.com\r\nmx: *.example.net\r\nmax_age: "
         "604800\r\n",
         NULL},
        {"version: STSv1\nmode: testing\nmx: Mail.Example.COM\nmax_age: 0", NULL},
        {"version: STSv1\nmode: none\nmax_age: 86400\n\n", NULL},
        {"version: STSv1\nmode: none\nmax_age: 86400\nfuture: thing\n", NULL},
        {"mode: none\nmax_age: 86400\n", "version is missing"},
        {"version: STSv1\nmax_age: 86400\n", "mode is missing"},
        {"version: STSv1\nmode: none\n", "max_age is missing"},
        {"version: STSv1\nmode: enforce\nmax_age: 86400\n", "mx is missing"},
        {"version: STSv2\n", "this line is not valid: version: STSv2"},
        {"version: STSv1\nmode: maybe\n", "this line is not valid: mode: maybe"},
        {"version: STSv1\nmax_age: 31557601\n", "this line is not valid: max_age: 31557601"},
        {"version: STSv1\nmax_age: -1\n", "this line is not valid: max_age: -1"},
        {"version: STSv1\nmx: *\n", "this line is not valid: mx: *"},
        {"version: STSv1\nmx: a.*.example\n", "this line is not valid: mx: a.*.example"},
        {"<html>\n", "this line is not valid: <html>"},
        {"", "version is missing"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {0};
        struct buf why = {0};
        struct sts_policy p;
        enum err e = sts_policy_parse(&a, str_of(rows[i].text), &p, &why);
        assert_int_equal(e, rows[i].why ? ERR_MALFORMED : OK);
        if (rows[i].why)
            assert_string_equal(buf_cstr(&why), rows[i].why);
        buf_release(&why);
        arena_release(&a);
    }
}

static void patterns(void **state)
{
    (void)state;
    static const struct {
        const char *pattern, *host;
        bool covers;
    } rows[] = {
        {"mx.example.com", "mx.example.com", true},       {"mx.example.com", "mx2.example.com", false},
        {"*.example.com", "mx.example.com", true},        {"*.example.com", "a.mx.example.com", false},
        {"*.example.com", "example.com", false},          {"*.mx.example.com", "a.mx.example.com", true},
        {"*.example.com", "mx.example.community", false}, {"*.example.com", ".example.com", false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(sts_pattern_covers(str_of(rows[i].pattern), str_of(rows[i].host)), rows[i].covers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(records), cmocka_unit_test(policies),
                                       cmocka_unit_test(patterns)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
