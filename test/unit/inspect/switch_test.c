#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "facts.h"
#include "inspect/switch.h"

#define OLD_HOST "mail.old.example"

/* A domain in the middle of its life: what the world shows, and what the switch remembers. */
struct life {
    struct arena a;
    struct facts f;
    struct switch_memory m;
    struct switch_view v;
    struct switch_options o;
};

static void mx_is(struct life *l, uint32_t ttl, const char *records)
{
    l->f.mx.n = 0;
    l->f.mx.status = DNS_NODATA;
    for (struct str rest = str_of(records); rest.n;) {
        struct str one = str_cut(&rest, ','), word = str_word(&one);
        uint32_t preference;
        ENSURE(str_to_u32(word, &preference));
        add_mx(&l->f, (uint16_t)preference, arena_cstr(&l->a, str_word(&one)));
    }
    spread_mx(&l->f, ttl);
}

/* An unswitched domain with an allocated MX host that nothing shows yet. */
static void begin(struct life *l)
{
    *l = (struct life){0};
    make_facts(&l->f, &l->a);
    l->f.dnssec = l->f.dane = false;
    l->f.sts.state = STS_ABSENT;
    mx_is(l, 3600, "10 " OLD_HOST);
}

static void publish_host(struct life *l, bool published)
{
    for (size_t i = 0; i < 2; i++) {
        the_set(&l->f.host_zone, i, DNS_A, HOST)->status = published ? DNS_DATA : DNS_NXDOMAIN;
        the_set(&l->f.host_zone, i, DNS_AAAA, HOST)->status = published ? DNS_DATA : DNS_NXDOMAIN;
    }
    l->f.a.status = l->f.aaaa.status = published ? DNS_DATA : DNS_NXDOMAIN;
}

static void publish_tlsa(struct life *l, bool published)
{
    for (size_t i = 0; i < 2; i++)
        the_set(&l->f.host_zone, i, DNS_TLSA, OWNER)->status = published ? DNS_DATA : DNS_NODATA;
    l->f.tlsa.status = published ? DNS_DATA : DNS_NODATA;
}

static void pass(struct life *l, int64_t seconds)
{
    l->f.now_ms += seconds * 1000;
}

static void look(struct life *l)
{
    switch_remember(&l->m, &l->f, switch_low(&l->o));
    switch_look(&l->m, &l->f, &l->o, &l->v);
}

#define EXPECT(l, at, whose)                                                                                 \
    do {                                                                                                     \
        look(l);                                                                                             \
        if ((l)->v.step != (at) || (l)->v.turn != (whose))                                                   \
            fail_msg("step %s, turn %s: %s", switch_step_name((l)->v.step), switch_turn_name((l)->v.turn),   \
                     (l)->v.say.p);                                                                          \
    } while (0)

static void expect_record(const struct life *l, size_t i, const char *what, int priority, const char *value,
                          uint32_t ttl)
{
    const struct switch_record *r = &l->v.record[i];
    assert_true(i < l->v.records);
    assert_string_equal(r->what, what);
    assert_int_equal(r->priority, priority);
    assert_true(str_equal(r->value, str_of(value)));
    assert_int_equal(r->ttl, ttl);
}

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

static void a_policy_comes_first_and_last(void **state)
{
    (void)state;
    struct life l;
    begin(&l);
    l.f.sts = (struct sts_facts){.state = STS_VALID, .ttl = 600, .policy = {.mode = STS_ENFORCE, .n = 1}};
    l.f.sts.policy.mx[0] = STR(OLD_HOST);
    EXPECT(&l, SWITCH_STS_TESTING, SWITCH_YOURS_TURN);
    assert_string_equal(l.v.record[0].type, "TXT");
    assert_true(str_equal(l.v.record[0].name, STR("_mta-sts")));
    assert_non_null(strstr(l.v.say.p, "add the line \"mx: " HOST "\""));
    l.f.sts.policy.mx[l.f.sts.policy.n++] = STR(HOST);
    EXPECT(&l, SWITCH_STS_TESTING, SWITCH_YOURS_TURN); /* still enforced */
    l.f.sts.policy.mode = STS_TESTING;
    EXPECT(&l, SWITCH_STS_TESTING, SWITCH_AWAITED_TURN);
    assert_int_equal(l.v.until_ms, NOW + 600000);
    pass(&l, 600);
    EXPECT(&l, SWITCH_LOWER_TTL, SWITCH_YOURS_TURN);
    l.f.dnssec = l.f.dane = true;
    mx_is(&l, 3600, "0 " HOST);
    EXPECT(&l, SWITCH_REMOVE_OLD, SWITCH_AWAITED_TURN);
    pass(&l, 3600);
    EXPECT(&l, SWITCH_STS_ENFORCE, SWITCH_YOURS_TURN);
    l.f.sts.policy.mode = STS_ENFORCE;
    EXPECT(&l, SWITCH_STEPS, SWITCH_DONE_TURN);
    arena_release(&l.a);
}

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
        cmocka_unit_test(a_policy_comes_first_and_last),
        cmocka_unit_test(all_the_way_back),
        cmocka_unit_test(nobody_looked_for_long),
        cmocka_unit_test(the_last_server_counts),
        cmocka_unit_test(the_policy_record_has_a_whole_ttl),
        cmocka_unit_test(memory_is_kept),
        cmocka_unit_test(doubts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
