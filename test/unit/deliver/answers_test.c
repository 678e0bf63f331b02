#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver/answers.h"

enum { NOW = 1000000 };

struct counted {
    unsigned asked;
    enum dns_status status;
    uint32_t ttl;
};

static void ask(void *ctx, struct arena *a, const struct dns_question *q, size_t n, deadline until,
                struct dns_answer *out)
{
    (void)until;
    struct counted *c = ctx;
    for (size_t i = 0; i < n; i++) {
        c->asked++;
        out[i] = (struct dns_answer){.type = q[i].type,
                                     .qname = q[i].name,
                                     .expanded = q[i].name,
                                     .status = c->status,
                                     .security = DNS_SECURE,
                                     .ttl = c->ttl};
        if (c->status == DNS_DATA) {
            out[i].n = 1;
            out[i].records = ARENA_NEW(a, struct dns_record);
            out[i].records[0] =
                (struct dns_record){.type = DNS_MX, .mx = {10, arena_str(a, STR("mx.example"))}};
        }
    }
}

static void ask_once(struct answers *answers, const char *name)
{
    struct arena a = {0};
    struct dns_source source = answers_source(answers);
    struct dns_answer answer;
    dns_source_ask(&source, &a, str_of(name), DNS_MX, DEADLINE_NEVER, &answer);
    assert_true(str_equal(answer.qname, str_of(name)));
    if (answer.status == DNS_DATA) {
        assert_int_equal(answer.n, 1);
        assert_true(str_equal(answer.records[0].mx.host, STR("mx.example")));
        assert_int_equal(answer.security, DNS_SECURE);
    }
    arena_release(&a);
}

static unsigned asked_after(enum dns_status status, uint32_t ttl, int64_t later)
{
    struct counted c = {.status = status, .ttl = ttl};
    struct answers answers;
    answers_init(&answers, &(struct dns_source){&c, ask});
    clock_set_for_test(NOW);
    ask_once(&answers, "d.example");
    clock_set_for_test(NOW + later);
    ask_once(&answers, "d.example");
    clock_set_for_test(0);
    answers_release(&answers);
    return c.asked;
}

static void kept_for_their_ttl_and_no_longer(void **state)
{
    (void)state;
    assert_int_equal(asked_after(DNS_DATA, 2, 1999), 1);
    assert_int_equal(asked_after(DNS_DATA, 2, 2000), 2);
    assert_int_equal(asked_after(DNS_DATA, 0, 0), 2);
    assert_int_equal(asked_after(DNS_NODATA, 2, 1999), 1);
    assert_int_equal(asked_after(DNS_DATA, 3600, ANSWERS_MOST - 1), 1);
    assert_int_equal(asked_after(DNS_DATA, 3600, ANSWERS_MOST), 2);
}

static void errors_are_not_kept(void **state)
{
    (void)state;
    assert_int_equal(asked_after(DNS_ERROR, 60, 0), 2);
}

static void bounded_and_forgotten_on_demand(void **state)
{
    (void)state;
    struct counted c = {.status = DNS_DATA, .ttl = 60};
    struct answers answers;
    answers_init(&answers, &(struct dns_source){&c, ask});
    char name[32];
    for (int i = 0; i < 2 * ANSWERS_COUNT; i++) {
        (void)snprintf(name, sizeof name, "d%d.example", i);
        ask_once(&answers, name);
        assert_true(answers.by_question.count <= ANSWERS_COUNT);
    }
    unsigned before = c.asked;
    ask_once(&answers, name);
    assert_int_equal(c.asked, before);
    answers_forget(&answers);
    ask_once(&answers, name);
    assert_int_equal(c.asked, before + 1);
    answers_release(&answers);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(kept_for_their_ttl_and_no_longer),
        cmocka_unit_test(errors_are_not_kept),
        cmocka_unit_test(bounded_and_forgotten_on_demand),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
