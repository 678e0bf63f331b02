#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "world.h"

#include <sys/eventfd.h>

/* One whole reply; "" at the end of the connection. */
static void read_reply(int fd, char *out, size_t size)
{
    size_t n = 0, line = 0;
    while (n + 1 < size && read(fd, out + n, 1) == 1) {
        if (out[n++] != '\n')
            continue;
        if (n - line < 4 || out[line + 3] != '-')
            break;
        line = n;
    }
    out[n] = 0;
}

/* A script: "> line" sends it with CRLF, ">>octets" sends them alone, "< text" wants a reply that begins so,
 * "<." wants the end of the connection. Ends with NULL. */
static void run(struct world *w, const struct conf *c, const char *const *script)
{
    struct world_session s = {.stop_fd = -1};
    char reply[4096];
    world_start(&s, w, c);
    for (; *script; script++) {
        const char *step = *script;
        struct buf text = {0};
        if (step[0] == '>') {
            buf_printf(&text, "%s%s", step + 2, step[1] == '>' ? "" : "\r\n");
            assert_int_equal(send(s.client, text.p, text.n, MSG_NOSIGNAL), (ssize_t)text.n);
        } else {
            read_reply(s.client, reply, sizeof reply);
            const char *wanted = step[1] == '.' ? "" : step + 2;
            if (strncmp(reply, wanted, strlen(wanted)) != 0 || (!*wanted && *reply))
                fail_msg("wanted \"%s\", got \"%s\"", step, reply);
        }
        buf_release(&text);
    }
    world_end(&s);
}

static void run_default(const char *options, struct world *w, const char *const *script)
{
    struct conf c = {0};
    struct buf text = {0}, why = {0};
    buf_printf(&text, "hostname = edge.example\n%s", options);
    if (conf_parse(buf_str(&text), "test", &c, &why))
        fail_msg("%s", buf_cstr(&why));
    run(w, &c, script);
    conf_release(&c);
    buf_release(&text);
    buf_release(&why);
}

#define SCRIPT(...) ((const char *const[]){__VA_ARGS__, NULL})
#define START "< 220 edge.example ESMTP", "> EHLO client.example", "< 250-edge.example"
#define TO_DATA                                                                                              \
    START, "> MAIL FROM:<a@b.example>", "< 250 2.1.0", "> RCPT TO:<user@ours.example>", "< 250 2.1.5"

static void a_message_goes_through(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    run_default("", &w,
                SCRIPT(TO_DATA, "> RCPT TO:<\"user\"@OURS.example> NOTIFY=NEVER ORCPT=rfc822;x+2By@z.example",
                       "< 250 2.1.5", "> DATA", "< 354", ">>Subject: s\r\n\r\n..dot\r\n.\r\n",
                       "< 250 2.0.0 Ok: queued as 0123456789abcd", "> QUIT", "< 221 2.0.0", "<."));
    assert_string_equal(buf_cstr(&w.envelopes), "a@b.example>user@ours.example,\"user\"@OURS.example;");
    assert_non_null(strstr(buf_cstr(&w.content), "Received: from client.example ([192.0.2.7])\r\n"
                                                 "\tby edge.example (Kedge) with ESMTP id 0123456789abcd\r\n"
                                                 "\t(level=none);\r\n\t"));
    assert_non_null(strstr(buf_cstr(&w.content), " +0000\r\nSubject: s\r\n\r\n.dot\r\n"));
    assert_non_null(strstr(buf_cstr(&w.events), "\"queue_id\":\"0123456789abcd\""));
    assert_non_null(strstr(buf_cstr(&w.events), "\"event\":\"session\""));
    assert_int_equal(w.dropped, 0);
    world_release(&w);
}

