/* Connections and dialogs against a scripted server. TLS that succeeds is the system tests' business. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver/dialog.h"
#include "peer.h"

struct scene {
    struct peer peer;
    struct arena arena;
    struct live live;
    struct tls_client *tls;
    struct policy_host host;
    struct connection_target target;
    struct connection c;
    struct outcome opening;
};

static int setup(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    struct buf why = {0};
    live_init(&s->live);
    assert_int_equal(tls_client_new(&(struct tls_client_conf){.ca_file = ""}, &s->tls, &why), OK);
    s->host = (struct policy_host){.name = STR("mx.example"), .base = STR("mx.example")};
    *state = s;
    return 0;
}

static int teardown(void **state)
{
    struct scene *s = *state;
    connection_release(&s->c);
    peer_stop(&s->peer);
    if (s->peer.wrong[0])
        print_error("the peer: %s\n", s->peer.wrong);
    int result = s->peer.wrong[0] ? 1 : 0;
    tls_client_free(s->tls);
    live_release(&s->live);
    arena_release(&s->arena);
    buf_release(&s->peer.heard);
    free(s);
    return result;
}

/* The peer plays on behind the end of a test's own block. */
static const char *const *keep(struct scene *s, const char *const *script)
{
    size_t n = 0;
    while (script && script[n])
        n++;
    const char **copy = ARENA_ARRAY(&s->arena, const char *, n + 1);
    for (size_t i = 0; i < n; i++)
        copy[i] = script[i];
    return script ? copy : NULL;
}

static void play(struct scene *s, enum level level, const char *const *first, const char *const *second)
{
    s->peer.script[0] = keep(s, first);
    s->peer.script[1] = keep(s, second);
    peer_start(&s->peer);
    s->host.level = level;
    s->target.host = &s->host;
    s->target.to = s->peer.at;
    s->target.hello = STR("us.example");
    s->target.connect_timeout = 5000;
    s->target.smtp_timeout = 5000;
    s->target.tls = s->tls;
    s->target.live = &s->live;
    s->opening = connection_open(&s->c, &s->target, &s->arena);
}

#define SCRIPT(...) ((const char *const[]){__VA_ARGS__, NULL})
#define PLAIN "220 hi", "<EHLO us.example", "250 mx"
#define PIPED "220 hi", "<EHLO us.example", "250-mx\n250 PIPELINING"
#define CHUNKED "220 hi", "<EHLO us.example", "250-mx\n250-PIPELINING\n250 CHUNKING"

/* ---- opening ---------------------------------------------------------------------------------------------
 */

static void nothing_listens(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE, SCRIPT(PLAIN, "<QUIT"), NULL);
    assert_int_equal(s->opening.blame, BLAME_NOBODY);
    struct connection other;
    struct connection_target target = s->target;
    addr_set_port(&target.to, 1); /* tcpmux: nobody's */
    struct outcome o = connection_open(&other, &target, &s->arena);
    assert_int_equal(o.reason, REASON_CONNECT_FAILED);
    assert_int_equal(trouble_verdict(&o), VERDICT_NEXT_HOST);
    connection_quit(&s->c, s->tls);
}

static void a_5xx_greeting_blames_the_host(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE, SCRIPT("554 no service", "<QUIT"), NULL);
    assert_int_equal(s->opening.blame, BLAME_HOST);
    assert_int_equal(s->opening.reason, REASON_REFUSED);
    assert_int_equal(trouble_verdict(&s->opening), VERDICT_NEXT_HOST);
}

static void level_none_takes_helo(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE, SCRIPT("220 hi", "<EHLO", "502 what", "<HELO us.example", "250 ok"), NULL);
    assert_int_equal(s->opening.blame, BLAME_NOBODY);
    assert_int_equal(s->c.offered.bits, 0);
}

static void refused_ehlo_is_no_way_around_tls(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_ENCRYPT, SCRIPT("220 hi", "<EHLO", "502 what", "<QUIT"), NULL);
    assert_int_equal(s->opening.reason, REASON_STARTTLS_NOT_OFFERED);
    assert_int_equal(trouble_verdict(&s->opening), VERDICT_NEXT_HOST);
}

static void starttls_not_offered(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_DANE, SCRIPT(PLAIN, "<QUIT"), NULL);
    assert_int_equal(s->opening.reason, REASON_STARTTLS_NOT_OFFERED);
    assert_string_equal(s->opening.code, "4.7.321");
}

