/* Transactions over an open connection, against a scripted server. */
#include "scene.h"

static const char content[] = "Subject: x\r\n\r\n.dot\r\nend\r\n";

static ssize_t read_text(void *ctx, uint64_t at, void *p, size_t n, struct buf *why)
{
    struct str all = *(struct str *)ctx;
    (void)why;
    struct str part = str_sub(all, (size_t)at, n);
    memcpy(p, part.p, part.n);
    return (ssize_t)part.n;
}

static ssize_t read_badly(void *ctx, uint64_t at, void *p, size_t n, struct buf *why)
{
    (void)ctx, (void)at, (void)p, (void)n;
    buf_set(why, "disk on fire");
    return -1;
}

struct sent {
    struct outcome o[3];
    bool fit;
};

static struct envelope_rcpt rcpts[] = {
    {.address = STR("a@d.example")}, {.address = STR("b@d.example")}, {.address = STR("c@d.example")}};

static struct sent send_as(struct scene *s, struct envelope *e, size_t count, struct str text,
                           dialog_reader read)
{
    static const size_t index[] = {0, 1, 2};
    struct sent sent;
    e->sender = STR("s@ours.example");
    e->rcpt = rcpts;
    e->nrcpt = 3;
    struct dialog_message m = {
        .envelope = e, .rcpt = index, .count = count, .size = text.n, .read = read, .ctx = &text};
    assert_int_equal(s->opening.blame, BLAME_NOBODY);
    sent.fit = dialog_send(&s->c, &m, &s->arena, sent.o);
    return sent;
}

static struct sent send_to(struct scene *s, size_t count)
{
    return send_as(s, &(struct envelope){0}, count, STR("Subject: x\r\n\r\n.dot\r\nend\r\n"), read_text);
}

static void one_message_step_by_step(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE,
               SCRIPT(PLAIN, "<MAIL FROM:<s@ours.example>", "250 ok", "<RCPT TO:<a@d.example>", "250 ok",
                      "<DATA", "354 go", "<.", "250 2.0.0 queued", "<QUIT"),
               NULL);
    struct sent sent = send_to(s, 1);
    assert_true(sent.fit);
    assert_int_equal(sent.o[0].blame, BLAME_NOBODY);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_DONE);
    connection_quit(&s->c, s->tls);
    peer_stop(&s->peer);
    assert_non_null(strstr(buf_cstr(&s->peer.heard), "\n..dot\nend\n.\n"));
    s->peer.script[0] = NULL;
    peer_start(&s->peer);
}

static void pipelined_and_one_refused(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE,
               SCRIPT(PIPED, "<MAIL", "<RCPT", "<RCPT", "<DATA", "250 ok\n250 ok\n550 5.1.1 nobody\n354 go",
                      "<.", "250 queued"),
               NULL);
    struct sent sent = send_to(s, 2);
    assert_true(sent.fit);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_DONE);
    assert_int_equal(trouble_verdict(&sent.o[1]), VERDICT_BOUNCE);
    assert_string_equal(sent.o[1].code, "5.1.1");
    assert_int_equal(sent.o[1].blame, BLAME_RECIPIENT);
}

static void pipelined_and_all_refused_sends_an_empty_message(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE,
               SCRIPT(PIPED, "<MAIL", "<RCPT", "<DATA", "250 ok\n450 later\n354 go", "<.", "554 nobody"),
               NULL);
    struct sent sent = send_to(s, 1);
    assert_true(sent.fit);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_RETRY);
}

static void mail_refused_for_good(void **state)
{
    struct scene *s = *state;
    scene_play(
        s, LEVEL_NONE,
        SCRIPT(PIPED, "<MAIL", "<RCPT", "<DATA", "550 5.7.1 not you\n503 no\n503 no", "<RSET", "250 ok"),
        NULL);
    struct sent sent = send_to(s, 1);
    assert_true(sent.fit);
    assert_int_equal(sent.o[0].blame, BLAME_MESSAGE);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_BOUNCE);
}

static void mail_refused_for_now_leads_to_the_next_host(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE, SCRIPT(PLAIN, "<MAIL", "451 busy"), NULL);
    struct sent sent = send_to(s, 1);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_NEXT_HOST);
}

static void bdat_in_one_flight(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE, SCRIPT(CHUNKED, "<MAIL", "<RCPT", "<BDAT", "250 ok\n250 ok\n250 done"), NULL);
    struct sent sent = send_to(s, 1);
    assert_true(sent.fit);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_DONE);
    peer_stop(&s->peer);
    assert_non_null(strstr(buf_cstr(&s->peer.heard), "\nBDAT 25 LAST\nSubject: x\r\n\r\n.dot\r\nend\r\n"));
    s->peer.script[0] = NULL;
    peer_start(&s->peer);
}