static void the_order_of_commands(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    run_default("", &w,
                SCRIPT("< 220", "> MAIL FROM:<a@b.example>", "< 503 5.5.1", "> NOOP", "< 250",
                       "> HELO client.example", "< 250 edge.example", "> RCPT TO:<user@ours.example>",
                       "< 503 5.5.1", "> DATA", "< 503 5.5.1", "> MAIL FROM:<a@b.example> SIZE=1",
                       "< 555 5.5.4", "> BDAT 3", ">>abc", "< 503 5.5.1", "> EHLO client.example", "< 250-",
                       "> MAIL FROM:<a@b.example>", "< 250", "> MAIL FROM:<c@d.example>", "< 503 5.5.1",
                       "> DATA", "< 503 5.5.1", "> RCPT TO:<nobody@ours.example>", "< 550 5.1.1", "> DATA",
                       "< 554 5.5.1", "> RSET", "< 250", "> RCPT TO:<user@ours.example>", "< 503",
                       "> VRFY user", "< 252", "> EXPN list", "< 502 5.5.1", "> AUTH PLAIN", "< 502 5.5.1",
                       "> STARTTLS", "< 502 5.5.1", "> FOO", "< 500 5.5.2", "> HELP", "< 214", "> QUIT",
                       "< 221"));
    assert_int_equal(w.drafts, 0);
    world_release(&w);
}

