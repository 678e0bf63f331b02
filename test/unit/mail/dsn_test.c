#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "mail/date.h"
#include "mail/dsn.h"

static const char original[] = "From: s@d.example\r\nMessage-ID: <m@d.example>\r\n\r\nsecret body\r\n";

static struct envelope_rcpt recipients[] = {
    {.address = {"a@b.example", 11}},
    {.address = {"c@e.example", 11}},
};
static const struct str evidence[] = {{"TLSA 3 1 1 ab", 13}, {"chain\r\nof 1", 11}};

static struct envelope envelope(void)
{
    return (struct envelope){.id = STR("q1"),
                             .received_ms = 1795465360000,
                             .sender = STR("s@d.example"),
                             .envid = STR("QQ314159"),
                             .rcpt = recipients,
                             .nrcpt = 2};
}

static struct dsn_rcpt failed(void)
{
    return (struct dsn_rcpt){.address = STR("a@b.example"),
                             .orcpt = STR("rfc822;alias@b.example"),
                             .action = DSN_FAILED,
                             .status = STR("5.7.5"),
                             .reason = STR("dane-no-match"),
                             .sentence = STR("the certificate does not match"),
                             .evidence = evidence,
                             .evidence_count = 2,
                             .remote_mta = STR("mx.b.example"),
                             .diagnostic = STR("550 5.1.1 no\r\nBcc: x@y.example"),
                             .last_attempt_ms = 1795465361000};
}

static struct dsn_needs write_one(struct envelope *e, struct dsn_rcpt *r, size_t max, struct buf *out)
{
    struct dsn d = {.reporting_mta = STR("edge.example"),
                    .now_ms = 1795465362000,
                    .unique = STR("u1"),
                    .envelope = e,
                    .rcpt = r,
                    .rcpt_count = 1,
                    .message = str_of(original),
                    .max_returned = max};
    return dsn_write(&d, out);
}

#define HAS(text) assert_non_null(strstr(buf_cstr(&out), text))
#define HAS_NOT(text) assert_null(strstr(buf_cstr(&out), text))

static void failure(void **state)
{
    (void)state;
    struct buf out = {0};
    struct envelope e = envelope();
    struct dsn_rcpt r = failed();
    struct dsn_needs needs = write_one(&e, &r, 10000, &out);
    assert_false(needs.smtputf8 || needs.body_8bit);
    HAS("\r\nTo: <s@d.example>\r\n");
    HAS("\r\nAuto-Submitted: auto-replied\r\n");
    HAS("\r\nReferences: <m@d.example>\r\n");
    HAS("report-type=delivery-status");
    HAS("\r\nContent-Type: message/delivery-status\r\n");
    HAS("\r\n\r\nReporting-MTA: dns; edge.example\r\nOriginal-Envelope-Id: QQ314159\r\nArrival-Date: ");
    HAS("\r\n\r\nOriginal-Recipient: rfc822; alias@b.example\r\nFinal-Recipient: rfc822; a@b.example\r\n"
        "Action: failed\r\nStatus: 5.7.5\r\nRemote-MTA: dns; mx.b.example\r\n"
        "Diagnostic-Code: smtp; 550 5.1.1 no  Bcc: x@y.example\r\nLast-Attempt-Date: ");
    HAS("X-Kedge-Reason: dane-no-match\r\n");
    HAS("chain  of 1\r\n");
    HAS("\r\nContent-Type: message/rfc822\r\n");
    HAS("secret body");
    HAS("--=_kedge.u1--\r\n");
    HAS_NOT("\r\nBcc:");
    buf_release(&out);
}

static void the_body_stays_out_when_it_must(void **state)
{
    (void)state;
    struct buf out = {0};
    struct envelope e = envelope();
    struct dsn_rcpt r = failed();
    e.ret = ENVELOPE_RET_HDRS;
    write_one(&e, &r, 10000, &out);
    HAS("\r\nContent-Type: text/rfc822-headers\r\n");
    HAS_NOT("secret body");
    e.ret = ENVELOPE_RET_FULL;
    buf_clear(&out);
    write_one(&e, &r, 10, &out);
    HAS_NOT("secret body");
    r.action = DSN_DELAYED, r.retry_until_ms = 1795865361000;
    buf_clear(&out);
    write_one(&e, &r, 10000, &out);
    HAS_NOT("secret body");
    HAS("Action: delayed\r\n");
    HAS("Will-Retry-Until: ");
    r.action = DSN_RELAYED;
    buf_clear(&out);
    write_one(&e, &r, 10000, &out);
    HAS_NOT("secret body");
    HAS("Action: relayed\r\n");
    HAS_NOT("Will-Retry-Until: ");
    buf_release(&out);
}

