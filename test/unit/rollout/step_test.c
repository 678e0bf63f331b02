/* The pure parts: sizes of waves, decisions, what lines of the journal count as. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "rollout/health.h"

static void waves_grow(void **state)
{
    (void)state;
    static const struct {
        size_t domains, waves, over[ROLLOUT_WAVES_MAX];
    } rows[] = {
        {0, 0, {0}},
        {1, 1, {1}},
        {7, 2, {1, 7}},
        {50, 3, {1, 10, 50}},
        {1000, 4, {1, 10, 100, 1000}},
        {5000, 5, {1, 10, 100, 500, 5000}},
        {20000, 6, {1, 10, 100, 200, 2000, 20000}},
        {1000000, 6, {1, 10, 100, 10000, 100000, 1000000}},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        size_t over[ROLLOUT_WAVES_MAX] = {0};
        assert_int_equal(rollout_plan(rows[i].domains, over), rows[i].waves);
        assert_memory_equal(over, rows[i].over, sizeof over);
    }
}

static void ranks_are_spread_and_stay(void **state)
{
    (void)state;
    assert_true(rollout_rank(STR("a"), STR("x.example")) == rollout_rank(STR("a"), STR("x.example")));
    assert_true(rollout_rank(STR("a"), STR("x.example")) != rollout_rank(STR("b"), STR("x.example")));
    unsigned low = 0;
    for (int i = 0; i < 1000; i++) {
        char name[32];
        (void)snprintf(name, sizeof name, "d%03d.example", i);
        low += rollout_rank(STR("a"), str_of(name)) < UINT64_MAX / 2;
    }
    assert_in_range(low, 430, 570);
}

static const struct rollout_rules rules = {.hold_ms = 1000, .tolerance = 20, .least = 5};

static void decisions(void **state)
{
    (void)state;
#define WELL                                                                                                 \
    {                                                                                                        \
        .domains = 1, .is_ready = true, .held_ms = 1000, .now = {100, 2}, .before = { 100, 2 }               \
    }
    static const struct {
        const char *name;
        struct rollout_wave wave[2];
        size_t waves, begun;
        bool blind, alarm; /* of the gate */
        enum rollout_do what;
        enum rollout_cause cause;
        size_t from;
    } rows[] = {
        {"a start", {{0}}, 2, 0, false, false, ROLLOUT_BEGIN, ROLLOUT_CAUSE_OPERATOR, 0},
        {"a start that sees nothing", {{0}}, 2, 0, true, false, ROLLOUT_WAIT, ROLLOUT_CAUSE_BLIND, 0},
        {"being enabled", {{.domains = 1}}, 2, 1, false, false, ROLLOUT_WAIT, ROLLOUT_CAUSE_ENABLING, 0},
        {"held",
         {{.is_ready = true, .held_ms = 999}},
         2,
         1,
         false,
         false,
         ROLLOUT_WAIT,
         ROLLOUT_CAUSE_HOLDING,
         0},
        {"well for long enough", {WELL}, 2, 1, false, false, ROLLOUT_BEGIN, ROLLOUT_CAUSE_HELD, 0},
        {"well, but nothing is seen", {WELL}, 2, 1, true, false, ROLLOUT_WAIT, ROLLOUT_CAUSE_BLIND, 0},
        {"well, but the gate has an alarm", {WELL}, 2, 1, false, true, ROLLOUT_WAIT, ROLLOUT_CAUSE_GATE, 0},
        {"the last one is over", {WELL, WELL}, 2, 2, false, false, ROLLOUT_FINISH, ROLLOUT_CAUSE_HELD, 0},
        {"few failures mean nothing",
         {{.is_ready = true, .now = {0, 4}}},
         2,
         1,
         false,
         false,
         ROLLOUT_WAIT,
         ROLLOUT_CAUSE_HOLDING,
         0},
        {"failures where there were none",
         {{.is_ready = true, .now = {95, 5}}},
         2,
         1,
         false,
         false,
         ROLLOUT_UNDO,
         ROLLOUT_CAUSE_FAILURES,
         0},
        {"failures within the tolerance",
         {{.is_ready = true, .now = {995, 5}}},
         2,
         1,
         false,
         false,
         ROLLOUT_WAIT,
         ROLLOUT_CAUSE_HOLDING,
         0},
        {"as many failures as ever",
         {{.is_ready = true, .now = {90, 10}, .before = {900, 100}}},
         2,
         1,
         false,
         false,
         ROLLOUT_WAIT,
         ROLLOUT_CAUSE_HOLDING,
         0},
        {"more failures than ever",
         {{.is_ready = true, .now = {80, 20}, .before = {900, 100}}},
         2,
         1,
         false,
         false,
         ROLLOUT_UNDO,
         ROLLOUT_CAUSE_FAILURES,
         0},
        {"the second wave alone goes bad",
         {WELL, {.is_ready = true, .now = {0, 9}}},
         2,
         2,
         false,
         false,
         ROLLOUT_UNDO,
         ROLLOUT_CAUSE_FAILURES,
         1},
        {"an earlier wave goes bad late",
         {{.is_ready = true, .held_ms = 1000, .bad_probes = 1}, WELL},
         2,
         2,
         false,
         false,
         ROLLOUT_UNDO,
         ROLLOUT_CAUSE_PROBES,
         0},
        {"others tell of failures",
         {{.is_ready = true, .held_ms = 1000, .told = {.is_worse = true}}},
         2,
         1,
         true,
         true,
         ROLLOUT_UNDO,
         ROLLOUT_CAUSE_REPORTS,
         0},
        {"others tell late of failures at an earlier wave",
         {{.is_ready = true, .held_ms = 1000, .told = {.is_worse = true}}, WELL},
         2,
         2,
         false,
         false,
         ROLLOUT_UNDO,
         ROLLOUT_CAUSE_REPORTS,
         0},
        {"harm ends also in the dark",
         {{.is_ready = true, .bad_probes = 1}},
         2,
         1,
         true,
         true,
         ROLLOUT_UNDO,
         ROLLOUT_CAUSE_PROBES,
         0},
        {"harm ends also half-way",
         {{.now = {0, 5}}},
         2,
         1,
         false,
         false,
         ROLLOUT_UNDO,
         ROLLOUT_CAUSE_FAILURES,
         0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rollout_view v = {.rules = rules,
                                 .wave = rows[i].wave,
                                 .waves = rows[i].waves,
                                 .begun = rows[i].begun,
                                 .is_blind = rows[i].blind,
                                 .gate = rows[i].alarm ? ROLLOUT_GATE_ALARM : ROLLOUT_GATE_CALM};
        struct rollout_decision d = rollout_decide(&v);
        if (d.what != rows[i].what || d.cause != rows[i].cause ||
            (d.what == ROLLOUT_UNDO && d.from != rows[i].from))
            fail_msg("%s: %d, %s, from %zu", rows[i].name, d.what, rollout_cause_name(d.cause), d.from);
    }
}

