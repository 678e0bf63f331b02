/* Labels of MX hosts; the hashes come from another implementation of SHA-256 and base32. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "dns/name.h"
#include "tenant/label.h"

#define A50 "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"

static void test_table(void **state)
{
    (void)state;
    static const struct {
        const char *domain;
        unsigned attempt;
        const char *label;
    } table[] = {
        {"acme.example", 0, "acme-example"},
        {"a-b.com", 0, "a-b-com"},
        {"a.b.com", 0, "a-b-com"},
        {"a-b.com", 1, "a-b-com-fcibd5i7"},
        {"a.b.com", 1, "a-b-com-vfixsumi"},
        {"a.b.com", 2, "a-b-com-6n2nt36e"},
        {"a.b.com", 5, "a-b-com-a4tzxs2t"},
        {"xn--bcher-kva.example", 0, "idn-xn--bcher-kva-example"},
        {"www.xn--bcher-kva.example", 0, "www-xn--bcher-kva-example"},
        {"a_b.example", 0, "a-b-example"},
        {"_a.example", 0, "a-example"},
        {"ab_.example", 0, "ab-example"},
        /* 63 octets fit, 64 do not */
        {A50 "aaaaaaaaaa.bc", 0, A50 "aaaaaaaaaa-bc"},
        {A50 "aaaaaaaaaa.bcd", 0, A50 "aaaa-ro6aphk2"},
        {"the-quick-brown-fox-jumps-over-the-lazy-dog.and-then-some.example", 0,
         "the-quick-brown-fox-jumps-over-the-lazy-dog-and-then-s-jot46gng"},
        /* no two hyphens where it is cut */
        {A50 "aaa.bcdefghijk.example", 0, A50 "aaa-7t4hmyir"},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct str label = mx_label(&a, str_of(table[i].domain), table[i].attempt), normal;
        assert_int_equal(label.n, strlen(table[i].label));
        assert_memory_equal(label.p, table[i].label, label.n);
        struct str name = arena_printf(&a, "%.*s.mx.example", STR_ARG(label));
        assert_int_equal(dns_name_normalise(&a, name, &normal), OK);
        assert_true(str_equal(name, normal));
        assert_true(dns_name_is_host(name));
    }
    arena_release(&a);
}

/* Whatever a domain is made of. */
static void test_always_a_label(void **state)
{
    (void)state;
    static const char alphabet[] = "ab9-_..";
    struct arena a = {0};
    unsigned seed = 1, seen = 0;
    for (int round = 0; round < 200000; round++) {
        char text[90];
        seed = seed * 1103515245u + 12345u;
        size_t n = 1 + (seed >> 16) % (sizeof text - 1);
        for (size_t i = 0; i < n; i++) {
            seed = seed * 1103515245u + 12345u;
            text[i] = alphabet[(seed >> 16) % (sizeof alphabet - 1)];
        }
        struct str domain = str_make(text, n);
        if (!dns_name_is_host(domain))
            continue;
        seen++;
        struct str label = mx_label(&a, domain, round % MX_LABEL_TRIES);
        assert_in_range(label.n, 1, 63);
        assert_true(label.p[0] != '-' && label.p[label.n - 1] != '-');
        for (size_t i = 0; i < label.n; i++)
            assert_non_null(memchr("abcdefghijklmnopqrstuvwxyz0123456789-", label.p[i], 37));
        arena_release(&a);
    }
    assert_true(seen > 1000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_table), cmocka_unit_test(test_always_a_label)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
