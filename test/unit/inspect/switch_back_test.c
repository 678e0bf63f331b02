#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "life.h"

static void all_the_way_back(void **state)
{
    (void)state;
    struct life l;
    begin(&l);
    look(&l); /* the old records are kept */
    l.f.dnssec = l.f.dane = true;
    mx_is(&l, 3600, "10 " HOST);
    look(&l);
    l.m.is_undoing = true;
    EXPECT(&l, SWITCH_DANE, SWITCH_OURS_TURN);
    assert_int_equal(l.v.action, SWITCH_DISABLE_DANE);
    l.f.dane = false;
    EXPECT(&l, SWITCH_REMOVE_OLD, SWITCH_YOURS_TURN);
    expect_record(&l, 0, "add", 30, OLD_HOST, 300);
    mx_is(&l, 300, "10 " HOST ",30 " OLD_HOST);
    EXPECT(&l, SWITCH_PREFER, SWITCH_YOURS_TURN);
    expect_record(&l, 0, "change", 10, OLD_HOST, 300);
    expect_record(&l, 1, "change", 20, HOST, 300);
    mx_is(&l, 300, "20 " HOST ",10 " OLD_HOST);
    EXPECT(&l, SWITCH_ADD_MX, SWITCH_YOURS_TURN);
    expect_record(&l, 0, "remove", 20, HOST, 0);
    mx_is(&l, 300, "10 " OLD_HOST);
    EXPECT(&l, SWITCH_ADD_MX, SWITCH_AWAITED_TURN);
    assert_int_equal(l.v.until_ms, NOW + 3600000); /* the new record was seen with that TTL */
    pass(&l, 3600);
    EXPECT(&l, SWITCH_DNSSEC, SWITCH_OURS_TURN);
    assert_int_equal(l.v.action, SWITCH_DISABLE_DNSSEC);
    l.f.dnssec = false;
    EXPECT(&l, SWITCH_LOWER_TTL, SWITCH_YOURS_TURN);
    expect_record(&l, 0, "change", 10, OLD_HOST, 3600);
    mx_is(&l, 3600, "10 " OLD_HOST);
    EXPECT(&l, SWITCH_STEPS, SWITCH_DONE_TURN);
    arena_release(&l.a);
}

/* Provisioned straight, switched by hand, or the memory is gone: nobody is known to go back to. */
static void back_to_somebody_new(void **state)
{
    (void)state;
    struct life l;
    begin(&l);
    l.f.dnssec = l.f.dane = true;
    mx_is(&l, 300, "0 " HOST);
    l.m.is_undoing = true;
    EXPECT(&l, SWITCH_REMOVE_OLD, SWITCH_YOURS_TURN);
    assert_non_null(strstr(l.v.say.p, "first add the MX record of the host that takes over"));
    assert_int_equal(l.v.records, 0);
    assert_int_equal(l.v.action, SWITCH_NOTHING);
    assert_non_null(strstr(l.v.say.p, "with priority 30, behind"));
    mx_is(&l, 300, "40 " HOST);
    EXPECT(&l, SWITCH_REMOVE_OLD, SWITCH_YOURS_TURN);
    assert_non_null(strstr(l.v.say.p, "with priority 50, behind"));
    mx_is(&l, 300, "0 " HOST ",30 mx.next.example");
    EXPECT(&l, SWITCH_DANE, SWITCH_OURS_TURN);
    l.f.dane = false;
    EXPECT(&l, SWITCH_PREFER, SWITCH_YOURS_TURN);
    assert_int_equal(l.v.records, 1);
    expect_record(&l, 0, "change", 40, HOST, 300);
    mx_is(&l, 300, "40 " HOST ",30 mx.next.example");
    EXPECT(&l, SWITCH_ADD_MX, SWITCH_YOURS_TURN);
    expect_record(&l, 0, "remove", 40, HOST, 0);
    mx_is(&l, 300, "30 mx.next.example");
    EXPECT(&l, SWITCH_ADD_MX, SWITCH_AWAITED_TURN);
    pass(&l, 300);
    EXPECT(&l, SWITCH_DNSSEC, SWITCH_OURS_TURN);
    arena_release(&l.a);
}