/* Nothing begins, and nothing is held, before the gate has looked (G4, which holds for a first wave, too),
 * and while an edge does not see what it should. */
static void nothing_moves_while_something_is_awaited(void **state)
{
    (void)state;
    static const struct rollout_wave wave[] = {WELL, WELL, {.is_ready = true, .now = {0, 9}}};
    static const struct {
        size_t begun;
        enum rollout_gate gate;
        bool awaited;
        enum rollout_do what;
        enum rollout_cause cause;
    } rows[] = {
        {0, ROLLOUT_GATE_UNSEEN, false, ROLLOUT_WAIT, ROLLOUT_CAUSE_GATE_UNSEEN},
        {0, ROLLOUT_GATE_ALARM, false, ROLLOUT_WAIT, ROLLOUT_CAUSE_GATE},
        {0, ROLLOUT_GATE_CALM, false, ROLLOUT_BEGIN, ROLLOUT_CAUSE_OPERATOR},
        {1, ROLLOUT_GATE_UNSEEN, false, ROLLOUT_WAIT, ROLLOUT_CAUSE_GATE_UNSEEN},
        {2, ROLLOUT_GATE_UNSEEN, false, ROLLOUT_WAIT, ROLLOUT_CAUSE_GATE_UNSEEN},
        {3, ROLLOUT_GATE_UNSEEN, false, ROLLOUT_UNDO, ROLLOUT_CAUSE_FAILURES},
        {1, ROLLOUT_GATE_CALM, true, ROLLOUT_WAIT, ROLLOUT_CAUSE_PROBES_AWAITED},
        {3, ROLLOUT_GATE_CALM, true, ROLLOUT_UNDO, ROLLOUT_CAUSE_FAILURES},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rollout_view v = {.rules = rules,
                                 .wave = wave,
                                 .waves = 3,
                                 .begun = rows[i].begun,
                                 .gate = rows[i].gate,
                                 .is_awaited = rows[i].awaited};
        struct rollout_decision d = rollout_decide(&v);
        if (d.what != rows[i].what || d.cause != rows[i].cause)
            fail_msg("row %zu: %d, %s", i, d.what, rollout_cause_name(d.cause));
    }
}

