/* survey: everything is looked at once and told in order, a slow one holds up nobody else, the window is
 * bounded, and an end in the middle is an end. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>

#include "base/base.h"
#include "inspect/survey.h"

enum { MANY = 5000, SLOW_WAITS_FOR = 1500, BOUND = 4096, PATIENCE_MS = 60000 };

struct world {
    struct survey *survey;
    size_t names, added, taken, most_ahead;
    atomic_size_t looked;
    bool first_is_slow;      /* it is not done before so many others are */
    size_t fails_at;         /* take fails there; 0: never */
    atomic_size_t over_from; /* over when so many were looked at */
};

static enum err more(void *ctx)
{
    struct world *w = ctx;
    char name[32];
    for (size_t n = 0; n < SURVEY_PAGE && w->added < w->names; n++) {
        (void)snprintf(name, sizeof name, "%zu", w->added++);
        survey_add(w->survey, str_of(name));
    }
    if (w->added - w->taken > w->most_ahead)
        w->most_ahead = w->added - w->taken;
    return OK;
}

static void look(void *ctx, struct survey_item *i)
{
    struct world *w = ctx;
    deadline until = deadline_in(PATIENCE_MS);
    while (w->first_is_slow && str_equal(i->name, STR("0")) && atomic_load(&w->looked) < SLOW_WAITS_FOR &&
           !deadline_is_over(until))
        sched_yield();
    i->row = json_pack("{s:s%}", "name", i->name.p, i->name.n);
    atomic_fetch_add(&w->looked, 1);
}

static enum err take(void *ctx, struct survey_item *const *v, size_t n)
{
    struct world *w = ctx;
    char name[32];
    for (size_t i = 0; i < n; i++) {
        (void)snprintf(name, sizeof name, "%zu", w->taken++);
        assert_string_equal(json_string_value(json_object_get(v[i]->row, "name")), name);
        if (w->taken == w->fails_at)
            return ERR_FULL;
    }
    return OK;
}

static bool is_over(void *ctx)
{
    struct world *w = ctx;
    return atomic_load(&w->looked) >= atomic_load(&w->over_from);
}

static enum err run(struct world *w)
{
    struct crew *crew = crew_new(1000);
    if (!atomic_load(&w->over_from))
        atomic_store(&w->over_from, SIZE_MAX);
    w->survey = survey_new(&(struct survey_conf){
        .crew = crew, .ctx = w, .more = more, .look = look, .take = take, .is_over = is_over});
    enum err e = survey_run(w->survey);
    size_t looked = atomic_load(&w->looked);
    survey_free(w->survey);
    crew_free(crew);
    assert_int_equal(looked, atomic_load(&w->looked)); /* none went on behind its back */
    return e;
}

static void all_are_told_in_order(void **state)
{
    static const size_t sizes[] = {0, 1, SURVEY_PAGE, SURVEY_PAGE + 1, MANY};
    for (size_t i = 0; i < sizeof sizes / sizeof *sizes; i++) {
        struct world w = {.names = sizes[i]};
        assert_int_equal(run(&w), OK);
        assert_int_equal(w.taken, sizes[i]);
        assert_int_equal(atomic_load(&w.looked), sizes[i]);
        assert_true(w.most_ahead <= BOUND);
    }
}

static void a_slow_one_holds_up_nobody_else(void **state)
{
    struct world w = {.names = MANY, .first_is_slow = true};
    int64_t began = clock_mono();
    assert_int_equal(run(&w), OK);
    assert_int_equal(w.taken, MANY);
    if (clock_mono() - began >= PATIENCE_MS)
        fail_msg("the slow domain was waited for: the others did not run ahead of it");
}

static void a_failure_ends_it(void **state)
{
    struct world w = {.names = MANY, .fails_at = 300};
    assert_int_equal(run(&w), ERR_FULL);
    assert_int_equal(w.taken, 300);
}

static void over_is_over(void **state)
{
    struct world w = {.names = MANY, .over_from = 700};
    assert_int_equal(run(&w), OK);
    assert_true(w.taken <= 800);
    assert_in_range(atomic_load(&w.looked), 700, 800);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_are_told_in_order),
        cmocka_unit_test(a_slow_one_holds_up_nobody_else),
        cmocka_unit_test(a_failure_ends_it),
        cmocka_unit_test(over_is_over),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
