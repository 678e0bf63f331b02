/* Tables of differences, written as lines: "owner TTL TYPE data". */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "zone/diff.h"

static const struct tlsa published[] = {{3, 1, 1, {"\x11", 1}}, {3, 1, 1, {"\x22", 1}}};

/* Host a with DANE, b without, z gone; group g1 is published, g2 is not. */
static const struct zone_host hosts[] = {{.label = {"a", 1}, .dane = true, .group = 0},
                                         {.label = {"b", 1}, .group = SIZE_MAX},
                                         {.label = {"z", 1}, .is_gone = true, .dane = true, .group = 0}};

#define WHOLE                                                                                                \
    "_25._tcp.a.mx.example 1800 CNAME _dane.g1.mx.example\n"                                                 \
    "_dane.g1.mx.example 1800 TLSA 11\n"                                                                     \
    "_dane.g1.mx.example 1800 TLSA 22\n"                                                                     \
    "a.mx.example 3600 A 192.0.2.1\n"                                                                        \
    "b.mx.example 3600 A 192.0.2.1\n"

static struct zone_records read_records(struct arena *a, const char *text)
{
    struct zone_records out = {.r = ARENA_ARRAY(a, struct dns_raw, strlen(text) + 1)};
    struct str rest = str_of(text);
    while (rest.n) {
        struct str line = str_cut(&rest, '\n');
        struct str owner = str_word(&line), ttl = str_word(&line), type = str_word(&line), data = line;
        uint32_t seconds;
        struct addr address;
        assert_true(str_to_u32(ttl, &seconds));
        data = str_trim(data);
        struct dns_raw *r = &out.r[out.n++];
        if (str_equal(type, STR("CNAME"))) {
            *r = dns_raw_cname(a, owner, seconds, data);
        } else if (addr_parse_ip(data, &address)) {
            *r = dns_raw_addr(a, owner, seconds, &address);
        } else if (str_equal(type, STR("TLSA"))) {
            struct buf bytes = {0};
            assert_true(hex_decode(&bytes, data));
            struct tlsa t = {3, 1, 1, buf_str(&bytes)};
            *r = dns_raw_tlsa(a, owner, seconds, &t);
            buf_release(&bytes);
        } else {
            static const struct {
                const char *name;
                uint16_t type;
            } types[] = {{"SOA", 6}, {"NS", 2}, {"TXT", 16}, {"RRSIG", 46}, {"NSEC", 47}, {"PRIVATE", 65534}};
            size_t i = 0;
            while (!str_equal(type, str_of(types[i].name)))
                assert_true(++i < sizeof types / sizeof *types);
            *r = (struct dns_raw){.owner = owner, .type = types[i].type, .ttl = seconds, .rdata = data};
        }
    }
    dns_raw_sort(out.r, out.n);
    return out;
}

static void print_records(struct buf *out, const char *mark, const struct dns_raw *r, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        buf_printf(out, "%s", mark);
        dns_raw_text(out, &r[i]);
        buf_add_char(out, '\n');
    }
}

struct options {
    bool additions_only, per_host, no_start, empty;
};

/* "+ record", "- record" in sending order, then "? foreign", "! blocked". */
static void check(struct options o, const char *have, const char *expected)
{
    struct arena a = {0};
    struct buf text = {0};
    struct addr address;
    assert_true(addr_parse_ip(STR("192.0.2.1"), &address));
    const struct zone_group groups[] = {
        {.key_set_id = 1,
         .label = STR("g1"),
         .published = published,
         .n = o.empty ? 0 : 2,
         .additions_only = o.additions_only,
         .no_start = o.no_start},
        {.key_set_id = 2, .label = STR("g2"), .additions_only = o.additions_only}};
    struct zone_spec s = {.name = STR("mx.example"),
                          .addresses = &address,
                          .address_n = 1,
                          .address_ttl = 3600,
                          .tlsa_ttl = 1800,
                          .tlsa_per_host = o.per_host,
                          .hosts = hosts,
                          .host_n = 3,
                          .groups = groups,
                          .group_n = 2};
    struct zone_records desired, actual = read_records(&a, have);
    struct zone_diff d;
    zone_desired(&a, &s, &desired);
    zone_diff(&a, &s, &desired, &actual, &d);
    for (size_t i = 0; i < d.n; i++)
        print_records(&text, d.change[i].op == DNS_ADD ? "+ " : "- ", &d.change[i].record, 1);
    print_records(&text, "? ", d.foreign, d.foreign_n);
    print_records(&text, "! ", d.blocked, d.blocked_n);
    assert_string_equal(buf_cstr(&text), expected);
    assert_int_equal(d.adds + d.removes, d.n);
    buf_release(&text);
    arena_release(&a);
}

