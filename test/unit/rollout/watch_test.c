/* What makes a wave wait or undoes it, beside mail: edges, the gate, TLS reports. */
#include "world.h"

#include "report/report.h"
#include "tenant/allocate.h"

enum { DAY_MS = 24 * 3600 * 1000 };

/* What an edge finds at d00's MX host in one round. */
static void probe(struct world *w, const char *kind, const char *reason)
{
    char args[256];
    (void)usleep(2000); /* rounds are known by their time */
    (void)snprintf(args, sizeof args,
                   "{'edge': 'edge.example', 'probes': [{'name': 'd00-example.mx.example',"
                   " 'address': '192.0.2.25:25', 'algorithm': 'ecdsa', 'kind': '%s', 'reason': '%s'}]}",
                   kind, reason);
    good(&w->f, "edge.probe", args);
}

static void begin_one(struct world *w, const char *plan)
{
    good(&w->f, "edge.confirm", "{'edge': 'edge.example', 'key_epoch': 1, 'serves': []}");
    good(&w->f, "rollout.plan", plan);
    good(&w->f, "rollout.start", "{'rollout': 'r'}");
    until(w, "running", "holding");
}

static json_int_t held(struct world *w)
{
    good(&w->f, "rollout.status", "{'rollout': 'r'}");
    const json_t *wave = json_array_get(json_object_get(w->f.result, "progress"), 0);
    return json_integer_value(json_object_get(wave, "held_s"));
}

/* Once may be a moment; twice is a reason. */
static void an_edge_that_sees_a_mismatch_ends_it(void **state)
{
    struct world *w = *state;
    begin_one(w, "{'rollout': 'r', 'hold': '1h', 'tag': 'one'}");
    probe(w, "broken", "no match");
    until(w, "running", "probes-awaited");
    probe(w, "good", "");
    until(w, "running", "holding");
    probe(w, "broken", "no match");
    (void)usleep(200000);
    until(w, "running", "probes-awaited");
    assert_int_equal(with_dane(w), 1);
    probe(w, "broken", "the TLS handshake fails");
    until(w, "halted", "probes");
    assert_int_equal(with_dane(w), 0);
    good(&w->f, "rollout.resume", "{'rollout': 'r'}"); /* what was seen before it began again is over */
    until(w, "running", "holding");
    probe(w, "broken", "no match");
    until(w, "running", "probes-awaited");
    (void)usleep(200000);
    until(w, "running", "probes-awaited");
    probe(w, "broken", "no match");
    until(w, "halted", "probes");
}

/* Records that are not there yet and a resolver that fails undo nothing, however long; but it is not well. */
static void what_an_edge_does_not_see_is_awaited(void **state)
{
    struct world *w = *state;
    static const char *const kinds[] = {"awaited", "unseen", "strange"};
    begin_one(w, "{'rollout': 'r', 'hold': '1s', 'tag': 'one'}");
    for (int round = 0; round < 3; round++)
        for (size_t i = 0; i < sizeof kinds / sizeof *kinds; i++) {
            probe(w, kinds[i], "it has no TLSA records");
            until(w, "running", "probes-awaited");
        }
    if (!strstr(text(w, "because"),
                "; edge.example, at d00-example.mx.example: it has no TLSA records, for "))
        fail_msg("%s", text(w, "because"));
    json_int_t before = held(w);
    (void)usleep(1200000);
    until(w, "running", "probes-awaited");
    assert_int_equal(held(w), before);
    assert_int_equal(with_dane(w), 1);
    probe(w, "good", "");
    until(w, "done", NULL);
}

static enum err put_report(struct call *c, void *ctx)
{
    struct report_kept kept;
    return report_keep(c, ctx, clock_wall(), &kept);
}

/* X tells of the day up to `end`: sessions at d00, by its MX host, as DANE has it. */
static void report(struct world *w, const char *id, int64_t end, int64_t successes, int64_t failures)
{
    struct tlsrpt_failure f = {TLSRPT_TLSA_INVALID, STR("d00-example.mx.example"), failures};
    struct tlsrpt_policy p = {TLSRPT_TLSA, STR("d00-example.mx.example"), successes, failures, &f,
                              failures > 0};
    struct tlsrpt r = {STR("X"), str_of(id), end - DAY_MS, end, &p, 1};
    if (tenant_transact(w->f.t, TENANT_WRITE, put_report, &r, &w->f.why))
        fail_msg("%s", buf_cstr(&w->f.why));
}

/* What status says of the first wave's reports. */
static json_int_t told(struct world *w, const char *what)
{
    good(&w->f, "rollout.status", "{'rollout': 'r'}");
    const json_t *wave = json_array_get(json_object_get(w->f.result, "progress"), 0);
    return json_integer_value(json_object_get(json_object_get(wave, "reports"), what));
}

static void until_told(struct world *w, const char *what, json_int_t n)
{
    deadline end = deadline_in(10000);
    while (told(w, what) != n) {
        if (deadline_is_over(end))
            fail_msg("wanted %s %lld: %s", what, (long long)n, json_dumps(w->f.result, 0));
        (void)usleep(10000);
    }
}