static void lines_count(void **state)
{
    (void)state;
#define AT "{\"time\":\"2026-11-23T12:00:00.000Z\","
    static const struct {
        const char *line;
        int64_t good, bad;
    } rows[] = {
        {AT
         "\"event\":\"received\",\"recipients\":[\"a@ours.example\",\"b@OURS.example\",\"c@other.example\"]}",
         2, 0},
        {AT "\"event\":\"attempt\",\"domain\":\"ours.example\",\"verdict\":\"delivered\"}", 1, 0},
        {AT "\"event\":\"attempt\",\"domain\":\"ours.example\",\"verdict\":\"retry\",\"reason\":\"refused\"}",
         0, 1},
        {AT
         "\"event\":\"attempt\",\"domain\":\"ours.example\",\"verdict\":\"retry\",\"reason\":\"stopping\"}",
         0, 0},
        {AT "\"event\":\"attempt\",\"domain\":\"other.example\",\"verdict\":\"retry\"}", 0, 0},
        {AT "\"event\":\"session\",\"sni\":\"ours.mx.example\",\"messages\":0,\"refusals\":0,\"helo\":\"x\"}",
         0, 1},
        {AT "\"event\":\"session\",\"sni\":\"ours.mx.example\",\"messages\":1,\"refusals\":0,\"helo\":\"x\"}",
         0, 0},
        {AT "\"event\":\"session\",\"sni\":\"ours.mx.example\",\"messages\":0,\"refusals\":1,\"helo\":\"x\"}",
         0, 0},
        {AT "\"event\":\"session\",\"sni\":\"ours.mx.example\",\"messages\":0,\"refusals\":0,\"helo\":\"edge."
            "example\"}",
         0, 0},
        {AT "\"event\":\"session\",\"messages\":0,\"refusals\":0,\"helo\":\"x\"}", 0, 0},
        {"{\"time\":\"2026-11-23T11:59:59.999Z\",\"event\":\"attempt\",\"domain\":\"ours.example\","
         "\"verdict\":\"retry\"}",
         0, 0},
        {"{\"event\":\"received\"}", 0, 0},
        {"no JSON", 0, 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rollout_health h = {.own = STR("edge.example")};
        rollout_health_add(&h, STR("ours.example"), STR("ours.mx.example"), 3);
        rollout_health_from(&h, 3, 1795435200000); /* that noon */
        rollout_health_take(&h, str_of(rows[i].line));
        if (h.count[3].good != rows[i].good || h.count[3].bad != rows[i].bad)
            fail_msg("%s: %lld good, %lld bad", rows[i].line, (long long)h.count[3].good,
                     (long long)h.count[3].bad);
        rollout_health_release(&h);
    }
}

/* One row of a report, by when its range ended and when it came; the wave began at 1000 h, for the first time
 * at 900 h, and looks 24 h back. */
static void rows_count_for_their_time(void **state)
{
    (void)state;
#define H (3600 * 1000LL)
    static const struct {
        const char *name, *domain, *mx_host;
        int64_t end, taken;
        bool now, before;
    } rows[] = {
        {"about the day in which it began", "ours.example", "", 1005, 1010, true, false},
        {"about a later day, late", "ours.example", "", 1030, 1080, true, false},
        {"by MX host as policy domain", "ours.mx.example", "", 1030, 1080, true, false},
        {"by the MX host that failed alone", "customer.example", "ours.mx.example", 1030, 1080, true, false},
        {"of another domain", "other.example", "mx.other.example", 1030, 1080, false, false},
        {"about the day before, late", "ours.example", "", 890, 1080, false, true},
        {"it ended as the wave began for the first time", "ours.example", "", 900, 901, false, true},
        {"further back than it looks", "ours.example", "", 876, 880, false, false},
        {"about the first try that was undone", "ours.example", "", 950, 1080, false, false},
        {"it was there when the wave began again", "ours.example", "", 1005, 999, false, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rollout_health h = {0};
        struct rollout_told told;
        rollout_health_add(&h, STR("ours.example"), STR("ours.mx.example"), 1);
        rollout_health_row(&h, &(struct rollout_row){.domain = STR("ours.example"), .counts = {7, 7}});
        h.times[1] = (struct rollout_times){1000 * H, 900 * H, 24 * H};
        rollout_health_row(&h, &(struct rollout_row){.organization = STR("X"),
                                                     .domain = str_of(rows[i].domain),
                                                     .mx_host = str_of(rows[i].mx_host),
                                                     .end_ms = rows[i].end * H,
                                                     .taken_ms = rows[i].taken * H,
                                                     .result = TLSRPT_TLSA_INVALID,
                                                     .counts = {3, 4}});
        rollout_health_told(&h, 1, &rules, &told);
        if (told.now.good != 3 * rows[i].now || told.now.bad != 4 * rows[i].now ||
            told.before.good != 3 * rows[i].before || told.before.bad != 4 * rows[i].before)
            fail_msg("%s: now %lld/%lld, before %lld/%lld", rows[i].name, (long long)told.now.good,
                     (long long)told.now.bad, (long long)told.before.good, (long long)told.before.bad);
        rollout_health_release(&h);
    }
}

/* What organizations tell, before (b) and since (n), and what is made of it. */
static void tellers_are_judged(void **state)
{
    (void)state;
    struct told_row {
        const char *organization;
        char when;
        int64_t good, bad;
        enum tlsrpt_result result;
    };
    static const struct {
        const char *name;
        struct told_row row[6];
        bool is_worse;
        const char *organization, *result;
        int64_t sessions;
    } rows[] = {
        {"nobody tells", {{0}}, false, "", "", 0},
        {"all is well", {{"X", 'n', 1000, 0, 0}}, false, "", "", 0},
        {"few failures mean nothing", {{"X", 'n', 0, 4, TLSRPT_TLSA_INVALID}}, false, "X", "tlsa-invalid", 4},
        {"failures where there were none",
         {{"X", 'b', 100, 0, 0}, {"X", 'n', 90, 10, TLSRPT_VALIDATION_FAILURE}},
         true,
         "X",
         "validation-failure",
         10},
        {"within the tolerance", {{"X", 'n', 995, 5, TLSRPT_OTHER}}, false, "X", "other", 5},
        {"as many as ever",
         {{"X", 'b', 900, 100, TLSRPT_OTHER}, {"X", 'n', 90, 10, TLSRPT_OTHER}},
         false,
         "X",
         "other",
         10},
        {"more than ever",
         {{"X", 'b', 900, 100, TLSRPT_OTHER}, {"X", 'n', 80, 20, TLSRPT_OTHER}},
         true,
         "X",
         "other",
         20},
        {"one who checks DANE among many who do not",
         {{"Big", 'n', 1000000, 0, 0}, {"Small", 'b', 50, 0, 0}, {"Small", 'n', 0, 50, TLSRPT_TLSA_INVALID}},
         true,
         "Small",
         "tlsa-invalid",
         50},
        {"who is worse is named, not who has more",
         {{"A", 'n', 9900, 100, TLSRPT_OTHER},
          {"B", 'n', 9900, 100, TLSRPT_OTHER},
          {"C", 'n', 9900, 100, TLSRPT_OTHER},
          {"D", 'n', 9900, 100, TLSRPT_OTHER},
          {"E", 'n', 9900, 100, TLSRPT_OTHER},
          {"Small", 'n', 0, 9, TLSRPT_DNSSEC_INVALID}},
         true,
         "Small",
         "dnssec-invalid",
         9},
        {"too few at each, but not at all of them",
         {{"A", 'n', 0, 2, TLSRPT_TLSA_INVALID}, {"B", 'n', 0, 4, TLSRPT_DANE_REQUIRED}},
         true,
         "B",
         "dane-required",
         4},
        {"the result that is told most often",
         {{"X", 'n', 0, 4, TLSRPT_TLSA_INVALID},
          {"X", 'n', 0, 6, TLSRPT_CERTIFICATE_EXPIRED},
          {"X", 'n', 0, 3, TLSRPT_TLSA_INVALID}},
         true,
         "X",
         "tlsa-invalid",
         7},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct rollout_health h = {.times = {{1000, 1000, 1000}}};
        struct rollout_told told;
        rollout_health_add(&h, STR("ours.example"), STR_NONE, 0);
        for (const struct told_row *r = rows[i].row; r < rows[i].row + 6 && r->organization; r++)
            rollout_health_row(&h, &(struct rollout_row){.organization = str_of(r->organization),
                                                         .domain = STR("ours.example"),
                                                         .end_ms = r->when == 'n' ? 2000 : 900,
                                                         .taken_ms = 2000,
                                                         .result = r->result,
                                                         .counts = {r->good, r->bad}});
        rollout_health_told(&h, 0, &rules, &told);
        if (told.is_worse != rows[i].is_worse || strcmp(told.organization, rows[i].organization) != 0 ||
            strcmp(told.result, rows[i].result) != 0 || told.sessions != rows[i].sessions)
            fail_msg("%s: %d, %s, %s, %lld", rows[i].name, told.is_worse, told.organization, told.result,
                     (long long)told.sessions);
        rollout_health_release(&h);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waves_grow),         cmocka_unit_test(ranks_are_spread_and_stay),
        cmocka_unit_test(decisions),          cmocka_unit_test(nothing_moves_while_something_is_awaited),
        cmocka_unit_test(lines_count),        cmocka_unit_test(rows_count_for_their_time),
        cmocka_unit_test(tellers_are_judged),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
