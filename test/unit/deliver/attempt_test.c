/* Jobs at gates: who waits, whose place it is, what makes a destination rest. */
#include "world.h"

static const char *enter(struct world *w, const char *to, char id[QUEUE_ID])
{
    assert_int_equal(spool_commit(w->in, 10, 'c', id, to, NULL), OK);
    return id;
}

/* Regression: a place that was kept for a job was lost when the resolver was not proven any more. */
static void the_unproven_give_their_place_back(void **state)
{
    struct world *w = *state;
    char id[GATE_LIMIT_START + 2][QUEUE_ID];
    w->holds = true;
    world_start(w);
    for (int i = 0; i < GATE_LIMIT_START + 2; i++)
        enter(w, "a@slow.example", id[i]);
    SPOOL_UNTIL(w->held == GATE_LIMIT_START && status(w, "waiting") == 2);
    w->proven = false;
    SPOOL_UNTIL(!status(w, "resolver_proven"));
    w->holds = false;
    for (int i = 0; i < GATE_LIMIT_START + 2; i++)
        SPOOL_UNTIL(attempts(w, id[i]) == 1);
    SPOOL_UNTIL(status(w, "connections_active") == 0);
    int unproven = 0;
    for (int i = 0; i < GATE_LIMIT_START + 2; i++)
        unproven += waits_for(w, id[i], "resolver-fault");
    assert_int_equal(unproven, 2);
}

static int listen_at(struct world *w)
{
    struct addr at;
    assert_true(addr_parse(STR("127.0.0.1:0"), 0, &at));
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(fd, (const struct sockaddr *)&at.ss, at.n), 0);
    assert_int_equal(listen(fd, 16), 0);
    at.n = sizeof at.ss;
    assert_int_equal(getsockname(fd, (struct sockaddr *)&at.ss, &at.n), 0);
    w->conf.smtp_port = addr_port(&at);
    return fd;
}

/* Regression: the same, of a job that has tried a host already, when deliver stops. Two workers: one holds
 * the only place at the second host and goes on to a third, whose DNS answers when deliver stops; the other
 * one is kept busy until then, so that the job that was let in meanwhile cannot run before. */
static void stopping_loses_no_place(void **state)
{
    struct world *w = *state;
    char first[QUEUE_ID], second[QUEUE_ID], third[QUEUE_ID];
    w->dns.text = "hosts.example MX insecure 10 a.example, 20 b.example, 30 slow.example\n"
                  "a.example A insecure 127.0.0.9\na.example AAAA insecure-nodata\n"
                  "b.example A insecure 127.0.0.1\nb.example AAAA insecure-nodata\n"
                  "slow.example A secure 127.0.0.9\nslow.example AAAA secure-nodata\n";
    w->conf.delivery_workers = 2;
    w->conf.max_connections_per_destination = 1;
    w->holds = true;
    int fd = listen_at(w);
    world_start(w);
    enter(w, "a@hosts.example", first);
    int held = accept(fd, NULL, NULL);
    assert_true(held >= 0);
    enter(w, "a@hosts.example", second);
    SPOOL_UNTIL(status(w, "waiting") == 1);
    enter(w, "a@slow.example", third);
    SPOOL_UNTIL(w->held == 1);
    (void)close(fd);
    (void)close(held);
    SPOOL_UNTIL(w->held == 2);
    assert_int_equal(status(w, "waiting"), 0);
    assert_int_equal(status(w, "ready"), 1);
    deliver_stop(w->deliver, 5000); /* aborts when a place was not given back */
    w->deliver = NULL;
}

/* Regression: one host that DNS does not find made the whole domain rest, and nothing was sent any more. */
static void a_domain_with_a_host_left_does_not_rest(void **state)
{
    struct world *w = *state;
    char id[QUEUE_ID];
    w->dns.text = "half.example MX insecure 10 lost.example, 20 mx.example\n"
                  "lost.example A servfail\nlost.example AAAA servfail\n"
                  "mx.example A insecure 127.0.0.1\nmx.example AAAA insecure-nodata\n";
    world_start(w);
    for (int i = 0; i < 4; i++) {
        enter(w, "a@half.example", id);
        SPOOL_UNTIL(attempts(w, id) == 1);
        assert_true(waits_for(w, id, "connect-failed"));
    }
    assert_int_equal(status(w, "resting"), 1); /* the host, not the domain */
}

static void rests_after_two(struct world *w, const char *domain, const char *dns)
{
    char id[QUEUE_ID], to[64];
    w->dns.text = dns;
    (void)snprintf(to, sizeof to, "a@%s", domain);
    world_start(w);
    for (int i = 0; i < 3; i++) {
        enter(w, to, id);
        SPOOL_UNTIL(attempts(w, id) == 1);
        assert_true(waits_for(w, id, "dns-servfail"));
    }
    assert_int_equal(status(w, "resting"), 1);
    unsigned before = w->dns.asked;
    enter(w, to, id);
    SPOOL_UNTIL(attempts(w, id) == 1);
    assert_int_equal(w->dns.asked, before); /* it is not asked about while it rests */
}

static void a_domain_without_any_host_rests(void **state)
{
    rests_after_two(*state, "lost.example",
                    "lost.example MX insecure 10 a.example, 20 b.example\n"
                    "a.example A servfail\na.example AAAA servfail\n"
                    "b.example A servfail\nb.example AAAA servfail\n");
}

static void a_domain_without_an_answer_rests(void **state)
{
    rests_after_two(*state, "lost.example", "lost.example MX servfail\n");
}

/* Regression: a name server that does not answer for one family took the time of the TLSA question. */
static void each_question_has_its_own_time(void **state)
{
    struct world *w = *state;
    char id[QUEUE_ID];
    w->dns.text = "signed.example MX secure 10 mute.example\n"
                  "mute.example A secure 127.0.0.1\nmute.example AAAA timeout\n"
                  "_1._tcp.mute.example TLSA secure 3 1 1 d32\n";
    w->conf.resolver_timeout = 500;
    world_start(w);
    enter(w, "a@signed.example", id);
    SPOOL_UNTIL(attempts(w, id) == 1);
    assert_true(waits_for(w, id, "connect-failed"));
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(the_unproven_give_their_place_back),      T(stopping_loses_no_place),
        T(a_domain_with_a_host_left_does_not_rest), T(a_domain_without_any_host_rests),
        T(a_domain_without_an_answer_rests),        T(each_question_has_its_own_time),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