static void starttls_refused_never_bounces(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_DANE,
         SCRIPT("220 hi", "<EHLO", "250-mx\n250 STARTTLS", "<STARTTLS", "554 5.7.0 no", "<QUIT"), NULL);
    assert_int_equal(s->opening.reason, REASON_STARTTLS_REFUSED);
    assert_string_equal(s->opening.code, "4.7.321");
    assert_int_equal(trouble_verdict(&s->opening), VERDICT_NEXT_HOST);
}

static void level_none_goes_on_in_clear_text(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE, SCRIPT("220 hi", "<EHLO", "250-mx\n250 STARTTLS", "<STARTTLS", "454 not now"), NULL);
    assert_int_equal(s->opening.blame, BLAME_NOBODY);
    assert_null(s->c.tls.protocol);
}

static void bytes_behind_220_end_the_session(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE,
         SCRIPT("220 hi", "<EHLO", "250-mx\n250 STARTTLS", "<STARTTLS", "220 go\n250 injected"), NULL);
    assert_int_equal(s->opening.reason, REASON_STARTTLS_INJECTED);
    assert_int_equal(s->opening.blame, BLAME_HOST);
}

static void a_failed_handshake_defers_once(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE, SCRIPT("220 hi", "<EHLO", "250-mx\n250 STARTTLS", "<STARTTLS", "220 go", "!"), NULL);
    assert_int_equal(s->opening.reason, REASON_HANDSHAKE_FAILED);
}

static void then_goes_in_clear_text(void **state)
{
    struct scene *s = *state;
    s->target.clear_text_allowed = true;
    play(s, LEVEL_NONE, SCRIPT("220 hi", "<EHLO", "250-mx\n250 STARTTLS", "<STARTTLS", "220 go", "!"),
         SCRIPT("220 hi", "<EHLO", "250-mx\n250 STARTTLS"));
    assert_int_equal(s->opening.blame, BLAME_NOBODY);
    assert_true(s->c.handshake_failed);
    assert_null(s->c.tls.protocol);
}

static void but_never_under_encrypt(void **state)
{
    struct scene *s = *state;
    s->target.clear_text_allowed = true;
    play(s, LEVEL_ENCRYPT, SCRIPT("220 hi", "<EHLO", "250-mx\n250 STARTTLS", "<STARTTLS", "220 go", "!"),
         NULL);
    assert_int_equal(s->opening.reason, REASON_HANDSHAKE_FAILED);
    assert_int_equal(s->peer.connections, 1);
}

static void keys_follow_policy_address_and_protocol(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE, SCRIPT(PLAIN), NULL);
    struct connection_target t = s->target;
    uint8_t a[CONNECTION_KEY], b[CONNECTION_KEY];
    connection_key(&t, a);
    connection_key(&t, b);
    assert_memory_equal(a, b, sizeof a);
    t.lmtp = true;
    connection_key(&t, b);
    assert_memory_not_equal(a, b, sizeof a);
    t.lmtp = false;
    addr_set_port(&t.to, 26);
    connection_key(&t, b);
    assert_memory_not_equal(a, b, sizeof a);
    t.to = s->target.to;
    struct policy_host other = s->host;
    other.fingerprint[0] ^= 1;
    t.host = &other;
    connection_key(&t, b);
    assert_memory_not_equal(a, b, sizeof a);
}

/* ---- transactions ----------------------------------------------------------------------------------------
 */

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
    play(s, LEVEL_NONE,
         SCRIPT(PLAIN, "<MAIL FROM:<s@ours.example>", "250 ok", "<RCPT TO:<a@d.example>", "250 ok", "<DATA",
                "354 go", "<.", "250 2.0.0 queued", "<QUIT"),
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
    play(s, LEVEL_NONE,
         SCRIPT(PIPED, "<MAIL", "<RCPT", "<RCPT", "<DATA", "250 ok\n250 ok\n550 5.1.1 nobody\n354 go", "<.",
                "250 queued"),
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
    play(s, LEVEL_NONE,
         SCRIPT(PIPED, "<MAIL", "<RCPT", "<DATA", "250 ok\n450 later\n354 go", "<.", "554 nobody"), NULL);
    struct sent sent = send_to(s, 1);
    assert_true(sent.fit);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_RETRY);
}