static void test_from_nothing(void **state)
{
    (void)state;
    check((struct options){0}, "",
          "+ _dane.g1.mx.example. 1800 IN TLSA 3 1 1 11\n"
          "+ _dane.g1.mx.example. 1800 IN TLSA 3 1 1 22\n"
          "+ _25._tcp.a.mx.example. 1800 IN CNAME _dane.g1.mx.example.\n"
          "+ a.mx.example. 3600 IN A 192.0.2.1\n"
          "+ b.mx.example. 3600 IN A 192.0.2.1\n");
    check((struct options){0}, WHOLE, "");
}

static void test_old_records_go(void **state)
{
    (void)state;
    check((struct options){0},
          WHOLE "z.mx.example 3600 A 192.0.2.1\n"
                "_25._tcp.z.mx.example 1800 CNAME _dane.g2.mx.example\n"
                "_25._tcp.b.mx.example 1800 CNAME _dane.g2.mx.example\n"
                "_dane.g2.mx.example 1800 TLSA 33\n"
                "a.mx.example 3600 AAAA 2001:db8::1\n",
          "- _25._tcp.b.mx.example. 1800 IN CNAME _dane.g2.mx.example.\n"
          "- _25._tcp.z.mx.example. 1800 IN CNAME _dane.g2.mx.example.\n"
          "- a.mx.example. 3600 IN AAAA 2001:db8::1\n"
          "- z.mx.example. 3600 IN A 192.0.2.1\n"
          "- _dane.g2.mx.example. 1800 IN TLSA 3 1 1 33\n");
}

/* A key comes before another goes. */
static void test_rollover(void **state)
{
    (void)state;
    static const char had[] = "_25._tcp.a.mx.example 1800 CNAME _dane.g1.mx.example\n"
                              "_dane.g1.mx.example 1800 TLSA 00\n"
                              "_dane.g1.mx.example 1800 TLSA 11\n"
                              "a.mx.example 3600 A 192.0.2.1\n"
                              "b.mx.example 3600 A 192.0.2.1\n";
    check((struct options){0}, had,
          "+ _dane.g1.mx.example. 1800 IN TLSA 3 1 1 22\n"
          "- _dane.g1.mx.example. 1800 IN TLSA 3 1 1 00\n");
    check((struct options){.additions_only = true}, had, "+ _dane.g1.mx.example. 1800 IN TLSA 3 1 1 22\n");
    check((struct options){.additions_only = true}, WHOLE "_dane.g2.mx.example 60 TLSA 33\n", "");
}

/* What edges do not serve yet is not promised; what is promised already goes on. */
static void test_no_rrset_is_started(void **state)
{
    (void)state;
    struct options no_start = {.no_start = true}, doubt = {.no_start = true, .additions_only = true};
    static const char addresses[] = "+ a.mx.example. 3600 IN A 192.0.2.1\n"
                                    "+ b.mx.example. 3600 IN A 192.0.2.1\n";
    check(no_start, "", addresses);
    check(doubt, "", addresses);
    no_start.per_host = true;
    check(no_start, "", addresses);
    static const char had[] = "_dane.g1.mx.example 1800 TLSA 11\n"
                              "a.mx.example 3600 A 192.0.2.1\n"
                              "b.mx.example 3600 A 192.0.2.1\n";
    check((struct options){.no_start = true}, had,
          "+ _dane.g1.mx.example. 1800 IN TLSA 3 1 1 22\n"
          "+ _25._tcp.a.mx.example. 1800 IN CNAME _dane.g1.mx.example.\n");
    static const char host_had[] = "_25._tcp.a.mx.example 1800 TLSA 11\n"
                                   "a.mx.example 3600 A 192.0.2.1\n"
                                   "b.mx.example 3600 A 192.0.2.1\n";
    check(no_start, host_had, "+ _25._tcp.a.mx.example. 1800 IN TLSA 3 1 1 22\n");
}

