#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "life.h"

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

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_policy_comes_first_and_last),
        cmocka_unit_test(senders_remember_a_policy),
        cmocka_unit_test(enforcing_needs_a_known_authority),
        cmocka_unit_test(enforcement_is_seen_late),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
