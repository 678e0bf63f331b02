#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "net/prefix.h"

#define ROWS(a) (sizeof(a) / sizeof *(a))

static void parsing(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* NULL: refused */
    } rows[] = {
        {"192.0.2.1", "192.0.2.1:25"},
        {"192.0.2.1:2525", "192.0.2.1:2525"},
        {"[2001:db8::1]:587", "[2001:db8::1]:587"},
        {"[2001:DB8::1]", "[2001:db8::1]:25"},
        {"2001:db8::1", "[2001:db8::1]:25"},
        {"::", "[::]:25"},
        {"::ffff:192.0.2.1", "192.0.2.1:25"},
        {"[::ffff:192.0.2.1]:1", "192.0.2.1:1"},
        {"192.0.2.1:", NULL},
        {"192.0.2.1:65536", NULL},
        {"192.0.2.1:-1", NULL},
        {"192.0.2.256", NULL},
        {"192.0.2", NULL},
        {"[192.0.2.1]", NULL},
        {"[2001:db8::1", NULL},
        {"[2001:db8::1]587", NULL},
        {"[]", NULL},
        {"[", NULL},
        {"", NULL},
        {":25", NULL},
        {"localhost:25", NULL},
        {"fe80::1%eth0", NULL},
        {" 192.0.2.1", NULL},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct addr a;
        char text[ADDR_TEXT];
        bool good = addr_parse(str_of(rows[i].text), 25, &a);
        if (good != (rows[i].want != NULL) || (good && strcmp(addr_format(&a, text), rows[i].want) != 0))
            fail_msg("'%s': %d", rows[i].text, good);
    }
    struct addr a;
    char text[ADDR_TEXT];
    assert_false(addr_parse_ip(STR("192.0.2.1:25"), &a));
    assert_false(addr_parse_ip(STR("192.0.2.1\0"), &a));
    assert_string_equal(addr_format(&a, text), "-");
    assert_false(addr_from_octets("12345", 5, 0, &a));
}

static void questions(void **state)
{
    (void)state;
    struct addr a, b;
    assert_true(addr_parse(STR("127.1.2.3:1"), 0, &a) && addr_is_loopback(&a) && addr_is_v4(&a));
    assert_true(addr_parse(STR("127.1.2.3:2"), 0, &b) && addr_equal_ip(&a, &b));
    assert_true(addr_parse(STR("[::1]:1"), 0, &b) && addr_is_loopback(&b) && addr_is_v6(&b));
    assert_false(addr_equal_ip(&a, &b));
    assert_true(addr_parse(STR("::"), 0, &b) && addr_is_any(&b) && !addr_is_loopback(&b));
    assert_true(addr_parse(STR("0.0.0.0"), 0, &b) && addr_is_any(&b));
    addr_set_port(&a, 65535);
    assert_int_equal(addr_port(&a), 65535);
    assert_int_equal(addr_octets(&a).n, 4);
    struct addr none = {0};
    assert_false(addr_equal_ip(&none, &none) || addr_is_loopback(&none) || addr_is_any(&none));
}

static void prefixes(void **state)
{
    (void)state;
    static const struct {
        const char *prefix, *inside, *outside; /* inside NULL: refused */
    } rows[] = {
        {"192.0.2.0/24", "192.0.2.255", "192.0.3.0"},
        {"192.0.2.128/25", "192.0.2.200", "192.0.2.127"},
        {"192.0.2.1", "192.0.2.1", "192.0.2.2"},
        {"0.0.0.0/0", "255.255.255.255", "::1"},
        {"2001:db8::/32", "2001:db8:ffff::1", "2001:db9::"},
        {"2001:db8::/33", "2001:db8:7fff::1", "2001:db8:8000::"},
        {"::/0", "2001:db8::", "192.0.2.1"},
        {"::1", "::1", "::2"},
        {"192.0.2.1/24", NULL, NULL},
        {"192.0.2.0/33", NULL, NULL},
        {"192.0.2.0/", NULL, NULL},
        {"192.0.2.0/-1", NULL, NULL},
        {"2001:db8::/129", NULL, NULL},
        {"192.0.2.0/24/8", NULL, NULL},
        {"", NULL, NULL},
    };
    for (size_t i = 0; i < ROWS(rows); i++) {
        struct net_prefix p;
        struct addr in, out;
        bool good = prefix_parse(str_of(rows[i].prefix), &p);
        if (good != (rows[i].inside != NULL))
            fail_msg("'%s': %d", rows[i].prefix, good);
        if (!good)
            continue;
        assert_true(addr_parse_ip(str_of(rows[i].inside), &in) &&
                    addr_parse_ip(str_of(rows[i].outside), &out));
        if (!prefix_contains(&p, &in) || prefix_contains(&p, &out))
            fail_msg("'%s' does not contain right", rows[i].prefix);
    }
    struct net_prefix none = {0}, p;
    struct addr a;
    char text[ADDR_TEXT];
    assert_true(addr_parse_ip(STR("2001:db8:1:2:3::4"), &a));
    assert_false(prefix_contains(&none, &a));
    p = prefix_of(&a, 48);
    assert_string_equal(prefix_format(&p, text), "2001:db8:1::/48");
    p = prefix_of(&a, 500);
    assert_string_equal(prefix_format(&p, text), "2001:db8:1:2:3::4/128");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(parsing),
        cmocka_unit_test(questions),
        cmocka_unit_test(prefixes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