static void bdat_with_mixed_recipients(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE,
               SCRIPT(CHUNKED, "<MAIL", "<RCPT", "<RCPT", "<BDAT", "250 ok\n550 no\n250 ok\n250 done"), NULL);
    struct sent sent = send_to(s, 2);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_BOUNCE);
    assert_int_equal(trouble_verdict(&sent.o[1]), VERDICT_DONE);
}

static void bdat_refused(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE,
               SCRIPT(CHUNKED, "<MAIL", "<RCPT", "<BDAT", "250 ok\n250 ok\n554 5.6.0 bad", "<RSET", "250 ok"),
               NULL);
    struct sent sent = send_to(s, 1);
    assert_true(sent.fit);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_BOUNCE);
}

static void bdat_in_chunks(void **state)
{
    struct scene *s = *state;
    scene_play(
        s, LEVEL_NONE,
        SCRIPT(CHUNKED, "<MAIL", "<RCPT", "250 ok\n250 ok", "<BDAT", "<BDAT", "<BDAT", "250 1\n250 2\n250 3"),
        NULL);
    struct buf text = {0};
    while (text.n < 600 * 1024)
        buf_add(&text, STR("a line of text that is sixty-four octets long with its line end\r\n"));
    struct sent sent = send_as(s, &(struct envelope){0}, 1, buf_str(&text), read_text);
    assert_true(sent.fit);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_DONE);
    peer_stop(&s->peer);
    assert_in_range(s->peer.heard.n, text.n, text.n + 500);
    s->peer.script[0] = NULL;
    peer_start(&s->peer);
    buf_release(&text);
}

static void lost_at_the_final_dot_is_deferred(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE, SCRIPT(PIPED, "<MAIL", "<RCPT", "<DATA", "250 ok\n250 ok\n354 go", "<.", "!"),
               NULL);
    struct sent sent = send_to(s, 1);
    assert_false(sent.fit);
    assert_int_equal(sent.o[0].reason, REASON_CONNECTION_LOST);
    assert_int_equal(trouble_verdict(&sent.o[0]),
                     VERDICT_RETRY); /* not the next host: that would be a second copy */
}

static void lost_behind_bdat_is_deferred(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE, SCRIPT(CHUNKED, "<MAIL", "<RCPT", "<BDAT", "250 ok", "!"), NULL);
    struct sent sent = send_to(s, 1);
    assert_false(sent.fit);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_RETRY);
}

static void lost_before_mail_leads_to_the_next_host(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE, SCRIPT(PIPED, "<MAIL", "!"), NULL);
    struct sent sent = send_to(s, 2);
    assert_false(sent.fit);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sent.o[i].reason, REASON_CONNECTION_LOST);
        assert_int_equal(trouble_verdict(&sent.o[i]), VERDICT_NEXT_HOST);
    }
}

static void a_421_ends_the_connection(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE, SCRIPT(PIPED, "<MAIL", "<RCPT", "<DATA", "250 ok\n421 4.3.2 closing", "!"),
               NULL);
    struct sent sent = send_to(s, 1);
    assert_false(sent.fit);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_NEXT_HOST);
}

/* The content went out with the commands, but the peer has said that it takes none of it. */
static void a_421_to_rcpt_before_chunks_leads_to_the_next_host(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE,
               SCRIPT(CHUNKED, "<MAIL", "<RCPT", "<RCPT", "<BDAT", "250 ok\n250 ok\n421 4.3.2 closing", "!"),
               NULL);
    struct sent sent = send_to(s, 2);
    assert_false(sent.fit);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(sent.o[i].reply.code, 421);
        assert_int_equal(trouble_verdict(&sent.o[i]), VERDICT_NEXT_HOST);
    }
}

static void replies_that_are_none(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE, SCRIPT(PLAIN, "<MAIL", "two hundred and fifty"), NULL);
    struct sent sent = send_to(s, 1);
    assert_false(sent.fit);
    assert_int_equal(sent.o[0].reason, REASON_PROTOCOL);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_NEXT_HOST);
}

static void a_2xx_to_data_is_no_delivery(void **state)
{
    struct scene *s = *state;
    scene_play(
        s, LEVEL_NONE,
        SCRIPT(PLAIN, "<MAIL", "250 ok", "<RCPT", "250 ok", "<DATA", "250 whatever", "<RSET", "250 ok"),
        NULL);
    struct sent sent = send_to(s, 1);
    assert_int_equal(sent.o[0].reason, REASON_PROTOCOL);
    assert_int_not_equal(trouble_verdict(&sent.o[0]), VERDICT_DONE);
}