static void utf8_addresses_make_it_global(void **state)
{
    (void)state;
    struct buf out = {0};
    struct envelope e = envelope();
    struct dsn_rcpt r = failed();
    r.diagnostic = STR("550 kein Empf\xc3\xa4nger");
    struct dsn_needs plain = write_one(&e, &r, 10000, &out); /* an answer alone does not */
    assert_false(plain.smtputf8 || plain.body_8bit);
    HAS("kein Empf??nger");
    buf_clear(&out);
    r.address = STR("\xc3\xbc@b.example");
    struct dsn_needs needs = write_one(&e, &r, 10000, &out);
    assert_true(needs.smtputf8 && needs.body_8bit);
    HAS("kein Empf\xc3\xa4nger");
    HAS("message/global-delivery-status");
    HAS("Final-Recipient: utf-8; \xc3\xbc@b.example\r\n");
    buf_release(&out);
}

static void the_boundary_cannot_be_forged(void **state)
{
    (void)state;
    struct buf out = {0};
    struct envelope e = envelope();
    struct dsn_rcpt r = failed();
    struct dsn d = {.reporting_mta = STR("edge.example"),
                    .unique = STR("u1"),
                    .envelope = &e,
                    .rcpt = &r,
                    .rcpt_count = 1,
                    .message = STR("A: b\r\n\r\n--=_kedge.u1--\r\n"),
                    .max_returned = 1000};
    dsn_write(&d, &out);
    HAS("boundary=\"=_kedge.u1=\"");
    HAS("\r\n--=_kedge.u1=--\r\n");
    buf_release(&out);
}

static void who_wants_one(void **state)
{
    (void)state;
    static const struct {
        uint8_t notify;
        bool failed, delayed, delivered;
    } rows[] = {
        {0, true, true, false},
        {ENVELOPE_NOTIFY_NEVER, false, false, false},
        {ENVELOPE_NOTIFY_SUCCESS, false, false, true},
        {ENVELOPE_NOTIFY_FAILURE, true, false, false},
        {ENVELOPE_NOTIFY_DELAY, false, true, false},
        {ENVELOPE_NOTIFY_DELAY | ENVELOPE_NOTIFY_SUCCESS, false, true, true},
    };
    struct envelope_rcpt r = {.address = STR("a@b.example")};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct envelope e = {.sender = STR("s@d.example"), .rcpt = &r, .nrcpt = 1};
        r.notify = rows[i].notify;
        assert_int_equal(dsn_is_wanted(&e, 0, DSN_FAILED), rows[i].failed);
        assert_int_equal(dsn_is_wanted(&e, 0, DSN_DELAYED), rows[i].delayed);
        assert_int_equal(dsn_is_wanted(&e, 0, DSN_DELIVERED), rows[i].delivered);
        assert_int_equal(dsn_is_wanted(&e, 0, DSN_RELAYED), rows[i].delivered);
        e.sender = STR_NONE;
        assert_false(dsn_is_wanted(&e, 0, DSN_FAILED));
    }
}

static void dates(void **state)
{
    (void)state;
    char text[MAIL_DATE_TEXT];
    mail_date(0, text);
    assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 +0000");
    mail_date(1795465360999, text);
    assert_string_equal(text, "Mon, 23 Nov 2026 20:22:40 +0000");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(failure),
        cmocka_unit_test(the_body_stays_out_when_it_must),
        cmocka_unit_test(utf8_addresses_make_it_global),
        cmocka_unit_test(the_boundary_cannot_be_forged),
        cmocka_unit_test(who_wants_one),
        cmocka_unit_test(dates),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