static void mail_refused_for_good(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE,
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
    play(s, LEVEL_NONE, SCRIPT(PLAIN, "<MAIL", "451 busy"), NULL);
    struct sent sent = send_to(s, 1);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_NEXT_HOST);
}

static void bdat_in_one_flight(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE, SCRIPT(CHUNKED, "<MAIL", "<RCPT", "<BDAT", "250 ok\n250 ok\n250 done"), NULL);
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
    play(s, LEVEL_NONE,
         SCRIPT(CHUNKED, "<MAIL", "<RCPT", "<RCPT", "<BDAT", "250 ok\n550 no\n250 ok\n250 done"), NULL);
    struct sent sent = send_to(s, 2);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_BOUNCE);
    assert_int_equal(trouble_verdict(&sent.o[1]), VERDICT_DONE);
}

static void bdat_refused(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE,
         SCRIPT(CHUNKED, "<MAIL", "<RCPT", "<BDAT", "250 ok\n250 ok\n554 5.6.0 bad", "<RSET", "250 ok"),
         NULL);
    struct sent sent = send_to(s, 1);
    assert_true(sent.fit);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_BOUNCE);
}

static void bdat_in_chunks(void **state)
{
    struct scene *s = *state;
    play(
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
    play(s, LEVEL_NONE, SCRIPT(PIPED, "<MAIL", "<RCPT", "<DATA", "250 ok\n250 ok\n354 go", "<.", "!"), NULL);
    struct sent sent = send_to(s, 1);
    assert_false(sent.fit);
    assert_int_equal(sent.o[0].reason, REASON_CONNECTION_LOST);
    assert_int_equal(trouble_verdict(&sent.o[0]),
                     VERDICT_RETRY); /* not the next host: that would be a second copy */
}

static void lost_behind_bdat_is_deferred(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE, SCRIPT(CHUNKED, "<MAIL", "<RCPT", "<BDAT", "250 ok", "!"), NULL);
    struct sent sent = send_to(s, 1);
    assert_false(sent.fit);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_RETRY);
}

static void lost_before_mail_leads_to_the_next_host(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE, SCRIPT(PIPED, "<MAIL", "!"), NULL);
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
    play(s, LEVEL_NONE, SCRIPT(PIPED, "<MAIL", "<RCPT", "<DATA", "250 ok\n421 4.3.2 closing", "!"), NULL);
    struct sent sent = send_to(s, 1);
    assert_false(sent.fit);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_NEXT_HOST);
}

/* The content went out with the commands, but the peer has said that it takes none of it. */
static void a_421_to_rcpt_before_chunks_leads_to_the_next_host(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE,
         SCRIPT(CHUNKED, "<MAIL", "<RCPT", "<RCPT", "<BDAT", "250 ok\n250 ok\n421 4.3.2 closing", "!"), NULL);
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
    play(s, LEVEL_NONE, SCRIPT(PLAIN, "<MAIL", "two hundred and fifty"), NULL);
    struct sent sent = send_to(s, 1);
    assert_false(sent.fit);
    assert_int_equal(sent.o[0].reason, REASON_PROTOCOL);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_NEXT_HOST);
}

static void a_2xx_to_data_is_no_delivery(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE,
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
    play(s, LEVEL_NONE,
         SCRIPT("220 hi", "<LHLO us.example", "250-box\n250 PIPELINING", "<MAIL", "<RCPT", "<RCPT", "<RCPT",
                "<DATA", "250 ok\n250 ok\n550 5.1.1 no\n250 ok\n354 go", "<.", "250 stored\n452 4.2.2 full"),
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
    play(s, LEVEL_NONE,
         SCRIPT("220 hi", "<LHLO us.example", "250-box\n250 PIPELINING", "<MAIL", "<RCPT", "<RCPT", "<DATA",
                "250 ok\n250 ok\n250 ok\n354 go", "<.", "250 stored", "!"),
         NULL);
    struct sent sent = send_to(s, 2);
    assert_false(sent.fit);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_DONE); /* what was stored stays stored */
    assert_int_equal(trouble_verdict(&sent.o[1]), VERDICT_RETRY);
}