/* The name goes when no server leads to it any more, nor any cache. */
static void back_on_every_server(void **state)
{
    (void)state;
    struct life l;
    begin(&l);
    l.f.dnssec = true;
    mx_is(&l, 300, "10 " OLD_HOST ",20 " HOST);
    l.m.is_undoing = true;
    EXPECT(&l, SWITCH_ADD_MX, SWITCH_YOURS_TURN);
    mx_is(&l, 300, "10 " OLD_HOST);
    struct facts_set *lags = the_set(&l.f.zone, 1, DNS_MX, "example.net");
    lags->records[lags->n++].mx = (typeof(lags->records->mx)){20, STR(HOST)};
    pass(&l, 1000);
    EXPECT(&l, SWITCH_ADD_MX, SWITCH_AWAITED_TURN);
    assert_non_null(strstr(l.v.say.p, "an authoritative server still has the new MX record"));
    lags->n--;
    EXPECT(&l, SWITCH_ADD_MX, SWITCH_AWAITED_TURN);
    assert_int_equal(l.v.until_ms, l.f.now_ms + 300000);
    pass(&l, 300);
    lags->status = DNS_ERROR;
    EXPECT(&l, SWITCH_ADD_MX, SWITCH_AWAITED_TURN);
    assert_non_null(strstr(l.v.say.p, "ns2.example (192.0.2.54) does not say"));
    lags->status = DNS_DATA;
    l.f.zone.servers[0].is_silent = true;
    l.f.zone.servers[0].n = 0;
    EXPECT(&l, SWITCH_ADD_MX, SWITCH_AWAITED_TURN);
    assert_non_null(strstr(l.v.say.p, "ns1.example (192.0.2.53) does not say"));
    mx_is(&l, 300, "10 " OLD_HOST);
    l.f.zone.n = 0;
    EXPECT(&l, SWITCH_ADD_MX, SWITCH_AWAITED_TURN);
    assert_non_null(strstr(l.v.say.p, "servers cannot be found"));
    l.f.mx.status = DNS_NXDOMAIN; /* there are none any more */
    EXPECT(&l, SWITCH_DNSSEC, SWITCH_OURS_TURN);
    l.f.mx.status = DNS_DATA;
    l.f.zone.n = 2;
    EXPECT(&l, SWITCH_DNSSEC, SWITCH_OURS_TURN);
    arena_release(&l.a);
}

/* An enforced policy that lists the new host alone keeps senders from the old ones. */
static void back_by_a_policy(void **state)
{
    (void)state;
    struct life l;
    begin(&l);
    look(&l);
    l.f.dnssec = true;
    mx_is(&l, 300, "0 " HOST);
    l.f.sts.id = STR("1");
    a_policy_is(&l, STS_ENFORCE, true);
    l.f.sts.policy.mx[0] = STR("mx.third.example");
    look(&l);
    l.m.is_undoing = true;
    EXPECT(&l, SWITCH_STS_ENFORCE, SWITCH_YOURS_TURN);
    assert_non_null(strstr(l.v.say.p, "list the old MX hosts in it, too"));
    a_policy_is(&l, STS_TESTING, true);
    EXPECT(&l, SWITCH_STS_ENFORCE, SWITCH_YOURS_TURN);
    assert_non_null(strstr(l.v.say.p, "its id is not"));
    l.f.sts.id = STR("2");
    EXPECT(&l, SWITCH_STS_ENFORCE, SWITCH_AWAITED_TURN);
    assert_int_equal(l.v.until_ms, l.f.now_ms + 600000);
    pass(&l, 600);
    EXPECT(&l, SWITCH_REMOVE_OLD, SWITCH_YOURS_TURN);
    arena_release(&l.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_the_way_back),
        cmocka_unit_test(back_to_somebody_new),
        cmocka_unit_test(back_on_every_server),
        cmocka_unit_test(back_by_a_policy),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