/* The gate knows of nothing to publish, but is in doubt: what senders are told goes on. */
static void test_in_doubt_hosts_keep_dane(void **state)
{
    (void)state;
    check((struct options){.additions_only = true, .no_start = true, .empty = true}, WHOLE, "");
    check((struct options){.additions_only = true, .no_start = true, .empty = true, .per_host = true},
          "_25._tcp.a.mx.example 1800 TLSA 11\n"
          "a.mx.example 3600 A 192.0.2.1\n"
          "b.mx.example 3600 A 192.0.2.1\n",
          "");
}

#define HOSTS_ADDRESSES "a.mx.example 3600 A 192.0.2.1\nb.mx.example 3600 A 192.0.2.1\n"

/* In doubt nothing turns: an alias stays an alias, records stay records, however the zone is set,
 * and what an alias refers to stays. */
static void test_in_doubt_no_form_changes(void **state)
{
    (void)state;
    static const char records[] = "_25._tcp.a.mx.example 1800 TLSA 11\n" HOSTS_ADDRESSES;
    static const char other[] = "_25._tcp.a.mx.example 1800 CNAME _dane.g2.mx.example\n"
                                "_dane.g1.mx.example 1800 TLSA 11\n"
                                "_dane.g1.mx.example 1800 TLSA 22\n" HOSTS_ADDRESSES;
    static const char group[] = "+ _dane.g1.mx.example. 1800 IN TLSA 3 1 1 11\n"
                                "+ _dane.g1.mx.example. 1800 IN TLSA 3 1 1 22\n";
    for (int i = 1; i < 4; i++) {
        struct options doubt = {.additions_only = i & 1, .no_start = i & 2};
        check(doubt, records, doubt.no_start ? "" : group);
        check(doubt, other, "");
        doubt.per_host = true;
        check(doubt, WHOLE, "");
    }
    check((struct options){.additions_only = true, .no_start = true, .empty = true}, records, "");
    check((struct options){.additions_only = true, .no_start = true, .empty = true, .per_host = true}, WHOLE,
          "");
}

/* A new host gets its alias also in doubt, when what it refers to is there; a TTL waits. */
static void test_in_doubt_aliases_are_added(void **state)
{
    (void)state;
    static const char group[] = "_dane.g1.mx.example 60 TLSA 11\n"
                                "_dane.g1.mx.example 60 TLSA 22\n" HOSTS_ADDRESSES;
    struct options doubt = {.additions_only = true, .no_start = true};
    check(doubt, group, "+ _25._tcp.a.mx.example. 1800 IN CNAME _dane.g1.mx.example.\n");
    static const char old_ttl[] = "_25._tcp.a.mx.example 60 CNAME _dane.g1.mx.example\n"
                                  "_dane.g1.mx.example 60 TLSA 11\n"
                                  "_dane.g1.mx.example 60 TLSA 22\n" HOSTS_ADDRESSES;
    check(doubt, old_ttl, "");
}

static void test_ttl(void **state)
{
    (void)state;
    check((struct options){0},
          "_25._tcp.a.mx.example 1800 CNAME _dane.g1.mx.example\n"
          "_dane.g1.mx.example 60 TLSA 00\n"
          "_dane.g1.mx.example 60 TLSA 11\n"
          "a.mx.example 60 A 192.0.2.1\n"
          "b.mx.example 3600 A 192.0.2.1\n",
          "- _dane.g1.mx.example. 60 IN TLSA 3 1 1 00\n"
          "- _dane.g1.mx.example. 60 IN TLSA 3 1 1 11\n"
          "+ _dane.g1.mx.example. 1800 IN TLSA 3 1 1 11\n"
          "+ _dane.g1.mx.example. 1800 IN TLSA 3 1 1 22\n"
          "- a.mx.example. 60 IN A 192.0.2.1\n"
          "+ a.mx.example. 3600 IN A 192.0.2.1\n");
}