static void parameters_as_offered(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE,
         SCRIPT("220 hi", "<EHLO", "250-mx\n250-SIZE 1000\n250-8BITMIME\n250-SMTPUTF8\n250 DSN",
                "<MAIL FROM:<s@ours.example> SIZE=25 BODY=8BITMIME SMTPUTF8 RET=HDRS ENVID=a+2Bb", "250 ok",
                "<RCPT TO:<a@d.example> NOTIFY=SUCCESS,FAILURE ORCPT=rfc822;o+2Bx@d.example", "250 ok",
                "<DATA", "354 go", "<.", "250 ok"),
         NULL);
    rcpts[0].notify = ENVELOPE_NOTIFY_SUCCESS | ENVELOPE_NOTIFY_FAILURE;
    rcpts[0].orcpt = STR("rfc822;o+x@d.example");
    struct envelope e = {.envid = STR("a+b"), .ret = ENVELOPE_RET_HDRS, .body_8bit = true, .smtputf8 = true};
    struct sent sent = send_as(s, &e, 1, str_of(content), read_text);
    rcpts[0].notify = 0, rcpts[0].orcpt = STR_NONE;
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_DONE);
}

static void what_does_not_fit_is_returned(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE, SCRIPT("220 hi", "<EHLO", "250-mx\n250 SIZE 10"), NULL);
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
    play(s, LEVEL_NONE,
         SCRIPT(PLAIN, "<MAIL FROM:<s@ours.example>", "250 ok", "<RCPT", "250 ok", "<DATA", "354 go", "<.",
                "250 ok"),
         NULL);
    struct envelope utf8 = {.smtputf8 = true};
    struct sent sent = send_as(s, &utf8, 1, str_of(content), read_text);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_DONE);
}

static void our_own_disk_is_nobody_elses_fault(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE, SCRIPT(PLAIN, "<MAIL", "250 ok", "<RCPT", "250 ok", "<DATA", "354 go"), NULL);
    struct sent sent = send_as(s, &(struct envelope){0}, 1, str_of(content), read_badly);
    assert_false(sent.fit);
    assert_int_equal(sent.o[0].blame, BLAME_US);
    assert_int_equal(trouble_verdict(&sent.o[0]), VERDICT_RETRY);
}

static void too_many_recipients_may_be_repeated(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE,
         SCRIPT(PIPED, "<MAIL", "<RCPT", "<RCPT", "<DATA", "250 ok\n250 ok\n452 4.5.3 enough\n354 go", "<.",
                "250 queued"),
         NULL);
    struct sent sent = send_to(s, 2);
    assert_false(dialog_may_repeat(&sent.o[0]));
    assert_true(dialog_may_repeat(&sent.o[1]));
}

static void two_messages_over_one_connection(void **state)
{
    struct scene *s = *state;
    play(s, LEVEL_NONE,
         SCRIPT(PIPED, "<MAIL", "<RCPT", "<DATA", "250 ok\n250 ok\n354 go", "<.", "250 one", "<MAIL", "<RCPT",
                "<DATA", "250 ok\n250 ok\n354 go", "<.", "250 two"),
         NULL);
    struct sent one = send_to(s, 1), two = send_to(s, 1);
    assert_int_equal(trouble_verdict(&one.o[0]), VERDICT_DONE);
    assert_int_equal(trouble_verdict(&two.o[0]), VERDICT_DONE);
    assert_int_equal(s->c.messages, 2);
}

static void a_cut_drain_ends_the_wait(void **state)
{
    struct scene *s = *state;
    live_cut(&s->live);
    play(s, LEVEL_NONE, SCRIPT("220 hi"), NULL);
    assert_int_equal(s->opening.blame, BLAME_HOST);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(nothing_listens),
        T(a_5xx_greeting_blames_the_host),
        T(level_none_takes_helo),
        T(refused_ehlo_is_no_way_around_tls),
        T(starttls_not_offered),
        T(starttls_refused_never_bounces),
        T(level_none_goes_on_in_clear_text),
        T(bytes_behind_220_end_the_session),
        T(a_failed_handshake_defers_once),
        T(then_goes_in_clear_text),
        T(but_never_under_encrypt),
        T(keys_follow_policy_address_and_protocol),
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
        T(what_does_not_fit_is_returned),
        T(smtputf8_that_is_not_needed_does_not_hinder),
        T(our_own_disk_is_nobody_elses_fault),
        T(too_many_recipients_may_be_repeated),
        T(two_messages_over_one_connection),
        T(a_cut_drain_ends_the_wait),
    };
    (void)signal(SIGPIPE, SIG_IGN); /* as the daemons do */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
