#include "spool.h"

static void two_consumers(void **state)
{
    (void)state;
    struct buf why = {0};
    struct queue *q = spool_queue(NULL), *other;
    assert_int_equal(queue_open(spool_path, NULL, &other, &why), ERR_BUSY);
    char pid[32];
    (void)snprintf(pid, sizeof pid, "process %d", (int)getpid());
    assert_true(str_find(buf_str(&why), str_of(pid)) != SIZE_MAX);
    queue_close(q);
    q = spool_queue(NULL);
    queue_close(q);
    buf_release(&why);
}

static void states_survive_a_restart(void **state)
{
    (void)state;
    char id[QUEUE_ID];
    struct queue_writer *w = spool_writer(NULL);
    struct queue *q = spool_queue(NULL);
    assert_int_equal(spool_commit(w, 10, 'c', id, "one@a.example", "two@b.example"), OK);
    struct queue_message *m = spool_claim(q);
    struct queue_result r[2] = {
        {.rcpt = 0, .status = QUEUE_DELIVERED, .reason = STR("delivered"), .text = STR("250 fine")},
        {.rcpt = 1,
         .status = QUEUE_DEFERRED,
         .reason = STR("tlsa-no-match"),
         .text = STR("no record matches"),
         .next_ms = clock_wall() + 7200000,
         .warned_ms = clock_wall()}};
    int64_t next = clock_wall() + 3600000;
    struct queue_settlement s = {.results = r, .count = 2, .next_ms = next};
    assert_int_equal(queue_settle(q, m, &s, NULL), OK);
    for (int round = 0; round < 3; round++) {
        queue_close(q);
        q = spool_queue(NULL);
        struct queue_counts c;
        queue_count(q, &c);
        assert_int_equal(c.messages, 1);
        assert_int_equal(c.waiting, 1);
        assert_int_equal(queue_look(q, id, &m, NULL), OK);
        assert_int_equal(m->attempts, 1);
        assert_int_equal(m->next_ms, next);
        assert_int_equal(m->rcpt[1].next_ms, r[1].next_ms);
        assert_int_equal(m->rcpt[1].warned_ms, r[1].warned_ms);
        assert_int_equal(m->rcpt[0].warned_ms, 0);
        assert_int_equal(m->rcpt[0].status, QUEUE_DELIVERED);
        assert_int_equal(m->rcpt[1].status, QUEUE_DEFERRED);
        assert_int_equal(m->rcpt[1].attempts, 1);
        assert_true(str_equal(m->rcpt[1].reason, STR("tlsa-no-match")));
        assert_true(str_equal(m->rcpt[1].text, STR("no record matches")));
        queue_message_free(m);
        assert_int_equal(queue_claim(q, deadline_in(20), &m), ERR_TIMEOUT); /* not due */
    }
    assert_int_equal(queue_retry(q, id, NULL), OK);
    m = spool_claim(q);
    assert_int_equal(m->rcpt[1].next_ms, 0); /* an operator's word goes for each recipient */
    spool_settle(q, m, 1, QUEUE_BOUNCED, "", 0);
    queue_close(q);
    q = spool_queue(NULL);
    spool_is_empty(q);
    queue_close(q);
    queue_writer_close(w);
}

static void a_claim_that_was_not_settled_comes_again(void **state)
{
    (void)state;
    char id[QUEUE_ID];
    struct queue_writer *w = spool_writer(NULL);
    spool_enter(w, 10, 'c', id);
    struct queue *q = spool_queue(NULL);
    struct queue_message *m = spool_claim(q);
    struct queue_result r = {.rcpt = 0, .status = QUEUE_DEFERRED, .reason = STR("x")};
    assert_int_equal(queue_progress(q, m, &(struct queue_settlement){.results = &r, .count = 1}, NULL), OK);
    queue_put_back(q, m, clock_wall() + 50);
    assert_int_equal(queue_claim(q, deadline_in(10), &m), ERR_TIMEOUT);
    m = spool_claim(q);
    assert_int_equal(m->rcpt[0].attempts, 1);
    queue_put_back(q, m, clock_wall() + 3600000);
    queue_close(q);
    q = spool_queue(NULL);
    m = spool_claim(q); /* putting back is not remembered */
    queue_put_back(q, m, 0);
    queue_close(q);
    queue_writer_close(w);
}

static void fresh_mail_is_not_starved(void **state)
{
    (void)state;
    char id[QUEUE_ID];
    struct queue_writer *w = spool_writer(NULL);
    struct queue *q = spool_queue(NULL);
    for (int i = 0; i < 8; i++)
        spool_enter(w, 10, 'r', id);
    for (int i = 0; i < 8; i++)
        spool_settle(q, spool_claim(q), 0, QUEUE_DEFERRED, "", clock_wall() + 200);
    for (int i = 0; i < 8; i++)
        spool_enter(w, 10, 'f', id);
    (void)usleep(300000);
    int fresh = 0;
    for (int i = 0; i < 8; i++) {
        struct queue_message *m = spool_claim(q);
        fresh += m->attempts == 0;
        spool_settle(q, m, 0, QUEUE_DELIVERED, "", 0);
    }
    assert_int_equal(fresh, 6);
    queue_close(q);
    queue_writer_close(w);
}