static void lmtp_answers_for_each(void **state)
{
    struct scene *s = *state;
    s->target.lmtp = true;
    scene_play(s, LEVEL_NONE,
               SCRIPT("220 hi", "<LHLO us.example", "250-box\n250 PIPELINING", "<MAIL", "<RCPT", "<RCPT",
                      "<RCPT", "<DATA", "250 ok\n250 ok\n550 5.1.1 no\n250 ok\n354 go", "<.",
                      "250 stored\n452 4.2.2 full"),
               NULL);
    struct sent sent = send_to(s, 3);
    assert_true(sent.fit);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_DONE);
    assert_int_equal(trouble_verdict(&sent.o[1]), VERDICT_BOUNCE);
    assert_int_equal(trouble_verdict(&sent.o[2]), VERDICT_RETRY);
}

static void lmtp_lost_between_answers(void **state)
{
    struct scene *s = *state;
    s->target.lmtp = true;
    scene_play(s, LEVEL_NONE,
               SCRIPT("220 hi", "<LHLO us.example", "250-box\n250 PIPELINING", "<MAIL", "<RCPT", "<RCPT",
                      "<DATA", "250 ok\n250 ok\n250 ok\n354 go", "<.", "250 stored", "!"),
               NULL);
    struct sent sent = send_to(s, 2);
    assert_false(sent.fit);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_DONE); /* what was stored stays stored */
    assert_int_equal(trouble_verdict(&sent.o[1]), VERDICT_RETRY);
}

static void parameters_as_offered(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE,
               SCRIPT("220 hi", "<EHLO", "250-mx\n250-SIZE 1000\n250-8BITMIME\n250-SMTPUTF8\n250 DSN",
                      "<MAIL FROM:<s@ours.example> SIZE=25 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb",
                      "250 ok", "<RCPT TO:<a@d.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o+2Bx@d.example",
                      "250 ok", "<DATA", "354 go", "<.", "250 ok"),
               NULL);
    rcpts[0].notify = ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_FAILURE;
    rcpts[0].orcpt = STR("rfc822;o+x@d.example");
    struct envelope e = {.envid = STR("a+b"), .ret = ENVELOPE_RET_HDRS, .body_8bit = true, .smtputf8 = true};
    struct sent sent = send_as(s, &e, 1, str_of(content), read_text);
    rcpts[0].notify = 0, rcpts[0].orcpt = STR_NONE;
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_DONE);
}

static void send_an_original_recipient(struct scene *s, const char *reply, const char *mail, const char *rcpt)
{
    scene_play(
        s, LEVEL_NONE,
        SCRIPT("220 hi", "<EHLO", reply, mail, "250 ok", rcpt, "250 ok", "<DATA", "354 go", "<.", "250 ok"),
        NULL);
    rcpts[0].orcpt = STR("utf-8;\xc3\xbc@d.example");
    struct envelope e = {.smtputf8 = true};
    struct sent sent = send_as(s, &e, 1, str_of(content), read_text);
    rcpts[0].orcpt = STR_NONE;
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_DONE);
}

/* RFC 6533 section 3: raw UTF-8 only where SMTPUTF8 is in force. */
static void an_original_recipient_in_utf8(void **state)
{
    send_an_original_recipient(*state, "250-mx\n250-SMTPUTF8\n250 DSN",
                               "<MAIL FROM:<s@ours.example> SMTPUTF8",
                               "<RCPT TO:<a@d.example> ORCPT=utf-8;\xc3\xbc@d.example");
}

static void an_original_recipient_in_seven_bits(void **state)
{
    send_an_original_recipient(*state, "250-mx\n250 DSN", "<MAIL FROM:<s@ours.example>",
                               "<RCPT TO:<a@d.example> ORCPT=utf-8;\\x{FC}@d.example");
}

static void what_does_not_fit_is_returned(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE, SCRIPT("220 hi", "<EHLO", "250-mx\n250 SIZE 10"), NULL);
    struct sent sent = send_to(s, 1);
    assert_true(sent.fit);
    assert_int_equal(sent.o[0].reason, REASON_TOO_LARGE);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_BOUNCE);
    assert_string_equal(sent.o[0].code, "5.3.4");

    struct envelope eight = {.body_8bit = true};
    s->c.offered.size = 0;
    sent = send_as(s, &eight, 1, str_of(content), read_text);
    assert_string_equal(sent.o[0].code, "5.6.3");

    struct envelope utf8 = {.smtputf8 = true};
    sent = send_as(s, &utf8, 1, STR("Subject: \xc3\xa4\r\n\r\n"), read_text);
    assert_string_equal(sent.o[0].code, "5.6.7");
}

