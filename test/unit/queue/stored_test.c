#include "spool.h"

#include "queue/state.h"
#include "queue/stored.h"

static struct queue_message sample(struct envelope *e, struct envelope_rcpt rcpt[2],
                                   struct queue_recipient state[2])
{
    rcpt[0] = (struct envelope_rcpt){.address = STR("one@there.example"), .notify = ENVELOPE_NOTIFY_NEVER};
    rcpt[1] = (struct envelope_rcpt){.address = STR("\"two\n\"@there.example"), .orcpt = STR("rfc822;x")};
    *e = (struct envelope){.id = STR("0mk3zz89abcdef"),
                           .received_ms = 1795465360123,
                           .tenant = STR("acme"),
                           .sender = STR("s@sender.example"),
                           .rcpt = rcpt,
                           .nrcpt = 2,
                           .size = 99};
    state[0] = (struct queue_recipient){.status = QUEUE_DELIVERED, .attempts = 1, .last_ms = 1795465360999};
    state[1] = (struct queue_recipient){.status = QUEUE_DEFERRED,
                                        .attempts = 3,
                                        .last_ms = 1795465361999,
                                        .next_ms = 1795465391000,
                                        .warned_ms = 1795465380000,
                                        .reason = STR("tlsa-no-match"),
                                        .text = STR("no record matches\nTo: <evil>")};
    struct queue_message m = {.envelope = e,
                              .rcpt = state,
                              .attempts = 3,
                              .next_ms = 1795465390000,
                              .held = true,
                              .content_size = 99};
    memcpy(m.id, "0mk3zz89abcdef", QUEUE_ID);
    return m;
}

static void header_round_trip(void **unused)
{
    (void)unused;
    struct envelope e;
    struct envelope_rcpt rcpt[2];
    struct queue_recipient state[2];
    struct queue_message m = sample(&e, rcpt, state), back = {0};
    struct stored_content content = {.size = 99, .check = 0xdeadbeef}, got;
    struct buf b = {0};
    stored_write_header(&m, &content, &b);
    size_t n = stored_header_size(buf_str(&b));
    assert_int_equal(n, b.n);
    assert_true(str_find(buf_str(&b), STR("From: <s@sender.example>\n")) != SIZE_MAX);
    assert_true(str_find(buf_str(&b), STR("tlsa-no-match \"no record matches?To: <evil>\"\n")) != SIZE_MAX);
    assert_int_equal(stored_read_header(buf_str(&b), &back, &got), OK);
    assert_int_equal(got.size, 99);
    assert_int_equal(got.check, 0xdeadbeef);
    assert_false(got.is_big);
    assert_string_equal(back.id, m.id);
    assert_int_equal(back.envelope->nrcpt, 2);
    assert_true(str_equal(back.envelope->rcpt[1].address, rcpt[1].address));
    assert_int_equal(back.rcpt[0].status, QUEUE_DELIVERED);
    assert_int_equal(back.rcpt[1].attempts, 3);
    assert_true(str_equal(back.rcpt[1].text, state[1].text));
    assert_true(back.held);
    assert_int_equal(back.next_ms, m.next_ms);
    assert_int_equal(back.rcpt[1].next_ms, state[1].next_ms);
    assert_int_equal(back.rcpt[1].warned_ms, state[1].warned_ms);
    arena_release(&back.arena);
    buf_release(&b);
}

static void a_changed_header_is_damaged(void **unused)
{
    (void)unused;
    struct envelope e;
    struct envelope_rcpt rcpt[2];
    struct queue_recipient state[2];
    struct queue_message m = sample(&e, rcpt, state);
    struct stored_content content = {.size = 99}, got;
    struct buf b = {0};
    stored_write_header(&m, &content, &b);
    for (size_t at = 0; at + 2 < b.n; at++) {
        struct queue_message back = {0};
        b.p[at] = (char)(b.p[at] ^ 1);
        assert_int_equal(stored_read_header(buf_str(&b), &back, &got), ERR_CORRUPT);
        b.p[at] = (char)(b.p[at] ^ 1);
        arena_release(&back.arena);
    }
    for (size_t n = 0; n < b.n; n++) {
        struct queue_message back = {0};
        assert_int_equal(stored_read_header(str_make(b.p, n), &back, &got), ERR_CORRUPT);
        arena_release(&back.arena);
    }
    buf_release(&b);
}

static void state_of_another_envelope(void **unused)
{
    (void)unused;
    struct envelope e;
    struct envelope_rcpt rcpt[2];
    struct queue_recipient state[2];
    struct queue_message m = sample(&e, rcpt, state), back = {0};
    struct state_brief brief;
    struct buf b = {0};
    state_pack(&m, &b);
    assert_true(state_peek(buf_str(&b), &brief));
    assert_true(brief.held);
    assert_int_equal(brief.next_ms, m.next_ms);
    assert_int_equal(state_unpack(buf_str(&b), 1, &back), ERR_CORRUPT);
    assert_int_equal(state_unpack(buf_str(&b), 2, &back), OK);
    for (size_t n = 0; n < b.n; n++)
        assert_int_equal(state_unpack(str_make(b.p, n), 2, &back), ERR_CORRUPT);
    arena_release(&back.arena);
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(header_round_trip),
                                       cmocka_unit_test(a_changed_header_is_damaged),
                                       cmocka_unit_test(state_of_another_envelope)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
