/* Tables of what a zone should hold. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "zone/desired.h"

static const struct tlsa two[] = {{3, 1, 1, {"\x11\x11", 2}}, {3, 1, 1, {"\x22\x22", 2}}};
static const struct tlsa one[] = {{3, 1, 1, {"\x33\x33", 2}}};

static const struct zone_group groups[] = {
    {.key_set_id = 7, .label = {"g1", 2}, .published = two, .n = 2},
    {.key_set_id = 8, .label = {"g2", 2}, .published = one, .n = 1},
    {.key_set_id = 9, .label = {"g3", 2}}, /* not published yet */
};

enum { GROUPS = sizeof groups / sizeof *groups };

static void check(const struct zone_host *hosts, size_t n, bool per_host, const char *expected)
{
    struct arena a = {0};
    struct buf text = {0};
    struct addr addresses[2];
    assert_true(addr_parse_ip(STR("192.0.2.1"), &addresses[0]));
    assert_true(addr_parse_ip(STR("2001:db8::1"), &addresses[1]));
    struct zone_spec s = {.name = STR("mx.example"),
                          .addresses = addresses,
                          .address_n = 2,
                          .address_ttl = 3600,
                          .tlsa_ttl = 1800,
                          .tlsa_per_host = per_host,
                          .hosts = hosts,
                          .host_n = n,
                          .groups = groups,
                          .group_n = GROUPS};
    struct zone_records out;
    zone_desired(&a, &s, &out);
    for (size_t i = 0; i < out.n; i++) {
        dns_raw_text(&text, &out.r[i]);
        buf_add_char(&text, '\n');
        assert_true(zone_owner_of(&s, out.r[i].owner, NULL) != ZONE_OTHER);
        assert_true(i == 0 || dns_raw_compare(&out.r[i - 1], &out.r[i]) < 0);
    }
    assert_string_equal(buf_cstr(&text), expected);
    buf_release(&text);
    arena_release(&a);
}

static void test_hosts(void **state)
{
    (void)state;
    static const struct zone_host no_dane[] = {{.label = {"a-example", 9}, .group = SIZE_MAX}};
    check(no_dane, 1, false,
          "a-example.mx.example. 3600 IN A 192.0.2.1\n"
          "a-example.mx.example. 3600 IN AAAA 2001:db8::1\n");
    check(no_dane, 0, false, "");
    static const struct zone_host gone[] = {{.label = {"a", 1}, .is_gone = true, .dane = true, .group = 0}};
    check(gone, 1, false, "");
    static const struct zone_host mixed[] = {{.label = {"a", 1}, .dane = true, .group = 0},
                                             {.label = {"b", 1}, .dane = false, .group = 1},
                                             {.label = {"c", 1}, .dane = true, .group = 0}};
    check(mixed, 3, false,
          "_25._tcp.a.mx.example. 1800 IN CNAME _dane.g1.mx.example.\n"
          "_25._tcp.c.mx.example. 1800 IN CNAME _dane.g1.mx.example.\n"
          "_dane.g1.mx.example. 1800 IN TLSA 3 1 1 1111\n"
          "_dane.g1.mx.example. 1800 IN TLSA 3 1 1 2222\n"
          "a.mx.example. 3600 IN A 192.0.2.1\n"
          "a.mx.example. 3600 IN AAAA 2001:db8::1\n"
          "b.mx.example. 3600 IN A 192.0.2.1\n"
          "b.mx.example. 3600 IN AAAA 2001:db8::1\n"
          "c.mx.example. 3600 IN A 192.0.2.1\n"
          "c.mx.example. 3600 IN AAAA 2001:db8::1\n");
}

/* DANE that was asked for waits until the gate publishes something. */
static void test_unpublished_group(void **state)
{
    (void)state;
    static const struct zone_host h[] = {{.label = {"a", 1}, .dane = true, .group = 2},
                                         {.label = {"b", 1}, .dane = true, .group = SIZE_MAX}};
    check(h, 2, false,
          "a.mx.example. 3600 IN A 192.0.2.1\n"
          "a.mx.example. 3600 IN AAAA 2001:db8::1\n"
          "b.mx.example. 3600 IN A 192.0.2.1\n"
          "b.mx.example. 3600 IN AAAA 2001:db8::1\n");
}

static void test_per_host(void **state)
{
    (void)state;
    static const struct zone_host h[] = {{.label = {"a", 1}, .dane = true, .group = 0},
                                         {.label = {"b", 1}, .dane = true, .group = 1}};
    check(h, 2, true,
          "_25._tcp.a.mx.example. 1800 IN TLSA 3 1 1 1111\n"
          "_25._tcp.a.mx.example. 1800 IN TLSA 3 1 1 2222\n"
          "_25._tcp.b.mx.example. 1800 IN TLSA 3 1 1 3333\n"
          "a.mx.example. 3600 IN A 192.0.2.1\n"
          "a.mx.example. 3600 IN AAAA 2001:db8::1\n"
          "b.mx.example. 3600 IN A 192.0.2.1\n"
          "b.mx.example. 3600 IN AAAA 2001:db8::1\n");
}

static void test_owners(void **state)
{
    (void)state;
    static const struct zone_host hosts[] = {{.label = {"a", 1}}, {.label = {"b", 1}, .is_gone = true}};
    struct zone_spec s = {
        .name = STR("mx.example"), .hosts = hosts, .host_n = 2, .groups = groups, .group_n = GROUPS};
    static const struct {
        const char *name;
        enum zone_owner owner;
        size_t at;
    } table[] = {
        {"a.mx.example", ZONE_HOST, 0},
        {"b.mx.example", ZONE_HOST, 1},
        {"_25._tcp.b.mx.example", ZONE_HOST_TLSA, 1},
        {"_dane.g3.mx.example", ZONE_GROUP, 2},
        {"_dane.g4.mx.example", ZONE_OTHER, SIZE_MAX},
        {"c.mx.example", ZONE_OTHER, SIZE_MAX},
        {"_tcp.a.mx.example", ZONE_OTHER, SIZE_MAX},
        {"_465._tcp.a.mx.example", ZONE_OTHER, SIZE_MAX},
        {"x.a.mx.example", ZONE_OTHER, SIZE_MAX},
        {"mx.example", ZONE_OTHER, SIZE_MAX},
        {"a.mx.example.org", ZONE_OTHER, SIZE_MAX},
        {"a-mx.example", ZONE_OTHER, SIZE_MAX},
        {"a", ZONE_OTHER, SIZE_MAX},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        size_t at = SIZE_MAX;
        assert_int_equal(zone_owner_of(&s, str_of(table[i].name), &at), table[i].owner);
        assert_int_equal(at, table[i].at);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_hosts), cmocka_unit_test(test_unpublished_group),
                                       cmocka_unit_test(test_per_host), cmocka_unit_test(test_owners)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
