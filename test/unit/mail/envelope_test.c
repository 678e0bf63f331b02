#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "mail/envelope.h"

static struct envelope_rcpt recipients[] = {
    {.address = {"a@b.example", 11}, .notify = ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_DELAY},
    {.address = {"\"x@y\"@c.example", 15},
     .orcpt = {"rfc822;x@c.example", 18},
     .notify = ENVELOPE_NOTIFY_NEVER},
};
static const struct envelope sample = {
    .id = {"0123456789abcd", 14},
    .received_ms = 1795000000123,
    .tenant = {"acme", 4},
    .sender = {"s@d.example", 11},
    .envid = {"QQ314159", 8},
    .ret = ENVELOPE_RET_HDRS,
    .smtputf8 = true,
    .body_8bit = true,
    .peer = {"192.0.2.1", 9},
    .helo = {"h.example", 9},
    .size = 1ULL << 33,
    .rcpt = recipients,
    .nrcpt = 2,
};

static void what_is_packed_comes_back(void **state)
{
    (void)state;
    struct buf b = {0}, again = {0};
    struct arena a = {0};
    struct envelope e;
    envelope_pack(&sample, &b);
    assert_int_equal(envelope_unpack(buf_str(&b), &a, &e), OK);
    assert_int_equal(e.nrcpt, 2);
    assert_true(str_equal(e.rcpt[1].orcpt, sample.rcpt[1].orcpt));
    assert_int_equal(e.rcpt[0].notify, sample.rcpt[0].notify);
    assert_true(e.smtputf8 && e.body_8bit && !e.requiretls);
    assert_true(e.size == sample.size && e.received_ms == sample.received_ms);
    envelope_pack(&e, &again);
    assert_true(str_equal(buf_str(&b), buf_str(&again)));
    arena_release(&a);
    buf_release(&b);
    buf_release(&again);
}

static void damage_is_noticed(void **state)
{
    (void)state;
    struct buf b = {0};
    struct arena a = {0};
    struct envelope e;
    envelope_pack(&sample, &b);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(envelope_unpack(str_make(b.p, n), &a, &e), ERR_CORRUPT);
    buf_add_char(&b, 0);
    assert_int_equal(envelope_unpack(buf_str(&b), &a, &e), ERR_CORRUPT);
    b.p[0] = 99;
    assert_int_equal(envelope_unpack(str_make(b.p, b.n - 1), &a, &e), ERR_CORRUPT);
    arena_release(&a);
    buf_release(&b);
}

static void notify_is_written_as_the_rfc_does(void **state)
{
    (void)state;
    char text[ENVELOPE_NOTIFY_TEXT];
    envelope_notify_text(0, text);
    assert_string_equal(text, "");
    envelope_notify_text(ENVELOPE_NOTIFY_NEVER, text);
    assert_string_equal(text, "NEVER");
    envelope_notify_text(ENVELOPE_NOTIFY_DELAY | ENVELOPE_NOTIFY_FAILURE | ENVELOPE_NOTIFY_SUCCESS, text);
    assert_string_equal(text, "SUCCESS,FAILURE,DELAY");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(what_is_packed_comes_back),
        cmocka_unit_test(damage_is_noticed),
        cmocka_unit_test(notify_is_written_as_the_rfc_does),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
