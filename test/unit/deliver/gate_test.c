/* Concurrency with feedback, rests, lines, idle connections. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver/gate.h"

enum { NOW = 1000000 };

static int setup(void **state)
{
    struct gates *g = calloc(1, sizeof *g);
    gates_init(g, 20, 3);
    clock_set_for_test(NOW);
    *state = g;
    return 0;
}

static int teardown(void **state)
{
    clock_set_for_test(0);
    gates_release(*state);
    free(*state);
    return 0;
}

static enum gate_pass enter(struct gates *g, struct gate_waiter *w, struct gate_entry *e)
{
    *e = (struct gate_entry){.key = STR("192.0.2.1:25"), .waiter = w};
    return gates_enter(g, e);
}

static struct gate *fill(struct gates *g)
{
    struct gate_waiter w = {0};
    struct gate_entry e = {0};
    for (int i = 0; i < GATE_LIMIT_START; i++)
        assert_int_equal(enter(g, &w, &e), GATE_OPEN);
    return e.gate;
}

static struct gate_waiter *leave(struct gates *g, struct gate *gate, enum gate_end end)
{
    return gates_leave(g, gate, end, REASON_CONNECT_FAILED, STR("refused"), NULL);
}

static void the_line_is_served_in_order(void **state)
{
    struct gates *g = *state;
    struct gate *gate = fill(g);
    struct gate_waiter a = {0}, b = {0}, c = {0}, d = {0};
    struct gate_entry e;
    assert_int_equal(enter(g, &a, &e), GATE_WAIT);
    assert_int_equal(enter(g, &b, &e), GATE_WAIT);
    assert_int_equal(enter(g, &c, &e), GATE_WAIT);
    assert_int_equal(enter(g, &d, &e), GATE_CROWDED);
    struct gate_waiter *in = leave(g, gate, GATE_NEUTRAL);
    assert_ptr_equal(in, &a);
    assert_null(in->next);
    assert_true(in->granted);
    assert_int_equal(enter(g, &a, &e), GATE_OPEN); /* its place was kept */
    assert_false(a.granted);
    assert_int_equal(enter(g, &d, &e), GATE_WAIT);
    assert_ptr_equal(leave(g, gate, GATE_NEUTRAL), &b);
    struct gate_waiter *rest = gates_evict(g);
    assert_ptr_equal(rest, &c);
    assert_ptr_equal(rest->next, &d);
    for (int i = 0; i < GATE_LIMIT_START; i++)
        assert_null(leave(g, gate, GATE_NEUTRAL));
}

static void success_widens(void **state)
{
    struct gates *g = *state;
    struct gate *gate = fill(g);
    struct gate_waiter w = {0};
    struct gate_entry e;
    for (int i = 0; i < GATE_LIMIT_START; i++) {
        assert_null(leave(g, gate, GATE_SUCCESS));
        assert_int_equal(enter(g, &w, &e), GATE_OPEN);
    }
    assert_int_equal(enter(g, &w, &e), GATE_OPEN); /* one more than at first */
    assert_int_equal(enter(g, &w, &e), GATE_WAIT);
    assert_non_null(gates_evict(g));
    for (int i = 0; i < GATE_LIMIT_START + 1; i++)
        (void)leave(g, gate, GATE_NEUTRAL);
}

static void trouble_narrows_and_then_rests(void **state)
{
    struct gates *g = *state;
    struct gate *gate = fill(g);
    struct gate_waiter w = {0}, other = {0};
    struct gate_entry e;
    assert_int_equal(enter(g, &w, &e), GATE_WAIT);
    assert_null(leave(g, gate, GATE_TROUBLE));          /* 4 in, limit 2: nobody is let in */
    assert_ptr_equal(leave(g, gate, GATE_TROUBLE), &w); /* it rests: who waits is to hear it */
    assert_false(w.granted);
    assert_int_equal(enter(g, &w, &e), GATE_RESTS);
    assert_int_equal(e.rest.reason, REASON_CONNECT_FAILED);
    assert_string_equal(e.rest.text, "refused");
    for (int i = 0; i < 3; i++)
        assert_null(leave(g, gate, GATE_NEUTRAL));
    clock_set_for_test(NOW + 5000);
    assert_int_equal(enter(g, &w, &e), GATE_OPEN);     /* over */
    assert_int_equal(enter(g, &other, &e), GATE_WAIT); /* one at a time, to see */
    struct gate_waiter *in = leave(g, gate, GATE_TROUBLE);
    assert_ptr_equal(in, &other);
    clock_set_for_test(NOW + 5000 + 9999);
    assert_int_equal(enter(g, &w, &e), GATE_RESTS); /* longer each time */
    clock_set_for_test(NOW + 5000 + 10000);
    assert_int_equal(enter(g, &w, &e), GATE_OPEN);
    assert_null(leave(g, gate, GATE_SUCCESS));
}

