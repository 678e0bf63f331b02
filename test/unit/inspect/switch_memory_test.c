#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "life.h"

/* A wait begins where the change is first seen, however long nobody looked before. */
static void nobody_looked_for_long(void **state)
{
    (void)state;
    const int64_t day = 86400;
    struct life l;
    begin(&l);
    mx_is(&l, 86400, "10 " OLD_HOST);
    EXPECT(&l, SWITCH_LOWER_TTL, SWITCH_YOURS_TURN);
    pass(&l, 25 * 3600);
    mx_is(&l, 300, "10 " OLD_HOST);
    pass(&l, 60);
    EXPECT(&l, SWITCH_LOWER_TTL, SWITCH_AWAITED_TURN);
    assert_int_equal(l.v.until_ms, l.f.now_ms + day * 1000);
    pass(&l, day - 1);
    mx_is(&l, 60, "10 " OLD_HOST); /* lowered once more */
    EXPECT(&l, SWITCH_LOWER_TTL, SWITCH_AWAITED_TURN);
    assert_int_equal(l.v.until_ms, l.f.now_ms + 1000);
    l.f.dnssec = true;
    mx_is(&l, 60, "0 " HOST ",30 " OLD_HOST);
    pass(&l, day);
    EXPECT(&l, SWITCH_REMOVE_OLD, SWITCH_YOURS_TURN);
    pass(&l, day);
    mx_is(&l, 3600, "0 " HOST); /* removed long ago, for all that is known in this moment */
    EXPECT(&l, SWITCH_REMOVE_OLD, SWITCH_AWAITED_TURN);
    assert_int_equal(l.v.until_ms, l.f.now_ms + 60000);
    pass(&l, 59);
    EXPECT(&l, SWITCH_REMOVE_OLD, SWITCH_AWAITED_TURN);
    pass(&l, 1);
    EXPECT(&l, SWITCH_DANE, SWITCH_OURS_TURN);
    arena_release(&l.a);
}

/* One server that has the old version gives it to caches for as long as it does. */
static void the_last_server_counts(void **state)
{
    (void)state;
    struct life l;
    begin(&l);
    l.f.dnssec = true;
    mx_is(&l, 300, "0 " HOST ",30 " OLD_HOST);
    EXPECT(&l, SWITCH_REMOVE_OLD, SWITCH_YOURS_TURN);
    mx_is(&l, 300, "0 " HOST);
    struct facts_set *lags = the_set(&l.f.zone, 1, DNS_MX, "example.net");
    lags->records[lags->n++].mx = (typeof(lags->records->mx)){30, STR(OLD_HOST)};
    EXPECT(&l, SWITCH_REMOVE_OLD, SWITCH_AWAITED_TURN);
    pass(&l, 1000);
    EXPECT(&l, SWITCH_REMOVE_OLD, SWITCH_AWAITED_TURN);
    lags->n--;
    EXPECT(&l, SWITCH_REMOVE_OLD, SWITCH_AWAITED_TURN);
    assert_int_equal(l.v.until_ms, l.f.now_ms + 300000);
    pass(&l, 300);
    EXPECT(&l, SWITCH_RAISE_TTL, SWITCH_YOURS_TURN);
    arena_release(&l.a);
}

/* The resolver counts its TTL down; the servers know the whole one. */
static void the_policy_record_has_a_whole_ttl(void **state)
{
    (void)state;
    struct life l;
    begin(&l);
    struct dns_answer txt = an_answer(&l.a, "_mta-sts.example.net", DNS_TXT, 1);
    a_set(&l.a, &l.f.zone.servers[1], "_mta-sts.example.net", DNS_TXT, &txt)->ttl = 86400;
    l.f.sts = (struct sts_facts){
        .state = STS_VALID, .ttl = 7, .id = STR("1"), .policy = {.mode = STS_TESTING, .n = 1}};
    l.f.sts.policy.mx[0] = STR(OLD_HOST);
    EXPECT(&l, SWITCH_STS_TESTING, SWITCH_YOURS_TURN);
    pass(&l, 86400);
    l.f.sts.id = STR("2");
    l.f.sts.policy.mx[l.f.sts.policy.n++] = STR(HOST);
    EXPECT(&l, SWITCH_STS_TESTING, SWITCH_AWAITED_TURN);
    assert_int_equal(l.v.until_ms, l.f.now_ms + 86400000);
    arena_release(&l.a);
}

static void memory_is_kept(void **state)
{
    (void)state;
    struct life l;
    struct switch_memory again;
    begin(&l);
    mx_is(&l, 86400, "10 " OLD_HOST ",20 " HOST);
    look(&l);
    mx_is(&l, 300, "10 " OLD_HOST);
    look(&l);
    json_t *j = switch_memory_json(&l.m), *twice;
    switch_memory_read(j, &l.a, &again);
    twice = switch_memory_json(&again);
    assert_true(json_equal(j, twice));
    assert_int_equal(again.ttl_high.until_ms, NOW + 86400000);
    assert_int_equal(again.new_mx.until_ms, NOW + 86400000);
    assert_int_equal(again.old_mx.ttl, 300);
    assert_true(again.old_count == 1 && str_equal(again.old[0].host, STR(OLD_HOST)));
    json_decref(j);
    json_decref(twice);
    arena_release(&l.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(nobody_looked_for_long),
        cmocka_unit_test(the_last_server_counts),
        cmocka_unit_test(the_policy_record_has_a_whole_ttl),
        cmocka_unit_test(memory_is_kept),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
