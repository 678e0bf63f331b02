#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "dns/name.h"

#define L63 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
#define L61 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void normalising(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* NULL: refused */
    } rows[] = {
        {"example.com", "example.com"},
        {"Example.COM.", "example.com"},
        {".", ""},
        {"", NULL},
        {"..", NULL},
        {".example", NULL},
        {"a..b", NULL},
        {"example.com..", NULL},
        {"_25._tcp.mx.example", "_25._tcp.mx.example"},
        {"a b.example", NULL},
        {"a\\.b.example", NULL},
        {"m\xc3\xbc"
         "nchen.example",
         "xn--mnchen-3ya.example"},
        {"M\xc3\x9cNCHEN.Example.", "xn--mnchen-3ya.example"},
        {"stra\xc3\x9f"
         "e.example",
         "xn--strae-oqa.example"},
        {"a\xe3\x80\x82"
         "example",
         "a.example"},
        {"a.example\xe3\x80\x82", "a.example"},
        {"xn--mnchen-3ya.example", "xn--mnchen-3ya.example"},
        {"\xff\xfe.example", NULL},
        {L63 ".example", L63 ".example"},
        {L63 "a.example", NULL},
        {L63 "." L63 "." L63 "." L61, L63 "." L63 "." L63 "." L61},
        {L63 "." L63 "." L63 "." L61 ".", L63 "." L63 "." L63 "." L61},
        {L63 "." L63 "." L63 "." L61 "a", NULL},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct str out;
        enum err e = dns_name_normalise(&a, str_of(rows[i].text), &out);
        if (!rows[i].want) {
            assert_int_equal(e, ERR_MALFORMED);
            continue;
        }
        assert_int_equal(e, OK);
        assert_int_equal(out.n, strlen(rows[i].want));
        assert_memory_equal(out.p, rows[i].want, out.n);
    }
    struct str out;
    assert_int_equal(dns_name_normalise(&a, STR("a\0b.example"), &out), ERR_MALFORMED);
    assert_int_equal(dns_name_normalise(&a, STR("\xc3\xbc\0b.example"), &out), ERR_MALFORMED);
    arena_release(&a);
}

static void hosts(void **state)
{
    (void)state;
    assert_true(dns_name_is_host(STR("mx.example")));
    assert_true(dns_name_is_host(STR("mx_1.example")));
    assert_true(dns_name_is_host(STR("1.2.3.4.example")));
    assert_true(dns_name_is_host(STR("localhost")));
    assert_false(dns_name_is_host(STR("")));
    assert_false(dns_name_is_host(STR("192.0.2.1")));
    assert_false(dns_name_is_host(STR("-mx.example")));
    assert_false(dns_name_is_host(STR("mx-.example")));
    assert_false(dns_name_is_host(STR("mx\\032a.example")));
    assert_false(dns_name_is_host(STR("2001:db8::1")));
    assert_false(dns_name_is_host(STR("mx.example.")));
}

static void places(void **state)
{
    (void)state;
    assert_true(dns_name_is_within(STR("a.example"), STR("example")));
    assert_true(dns_name_is_within(STR("example"), STR("example")));
    assert_true(dns_name_is_within(STR("example"), STR("")));
    assert_false(dns_name_is_within(STR("anexample"), STR("example")));
    assert_false(dns_name_is_within(STR("example"), STR("a.example")));
    struct arena a = {0};
    assert_true(str_equal(dns_name_tlsa(&a, 25, STR("mx.example")), STR("_25._tcp.mx.example")));
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(normalising),
        cmocka_unit_test(hosts),
        cmocka_unit_test(places),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