static void smtputf8_that_is_not_needed_does_not_hinder(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE,
               SCRIPT(PLAIN, "<MAIL FROM:<s@ours.example>", "250 ok", "<RCPT", "250 ok", "<DATA", "354 go",
                      "<.", "250 ok"),
               NULL);
    struct envelope utf8 = {.smtputf8 = true};
    struct sent sent = send_as(s, &utf8, 1, str_of(content), read_text);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_DONE);
}

static void our_own_disk_is_nobody_elses_fault(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE, SCRIPT(PLAIN, "<MAIL", "250 ok", "<RCPT", "250 ok", "<DATA", "354 go"), NULL);
    struct sent sent = send_as(s, &(struct envelope){0}, 1, str_of(content), read_badly);
    assert_false(sent.fit);
    assert_int_equal(sent.o[0].blame, BLAME_US);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_RETRY);
}

static void too_many_recipients_may_be_repeated(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE,
               SCRIPT(PIPED, "<MAIL", "<RCPT", "<RCPT", "<DATA", "250 ok\n250 ok\n452 4.5.3 enough\n354 go",
                      "<.", "250 queued"),
               NULL);
    struct sent sent = send_to(s, 2);
    assert_false(dialog_may_repeat(&sent.o[0]));
    assert_true(dialog_may_repeat(&sent.o[1]));
}

static void two_messages_over_one_connection(void **state)
{
    struct scene *s = *state;
    scene_play(s, LEVEL_NONE,
               SCRIPT(PIPED, "<MAIL", "<RCPT", "<DATA", "250 ok\n250 ok\n354 go", "<.", "250 one", "<MAIL",
                      "<RCPT", "<DATA", "250 ok\n250 ok\n354 go", "<.", "250 two"),
               NULL);
    struct sent one = send_to(s, 1), two = send_to(s, 1);
    assert_int_equal(trouble_verdict(&one.o[0]), VERDICT_DONE);
    assert_int_equal(trouble_verdict(&two.o[0]), VERDICT_DONE);
    assert_int_equal(s->c.messages, 2);
}

/* The peer has seen enough before we have sent all: its word counts, not the write that failed. */
static void refused_and_cut_off_amid_the_content(void **state)
{
    struct scene *s = *state;
    struct buf text = {0};
    while (text.n < 12U << 20)
        buf_add(&text, STR("a line of text that is sixty-four octets long with its line end\r\n"));
    scene_play(s, LEVEL_NONE,
               SCRIPT(PIPED, "<MAIL", "<RCPT", "<DATA", "250 ok\n250 ok\n354 go", "552 5.3.4 too large", "!"),
               NULL);
    struct sent sent = send_as(s, &(struct envelope){0}, 1, buf_str(&text), read_text);
    assert_false(sent.fit);
    assert_int_equal(sent.o[0].reply.code, 552);
    assert_string_equal(sent.o[0].code, "5.3.4");
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_BOUNCE);
    buf_release(&text);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, scene_setup, scene_teardown)
    const struct CMUnitTest tests[] = {
        T(one_message_step_by_step),
        T(pipelined_and_one_refused),
        T(pipelined_and_all_refused_sends_an_empty_message),
        T(mail_refused_for_good),
        T(mail_refused_for_now_leads_to_the_next_host),
        T(bdat_in_one_flight),
        T(bdat_with_mixed_recipients),
        T(bdat_refused),
        T(bdat_in_chunks),
        T(lost_at_the_final_dot_is_deferred),
        T(lost_behind_bdat_is_deferred),
        T(lost_before_mail_leads_to_the_next_host),
        T(a_421_ends_the_connection),
        T(a_421_to_rcpt_before_chunks_leads_to_the_next_host),
        T(replies_that_are_none),
        T(a_2xx_to_data_is_no_delivery),
        T(lmtp_answers_for_each),
        T(lmtp_lost_between_answers),
        T(parameters_as_offered),
        T(an_original_recipient_in_utf8),
        T(an_original_recipient_in_seven_bits),
        T(what_does_not_fit_is_returned),
        T(smtputf8_that_is_not_needed_does_not_hinder),
        T(our_own_disk_is_nobody_elses_fault),
        T(too_many_recipients_may_be_repeated),
        T(two_messages_over_one_connection),
        T(refused_and_cut_off_amid_the_content),
    };
    (void)signal(SIGPIPE, SIG_IGN); /* as the daemons do */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
