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
        struct str host = str_word(&one);
        add_mx(&l->f, (uint16_t)preference, arena_cstr(&l->a, str_equal(host, STR(".")) ? STR("") : host));
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
    l.f.sts = (struct sts_facts){
        .state = STS_VALID, .ttl = 600, .id = STR("1"), .policy = {.mode = STS_ENFORCE, .n = 1}};
    l.f.sts.policy.mx[0] = STR(OLD_HOST);
    EXPECT(&l, SWITCH_STS_TESTING, SWITCH_YOURS_TURN);
    assert_string_equal(l.v.record[0].type, "TXT");
    assert_true(str_equal(l.v.record[0].name, STR("_mta-sts")));
    assert_non_null(strstr(l.v.say.p, "add the line \"mx: " HOST "\""));
    l.f.sts.policy.mx[l.f.sts.policy.n++] = STR(HOST);
    EXPECT(&l, SWITCH_STS_TESTING, SWITCH_YOURS_TURN); /* still enforced */
    l.f.sts.policy.mode = STS_TESTING;
    pass(&l, 7);
    EXPECT(&l, SWITCH_STS_TESTING, SWITCH_YOURS_TURN); /* the classic mistake: still the old id */
    assert_non_null(strstr(l.v.say.p, "change the id"));
    assert_string_equal(l.v.record[0].type, "TXT");
    pass(&l, 3600);
    EXPECT(&l, SWITCH_STS_TESTING, SWITCH_YOURS_TURN);
    l.f.sts.id = STR("2");
    EXPECT(&l, SWITCH_STS_TESTING, SWITCH_AWAITED_TURN);
    assert_int_equal(l.v.until_ms, l.f.now_ms + 600000);
    pass(&l, 600);
    EXPECT(&l, SWITCH_LOWER_TTL, SWITCH_YOURS_TURN);
    l.f.dnssec = l.f.dane = true;
    mx_is(&l, 3600, "0 " HOST);
    EXPECT(&l, SWITCH_REMOVE_OLD, SWITCH_AWAITED_TURN);
    pass(&l, 3600);
    EXPECT(&l, SWITCH_STS_ENFORCE, SWITCH_YOURS_TURN);
    l.f.sts.policy.mode = STS_ENFORCE;
    l.f.sts.id = STR("3");
    EXPECT(&l, SWITCH_STEPS, SWITCH_DONE_TURN);
    EXPECT(&l, SWITCH_STEPS, SWITCH_DONE_TURN);
    arena_release(&l.a);
}

/* A policy that was seen, what became of it, and what step 0 says. */
static const struct {
    const char *name;
    enum sts_mode before;
    bool lists_before;
    const char *mx;
    enum sts_state state;
    enum sts_mode after;
    bool lists_after, new_id;
    bool held;
    enum switch_turn turn; /* when it is not */
} POLICIES[] = {
    {"the id alone lets senders see the text", STS_ENFORCE, false, "10 " OLD_HOST, STS_VALID, STS_TESTING,
     true, false, false, SWITCH_YOURS_TURN},
    {"enforced before, though it listed the host", STS_ENFORCE, true, "10 " OLD_HOST, STS_VALID, STS_TESTING,
     true, false, false, SWITCH_YOURS_TURN},
    {"a new id is waited for", STS_ENFORCE, false, "10 " OLD_HOST, STS_VALID, STS_TESTING, true, true, false,
     SWITCH_AWAITED_TURN},
    {"a new id that was there for long", STS_TESTING, true, "10 " OLD_HOST, STS_VALID, STS_TESTING, true,
     true, true, 0},
    {"mode none under the old id", STS_ENFORCE, false, "10 " OLD_HOST, STS_VALID, STS_NONE, false, false,
     false, SWITCH_YOURS_TURN},
    {"mode none", STS_ENFORCE, false, "10 " OLD_HOST, STS_VALID, STS_NONE, false, true, false,
     SWITCH_AWAITED_TURN},
    {"the record is removed", STS_ENFORCE, false, "10 " OLD_HOST, STS_ABSENT, STS_NONE, false, false, false,
     SWITCH_AWAITED_TURN},
    {"the text is mended when the host is alone", STS_ENFORCE, false, "0 " HOST, STS_VALID, STS_ENFORCE, true,
     false, false, SWITCH_YOURS_TURN},
    {"and the id, too", STS_ENFORCE, false, "0 " HOST, STS_VALID, STS_ENFORCE, true, true, false,
     SWITCH_AWAITED_TURN},
    {"enforced, with the host alone, is the end", STS_ENFORCE, true, "0 " HOST, STS_VALID, STS_ENFORCE, true,
     false, true, 0},
    {"removed at the end", STS_ENFORCE, true, "0 " HOST, STS_ABSENT, STS_NONE, false, false, true, 0},
};

static void a_policy_is(struct life *l, enum sts_mode mode, bool lists)
{
    l->f.sts.state = STS_VALID;
    l->f.sts.ttl = 600;
    l->f.sts.policy = (struct sts_policy){.mode = mode, .max_age = 86400, .n = 1, .mx = {STR(OLD_HOST)}};
    if (lists)
        l->f.sts.policy.mx[l->f.sts.policy.n++] = STR(HOST);
}

