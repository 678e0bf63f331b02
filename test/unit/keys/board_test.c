/* What edges confirm and the gate says, from those who write it to those who read it. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys/board.h"

enum { NOW = 1000000 };

static void test_edges(void **state)
{
    (void)state;
    clock_set_for_test(NOW);
    struct board *b = board_new(&(struct gate_set){0});
    struct board_served served[] = {{7, {.algorithm = GATE_ECDSA, .spki = {1}}},
                                    {8, {.algorithm = GATE_ECDSA, .spki = {2}}},
                                    {7, {.algorithm = GATE_RSA, .spki = {3}, .has_ta = true, .ta = {4}}}};
    struct arena a = {0};
    struct gate_edge e;
    board_edge(b, STR("e1"), 7, &a, &e);
    assert_int_equal(e.age_ms, -1); /* never since the start */
    assert_int_equal(e.nserved, 0);
    assert_true(board_confirm(b, STR("e1"), served, 3));
    assert_false(board_confirm(b, STR("e1"), served, 3));
    board_edge(b, STR("e1"), 7, &a, &e);
    assert_true(str_equal(e.name, STR("e1")));
    assert_true(e.age_ms >= 0 && e.nserved == 2);
    assert_int_equal(e.served[0].spki[0], 1);
    assert_int_equal(e.served[1].spki[0], 3);
    assert_true(e.served[1].has_ta && e.served[1].ta[0] == 4);
    board_edge(b, STR("e1"), 9, &a, &e);
    assert_true(e.age_ms >= 0 && e.nserved == 0); /* it said that it serves nothing of that */

    struct board_served other[3];
    memcpy(other, served, sizeof other);
    other[2].is.ta[0] = 5;
    assert_true(board_confirm(b, STR("e1"), other, 3));
    other[0].is.spki[31] = 1;
    assert_true(board_confirm(b, STR("e1"), other, 3));
    other[1].key_set = 9;
    assert_true(board_confirm(b, STR("e1"), other, 3));
    other[2].is.has_ta = false;
    assert_true(board_confirm(b, STR("e1"), other, 3));
    assert_true(board_confirm(b, STR("e1"), other, 2));
    assert_true(board_confirm(b, STR("e1"), NULL, 0));
    assert_false(board_confirm(b, STR("e1"), NULL, 0));
    board_forget_edge(b, STR("e1"));
    board_forget_edge(b, STR("e1"));
    board_edge(b, STR("e1"), 7, &a, &e);
    assert_int_equal(e.age_ms, -1);
    arena_release(&a);
    board_free(b);
    board_free(NULL);
    clock_set_for_test(0);
}

/* A view outlives all that it was posted with. */
static void test_views_are_copies(void **state)
{
    (void)state;
    struct board *b = board_new(&(struct gate_set){0});
    struct arena a = {0};
    char name[] = "192.0.2.53 for mx.example";
    struct gate_record record[] = {{3, 1, 1, {1}}, {3, 1, 1, {2}}};
    struct gate_served served = {.spki = {5}};
    struct gate_server server = {
        .name = str_of(name), .answer = GATE_ANSWER_SECURE, .record = record, .nrecord = 2};
    struct gate_edge edge = {.name = str_of(name), .served = &served, .nserved = 1};
    struct board_view v = {.stepped_ms = 17,
                           .evidence = {.server = &server, .nserver = 1, .edge = &edge, .nedge = 1},
                           .out = {.nalarm = 1, .nevent = 1}},
                      got;
    v.out.waiting.subject = v.out.alarm[0].subject = v.out.event[0].subject = str_of(name);
    assert_false(board_look(b, 7, &a, &got));
    assert_int_equal(got.stepped_ms, 0);
    board_post(b, 7, &v);
    memset(name, 'x', sizeof name - 1);
    memset(record, 0, sizeof record);
    memset(&served, 0, sizeof served);
    memset(&server, 0, sizeof server);
    memset(&edge, 0, sizeof edge);
    assert_false(board_look(b, 8, &a, &got));
    assert_true(board_look(b, 7, &a, &got));
    board_forget_set(b, 7); /* and what was looked up outlives the board */
    struct board_view gone;
    assert_false(board_look(b, 7, &a, &gone));
    board_free(b);
    assert_int_equal(got.stepped_ms, 17);
    struct str is = STR("192.0.2.53 for mx.example");
    assert_true(str_equal(got.evidence.server[0].name, is));
    assert_true(str_equal(got.evidence.edge[0].name, is));
    assert_int_equal(got.evidence.server[0].record[1].digest[0], 2);
    assert_int_equal(got.evidence.edge[0].served[0].spki[0], 5);
    assert_true(str_equal(got.out.waiting.subject, is));
    assert_true(str_equal(got.out.alarm[0].subject, is));
    assert_true(str_equal(got.out.event[0].subject, is));
    arena_release(&a);
}

static void test_options(void **state)
{
    (void)state;
    struct board *b = board_new(
        &(struct gate_set){.gap_ms = 1, .edge_silent_ms = 2, .signature_ms = 3, .jump_ms = 4, .id = 5});
    struct gate_set s = {.id = 9};
    board_options(b, &s);
    assert_int_equal(s.gap_ms, 1);
    assert_int_equal(s.edge_silent_ms, 2);
    assert_int_equal(s.signature_ms, 3);
    assert_int_equal(s.jump_ms, 4);
    assert_int_equal(s.id, 9);
    board_free(b);
}

static void count(void *ctx)
{
    ++*(int *)ctx;
}

struct waiter {
    struct board *b;
    deadline until;
    enum err e;
};

static void *wait_on(void *ctx)
{
    struct waiter *w = ctx;
    w->e = board_wait(w->b, w->until);
    return NULL;
}

static void test_waking_and_waiting(void **state)
{
    (void)state;
    int woken = 0;
    struct board *b = board_new(&(struct gate_set){0});
    board_wake(b); /* nobody listens yet */
    board_set_wake(b, count, &woken);
    board_wake(b);
    assert_int_equal(woken, 1);
    assert_int_equal(board_wait(b, deadline_in(1)), ERR_TIMEOUT);
    struct waiter w = {.b = b, .until = DEADLINE_NEVER, .e = ERR_SYSTEM};
    pthread_t t;
    assert_int_equal(pthread_create(&t, NULL, wait_on, &w), 0);
    while (pthread_tryjoin_np(t, NULL)) { /* a post to any set ends it, whenever the waiter began */
        board_post(b, 3, &(struct board_view){0});
        sched_yield();
    }
    assert_int_equal(w.e, OK);
    assert_int_equal(pthread_create(&t, NULL, wait_on, &w), 0);
    board_close(b);
    assert_int_equal(pthread_join(t, NULL), 0);
    assert_int_equal(w.e, ERR_STOPPED);
    assert_int_equal(board_wait(b, DEADLINE_NEVER), ERR_STOPPED);
    board_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_edges),
        cmocka_unit_test(test_views_are_copies),
        cmocka_unit_test(test_options),
        cmocka_unit_test(test_waking_and_waiting),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
