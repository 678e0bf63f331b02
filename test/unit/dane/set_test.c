#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "pki.h"

static struct arena arena;
static struct identity id;

static int set_up(void **state)
{
    (void)state;
    id = pki_make((struct spec){.subject = "mx", .names = "DNS:mx.example.com"});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_free(&id);
    arena_release(&arena);
    return 0;
}

static struct tlsa record(unsigned usage, unsigned selector, unsigned mtype)
{
    return pki_record(&arena, usage, selector, mtype, id.cert);
}

static void faults(void **state)
{
    (void)state;
    for (unsigned usage = 0; usage < 256; usage++)
        for (unsigned selector = 0; selector < 4; selector++)
            for (unsigned mtype = 0; mtype < 4; mtype++) {
                struct tlsa t = record(usage, selector, mtype);
                enum dane_tlsa_fault want = usage != 2 && usage != 3 ? DANE_TLSA_USAGE
                                            : selector > 1           ? DANE_TLSA_SELECTOR
                                            : mtype > 2              ? DANE_TLSA_MTYPE
                                                                     : DANE_TLSA_USABLE;
                assert_int_equal(dane_tlsa_fault(&t), want);
            }
    for (unsigned usage = 2; usage < 4; usage++)
        for (unsigned selector = 0; selector < 2; selector++)
            for (unsigned mtype = 0; mtype < 3; mtype++) {
                struct tlsa t = record(usage, selector, mtype);
                enum dane_tlsa_fault damaged = mtype           ? DANE_TLSA_LENGTH
                                               : selector == 0 ? DANE_TLSA_CERTIFICATE
                                                               : DANE_TLSA_KEY;
                t.data.n--;
                assert_int_equal(dane_tlsa_fault(&t), damaged);
                t.data = str_make(arena_alloc(&arena, 70), 70);
                assert_int_equal(dane_tlsa_fault(&t), damaged);
                t.data.n = 0;
                assert_int_equal(dane_tlsa_fault(&t), DANE_TLSA_EMPTY);
            }
    struct tlsa longer = record(3, 0, 0);
    struct buf more = {0};
    buf_add(&more, longer.data);
    buf_add_char(&more, 0);
    longer.data = buf_str(&more);
    assert_int_equal(dane_tlsa_fault(&longer), DANE_TLSA_CERTIFICATE);
    buf_release(&more);
}

/* Selects by text "usage selector mtype" what is left of a set. */
static void agility(void **state)
{
    (void)state;
    static const struct {
        const char *in, *want; /* digits of three, blank-separated; want in canonical order */
    } rows[] = {
        {"311", "311"},
        {"311 312", "312"},
        {"310 311 312", "312 310"},
        {"310 311", "311 310"},
        {"301 312", "312 301"},
        {"211 312", "312 211"},
        {"201 202 211 212 301 302 311 312", "312 302 212 202"},
        {"011 111 311", "311"},
        {"111", ""},
        {"313 311", "311"},
        {"311 311", "311"},
        {"", ""},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct tlsa v[16];
        struct tlsa_set in = {v, 0}, usable;
        struct str rest = str_of(rows[i].in), word;
        while ((word = str_word(&rest)).n)
            v[in.n++] =
                record((unsigned)(word.p[0] - '0'), (unsigned)(word.p[1] - '0'), (unsigned)(word.p[2] - '0'));
        dane_usable(&in, &arena, &usable);
        struct buf got = {0};
        for (size_t k = 0; k < usable.n; k++)
            buf_printf(&got, "%s%u%u%u", k ? " " : "", usable.v[k].usage, usable.v[k].selector,
                       usable.v[k].mtype);
        assert_string_equal(buf_cstr(&got), rows[i].want);
        buf_release(&got);
    }
    struct tlsa weak[] = {record(3, 1, 1), record(3, 1, 2)};
    weak[1].data.n = 63; /* an unusable record of a stronger digest shadows nothing */
    struct tlsa_set usable;
    dane_usable(&(struct tlsa_set){weak, 2}, &arena, &usable);
    assert_int_equal(usable.n, 1);
    assert_int_equal(usable.v[0].mtype, 1);
}

static void fingerprints(void **state)
{
    (void)state;
    struct tlsa ab[] = {record(3, 1, 1), record(2, 0, 2)}, ba[] = {record(2, 0, 2), record(3, 1, 1)};
    uint8_t one[32], two[32];
    dane_set_fingerprint(&(struct tlsa_set){ab, 2}, one);
    dane_set_fingerprint(&(struct tlsa_set){ba, 2}, two);
    assert_memory_equal(one, two, 32);
    dane_set_fingerprint(&(struct tlsa_set){ab, 1}, two);
    assert_memory_not_equal(one, two, 32);
    ab[1].usage = 3;
    dane_set_fingerprint(&(struct tlsa_set){ab, 2}, two);
    assert_memory_not_equal(one, two, 32);
    dane_set_fingerprint(&(struct tlsa_set){NULL, 0}, two);
    assert_memory_not_equal(one, two, 32);
}

static void from_an_answer(void **state)
{
    (void)state;
    struct dns_record records[] = {{.type = DNS_TLSA, .tlsa = {3, 1, 1, STR("x")}},
                                   {.type = DNS_TLSA, .tlsa = {2, 0, 2, STR("y")}}};
    struct dns_answer answer = {.type = DNS_TLSA, .n = 2, .records = records};
    struct tlsa_set set;
    dane_set_of_answer(&answer, &arena, &set);
    assert_int_equal(set.n, 2);
    assert_int_equal(set.v[1].usage, 2);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(faults),
        cmocka_unit_test(agility),
        cmocka_unit_test(fingerprints),
        cmocka_unit_test(from_an_answer),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
