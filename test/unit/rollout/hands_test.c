/* Whole rollouts: a database, a journal that the test writes, and the thread. */
#include "../keys/fixture.h"

#include <stdatomic.h>

#include "journal/journal.h"
#include "report/report.h"
#include "rollout/rollout.h"
#include "tenant/allocate.h"

enum { DOMAINS = 12, DAY_MS = 24 * 3600 * 1000 };

struct world {
    struct fixture f;
    struct rollouts *rollouts;
    struct journal *journal;
    char path[96];
    int64_t key_set;
    atomic_int changed;              /* how often the thread said that there is something to publish */
    _Atomic(const char *) interrupt; /* arguments of a rollout.back that comes then, once */
};

/* Called by the thread, between two portions that it moves. */
static void changed(void *ctx)
{
    struct world *w = ctx;
    const char *args = atomic_exchange(&w->interrupt, NULL);
    if (args) {
        json_t *object = json_loads(args, 0, NULL), *result = NULL;
        struct tenant_request request = {.verb = "rollout.back", .args = object};
        assert_int_equal(tenant_call(w->f.t, &request, &result, NULL), OK);
        assert_string_equal(json_string_value(json_object_get(result, "state")), "undoing");
        json_decref(result);
        json_decref(object);
    }
    atomic_fetch_add(&w->changed, 1);
}

/* What the gate says of a key set. */
static void gate_says(struct world *w, int64_t key_set, bool alarm)
{
    struct board_view view = {.stepped_ms = clock_wall()};
    if (alarm)
        view.out.alarm[view.out.nalarm++] = (struct gate_waiting){.what = GATE_AWAIT_CLOCK_JUMPED};
    board_post(w->f.board, key_set, &view);
}

static void open_all(struct world *w)
{
    struct fixture *f = &w->f;
    (void)snprintf(w->path, sizeof w->path, "%s/journal", f->folder);
    w->journal = journal_open(w->path, "smtpd", NULL, &f->why);
    assert_non_null(w->journal);
    f->board = board_new(&(struct gate_set){0});
    if (w->key_set)
        gate_says(w, w->key_set, false);
    w->rollouts = rollouts_new(&(struct rollouts_args){.journal = w->path,
                                                       .hostname = "edge.example",
                                                       .board = f->board,
                                                       .tick_ms = 20,
                                                       .changed = changed,
                                                       .changed_ctx = w});
    struct tenant_verb_table tables[] = {{keys_verbs, keys_verb_count, f->board},
                                         {rollout_verbs, rollout_verb_count, w->rollouts}};
    f->t = tenant_open(
        &(struct tenant_args){
            .data_directory = f->folder, .hostname = "edge.example", .tables = tables, .table_count = 2},
        &f->why);
    if (!f->t)
        fail_msg("%s", buf_cstr(&f->why));
    assert_int_equal(rollouts_start(w->rollouts, f->t, &f->why), OK);
}

static void close_all(struct world *w)
{
    rollouts_stop(w->rollouts);
    tenant_close(w->f.t);
    rollouts_free(w->rollouts);
    board_free(w->f.board);
    journal_close(w->journal);
    w->f.t = NULL;
    w->f.board = NULL;
}

/* A new one, of which the gate has nothing bad to say. */
static int64_t add_key_set(struct world *w, const char *args)
{
    good(&w->f, "key.add", args);
    int64_t id = json_integer_value(json_object_get(w->f.result, "key"));
    gate_says(w, id, false);
    return id;
}

