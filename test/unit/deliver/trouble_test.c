/* Who is to blame, and what follows: the whole table. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver/outcome.h"

static struct outcome reply(enum stage stage, unsigned code)
{
    struct smtp_reply r = {.code = code, .text = STR("words")};
    return trouble_of_reply(stage, &r);
}

static void replies(void **state)
{
    (void)state;
    static const struct {
        enum stage stage;
        unsigned code;
        enum blame blame;
        enum verdict verdict;
    } rows[] = {
        {STAGE_GREETING, 220, BLAME_NOBODY, VERDICT_DONE},
        {STAGE_GREETING, 421, BLAME_HOST, VERDICT_NEXT_HOST},
        {STAGE_GREETING, 554, BLAME_HOST, VERDICT_NEXT_HOST},
        {STAGE_HELLO, 250, BLAME_NOBODY, VERDICT_DONE},
        {STAGE_HELLO, 550, BLAME_HOST, VERDICT_NEXT_HOST},
        {STAGE_STARTTLS, 220, BLAME_NOBODY, VERDICT_DONE},
        {STAGE_STARTTLS, 454, BLAME_HOST, VERDICT_NEXT_HOST},
        {STAGE_STARTTLS, 554, BLAME_HOST, VERDICT_NEXT_HOST},
        {STAGE_MAIL, 250, BLAME_NOBODY, VERDICT_DONE},
        {STAGE_MAIL, 421, BLAME_HOST, VERDICT_NEXT_HOST},
        {STAGE_MAIL, 451, BLAME_HOST, VERDICT_NEXT_HOST},
        {STAGE_MAIL, 550, BLAME_MESSAGE, VERDICT_BOUNCE},
        {STAGE_MAIL, 354, BLAME_HOST, VERDICT_NEXT_HOST},
        {STAGE_RCPT, 250, BLAME_NOBODY, VERDICT_DONE},
        {STAGE_RCPT, 251, BLAME_NOBODY, VERDICT_DONE},
        {STAGE_RCPT, 421, BLAME_HOST, VERDICT_NEXT_HOST},
        {STAGE_RCPT, 450, BLAME_RECIPIENT, VERDICT_RETRY},
        {STAGE_RCPT, 550, BLAME_RECIPIENT, VERDICT_BOUNCE},
        {STAGE_RCPT, 552, BLAME_RECIPIENT, VERDICT_RETRY},
        {STAGE_DATA, 354, BLAME_NOBODY, VERDICT_DONE},
        {STAGE_DATA, 250, BLAME_HOST, VERDICT_NEXT_HOST},
        {STAGE_DATA, 451, BLAME_HOST, VERDICT_NEXT_HOST},
        {STAGE_DATA, 554, BLAME_MESSAGE, VERDICT_BOUNCE},
        {STAGE_CONTENT, 250, BLAME_NOBODY, VERDICT_DONE},
        {STAGE_CONTENT, 421, BLAME_MESSAGE, VERDICT_RETRY},
        {STAGE_CONTENT, 451, BLAME_MESSAGE, VERDICT_RETRY},
        {STAGE_CONTENT, 554, BLAME_MESSAGE, VERDICT_BOUNCE},
        {STAGE_CONTENT, 354, BLAME_MESSAGE, VERDICT_RETRY},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct outcome o = reply(rows[i].stage, rows[i].code);
        if (o.blame != rows[i].blame || trouble_verdict(&o) != rows[i].verdict)
            fail_msg("%u to %s: blame %d, verdict %d", rows[i].code, stage_name(rows[i].stage), o.blame,
                     trouble_verdict(&o));
    }
}

static void a_552_to_rcpt_is_a_452(void **state)
{
    (void)state;
    struct smtp_reply r = {.code = 552, .status = {5, 2, 2}};
    assert_string_equal(trouble_of_reply(STAGE_RCPT, &r).code, "4.2.2");
    r.status[0] = 0;
    assert_string_equal(trouble_of_reply(STAGE_RCPT, &r).code, "4.0.0");
    assert_string_equal(trouble_of_reply(STAGE_CONTENT, &r).code, "5.0.0");
}

static void silence(void **state)
{
    (void)state;
    for (int stage = 0; stage < STAGE_COUNT; stage++) {
        struct outcome o = trouble_of_silence((enum stage)stage, ERR_CLOSED, STR("gone"));
        assert_int_equal(o.reason, REASON_CONNECTION_LOST);
        assert_int_equal(trouble_verdict(&o), stage == STAGE_CONTENT ? VERDICT_RETRY : VERDICT_NEXT_HOST);
        o = trouble_of_silence((enum stage)stage, ERR_MALFORMED, STR("junk"));
        assert_int_equal(o.reason, REASON_PROTOCOL);
    }
}

/* Regressions: a mismatch, a refused STARTTLS, bogus DNS never bounce by themselves, whoever says that it is
 * final. */
