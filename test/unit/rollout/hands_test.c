/* How waves move, one after the other and back, and what operators say about it. */
#include "world.h"

static void wave_after_wave(void **state)
{
    struct world *w = *state;
    good(&w->f, "rollout.plan", "{'rollout': 'r', 'hold': '1s', 'tenant': 'acme'}");
    assert_int_equal(number(w, "domains"), DOMAINS);
    assert_int_equal(number(w, "waves"), 3);
    assert_int_equal(with_dane(w), 0);
    good(&w->f, "rollout.start", "{'rollout': 'r'}");
    until(w, "running", "holding");
    assert_int_equal(with_dane(w), 1);
    assert_int_equal(atomic_load(&w->changed), 1);
    mail(w, 10, false);
    until(w, "done", NULL);
    assert_int_equal(atomic_load(&w->changed), 3);
    assert_int_equal(number(w, "moved"), DOMAINS);
    assert_int_equal(with_dane(w), DOMAINS);
}

/* Two waves are on. */
static void begin_two(struct world *w)
{
    good(&w->f, "rollout.plan", "{'rollout': 'r', 'hold': '1s'}");
    good(&w->f, "rollout.start", "{'rollout': 'r'}");
    do
        until(w, "running", "holding");
    while (number(w, "wave") < 2);
    assert_int_equal(with_dane(w), 10);
}

/* The first wave goes well; during the second one senders turn away. It is undone, and so is nothing else. */
static void a_bad_wave_is_undone(void **state)
{
    struct world *w = *state;
    begin_two(w);
    good(&w->f, "rollout.pause", "{'rollout': 'r'}");
    close_all(w); /* what is watched survives a restart of control */
    open_all(w);
    mail(w, 3, true); /* 27 at the second wave, 3 at the first: too few to mean a thing */
    assert_int_equal(with_dane(w), 10);
    good(&w->f, "rollout.resume", "{'rollout': 'r'}");
    until(w, "halted", "failures");
    assert_int_equal(number(w, "wave"), 1);
    assert_int_equal(with_dane(w), 1);
    assert_int_equal(call(&w->f, "rollout.start", "{'rollout': 'r'}"), ERR_REFUSED);
    good(&w->f, "rollout.back", "{'rollout': 'r', 'wave': '1'}");
    until(w, "paused", NULL);
    assert_int_equal(with_dane(w), 0);
}

/* The last wave is being undone when the operator wants the first one back, too. */
static void back_while_less_is_undone(void **state)
{
    struct world *w = *state;
    begin_two(w);
    atomic_store(&w->interrupt, "{\"rollout\": \"r\", \"wave\": \"1\"}");
    good(&w->f, "rollout.back", "{'rollout': 'r'}");
    until(w, "paused", "operator");
    assert_int_equal(number(w, "wave"), 0);
    assert_int_equal(with_dane(w), 0);
}

/* All of it is being undone because it is bad when the operator wants the last wave back. */
static void back_while_more_is_undone(void **state)
{
    struct world *w = *state;
    begin_two(w);
    rollouts_stop(w->rollouts); /* in the middle of it */
    sql(w, "UPDATE rollout SET state = 'undoing', then_state = 'halted', cause = 'failures', undo_from = 0");
    good(&w->f, "rollout.back", "{'rollout': 'r'}");
    assert_string_equal(text(w, "state"), "undoing");
    close_all(w);
    open_all(w);
    until(w, "halted", "failures");
    assert_int_equal(number(w, "wave"), 0);
    assert_int_equal(with_dane(w), 0);
}

/* The same senders turned away before: that is not the wave's doing. */
static void what_was_bad_before_is_not_blamed_on_it(void **state)
{
    struct world *w = *state;
    mail(w, 20, true);
    mail(w, 20, false);
    (void)usleep(20000);
    good(&w->f, "rollout.plan", "{'rollout': 'r', 'hold': '2s', 'tag': 'one', 'baseline': '1h'}");
    assert_int_equal(number(w, "domains"), 1);
    good(&w->f, "rollout.start", "{'rollout': 'r'}");
    until(w, "running", "holding");
    mail(w, 10, false);
    mail(w, 10, true);
    until(w, "done", NULL);
    assert_int_equal(with_dane(w), 1);
}

static void without_a_journal_nothing_moves(void **state)
{
    struct world *w = *state;
    char moved[128];
    (void)snprintf(moved, sizeof moved, "%s-moved", w->path);
    assert_int_equal(rename(w->path, moved), 0);
    good(&w->f, "rollout.plan", "{'rollout': 'r', 'hold': '0s', 'tag': 'one'}");
    good(&w->f, "rollout.start", "{'rollout': 'r'}");
    (void)usleep(300000);
    assert_int_equal(with_dane(w), 0);
    assert_int_equal(rename(moved, w->path), 0);
    until(w, "done", NULL);
}

static void sentences(void **state)
{
    struct world *w = *state;
    assert_int_equal(call(&w->f, "rollout.start", "{'rollout': 'r'}"), ERR_NOT_FOUND);
    assert_int_equal(call(&w->f, "rollout.plan", "{'rollout': 'r', 'tag': 'nobody'}"), ERR_REFUSED);
    assert_int_equal(call(&w->f, "rollout.plan", "{'rollout': 'r', 'hold': 'long'}"), ERR_USAGE);
    good(&w->f, "rollout.plan", "{'rollout': 'r'}");
    good(&w->f, "rollout.plan", "{'rollout': 'r', 'tag': 'one'}"); /* anew */
    assert_int_equal(call(&w->f, "rollout.back", "{'rollout': 'r'}"), ERR_REFUSED);
    assert_int_equal(call(&w->f, "rollout.pause", "{'rollout': 'r'}"), ERR_REFUSED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(wave_after_wave),
        T(a_bad_wave_is_undone),
        T(back_while_less_is_undone),
        T(back_while_more_is_undone),
        T(what_was_bad_before_is_not_blamed_on_it),
        T(without_a_journal_nothing_moves),
        T(sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