static void stop_wakes_the_workers(void **state)
{
    (void)state;
    struct queue *q = spool_queue(NULL);
    struct queue_message *m;
    queue_stop(q);
    assert_int_equal(queue_claim(q, DEADLINE_NEVER, &m), ERR_CLOSED);
    queue_close(q);
}

/* ---- operators ---- */

static void hold_release_remove(void **state)
{
    (void)state;
    char id[QUEUE_ID];
    struct buf why = {0};
    struct queue_counts c;
    struct queue_writer *w = spool_writer(NULL);
    struct queue *q = spool_queue(NULL);
    spool_enter(w, 10, 'c', id);
    struct queue_message *m = spool_claim(q);
    assert_int_equal(queue_retry(q, id, &why), OK); /* it is being tried */
    assert_int_equal(queue_hold(q, id, &why), OK);  /* holds from the end of the attempt on */
    spool_settle(q, m, 0, QUEUE_DEFERRED, "", 0);
    assert_int_equal(queue_claim(q, deadline_in(30), &m), ERR_TIMEOUT);
    queue_close(q);
    q = spool_queue(NULL);
    assert_int_equal(queue_claim(q, deadline_in(30), &m), ERR_TIMEOUT);
    queue_count(q, &c);
    assert_int_equal(c.held, 1);
    assert_int_equal(queue_retry(q, id, &why), OK);
    assert_int_equal(queue_claim(q, deadline_in(30), &m), ERR_TIMEOUT);
    assert_int_equal(queue_release(q, id, &why), OK);
    assert_int_equal(queue_release(q, id, &why), OK);
    m = spool_claim(q);
    spool_settle(q, m, 0, QUEUE_DEFERRED, "", clock_wall() + 3600000);
    assert_int_equal(queue_remove(q, id, STR("root"), &why), OK);
    assert_int_equal(queue_remove(q, id, STR("root"), &why), ERR_NOT_FOUND);
    spool_is_empty(q);
    queue_close(q);
    q = spool_queue(NULL);
    spool_is_empty(q);
    queue_close(q);
    queue_writer_close(w);
    buf_release(&why);
}

static void removed_during_an_attempt(void **state)
{
    (void)state;
    char id[2][QUEUE_ID];
    struct queue_writer *w = spool_writer(NULL);
    struct queue *q = spool_queue(NULL);
    for (int i = 0; i < 2; i++) {
        spool_enter(w, 10, 'c', id[i]);
        struct queue_message *m = spool_claim(q);
        assert_int_equal(queue_remove(q, id[i], STR("root"), NULL), OK);
        if (i)
            queue_put_back(q, m, 0);
        else
            spool_settle(q, m, 0, QUEUE_DEFERRED, "", 0);
        spool_is_empty(q);
    }
    queue_close(q);
    q = spool_queue(NULL);
    spool_is_empty(q);
    queue_close(q);
    queue_writer_close(w);
}

static bool count_visit(void *ctx, struct queue_message *m)
{
    char **last = ctx;
    assert_true(strcmp(*last, m->id) < 0);
    memcpy(*last, m->id, QUEUE_ID);
    (*last)[QUEUE_ID] = (char)((*last)[QUEUE_ID] + 1);
    return true;
}

static void retry_by_domain_and_walk(void **state)
{
    (void)state;
    char id[QUEUE_ID];
    struct queue_writer *w = spool_writer(NULL);
    struct queue *q = spool_queue(NULL), *reader;
    struct queue_message *m;
    static const char *const to[] = {"a@one.example", "a@two.example", "a@ONE.example"};
    for (int i = 0; i < 3; i++) {
        assert_int_equal(spool_commit(w, 10, 'c', id, to[i], NULL), OK);
        spool_settle(q, spool_claim(q), 0, QUEUE_DEFERRED, "later", clock_wall() + 3600000);
    }
    assert_int_equal(queue_retry_all(q, STR("one.example")), 2);
    spool_settle(q, spool_claim(q), 0, QUEUE_DELIVERED, "", 0);
    spool_settle(q, spool_claim(q), 0, QUEUE_DEFERRED, "", clock_wall() + 3600000);
    assert_int_equal(queue_claim(q, deadline_in(20), &m), ERR_TIMEOUT);
    /* another process looks on */
    assert_int_equal(queue_open_readonly(spool_path, &reader, NULL), OK);
    char last[QUEUE_ID + 1] = {0}, *p = last;
    queue_walk(reader, count_visit, &p);
    assert_int_equal(last[QUEUE_ID], 2);
    queue_close(reader);
    assert_int_equal(queue_retry_all(q, STR_NONE), 2);
    spool_settle(q, spool_claim(q), 0, QUEUE_DELIVERED, "", 0);
    spool_settle(q, spool_claim(q), 0, QUEUE_DELIVERED, "", 0);
    spool_is_empty(q);
    queue_close(q);
    queue_writer_close(w);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, spool_setup, spool_teardown)
    const struct CMUnitTest tests[] = {
        T(two_consumers),
        T(states_survive_a_restart),
        T(a_claim_that_was_not_settled_comes_again),
        T(fresh_mail_is_not_starved),
        T(stop_wakes_the_workers),
        T(hold_release_remove),
        T(removed_during_an_attempt),
        T(retry_by_domain_and_walk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