static void others_tell_of_failures(void **state)
{
    struct world *w = *state;
    report(w, "before", clock_wall() - DAY_MS / 2, 97, 3);
    good(&w->f, "rollout.plan", "{'rollout': 'r', 'hold': '1h', 'tag': 'one'}");
    good(&w->f, "rollout.start", "{'rollout': 'r'}");
    until(w, "running", "holding");
    report(w, "good", clock_wall() + DAY_MS / 2, 96, 4); /* 4 % after 3 %: within the tolerance of 2 */
    until_told(w, "bad", 4);
    (void)usleep(200000);
    assert_int_equal(told(w, "bad"), 4); /* each is counted once */
    until(w, "running", "holding");
    int64_t first_try = clock_wall();
    good(&w->f, "rollout.pause", "{'rollout': 'r'}");
    close_all(w); /* what was told is counted anew after a restart */
    open_all(w);
    report(w, "bad", clock_wall() + DAY_MS / 2, 80, 20);
    good(&w->f, "rollout.resume", "{'rollout': 'r'}");
    until(w, "halted", "reports");
    assert_int_equal(with_dane(w), 0);
    good(&w->f, "rollout.status", "{'rollout': 'r'}");
    if (!strstr(text(w, "because"), "most by X: tlsa-invalid, 24 sessions"))
        fail_msg("%s", text(w, "because"));
    good(&w->f, "rollout.resume", "{'rollout': 'r'}"); /* who resumes it knows of them */
    until(w, "running", "holding");
    assert_int_equal(with_dane(w), 1);
    report(w, "late", first_try, 0, 50); /* what the first try did is neither usual nor the second one's */
    report(w, "again", clock_wall() + DAY_MS / 2, 0, 9);
    until(w, "halted", "reports");
    assert_int_equal(told(w, "bad"), 9);
    assert_int_equal(told(w, "bad_before"), 3);
}

/* The report about a day comes when the rollout is over. */
static void others_tell_late(void **state)
{
    struct world *w = *state;
    good(&w->f, "rollout.plan", "{'rollout': 'r', 'hold': '0s', 'tag': 'one'}");
    good(&w->f, "rollout.start", "{'rollout': 'r'}");
    until(w, "done", NULL);
    report(w, "good", clock_wall() + DAY_MS / 2, 50, 0);
    report(w, "yesterday", clock_wall() - DAY_MS / 2, 50, 0);
    (void)usleep(300000);
    until(w, "done", NULL);
    report(w, "late", clock_wall() + DAY_MS / 2, 0, 50);
    until(w, "halted", "reports");
    assert_int_equal(with_dane(w), 0);
}

/* What the gate says counts before the first wave, too. */
static void without_the_gate_nothing_moves(void **state)
{
    struct world *w = *state;
    board_forget_set(w->f.board, w->key_set);
    good(&w->f, "rollout.plan", "{'rollout': 'r', 'hold': '0s', 'tag': 'one'}");
    good(&w->f, "rollout.start", "{'rollout': 'r'}");
    until(w, "running", "gate-unseen");
    board_post(w->f.board, w->key_set, &(struct board_view){0}); /* it has not stepped yet */
    (void)usleep(200000);
    until(w, "running", "gate-unseen");
    gate_says(w, w->key_set, true);
    until(w, "running", "gate");
    (void)usleep(200000);
    assert_int_equal(with_dane(w), 0);
    gate_says(w, w->key_set, false);
    until(w, "done", NULL);
}

/* The next wave brings a key set that the first one did not have. */
static void the_gate_is_asked_for_the_next_wave(void **state)
{
    struct world *w = *state;
    int64_t other = add_key_set(w, "{'group': 'g2'}");
    good(&w->f, "rollout.plan", "{'rollout': 'r', 'hold': '500ms'}");
    good(&w->f, "rollout.start", "{'rollout': 'r'}");
    until(w, "running", "holding");
    gate_says(w, other, true);
    sql(w, "UPDATE mx_host SET key_set_id = %lld WHERE dane = 0", (long long)other);
    until(w, "running", "gate");
    (void)usleep(200000);
    assert_int_equal(with_dane(w), 1);
    gate_says(w, other, false);
    until(w, "done", NULL);
}

/* A domain without a key set counts for the one that it will get. */
static void the_gate_is_asked_for_a_key_set_to_come(void **state)
{
    struct world *w = *state;
    int64_t sets[] = {w->key_set, add_key_set(w, "{'group': 'g2'}")};
    size_t chosen = mx_host_choose_key_set(STR("d00-example"), 2);
    sql(w, "UPDATE mx_host SET key_set_id = 0");
    gate_says(w, sets[chosen], true);
    good(&w->f, "rollout.plan", "{'rollout': 'r', 'hold': '1h', 'tag': 'one'}");
    good(&w->f, "rollout.start", "{'rollout': 'r'}");
    until(w, "running", "gate");
    (void)usleep(200000);
    assert_int_equal(with_dane(w), 0);
    gate_says(w, sets[1 - chosen], true);
    gate_says(w, sets[chosen], false);
    until(w, "running", "holding");
    assert_int_equal(with_dane(w), 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        T(an_edge_that_sees_a_mismatch_ends_it),
        T(what_an_edge_does_not_see_is_awaited),
        T(others_tell_of_failures),
        T(others_tell_late),
        T(without_the_gate_nothing_moves),
        T(the_gate_is_asked_for_the_next_wave),
        T(the_gate_is_asked_for_a_key_set_to_come),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
