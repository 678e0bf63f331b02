#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <stdatomic.h>
#include <unistd.h>

#include "smtpd/ask.h"

static void what_a_reply_says(void **state)
{
    (void)state;
    static const struct {
        unsigned code;
        uint16_t status[3];
        enum ask_answer answer;
    } rows[] = {
        {250, {2, 1, 5}, ASK_EXISTS},   {251, {0}, ASK_EXISTS},
        {550, {0}, ASK_UNKNOWN},        {551, {0}, ASK_UNKNOWN},
        {553, {0}, ASK_UNKNOWN},        {554, {0}, ASK_UNSURE},
        {503, {0}, ASK_UNSURE},         {550, {5, 1, 1}, ASK_UNKNOWN},
        {550, {5, 1, 10}, ASK_UNKNOWN}, {550, {5, 2, 1}, ASK_UNKNOWN},
        {550, {5, 4, 1}, ASK_UNKNOWN},  {550, {5, 1, 8}, ASK_UNSURE}, /* the sender's address */
        {550, {5, 2, 2}, ASK_UNSURE},                                 /* full */
        {554, {5, 7, 1}, ASK_UNSURE}, /* relaying denied: the mailbox host does not know the domain */
        {552, {5, 1, 1}, ASK_UNSURE},   {450, {4, 1, 1}, ASK_UNSURE},
        {421, {0}, ASK_UNSURE},         {354, {0}, ASK_UNSURE},
        {0, {0}, ASK_UNSURE},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct smtp_reply r = {.code = rows[i].code};
        memcpy(r.status, rows[i].status, sizeof r.status);
        if (ask_judge(&r) != rows[i].answer)
            fail_msg("row %zu: %u", i, rows[i].code);
    }
}

struct host {
    struct smtp_reply reply;
    enum err e;
    _Atomic unsigned called;
    _Atomic unsigned now, most;
    bool slow;
};

static enum err call(void *ctx, const struct ask_question *q, struct arena *a, struct smtp_reply *reply,
                     struct buf *why)
{
    struct host *h = ctx;
    (void)q, (void)a;
    h->called++;
    unsigned now = atomic_fetch_add(&h->now, 1) + 1;
    if (now > h->most)
        h->most = now;
    if (h->slow)
        (void)usleep(20000);
    (void)atomic_fetch_sub(&h->now, 1);
    *reply = h->reply;
    if (h->e)
        buf_set(why, "as the test wants");
    return h->e;
}

static const struct conf limits = {.ask_timeout = 2000, .ask_keep_known = 60000, .ask_keep_unknown = 1000};

static enum ask_answer say(struct ask *k, const char *host, const char *address)
{
    struct arena a = {0};
    struct dir_domain domain = {.domain = STR("ask.example"), .host = str_of(host), .port = 25};
    enum ask_answer answer = ask_recipient(
        k, &(struct ask_question){.domain = &domain, .address = str_of(address), .conf = &limits}, &a);
    arena_release(&a);
    return answer;
}

static void answers_are_kept_for_a_while(void **state)
{
    (void)state;
    const int64_t start = 1000000;
    struct host h = {.reply = {.code = 250}};
    struct ask *k = ask_new(&(struct ask_caller){.ctx = &h, .call = call});
    clock_set_for_test(start);
    assert_int_equal(say(k, "a", "x@ask.example"), ASK_EXISTS);
    h.reply.code = 550;
    assert_int_equal(say(k, "a", "x@ask.example"), ASK_EXISTS);
    assert_int_equal(say(k, "a", "X@ask.example"),
                     ASK_UNKNOWN); /* a local part's case is its host's business */
    assert_int_equal(h.called, 2);
    assert_int_equal(say(k, "b", "x@ask.example"), ASK_UNKNOWN); /* another host knows other people */
    clock_set_for_test(start + 1500);
    h.reply.code = 250;
    assert_int_equal(say(k, "a", "X@ask.example"), ASK_EXISTS);
    assert_int_equal(h.called, 4);
    clock_set_for_test(start + 60001);
    h.reply.code = 550;
    assert_int_equal(say(k, "a", "x@ask.example"), ASK_UNKNOWN);
    h.reply.code = 450;
    assert_int_equal(say(k, "a", "y@ask.example"), ASK_UNSURE);
    assert_int_equal(say(k, "a", "y@ask.example"), ASK_UNSURE);
    assert_int_equal(h.called, 7); /* doubt is not kept */
    clock_set_for_test(0);
    ask_free(k);
}

static void a_host_out_of_reach_has_a_rest(void **state)
{
    (void)state;
    struct host h = {.e = ERR_CLOSED};
    struct ask *k = ask_new(&(struct ask_caller){.ctx = &h, .call = call});
    clock_set_for_test(1000000);
    assert_int_equal(say(k, "a", "x@ask.example"), ASK_UNSURE);
    assert_int_equal(say(k, "a", "y@ask.example"), ASK_UNSURE);
    assert_int_equal(h.called, 1);
    assert_int_equal(say(k, "b", "y@ask.example"), ASK_UNSURE);
    assert_int_equal(h.called, 2);
    clock_set_for_test(1000000 + 10001);
    h = (struct host){.e = ERR_REFUSED}; /* that is about the recipient */
    assert_int_equal(say(k, "a", "x@ask.example"), ASK_UNSURE);
    assert_int_equal(say(k, "a", "x@ask.example"), ASK_UNSURE);
    assert_int_equal(h.called, 2);
    clock_set_for_test(0);
    ask_free(k);
}

struct asker {
    struct ask *ask;
    unsigned number;
    enum ask_answer answer;
};

static void ask_one(void *arg)
{
    struct asker *one = arg;
    char address[32];
    (void)snprintf(address, sizeof address, "u%u@ask.example", one->number);
    one->answer = say(one->ask, "a", address);
}

static void a_host_is_not_overrun(void **state)
{
    (void)state;
    enum { ASKERS = 40 };
    struct host h = {.reply = {.code = 250}, .slow = true};
    struct ask *k = ask_new(&(struct ask_caller){.ctx = &h, .call = call});
    struct asker asker[ASKERS];
    pthread_t thread[ASKERS];
    struct buf why = {0};
    for (unsigned i = 0; i < ASKERS; i++) {
        asker[i] = (struct asker){.ask = k, .number = i};
        assert_int_equal(thread_start_joinable(ask_one, &asker[i], &thread[i], &why), OK);
    }
    for (unsigned i = 0; i < ASKERS; i++) {
        (void)pthread_join(thread[i], NULL);
        assert_int_equal(asker[i].answer, ASK_EXISTS);
    }
    assert_in_range(h.most, 1, 10);
    ask_free(k);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_a_reply_says),
        cmocka_unit_test(answers_are_kept_for_a_while),
        cmocka_unit_test(a_host_out_of_reach_has_a_rest),
        cmocka_unit_test(a_host_is_not_overrun),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
