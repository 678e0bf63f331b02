#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "life.h"

static void all_the_way(void **state)
{
    (void)state;
    struct life l;
    begin(&l);
    publish_host(&l, false);
    publish_tlsa(&l, false);
    EXPECT(&l, SWITCH_LOWER_TTL, SWITCH_YOURS_TURN);
    expect_record(&l, 0, "change", 10, OLD_HOST, 300);
    assert_true(str_equal(l.v.record[0].name, STR("@")));
    mx_is(&l, 300, "10 " OLD_HOST);
    EXPECT(&l, SWITCH_LOWER_TTL, SWITCH_AWAITED_TURN);
    assert_int_equal(l.v.until_ms, NOW + 3600000);
    pass(&l, 3599);
    EXPECT(&l, SWITCH_LOWER_TTL, SWITCH_AWAITED_TURN);
    pass(&l, 1);
    EXPECT(&l, SWITCH_DNSSEC, SWITCH_OURS_TURN);
    assert_int_equal(l.v.action, SWITCH_ENABLE_DNSSEC);
    l.f.dnssec = true;
    EXPECT(&l, SWITCH_DNSSEC, SWITCH_AWAITED_TURN);
    publish_host(&l, true);
    the_set(&l.f.host_zone, 1, DNS_A, HOST)->status = DNS_NXDOMAIN; /* one server lags */
    EXPECT(&l, SWITCH_DNSSEC, SWITCH_AWAITED_TURN);
    publish_host(&l, true);
    EXPECT(&l, SWITCH_ADD_MX, SWITCH_YOURS_TURN);
    expect_record(&l, 0, "add", 20, HOST, 300);
    mx_is(&l, 300, "10 " OLD_HOST ",20 " HOST);
    l.f.dials[1].rcpt = 550;
    EXPECT(&l, SWITCH_TEST, SWITCH_AWAITED_TURN);
    l.f.dials[1].rcpt = 250;
    EXPECT(&l, SWITCH_PREFER, SWITCH_YOURS_TURN);
    expect_record(&l, 0, "change", 30, OLD_HOST, 300);
    expect_record(&l, 1, "change", 0, HOST, 300);
    mx_is(&l, 300, "30 " OLD_HOST ",10 " HOST); /* 10 is as good as 0 */
    EXPECT(&l, SWITCH_REMOVE_OLD, SWITCH_YOURS_TURN);
    expect_record(&l, 0, "remove", 30, OLD_HOST, 0);
    mx_is(&l, 300, "10 " HOST);
    EXPECT(&l, SWITCH_REMOVE_OLD, SWITCH_AWAITED_TURN);
    pass(&l, 300);
    EXPECT(&l, SWITCH_RAISE_TTL, SWITCH_YOURS_TURN);
    expect_record(&l, 0, "change", 10, HOST, 3600);
    mx_is(&l, 3600, "10 " HOST);
    EXPECT(&l, SWITCH_DANE, SWITCH_OURS_TURN);
    assert_int_equal(l.v.action, SWITCH_ENABLE_DANE);
    l.f.dane = true;
    EXPECT(&l, SWITCH_VERIFY, SWITCH_AWAITED_TURN);
    publish_tlsa(&l, true);
    l.f.dials[0].matched[0] = false;
    EXPECT(&l, SWITCH_VERIFY, SWITCH_AWAITED_TURN);
    l.f.dials[0].matched[0] = true;
    EXPECT(&l, SWITCH_STEPS, SWITCH_DONE_TURN);
    assert_true(str_starts(l.v.say, STR("the switch is done: the domain is protected")));
    arena_release(&l.a);
}

static void a_new_domain_has_little_to_do(void **state)
{
    (void)state;
    struct life l;
    begin(&l);
    l.f.dnssec = l.f.dane = true;
    mx_is(&l, 0, "");
    EXPECT(&l, SWITCH_ADD_MX, SWITCH_YOURS_TURN);
    expect_record(&l, 0, "add", 0, HOST, 300);
    mx_is(&l, 3600, "0 " HOST);
    EXPECT(&l, SWITCH_STEPS, SWITCH_DONE_TURN);
    arena_release(&l.a);
}

/* What is there, and what is asked for. */
static const struct {
    const char *mx;
    bool works; /* the new host takes mail */
    enum switch_step step;
    const char *what; /* NULL: nothing is asked for */
    int priority;
} ADDITIONS[] = {
    {"", false, SWITCH_ADD_MX, "add", 0},
    {"0 .", false, SWITCH_ADD_MX, "change", 0},
    {"10 " OLD_HOST, false, SWITCH_ADD_MX, "add", 20},
    {"11 " OLD_HOST, false, SWITCH_ADD_MX, "add", 21},
    {"50 " OLD_HOST, false, SWITCH_ADD_MX, "add", 60},
    {"20 " OLD_HOST ",50 mx2.old.example", true, SWITCH_ADD_MX, "add", 60},
    {"65530 " OLD_HOST, false, SWITCH_ADD_MX, "add", 65535},
    {"20 " OLD_HOST ",20 " HOST, false, SWITCH_ADD_MX, "change", 30},
    {"50 " OLD_HOST ",20 " HOST, false, SWITCH_ADD_MX, "change", 60},
    {"10 " OLD_HOST ",30 mx2.old.example,20 " HOST, false, SWITCH_ADD_MX, "change", 40},
    {"50 " OLD_HOST ",60 " HOST, false, SWITCH_TEST, NULL, 0},
    {"65535 " OLD_HOST ",65535 " HOST, false, SWITCH_TEST, NULL, 0},
    {"50 " OLD_HOST ",20 " HOST, true, SWITCH_PREFER, "change", 0},
    {"20 " OLD_HOST ",20 " HOST, true, SWITCH_PREFER, "change", 0},
};

