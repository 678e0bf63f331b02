/* How long the gate waits until every cache knows a new record. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "keys/gate.h"

static void make_key(struct gate_set *set, int64_t id, enum gate_state state, struct gate_record *record)
{
    struct gate_key *k = &set->key[set->nkey++];
    *k = (struct gate_key){.id = id, .pair_id = id, .state = state, .proven_ms = -1};
    if (state == GATE_ACTIVE)
        k->proven_ms = GATE_SETTLED;
    memset(k->spki, (int)id, sizeof k->spki);
    *record = (struct gate_record){.usage = 3, .selector = 1, .mtype = 1};
    memcpy(record->digest, k->spki, sizeof record->digest);
}

/* From the first sight of a record on the only server until its key is ready. */
static int64_t time_until_ready(int64_t ttl_ms)
{
    struct gate_set set = {
        .id = 1, .wants = {[GATE_ECDSA] = true}, .ttl_ms = ttl_ms, .no_ta_ms = INT64_MAX / 4};
    struct gate_record record[2];
    make_key(&set, 1, GATE_ACTIVE, &record[0]);
    make_key(&set, 2, GATE_PUBLISHED, &record[1]);
    struct gate_served serves = {.algorithm = GATE_ECDSA};
    memcpy(serves.spki, set.key[0].spki, sizeof serves.spki);
    struct gate_edge edge = {.name = STR("edge.example"), .served = &serves, .nserved = 1};
    struct gate_server server = {.name = STR("192.0.2.53 for mx.example"),
                                 .answer = GATE_ANSWER_SECURE,
                                 .serial = 1,
                                 .ttl_ms = ttl_ms,
                                 .expires_ms = INT64_MAX / 4,
                                 .record = record,
                                 .nrecord = 2};
    struct gate_evidence e = {
        .boot = 1, .wall_ms = 1000000, .server = &server, .nserver = 1, .edge = &edge, .nedge = 1};
    for (int64_t begin = e.mono_ms = 5000;; e.mono_ms += 250, e.wall_ms += 250) {
        struct gate_out out;
        gate_step(&set, &e, &out);
        assert_int_equal(out.nalarm, 0);
        if (set.key[1].state == GATE_READY)
            return e.mono_ms - begin;
        assert_true(e.mono_ms - begin < 3 * ttl_ms + 60000);
    }
}

/* Two TTLs. A resolver and a sender each round a TTL up to whole seconds, and keep a record that has none
 * left for a second: that must be within the second TTL, or beside it where it is short. */
static void test_two_ttls_and_never_too_short(void **state)
{
    (void)state;
    assert_int_equal(time_until_ready(1800000), 3600000);
    assert_int_equal(time_until_ready(60000), 120000);
    assert_int_equal(time_until_ready(5000), 10000);
    assert_int_equal(time_until_ready(2000), 7000);
    assert_int_equal(time_until_ready(1000), 6000);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_two_ttls_and_never_too_short)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