static void senders_remember_a_policy(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof POLICIES / sizeof *POLICIES; i++) {
        struct life l;
        begin(&l);
        mx_is(&l, 300, POLICIES[i].mx);
        l.f.sts.id = STR("1");
        a_policy_is(&l, POLICIES[i].before, POLICIES[i].lists_before);
        look(&l);
        a_policy_is(&l, POLICIES[i].after, POLICIES[i].lists_after);
        l.f.sts.id = POLICIES[i].new_id ? STR("2") : STR("1");
        l.f.sts.state = POLICIES[i].state;
        pass(&l, 10);
        look(&l);
        bool wrong_turn = !POLICIES[i].held && l.v.turn != POLICIES[i].turn;
        if (l.v.held[SWITCH_STS_TESTING] != POLICIES[i].held || wrong_turn)
            fail_msg("%s: %s: %s", POLICIES[i].name, switch_turn_name(l.v.turn), l.v.say.p);
        if (l.v.turn == SWITCH_AWAITED_TURN && !POLICIES[i].held) {
            int64_t wait = POLICIES[i].state == STS_ABSENT ? 86400 : 600;
            assert_int_equal(l.v.until_ms, l.f.now_ms + wait * 1000);
            pass(&l, wait);
            look(&l);
            assert_true(l.v.held[SWITCH_STS_TESTING]);
        }
        arena_release(&l.a);
    }
}

static void self_signed(struct facts *f)
{
    f->dials[1].is_trusted = false;
}
static void other_name(struct facts *f)
{
    f->dials[0].is_named = false;
}
static void expired(struct facts *f)
{
    f->dials[1].not_after_ms = f->now_ms;
}
/* The other algorithm's certificate is chosen by senders that want it. */
static void good(struct facts *f)
{
    a_dial(f, "192.0.2.25");
    f->dials[2].asked = DIAL_RSA;
    f->dials[2].end = DIAL_HANDSHAKE;
}
static void policy_cannot_be_seen(struct facts *f)
{
    f->sts.state = STS_UNKNOWN;
}

/* What the last step says when a policy was enforced, by its mode now. */
static const struct {
    void (*spoil)(struct facts *f);
    enum sts_mode mode;
    enum switch_step step;
    enum switch_turn turn;
    const char *say;
    size_t records;
} LAST_STEPS[] = {
    {self_signed, STS_TESTING, SWITCH_STS_ENFORCE, SWITCH_YOURS_TURN, "is of no known authority", 0},
    {self_signed, STS_TESTING, SWITCH_STS_ENFORCE, SWITCH_YOURS_TURN, "kedge key stage", 0},
    {other_name, STS_TESTING, SWITCH_STS_ENFORCE, SWITCH_YOURS_TURN, "is for another name", 0},
    {expired, STS_TESTING, SWITCH_STS_ENFORCE, SWITCH_YOURS_TURN, "has expired", 0},
    {self_signed, STS_ENFORCE, SWITCH_STS_ENFORCE, SWITCH_YOURS_TURN, "until then set \"mode: testing\"", 1},
    {policy_cannot_be_seen, STS_TESTING, SWITCH_STS_ENFORCE, SWITCH_AWAITED_TURN, "cannot be looked up", 0},
    {good, STS_TESTING, SWITCH_STS_ENFORCE, SWITCH_YOURS_TURN, "set \"mode: enforce\"", 1},
    {good, STS_ENFORCE, SWITCH_STEPS, SWITCH_DONE_TURN, "the switch is done", 0},
};

static void enforcing_needs_a_known_authority(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof LAST_STEPS / sizeof *LAST_STEPS; i++) {
        struct life l;
        begin(&l);
        l.f.dnssec = l.f.dane = true;
        mx_is(&l, 3600, "0 " HOST);
        l.f.sts.id = STR("1");
        a_policy_is(&l, STS_ENFORCE, true);
        look(&l);
        a_policy_is(&l, LAST_STEPS[i].mode, true);
        l.f.sts.id = STR("2");
        look(&l);
        pass(&l, 600);
        LAST_STEPS[i].spoil(&l.f);
        EXPECT(&l, LAST_STEPS[i].step, LAST_STEPS[i].turn);
        if (!strstr(l.v.say.p, LAST_STEPS[i].say))
            fail_msg("%zu: %s", i, l.v.say.p);
        assert_int_equal(l.v.records, LAST_STEPS[i].records);
        arena_release(&l.a);
    }
}

/* The look-up fails at the first look. */
static void enforcement_is_seen_late(void **state)
{
    (void)state;
    struct life l;
    begin(&l);
    l.f.dnssec = l.f.dane = true;
    mx_is(&l, 3600, "0 " HOST);
    l.f.sts.state = STS_UNKNOWN;
    EXPECT(&l, SWITCH_STEPS, SWITCH_DONE_TURN);
    l.f.sts.id = STR("1");
    a_policy_is(&l, STS_ENFORCE, true);
    EXPECT(&l, SWITCH_STEPS, SWITCH_DONE_TURN);
    l.f.sts.id = STR("2");
    a_policy_is(&l, STS_TESTING, true);
    look(&l);
    pass(&l, 600);
    EXPECT(&l, SWITCH_STS_ENFORCE, SWITCH_YOURS_TURN);
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
        cmocka_unit_test(senders_remember_a_policy),
        cmocka_unit_test(enforcing_needs_a_known_authority),
        cmocka_unit_test(enforcement_is_seen_late),
        cmocka_unit_test(all_the_way_back),
        cmocka_unit_test(back_to_somebody_new),
        cmocka_unit_test(back_on_every_server),
        cmocka_unit_test(back_by_a_policy),
        cmocka_unit_test(what_is_new_comes_last),
        cmocka_unit_test(a_test_counts_while_the_record_is_there),
        cmocka_unit_test(an_alias_comes_before_all),
        cmocka_unit_test(nobody_looked_for_long),
        cmocka_unit_test(the_last_server_counts),
        cmocka_unit_test(the_policy_record_has_a_whole_ttl),
        cmocka_unit_test(memory_is_kept),
        cmocka_unit_test(doubts),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