static void what_is_new_comes_last(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ADDITIONS / sizeof *ADDITIONS; i++) {
        struct life l;
        begin(&l);
        l.f.dnssec = true;
        mx_is(&l, 300, ADDITIONS[i].mx);
        l.f.dials[0].rcpt = ADDITIONS[i].works ? 250 : 550;
        look(&l);
        if (l.v.step != ADDITIONS[i].step)
            fail_msg("%s: %s: %s", ADDITIONS[i].mx, switch_step_name(l.v.step), l.v.say.p);
        if (ADDITIONS[i].what)
            expect_record(&l, 0, ADDITIONS[i].what, ADDITIONS[i].priority, HOST, 300);
        assert_int_equal(l.v.records, ADDITIONS[i].what != NULL);
        arena_release(&l.a);
    }
}

/* Once tested, a bad moment does not send it back. */
static void a_test_counts_while_the_record_is_there(void **state)
{
    (void)state;
    struct life l;
    begin(&l);
    l.f.dnssec = true;
    mx_is(&l, 300, "10 " OLD_HOST ",20 " HOST);
    EXPECT(&l, SWITCH_PREFER, SWITCH_YOURS_TURN);
    mx_is(&l, 300, "30 " OLD_HOST ",0 " HOST);
    l.f.dials[0].rcpt = 451;
    EXPECT(&l, SWITCH_TEST, SWITCH_AWAITED_TURN);
    mx_is(&l, 300, "30 " OLD_HOST);
    look(&l);
    mx_is(&l, 300, "30 " OLD_HOST ",0 " HOST);
    EXPECT(&l, SWITCH_ADD_MX, SWITCH_YOURS_TURN);
    expect_record(&l, 0, "change", 40, HOST, 300);
    arena_release(&l.a);
}

/* The records that a resolver shows for an alias are those of its target. */
static void an_alias_comes_before_all(void **state)
{
    (void)state;
    struct life l;
    for (int undo = 0; undo < 2; undo++) {
        begin(&l);
        l.f.dane = true;
        l.m.is_undoing = undo;
        l.f.cname.status = DNS_DATA;
        l.f.cname.n = 1;
        look(&l);
        assert_int_equal(l.v.turn, SWITCH_YOURS_TURN);
        assert_int_equal(l.v.action, SWITCH_NOTHING);
        assert_int_equal(l.v.records, 0);
        assert_true(str_starts(l.v.say, STR("the domain is an alias (CNAME)")));
        assert_int_equal(l.m.started_ms, 0);
        arena_release(&l.a);
    }
}

static void doubts(void **state)
{
    (void)state;
    struct life l;
    begin(&l);
    l.f.mx.status = DNS_ERROR;
    l.f.mx.error = DNS_ERROR_TIMEOUT;
    look(&l);
    assert_int_equal(l.v.turn, SWITCH_AWAITED_TURN);
    assert_int_equal(l.m.started_ms, 0); /* nothing was seen, nothing is remembered */
    arena_release(&l.a);
    begin(&l); /* without the domain's own DNSSEC mail flows, and the end says what is missing */
    l.f.dnssec = l.f.dane = true;
    mx_is(&l, 3600, "0 " HOST);
    l.f.mx.security = DNS_INSECURE;
    EXPECT(&l, SWITCH_STEPS, SWITCH_DONE_TURN);
    assert_non_null(strstr(l.v.say.p, "not signed"));
    arena_release(&l.a);
    begin(&l); /* the name of the host is not known, a policy must list it */
    l.f.is_allocated = false;
    l.f.expected = STR_NONE;
    l.f.sts.state = STS_VALID;
    l.f.sts.policy.mode = STS_ENFORCE;
    EXPECT(&l, SWITCH_STS_TESTING, SWITCH_OURS_TURN);
    assert_int_equal(l.v.action, SWITCH_ENABLE_DNSSEC);
    arena_release(&l.a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_the_way),
        cmocka_unit_test(a_new_domain_has_little_to_do),
        cmocka_unit_test(what_is_new_comes_last),
        cmocka_unit_test(a_test_counts_while_the_record_is_there),
        cmocka_unit_test(an_alias_comes_before_all),
        cmocka_unit_test(doubts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