static void test_alias_and_records_swap(void **state)
{
    (void)state;
    check((struct options){.per_host = true}, WHOLE,
          "- _25._tcp.a.mx.example. 1800 IN CNAME _dane.g1.mx.example.\n"
          "+ _25._tcp.a.mx.example. 1800 IN TLSA 3 1 1 11\n"
          "+ _25._tcp.a.mx.example. 1800 IN TLSA 3 1 1 22\n"
          "- _dane.g1.mx.example. 1800 IN TLSA 3 1 1 11\n"
          "- _dane.g1.mx.example. 1800 IN TLSA 3 1 1 22\n");
    check((struct options){0},
          "_25._tcp.a.mx.example 1800 TLSA 11\n"
          "a.mx.example 3600 A 192.0.2.1\n"
          "b.mx.example 3600 A 192.0.2.1\n",
          "+ _dane.g1.mx.example. 1800 IN TLSA 3 1 1 11\n"
          "+ _dane.g1.mx.example. 1800 IN TLSA 3 1 1 22\n"
          "- _25._tcp.a.mx.example. 1800 IN TLSA 3 1 1 11\n"
          "+ _25._tcp.a.mx.example. 1800 IN CNAME _dane.g1.mx.example.\n");
}

/* Knot would ignore an alias that comes in the message in which the old one goes. */
static void test_an_alias_replaces_another(void **state)
{
    (void)state;
    static const char *const had[] = {"_25._tcp.a.mx.example 60 CNAME _dane.g1.mx.example\n",
                                      "_25._tcp.a.mx.example 60 CNAME _dane.g2.mx.example\n",
                                      "_25._tcp.a.mx.example 1800 CNAME _dane.g2.mx.example\n"};
    for (size_t i = 0; i < sizeof had / sizeof *had; i++) {
        char have[512];
        snprintf(have, sizeof have, "%s%s", had[i],
                 "_dane.g1.mx.example 1800 TLSA 11\n"
                 "_dane.g1.mx.example 1800 TLSA 22\n" HOSTS_ADDRESSES);
        check((struct options){0}, have, "+ _25._tcp.a.mx.example. 1800 IN CNAME _dane.g1.mx.example.\n");
    }
}

static void test_foreign(void **state)
{
    (void)state;
    check((struct options){0},
          WHOLE "mx.example 3600 SOA x\n"
                "mx.example 3600 NS x\n"
                "mx.example 0 PRIVATE x\n"
                "a.mx.example 3600 RRSIG x\n"
                "a.mx.example 3600 NSEC x\n"
                "mx.example 3600 TXT x\n"
                "a.mx.example 3600 TXT x\n"
                "sub.mx.example 3600 NS x\n"
                "ns1.mx.example 3600 A 192.0.2.53\n"
                "_dane.other.mx.example 3600 TLSA 44\n"
                "_443._tcp.a.mx.example 3600 TLSA 44\n",
          "? _443._tcp.a.mx.example. 3600 IN TLSA 3 1 1 44\n"
          "? _dane.other.mx.example. 3600 IN TLSA 3 1 1 44\n"
          "? a.mx.example. 3600 IN TXT \\# 1 78\n"
          "? mx.example. 3600 IN TXT \\# 1 78\n"
          "? ns1.mx.example. 3600 IN A 192.0.2.53\n"
          "? sub.mx.example. 3600 IN NS \\# 1 78\n");
}

static void test_blocked(void **state)
{
    (void)state;
    check((struct options){0},
          "_25._tcp.a.mx.example 1800 CNAME _dane.g1.mx.example\n"
          "_dane.g1.mx.example 1800 TLSA 11\n"
          "_dane.g1.mx.example 1800 TLSA 22\n"
          "a.mx.example 300 CNAME www.example\n"
          "b.mx.example 3600 A 192.0.2.1\n",
          "? a.mx.example. 300 IN CNAME www.example.\n"
          "! a.mx.example. 3600 IN A 192.0.2.1\n");
}

/* A server answers NOERROR and adds no CNAME beside anything. */
static void test_an_alias_stands_alone(void **state)
{
    (void)state;
    check((struct options){0},
          "_25._tcp.a.mx.example 300 TXT x\n"
          "_dane.g1.mx.example 1800 TLSA 11\n"
          "_dane.g1.mx.example 1800 TLSA 22\n" HOSTS_ADDRESSES,
          "? _25._tcp.a.mx.example. 300 IN TXT \\# 1 78\n"
          "! _25._tcp.a.mx.example. 1800 IN CNAME _dane.g1.mx.example.\n");
    /* Records can, and go when DANE is off. */
    check((struct options){.per_host = true}, "_25._tcp.a.mx.example 300 TXT x\n" HOSTS_ADDRESSES,
          "+ _25._tcp.a.mx.example. 1800 IN TLSA 3 1 1 11\n"
          "+ _25._tcp.a.mx.example. 1800 IN TLSA 3 1 1 22\n"
          "? _25._tcp.a.mx.example. 300 IN TXT \\# 1 78\n");
    check((struct options){0},
          WHOLE "_25._tcp.b.mx.example 300 TXT x\n"
                "_25._tcp.b.mx.example 300 TLSA 11\n",
          "- _25._tcp.b.mx.example. 300 IN TLSA 3 1 1 11\n"
          "? _25._tcp.b.mx.example. 300 IN TXT \\# 1 78\n");
}