static void security_never_bounces(void **state)
{
    (void)state;
    for (int r = REASON_NONE + 1; r < REASON_COUNT; r++)
        for (int blame = BLAME_HOST; blame <= BLAME_US; blame++) {
            struct outcome o = trouble_of_reason((enum blame)blame, (enum reason)r, STR_NONE);
            o.permanent = true;
            if (reason_row((enum reason)r)->is_security)
                assert_int_not_equal(trouble_verdict(&o), VERDICT_BOUNCE);
        }
    struct outcome refused = reply(STAGE_STARTTLS, 554);
    assert_string_equal(refused.code, "4.7.321");
    assert_string_equal(trouble_final_code(&refused, true), "5.7.321");
}

static void every_dane_verdict_has_its_reason(void **state)
{
    (void)state;
    static const struct {
        enum dane_reason reason;
        const char *name, *code;
    } rows[] = {
        {DANE_NO_MATCH, "tlsa-no-match", "4.7.323"},
        {DANE_TA_NOT_IN_CHAIN, "tlsa-ta-not-in-chain", "4.7.323"},
        {DANE_CHAIN_INVALID, "tlsa-chain-invalid", "4.7.323"},
        {DANE_EXPIRED, "certificate-expired", "4.7.322"},
        {DANE_NOT_YET_VALID, "certificate-not-yet-valid", "4.7.322"},
        {DANE_HOST_MISMATCH, "certificate-host-mismatch", "4.7.325"},
        {DANE_UNUSABLE, "tlsa-unusable", "4.7.323"},
    };
    struct arena a = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct dane_verdict v = {.reason = rows[i].reason, .text = "details"};
        struct outcome o = trouble_of_dane(&v, &a);
        assert_string_equal(reason_name(o.reason), rows[i].name);
        assert_string_equal(o.code, rows[i].code);
        assert_int_equal(trouble_verdict(&o), VERDICT_NEXT_HOST);
    }
    arena_release(&a);
}

static void plans(void **state)
{
    (void)state;
    struct arena a = {0};
    struct outcome o = trouble_of_plan(PLAN_BOUNCE, &(struct policy_trouble){.reason = REASON_NULL_MX}, &a);
    assert_int_equal(trouble_verdict(&o), VERDICT_BOUNCE);
    assert_string_equal(o.code, "5.1.10");
    o = trouble_of_plan(
        PLAN_DEFER, &(struct policy_trouble){.reason = REASON_DANE_REQUIRED, .cause = CAUSE_MX_INSECURE}, &a);
    assert_int_equal(trouble_verdict(&o), VERDICT_RETRY);
    assert_string_equal(o.code, "4.7.326");
    assert_true(str_equal(o.text, STR("the domain's MX records are not signed")));
    arena_release(&a);
}

static void final_codes(void **state)
{
    (void)state;
    struct smtp_reply r = {.code = 550, .status = {5, 1, 1}, .text = STR("5.1.1 nobody")};
    struct outcome o = trouble_of_reply(STAGE_RCPT, &r);
    assert_string_equal(trouble_final_code(&o, false), "5.1.1");
    r = (struct smtp_reply){.code = 450, .text = STR("later")};
    o = trouble_of_reply(STAGE_RCPT, &r);
    assert_string_equal(o.code, "4.0.0");
    assert_string_equal(trouble_final_code(&o, true), "5.4.7");
    o = trouble_of_reason(BLAME_HOST, REASON_CONNECT_FAILED, STR_NONE);
    assert_string_equal(trouble_final_code(&o, true), "5.4.1");
}

/* Regression: "Action: delayed" with "Status: 5.0.0", since every host had greeted with 554. */
static void queued_codes(void **state)
{
    (void)state;
    struct smtp_reply r = {.code = 554, .text = STR("go away")};
    struct outcome o = trouble_of_reply(STAGE_GREETING, &r);
    assert_int_equal(trouble_verdict(&o), VERDICT_NEXT_HOST);
    assert_string_equal(o.code, "5.0.0");
    assert_string_equal(trouble_queued_code(&o), "4.3.0");
    r = (struct smtp_reply){.code = 554, .status = {5, 7, 1}, .text = STR("5.7.1 blocked")};
    o = trouble_of_reply(STAGE_GREETING, &r);
    assert_string_equal(trouble_queued_code(&o), "4.3.0");
    r = (struct smtp_reply){.code = 450, .status = {4, 2, 0}, .text = STR("4.2.0 greylisted")};
    o = trouble_of_reply(STAGE_RCPT, &r);
    assert_string_equal(trouble_queued_code(&o), "4.2.0");
    o = trouble_of_reason(BLAME_HOST, REASON_TLSA_NO_MATCH, STR_NONE);
    assert_string_equal(trouble_queued_code(&o), "4.7.323");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replies),
        cmocka_unit_test(a_552_to_rcpt_is_a_452),
        cmocka_unit_test(silence),
        cmocka_unit_test(security_never_bounces),
        cmocka_unit_test(every_dane_verdict_has_its_reason),
        cmocka_unit_test(plans),
        cmocka_unit_test(queued_codes),
        cmocka_unit_test(final_codes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