static void an_operator_ends_the_rest(void **state)
{
    struct gates *g = *state;
    struct gate *gate = fill(g);
    struct gate_waiter w = {0};
    struct gate_entry e;
    for (int i = 0; i < GATE_LIMIT_START; i++)
        (void)leave(g, gate, GATE_TROUBLE);
    assert_int_equal(enter(g, &w, &e), GATE_RESTS);
    gates_wake(g);
    assert_int_equal(enter(g, &w, &e), GATE_OPEN);
    (void)leave(g, gate, GATE_NEUTRAL);
}

static void destinations_do_not_touch_each_other(void **state)
{
    struct gates *g = *state;
    struct gate *gate = fill(g);
    struct gate_waiter w = {0};
    struct gate_entry e = {.key = STR("192.0.2.2:25"), .waiter = &w};
    assert_int_equal(gates_enter(g, &e), GATE_OPEN);
    assert_null(leave(g, e.gate, GATE_NEUTRAL));
    for (int i = 0; i < GATE_LIMIT_START; i++)
        (void)leave(g, gate, GATE_NEUTRAL);
}

/* Regression: connections keyed without the policy. Only an equal key gets the idle connection. */
static void idle_connections_are_for_equal_policy(void **state)
{
    struct gates *g = *state;
    struct gate_waiter w = {0};
    uint8_t mine[CONNECTION_KEY] = {1}, other[CONNECTION_KEY] = {2};
    struct gate_entry e = {.key = STR("192.0.2.1:25"), .waiter = &w, .connection_key = mine};
    assert_int_equal(gates_enter(g, &e), GATE_OPEN);
    assert_null(e.reuse);
    struct connection c = {.stream = STREAM_EMPTY, .idle_until = NOW + 2000};
    memcpy(c.key, mine, sizeof mine);
    assert_null(gates_leave(g, e.gate, GATE_SUCCESS, REASON_NONE, STR_NONE, &c));

    e.connection_key = other;
    assert_int_equal(gates_enter(g, &e), GATE_OPEN);
    assert_null(e.reuse);
    struct gate *gate = e.gate;
    e.connection_key = mine;
    assert_int_equal(gates_enter(g, &e), GATE_OPEN);
    assert_ptr_equal(e.reuse, &c);
    assert_null(gates_leave(g, gate, GATE_SUCCESS, REASON_NONE, STR_NONE, &c));
    assert_null(leave(g, gate, GATE_SUCCESS));

    assert_null(gates_sweep(g, false));
    clock_set_for_test(NOW + 2000);
    assert_ptr_equal(gates_sweep(g, false), &c);
    struct gates_count count;
    gates_counted(g, &count);
    assert_int_equal(count.gates, 0); /* nobody needs it any more */
}

static void idle_connections_count_against_the_limit(void **state)
{
    struct gates *g = *state;
    struct gate *gate = fill(g);
    uint8_t mine[CONNECTION_KEY] = {1}, other[CONNECTION_KEY] = {2};
    struct connection c = {.stream = STREAM_EMPTY, .idle_until = NOW + 2000};
    memcpy(c.key, mine, sizeof mine);
    assert_null(gates_leave(g, gate, GATE_NEUTRAL, REASON_NONE, STR_NONE, &c));
    struct gate_waiter w = {0};
    struct gate_entry e = {.key = STR("192.0.2.1:25"), .waiter = &w, .connection_key = other};
    assert_int_equal(gates_enter(g, &e), GATE_OPEN);
    assert_null(e.reuse);
    assert_ptr_equal(e.surplus, &c); /* to be closed before a sixth is opened */
    for (int i = 0; i < GATE_LIMIT_START; i++)
        (void)leave(g, gate, GATE_NEUTRAL);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(the_line_is_served_in_order),
        T(success_widens),
        T(trouble_narrows_and_then_rests),
        T(an_operator_ends_the_rest),
        T(destinations_do_not_touch_each_other),
        T(idle_connections_are_for_equal_policy),
        T(idle_connections_count_against_the_limit),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