/* Somebody else's records at the name are no start of ours. */
static void test_foreign_records_start_nothing(void **state)
{
    (void)state;
    check((struct options){.no_start = true},
          "_dane.g1.mx.example 300 TXT x\n"
          "_25._tcp.a.mx.example 300 RRSIG x\n" HOSTS_ADDRESSES,
          "? _dane.g1.mx.example. 300 IN TXT \\# 1 78\n");
}

static void test_batches(void **state)
{
    (void)state;
    struct dns_change c[6] = {{.record.owner = STR("a")}, {.record.owner = STR("a")},
                              {.record.owner = STR("b")}, {.record.owner = STR("c")},
                              {.record.owner = STR("c")}, {.record.owner = STR("c")}};
    static const struct {
        size_t n, most, batch;
    } table[] = {{6, 100, 6}, {6, 6, 6}, {6, 5, 3}, {6, 3, 3}, {6, 2, 2}, {6, 1, 2}, {0, 5, 0}, {1, 5, 1}};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++)
        assert_int_equal(zone_diff_batch(c, table[i].n, table[i].most), table[i].batch);
    assert_int_equal(zone_diff_batch(c + 3, 3, 1), 3);
}

/* What an alias would refer to was refused: its owner keeps what it has. */
static void test_aliases_to_what_is_missing_wait(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf text = {0};
    struct zone_records r = read_records(&a, "_25._tcp.a.mx.example 60 TLSA 11\n"
                                             "_25._tcp.a.mx.example 60 CNAME _dane.g1.mx.example\n"
                                             "_25._tcp.b.mx.example 60 CNAME _dane.g2.mx.example\n"
                                             "_25._tcp.c.mx.example 60 CNAME _dane.g1.mx.example\n"
                                             "_25._tcp.d.mx.example 60 CNAME _dane.g3.mx.example\n"
                                             "a.mx.example 60 A 192.0.2.1\n");
    const struct str missing[] = {STR("_dane.g1.mx.example"), STR("_dane.g3.mx.example")};
    struct dns_change c[6];
    for (size_t i = 0; i < r.n; i++)
        c[i] = (struct dns_change){DNS_ADD, r.r[i]};
    c[1].op = DNS_REMOVE; /* sorted: CNAME before TLSA */
    c[3].op = DNS_REMOVE; /* c loses its alias: that waits for nothing */
    size_t n = zone_diff_hold(c, r.n, missing, 2);
    for (size_t i = 0; i < n; i++)
        print_records(&text, c[i].op == DNS_ADD ? "+ " : "- ", &c[i].record, 1);
    assert_string_equal(buf_cstr(&text), "+ _25._tcp.b.mx.example. 60 IN CNAME _dane.g2.mx.example.\n"
                                         "- _25._tcp.c.mx.example. 60 IN CNAME _dane.g1.mx.example.\n"
                                         "+ a.mx.example. 60 IN A 192.0.2.1\n");
    buf_release(&text);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_from_nothing),
                                       cmocka_unit_test(test_old_records_go),
                                       cmocka_unit_test(test_rollover),
                                       cmocka_unit_test(test_no_rrset_is_started),
                                       cmocka_unit_test(test_in_doubt_hosts_keep_dane),
                                       cmocka_unit_test(test_in_doubt_no_form_changes),
                                       cmocka_unit_test(test_in_doubt_aliases_are_added),
                                       cmocka_unit_test(test_ttl),
                                       cmocka_unit_test(test_alias_and_records_swap),
                                       cmocka_unit_test(test_an_alias_replaces_another),
                                       cmocka_unit_test(test_foreign),
                                       cmocka_unit_test(test_blocked),
                                       cmocka_unit_test(test_an_alias_stands_alone),
                                       cmocka_unit_test(test_foreign_records_start_nothing),
                                       cmocka_unit_test(test_aliases_to_what_is_missing_wait),
                                       cmocka_unit_test(test_batches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