static void recipients_and_their_disguises(void **state)
{
    (void)state;
    static const struct {
        const char *path, *code;
    } rows[] = {
        {"<user@ours.example>", "250 2.1.5"},
        {"<USER@Ours.Example>", "250 2.1.5"},
        {"<postmaster>", "250 2.1.5"},
        {"<x@open.example>", "250 2.1.5"},
        {"<@remote.example:user@ours.example>", "250 2.1.5"},
        {"<nobody@ours.example>", "550 5.1.1"},
        {"<x@remote.example>", "550 5.7.1"},
        {"<@ours.example:x@remote.example>", "550 5.7.1"},
        {"<x@[192.0.2.1]>", "550 5.7.1"},
        {"<x@ours.example@remote.example>", "501 5.1.3"},
        {"<x@remote.example.>", "501 5.1.3"},
        {"<user>", "501 5.1.3"},
        {"<>", "501 5.1.3"},
        {"user@ours.example", "501 5."},
        {"<\xc3\xbc@ours.example>", "553 5.6.7"},
        {"<user@ours.example> FOO=1", "555 5.5.4"},
        {"<user@ours.example> NOTIFY=NEVER,SUCCESS", "501 5.5.4"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        struct buf rcpt = {0}, code = {0};
        world_init(&w);
        buf_printf(&rcpt, "> RCPT TO:%s", rows[i].path);
        buf_printf(&code, "< %s", rows[i].code);
        run_default("", &w, SCRIPT(START, "> MAIL FROM:<>", "< 250", buf_cstr(&rcpt), buf_cstr(&code)));
        buf_release(&rcpt);
        buf_release(&code);
        world_release(&w);
    }
}

static void senders(void **state)
{
    (void)state;
    static const struct {
        const char *mail, *code;
    } rows[] = {
        {"FROM:<>", "250 2.1.0"},
        {"FROM:<a@b.example> SIZE=1000 BODY=8BITMIME RET=HDRS ENVID=a+2Bb", "250 2.1.0"},
        {"FROM:<\xc3\xbc@b.example> SMTPUTF8", "250 2.1.0"},
        {"from:<a@b.example>", "250 2.1.0"},
        {"FROM:<\xc3\xbc@b.example>", "553 5.6.7"},
        {"FROM:<a@b.example> REQUIRETLS", "555 5.5.4"},
        {"FROM:<a@b.example> BODY=BINARYMIME", "555 5.5.4"},
        {"FROM:<a@b.example> SIZE=99999999999", "552 5.3.4"},
        {"FROM:<a@b.example> SIZE=x", "501 5.5.4"},
        {"FROM:<a@b..example>", "501 5.1.7"},
        {"FROM:a@b.example", "501 5."},
        {"FROM: <a@b.example>", "501 5."},
        {"TO:<a@b.example>", "501 5."},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct world w;
        struct buf mail = {0}, code = {0};
        world_init(&w);
        buf_printf(&mail, "> MAIL %s", rows[i].mail);
        buf_printf(&code, "< %s", rows[i].code);
        run_default("", &w, SCRIPT(START, buf_cstr(&mail), buf_cstr(&code)));
        buf_release(&mail);
        buf_release(&code);
        world_release(&w);
    }
}

static void line_ends_are_strict(void **state)
{
    (void)state;
    static const char *const bad[] = {"a\n.\r\nb\r\n.\r\n", "a\r\n.\nb\r\n.\r\n", "a\rb\r\n.\r\n",
                                      "a\r\r\n.\r\n",       "a\n\r\nb\r\n.\r\n",  "a\r\n.\rb\r\n.\r\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        struct world w;
        struct buf text = {0};
        world_init(&w);
        buf_printf(&text, ">>%s", bad[i]);
        run_default("", &w,
                    SCRIPT(TO_DATA, "> DATA", "< 354", buf_cstr(&text), "< 550 5.6.11", "> DATA",
                           "< 503 5.5.1", ">>NOOP\n", "< 500 5.5.2", ">>NO\rOP\r\n", "< 500 5.5.2", "> NOOP",
                           "< 250"));
        assert_int_equal(w.committed, 0);
        assert_int_equal(w.drafts, w.dropped);
        buf_release(&text);
        world_release(&w);
    }
}

static void a_listed_network_is_mended(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    run_default("normalise_networks = 192.0.2.0/24\n", &w,
                SCRIPT(TO_DATA, "> DATA", "< 354", ">>S: x\n\na\nb\r\n.\r\n", "< 250 2.0.0"));
    assert_non_null(strstr(buf_cstr(&w.content), "\r\nS: x\r\n\r\na\r\nb\r\n"));
    world_release(&w);
}

static void groups(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    run_default("", &w,
                SCRIPT(START,
                       ">>MAIL FROM:<a@b.example>\r\nRCPT TO:<user@ours.example>\r\nRCPT "
                       "TO:<no@ours.example>\r\nDATA\r\n",
                       "< 250", "< 250", "< 550", "< 354", ">>S: x\r\n\r\nb\r\n.\r\nQUIT\r\n",
                       "< 250 2.0.0 Ok: queued", "< 221"));
    run_default("", &w, SCRIPT(START, ">>NOOP\r\nNOOP\r\n", "< 503 5.5.0", "<."));
    run_default("", &w, SCRIPT("< 220", ">>EHLO client.example\r\nMAIL FROM:<>\r\n", "< 503 5.5.0", "<."));
    run_default("", &w,
                SCRIPT("< 220", ">>GET / HTTP/1.1\r\nHost: edge.example\r\n\r\n", "< 503 5.5.0", "<."));
    run_default("", &w, SCRIPT(TO_DATA, ">>DATA\r\nSubject: early\r\n.\r\n", "< 503 5.5.0", "<."));
    assert_int_equal(w.committed, 1);
    world_release(&w);
}

static void chunks(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    run_default("", &w,
                SCRIPT(TO_DATA, ">>BDAT 8\r\nS: x\r\n\r\nBDAT 5\r\na\r\n.\rBDAT 4 LAST\r\n\nb\r\n",
                       "< 250 2.0.0", "< 250 2.0.0", "< 250 2.0.0 Ok: queued", "> MAIL FROM:<>", "< 250",
                       "> RCPT TO:<user@ours.example>", "< 250", "> BDAT 2", ">>ab", "< 250", "> DATA",
                       "< 503 5.5.1", "> RCPT TO:<user@ours.example>", "< 503 5.5.1", "> MAIL FROM:<>",
                       "< 503 5.5.1", "> RSET", "< 250", "> BDAT 0 LAST", "< 503 5.5.1"));
    assert_non_null(strstr(buf_cstr(&w.content), "\r\nS: x\r\n\r\na\r\n.\r\nb\r\n"));
    assert_int_equal(w.committed, 1);
    assert_int_equal(w.dropped, 1);
    world_release(&w);
}

static void refused_chunks_are_consumed_and_reset_all(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    /* nothing of a refused chunk is taken for commands, and a transaction does not survive one */
    run_default("", &w,
                SCRIPT(START, ">>BDAT 6 LAST\r\nQUIT\r\n", "< 503 5.5.1", "> MAIL FROM:<>", "< 250",
                       ">>BDAT 6\r\nQUIT\r\n", "< 503 5.5.1", "> RCPT TO:<user@ours.example>", "< 503 5.5.1",
                       "> MAIL FROM:<>", "< 250", "> RCPT TO:<user@ours.example>", "< 250",
                       ">>BDAT 3\r\na\nbBDAT 6 LAST\r\nQUIT\r\n", "< 550 5.6.11", "< 503 5.5.1", "> DATA",
                       "< 503", "> NOOP", "< 250"));
    run_default(
        "", &w,
        SCRIPT(TO_DATA, ">>BDAT 3 LAST\r\na\r\r", "< 550 5.6.11", "> RCPT TO:<user@ours.example>", "< 503"));
    run_default("", &w, SCRIPT(TO_DATA, "> BDAT x", "< 501 5.5.4", "<."));
    assert_int_equal(w.committed, 0);
    assert_int_equal(w.drafts, w.dropped);
    world_release(&w);
}

static void limits_of_content(void **state)
{
    (void)state;
    struct world w;
    struct buf text = {0};
    world_init(&w);
    buf_add(&text, STR(">>"));
    for (int i = 0; i < 6; i++)
        buf_add(&text, STR("Received: x\r\n"));
    buf_add(&text, STR("\r\nb\r\n.\r\n"));
    run_default("max_received = 5\n", &w, SCRIPT(TO_DATA, "> DATA", "< 354", buf_cstr(&text), "< 554 5.4.6"));
    buf_set(&text, ">>%01100d\r\n.\r\n", 0);
    run_default("max_header_size = 1024\n", &w,
                SCRIPT(TO_DATA, "> DATA", "< 354", buf_cstr(&text), "< 552 5.3.4"));
    buf_set(&text, ">>\r\n%01001d\r\n.\r\n", 0);
    run_default("max_line_length = 1000\n", &w,
                SCRIPT(TO_DATA, "> DATA", "< 354", buf_cstr(&text), "< 550 5.6.0"));
    buf_set(&text, ">>\r\n%01024d\r\n.\r\n", 0);
    run_default(
        "max_message_size = 1024\n", &w,
        SCRIPT(TO_DATA, "> DATA", "< 354", buf_cstr(&text), "< 552 5.3.4", "> MAIL FROM:<>", "< 250"));
    buf_set(&text, ">>BDAT 1027\r\n\r\n%01025d", 0);
    run_default("max_message_size = 1024\n", &w,
                SCRIPT(TO_DATA, buf_cstr(&text), "< 552 5.3.4", "> NOOP", "< 250"));
    assert_int_equal(w.committed, 0);
    assert_int_equal(w.drafts, w.dropped);
    buf_release(&text);
    world_release(&w);
}

static void limits_of_the_session(void **state)
{
    (void)state;
    struct world w;
    struct buf text = {0};
    world_init(&w);
    run_default("max_recipients = 1\n", &w, SCRIPT(TO_DATA, "> RCPT TO:<user@ours.example>", "< 452 4.5.3"));
    run_default("max_errors = 2\n", &w,
                SCRIPT(START, "> FOO", "< 500", "> FOO", "< 500", "< 421 4.7.0", "<."));
    run_default("max_commands = 10\n", &w,
                SCRIPT(START, "> NOOP", "< 250", "> NOOP", "< 250", "> NOOP", "< 250", "> NOOP", "< 250",
                       "> NOOP", "< 250", "> NOOP", "< 250", "> NOOP", "< 250", "> NOOP", "< 250", "> NOOP",
                       "< 250", "> NOOP", "< 421 4.7.0", "<."));
    run_default("max_messages = 1\n", &w,
                SCRIPT(TO_DATA, "> DATA", "< 354", ">>a: b\r\n\r\n.\r\n", "< 250", "> MAIL FROM:<>",
                       "< 421 4.7.0", "<."));
    run_default("command_timeout = 1s\n", &w, SCRIPT(START, "< 421 4.4.2", "<."));
    run_default("data_timeout = 1s\n", &w, SCRIPT(TO_DATA, "> DATA", "< 354", ">>a", "< 421 4.4.2", "<."));
    buf_set(&text, "> NOOP %0510d", 0);
    run_default("", &w, SCRIPT(START, buf_cstr(&text), "< 500 5.5.2", "> NOOP", "< 250"));
    buf_set(&text, "> MAIL FROM:<a@b.example> ENVID=%02100d", 0);
    run_default("", &w, SCRIPT(START, buf_cstr(&text), "< 500 5.5.2", "> NOOP", "< 250"));
    assert_int_equal(w.committed, 1);
    buf_release(&text);
    world_release(&w);
}

static void storage_trouble(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.commit = ERR_SYSTEM;
    run_default("", &w,
                SCRIPT(TO_DATA, "> DATA", "< 354", ">>a: b\r\n\r\n.\r\n", "< 451 4.3.0", "> DATA", "< 503"));
    w.commit = ERR_FULL;
    run_default("", &w, SCRIPT(TO_DATA, "> DATA", "< 354", ">>a: b\r\n\r\n.\r\n", "< 452 4.3.1"));
    w.is_full = true;
    run_default("", &w, SCRIPT(START, "> MAIL FROM:<a@b.example>", "< 452 4.3.1"));
    assert_int_equal(w.committed, 0);
    world_release(&w);
}

static void a_lost_connection_commits_nothing(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    run_default("", &w, SCRIPT(TO_DATA, "> DATA", "< 354", ">>a: b\r\n\r\nbody\r\n"));
    run_default("", &w, SCRIPT(TO_DATA, ">>BDAT 100 LAST\r\nbody\r\n"));
    assert_int_equal(w.drafts, 2);
    assert_int_equal(w.dropped, 2);
    assert_int_equal(w.committed, 0);
    world_release(&w);
}

static void tenants_relay(void **state)
{
    (void)state;
    struct world w;
    world_init(&w);
    w.may_relay = true;
    run_default("", &w,
                SCRIPT(START, "> MAIL FROM:<a@b.example> RET=HDRS ENVID=x SMTPUTF8", "< 250",
                       "> RCPT TO:<x@remote.example>", "< 250", "> DATA", "< 354",
                       ">>a: b\r\n\r\n\xc3\xbc\r\n.\r\n", "< 250"));
    assert_int_equal(w.last.ret, ENVELOPE_RET_HDRS);
    assert_int_equal(w.last.tenant.n, 4);
    assert_true(w.last.smtputf8 && w.last.body_8bit);
    assert_non_null(strstr(buf_cstr(&w.content), "with UTF8SMTP id"));
    world_release(&w);
}

static void original_recipients_are_kept(void **state)
{
    (void)state;
    static const struct {
        const char *rcpt, *reply, *kept;
    } cases[] = {
        {"> RCPT TO:<user@ours.example> ORCPT=rfc822;x+2By@z.example", "< 250", "rfc822;x+y@z.example"},
        {"> RCPT TO:<user@ours.example> ORCPT=UTF-8;\xc3\xbc@z.example", "< 250", "UTF-8;\xc3\xbc@z.example"},
        {"> RCPT TO:<user@ours.example> ORCPT=utf-8;\\x{FC}@z.example", "< 250", "utf-8;\\x{FC}@z.example"},
        {"> RCPT TO:<user@ours.example>", "< 250", ""},
        {"> RCPT TO:<user@ours.example> ORCPT=utf-8;\xff@z.example", "< 501 5.5.4", NULL},
        {"> RCPT TO:<user@ours.example> ORCPT=utf-8;\\x{zz}@z.example", "< 501 5.5.4", NULL},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        world_init(&w);
        bool taken = cases[i].kept;
        run_default("", &w,
                    SCRIPT(START, "> MAIL FROM:<a@b.example> SMTPUTF8", "< 250 2.1.0", cases[i].rcpt,
                           cases[i].reply, "> DATA", taken ? "< 354" : "< 554",
                           taken ? ">>a: b\r\n\r\n.\r\n" : "> NOOP", "< 250"));
        assert_int_equal(w.committed, taken);
        if (taken)
            assert_string_equal(buf_cstr(&w.orcpt), cases[i].kept);
        world_release(&w);
    }
}

/* Whether a next hop needs 8BITMIME is what the content says, not what the client declared of it. */
static void eight_bits_are_seen_not_believed(void **state)
{
    (void)state;
    static const struct {
        const char *mail, *content;
        bool is_8bit;
    } cases[] = {
        {"> MAIL FROM:<a@b.example> BODY=8BITMIME", ">>a: b\r\n\r\nplain\r\n.\r\n", false},
        {"> MAIL FROM:<a@b.example> BODY=8BITMIME", ">>a: b\r\n\r\n\xc3\xbc\r\n.\r\n", true},
        {"> MAIL FROM:<a@b.example> BODY=7BIT", ">>a: b\r\n\r\n\xc3\xbc\r\n.\r\n", true},
        {"> MAIL FROM:<a@b.example>", ">>a: b\r\n\r\nplain\r\n.\r\n", false},
    };
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        struct world w;
        world_init(&w);
        run_default("", &w,
                    SCRIPT(START, cases[i].mail, "< 250 2.1.0", "> RCPT TO:<user@ours.example>",
                           "< 250 2.1.5", "> DATA", "< 354", cases[i].content, "< 250"));
        assert_int_equal(w.last.body_8bit, cases[i].is_8bit);
        world_release(&w);
    }
}

