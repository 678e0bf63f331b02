/* When the publisher runs again, told as a story of runs and news. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "zone/keep_pace.h"

static void what_fails_again_is_tried_less_often(void **state)
{
    (void)state;
    static const int64_t waits[] = {1000,  2000,   4000,   8000,   16000,  32000,
                                    64000, 128000, 256000, 300000, 300000, 300000};
    struct keep_pace p = {0};
    int64_t now = 5000;
    for (size_t i = 0; i < sizeof waits / sizeof *waits; i++) {
        keep_pace_end(&p, KEEP_END_REST, 7, now);
        assert_int_equal(p.not_before - now, waits[i]);
        assert_int_equal(p.failures, i + 1);
        keep_pace_wanted(&p, 7); /* it is the same that is wanted: no reason to hurry */
        keep_pace_wanted(&p, 0);
        assert_int_equal(p.not_before - now, waits[i]);
        now = p.not_before;
    }
    keep_pace_end(&p, KEEP_END_SENT, 7, now);
    assert_int_equal(p.not_before - now, 1000);
    assert_int_equal(p.failures, 0);
    keep_pace_end(&p, KEEP_END_IDLE, 7, now);
    assert_int_equal(p.not_before, now);
}

/* One refused record holds back no later change of its zone. */
static void something_else_goes_out_at_once(void **state)
{
    (void)state;
    struct keep_pace p = {0};
    for (int64_t now = 0; now < 600000; now = p.not_before)
        keep_pace_end(&p, KEEP_END_REST, 7, now);
    int64_t ended = p.ended_ms;
    assert_true(p.not_before > ended + 100000);
    keep_pace_wanted(&p, 8);
    assert_int_equal(p.not_before, ended + 1000); /* at most once a second */
    keep_pace_wanted(&p, 8);
    assert_int_equal(p.not_before, ended + 1000);
    keep_pace_begin(&p);
    keep_pace_end(&p, KEEP_END_REST, 8, ended + 2000); /* the bad one is still in it: from the beginning */
    assert_int_equal(p.failures, 1);
    assert_int_equal(p.not_before, ended + 3000);
    keep_pace_end(&p, KEEP_END_REST, 8, ended + 3000);
    assert_int_equal(p.not_before, ended + 5000);
}

/* News that comes while the job runs is not what it tried. */
static void news_during_a_run_counts(void **state)
{
    (void)state;
    struct keep_pace p = {0};
    for (int64_t now = 0; now < 600000; now = p.not_before)
        keep_pace_end(&p, KEEP_END_REST, 7, now);
    int64_t now = p.not_before;
    keep_pace_begin(&p);
    keep_pace_wanted(&p, 8);
    keep_pace_end(&p, KEEP_END_REST, 7, now);
    assert_int_equal(p.not_before, now + 1000);
    keep_pace_begin(&p);
    keep_pace_end(&p, KEEP_END_REST, 8, now + 1000);
    keep_pace_end(&p, KEEP_END_REST, 8, now + 2000);
    assert_int_equal(p.not_before, now + 4000);
}

/* Where the database says nothing of what is wanted, there is nothing to tell apart. */
static void what_cannot_be_read_is_tried_less_often(void **state)
{
    (void)state;
    struct keep_pace p = {0};
    for (unsigned i = 1; i < 5; i++) {
        keep_pace_end(&p, KEEP_END_REST, 0, 0);
        keep_pace_wanted(&p, 9);
        assert_int_equal(p.failures, i);
        assert_int_equal(p.not_before, 1000 << (i - 1));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_fails_again_is_tried_less_often),
        cmocka_unit_test(something_else_goes_out_at_once),
        cmocka_unit_test(news_during_a_run_counts),
        cmocka_unit_test(what_cannot_be_read_is_tried_less_often),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