static int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct fixture *f = &w->f;
    char args[256];
    log_init("test", LOG_ERROR + 1);
    strncpy(f->folder, "/tmp/kedge-rollout-XXXXXX", sizeof f->folder - 1);
    assert_non_null(mkdtemp(f->folder));
    open_all(w);
    good(f, "tenant.add", "{'tenant': 'acme'}");
    good(f, "edge.group.add", "{'edge_group': 'default', 'address': ['192.0.2.25']}");
    good(f, "zone.add", "{'zone': 'mx.example', 'primary': '192.0.2.53'}");
    w->key_set = add_key_set(w, "{'group': 'g1'}");
    for (int i = 0; i < DOMAINS; i++) {
        (void)snprintf(args, sizeof args,
                       "{'domain': ['d%02d.example'], 'tenant': 'acme', 'tag': '%s', 'recipients': 'any',"
                       " 'mailbox_host': 'smtp:192.0.2.1:25'}",
                       i, i ? "all" : "one");
        good(f, "domain.add", args);
    }
    *state = w;
    return 0;
}

static int world_teardown(void **state)
{
    struct world *w = *state;
    close_all(w);
    nftw(w->f.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    json_decref(w->f.result);
    arena_release(&w->f.a);
    buf_release(&w->f.why);
    free(w);
    return 0;
}

static const char *text(const struct world *w, const char *name)
{
    return json_string_value(json_object_get(w->f.result, name));
}

static json_int_t number(const struct world *w, const char *name)
{
    return json_integer_value(json_object_get(w->f.result, name));
}

/* Waits for a state (and, when it is not NULL, a cause); the result is then its status. */
static void until(struct world *w, const char *state, const char *cause)
{
    deadline end = deadline_in(10000);
    for (;;) {
        good(&w->f, "rollout.status", "{'rollout': 'r'}");
        if (strcmp(text(w, "state"), state) == 0 && (!cause || strcmp(text(w, "cause"), cause) == 0))
            return;
        if (deadline_is_over(end))
            fail_msg("wanted %s %s: %s", state, cause ? cause : "", json_dumps(w->f.result, 0));
        (void)usleep(10000);
    }
}

static enum err run_sql(struct call *c, void *sql)
{
    return db_run(db_query(c->db, sql), NULL, c->why);
}

__attribute__((format(printf, 2, 3))) static void sql(struct world *w, const char *format, ...)
{
    char text[256];
    va_list values;
    va_start(values, format);
    (void)vsnprintf(text, sizeof text, format, values);
    va_end(values);
    assert_int_equal(tenant_transact(w->f.t, TENANT_WRITE, run_sql, text, &w->f.why), OK);
}

/* Domains with DANE. */
static size_t with_dane(struct world *w)
{
    size_t n = 0, i;
    json_t *o;
    good(&w->f, "domain.list", "{}");
    json_array_foreach(w->f.result, i, o) n += json_is_true(json_object_get(o, "dane"));
    return n;
}

/* Senders come for the MX hosts of all domains; those with bad leave after the handshake. */
static void mail(struct world *w, int rounds, bool bad)
{
    struct buf line = {0};
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < DOMAINS; i++) {
            struct json_out j;
            char name[64];
            buf_clear(&line);
            journal_begin(&j, &line, bad ? "session" : "received");
            (void)snprintf(name, sizeof name, bad ? "d%02d-example.mx.example" : "x@d%02d.example", i);
            if (bad) {
                json_text(&j, "sni", name);
                json_num(&j, "messages", 0);
            } else {
                json_open(&j, "recipients", '[');
                json_text(&j, NULL, name);
                json_close(&j, ']');
            }
            json_close(&j, '}');
            journal_append(w->journal, buf_str(&line));
        }
    journal_flush(w->journal);
    buf_release(&line);
}

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
#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)
    const struct CMUnitTest tests[] = {
        T(wave_after_wave),
        T(a_bad_wave_is_undone),
        T(back_while_less_is_undone),
        T(back_while_more_is_undone),
        T(what_was_bad_before_is_not_blamed_on_it),
        T(an_edge_that_sees_a_mismatch_ends_it),
        T(what_an_edge_does_not_see_is_awaited),
        T(others_tell_of_failures),
        T(others_tell_late),
        T(without_a_journal_nothing_moves),
        T(without_the_gate_nothing_moves),
        T(the_gate_is_asked_for_the_next_wave),
        T(the_gate_is_asked_for_a_key_set_to_come),
        T(sentences),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