/* Stopping: the idle are told at once, a transaction may end. */
static void draining(void **state)
{
    (void)state;
    struct world w;
    struct conf c = {0};
    char reply[4096];
    world_init(&w);
    world_conf(&c);
    for (int busy = 0; busy < 2; busy++) {
        static const char mail[] = "MAIL FROM:<>\r\nRCPT TO:<user@ours.example>\r\n", data[] = "DATA\r\n",
                          body[] = "a: b\r\n\r\n.\r\n";
        struct world_session s = {.stop_fd = eventfd(0, 0)};
        world_start(&s, &w, &c);
        read_reply(s.client, reply, sizeof reply);
        assert_true(send(s.client, "EHLO client.example\r\n", 21, 0) == 21);
        read_reply(s.client, reply, sizeof reply);
        if (busy) {
            assert_true(send(s.client, mail, sizeof mail - 1, 0) > 0);
            read_reply(s.client, reply, sizeof reply);
            read_reply(s.client, reply, sizeof reply);
        }
        assert_int_equal(eventfd_write(s.stop_fd, 1), 0);
        if (busy) {
            assert_true(send(s.client, data, sizeof data - 1, 0) > 0);
            read_reply(s.client, reply, sizeof reply);
            assert_int_equal(strncmp(reply, "354", 3), 0);
            assert_true(send(s.client, body, sizeof body - 1, 0) > 0);
            read_reply(s.client, reply, sizeof reply);
            assert_int_equal(strncmp(reply, "250 2.0.0 Ok: queued", 20), 0);
        }
        read_reply(s.client, reply, sizeof reply);
        assert_int_equal(strncmp(reply, "421 4.3.2", 9), 0);
        read_reply(s.client, reply, sizeof reply);
        assert_string_equal(reply, "");
        world_end(&s);
        (void)close(s.stop_fd);
    }
    assert_int_equal(w.committed, 1);
    conf_release(&c);
    world_release(&w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_message_goes_through),
        cmocka_unit_test(the_order_of_commands),
        cmocka_unit_test(recipients_and_their_disguises),
        cmocka_unit_test(senders),
        cmocka_unit_test(line_ends_are_strict),
        cmocka_unit_test(a_listed_network_is_mended),
        cmocka_unit_test(groups),
        cmocka_unit_test(chunks),
        cmocka_unit_test(refused_chunks_are_consumed_and_reset_all),
        cmocka_unit_test(limits_of_content),
        cmocka_unit_test(limits_of_the_session),
        cmocka_unit_test(storage_trouble),
        cmocka_unit_test(a_lost_connection_commits_nothing),
        cmocka_unit_test(tenants_relay),
        cmocka_unit_test(original_recipients_are_kept),
        cmocka_unit_test(eight_bits_are_seen_not_believed),
        cmocka_unit_test(draining),
    };
    log_init("test", LOG_ERROR + 1);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
