#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "dane/dane.h"

static void texts(void **state)
{
    (void)state;
    static const struct {
        const char *text, *want; /* NULL: refused */
    } rows[] = {
        {"3 1 1 aabb", "3 1 1 aabb"},
        {"3 1 1 AABB", "3 1 1 aabb"},
        {"  3\t1  1 aa bb  ", "3 1 1 aabb"},
        {"DANE-EE SPKI SHA2-256 aabb", "3 1 1 aabb"},
        {"dane-ta cert full 00", "2 0 0 00"},
        {"PKIX-TA Cert SHA2-512 00", "0 0 2 00"},
        {"255 255 255 00", "255 255 255 00"},
        {"3 1 1 ", "3 1 1 "},
        {"3 1 1", NULL},
        {"3 1", NULL},
        {"", NULL},
        {"256 1 1 aa", NULL},
        {"-1 1 1 aa", NULL},
        {"3 1 1 a", NULL},
        {"3 1 1 aag", NULL},
        {"3 1 1 0xaa", NULL},
        {"3.1.1 aa bb cc", NULL},
        {"SPKI 1 1 aa", NULL},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tlsa t;
        struct buf why = {0}, got = {0};
        enum err e = dane_tlsa_parse(str_of(rows[i].text), &a, &t, &why);
        assert_int_equal(e, rows[i].want ? OK : ERR_MALFORMED);
        if (rows[i].want) {
            dane_tlsa_format(&got, &t);
            assert_string_equal(buf_cstr(&got), rows[i].want);
        } else {
            assert_true(why.n > 0);
        }
        buf_release(&why);
        buf_release(&got);
    }
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(texts)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
