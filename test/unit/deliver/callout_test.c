/* What a mailbox host is asked, and what its words mean. TLS that succeeds is the system tests' business. */
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver/callout.h"
#include "peer.h"

static void no_questions(void *ctx, struct arena *a, const struct dns_question *q, size_t n, deadline until,
                         struct dns_answer *out)
{
    (void)ctx, (void)a, (void)q, (void)until, (void)out;
    fail_msg("%zu questions to DNS for a mailbox host that is an address", n);
}

#define SCRIPT(...) ((const char *const[]){__VA_ARGS__, NULL})
#define SMTP "220 hi", "<EHLO edge.example", "250-mailbox.example\n250 PIPELINING"

static const struct row {
    const char *const *script;
    enum dir_protocol protocol;
    enum dir_tls tls;
    bool needs_utf8;
    enum blame blame;
    unsigned code;     /* of the outcome's reply */
    const char *heard; /* all that the host was told */
} rows[] = {
    {SCRIPT(SMTP, "<MAIL", "250 ok", "<RCPT", "250 2.1.5 ok", "<QUIT"), DIR_SMTP, DIR_TLS_NONE, false,
     BLAME_NOBODY, 250, "EHLO edge.example\nMAIL FROM:<>\nRCPT TO:<x@ask.example>\nQUIT\n"},
    {SCRIPT("220 hi", "<LHLO edge.example", "250 mailbox.example", "<MAIL", "250 ok", "<RCPT", "550 5.1.1 no",
            "<QUIT"),
     DIR_LMTP, DIR_TLS_NONE, false, BLAME_RECIPIENT, 550,
     "LHLO edge.example\nMAIL FROM:<>\nRCPT TO:<x@ask.example>\nQUIT\n"},
    {SCRIPT(SMTP, "<MAIL", "250 ok", "<RCPT", "450 4.2.0 later", "<QUIT"), DIR_SMTP, DIR_TLS_NONE, false,
     BLAME_RECIPIENT, 450, NULL},
    {SCRIPT(SMTP, "<MAIL", "250 ok", "<RCPT", "421 4.3.2 going down"), DIR_SMTP, DIR_TLS_NONE, false,
     BLAME_HOST, 421, NULL},
    {SCRIPT(SMTP, "<MAIL", "550 5.7.1 no null sender", "<QUIT"), DIR_SMTP, DIR_TLS_NONE, false, BLAME_MESSAGE,
     550, NULL},
    {SCRIPT(SMTP, "<MAIL", "451 busy", "<QUIT"), DIR_SMTP, DIR_TLS_NONE, false, BLAME_HOST, 451, NULL},
    {SCRIPT(SMTP, "<MAIL", "250 ok", "<RCPT", "!"), DIR_SMTP, DIR_TLS_NONE, false, BLAME_HOST, 0, NULL},
    {SCRIPT("554 no service"), DIR_SMTP, DIR_TLS_NONE, false, BLAME_HOST, 554, NULL},
    {SCRIPT("220 hi", "<EHLO", "250-mailbox.example\n250 SMTPUTF8", "<MAIL FROM:<> SMTPUTF8", "250 ok",
            "<RCPT", "250 ok", "<QUIT"),
     DIR_SMTP, DIR_TLS_NONE, true, BLAME_NOBODY, 250, NULL},
    {SCRIPT(SMTP, "<QUIT"), DIR_SMTP, DIR_TLS_NONE, true, BLAME_MESSAGE, 0, "EHLO edge.example\nQUIT\n"},
    {SCRIPT(SMTP, "<QUIT"), DIR_SMTP, DIR_TLS_ENCRYPT, false, BLAME_HOST, 0, "EHLO edge.example\nQUIT\n"},
    {SCRIPT(SMTP, "<QUIT"), DIR_SMTP, DIR_TLS_VERIFY, false, BLAME_HOST, 0, "EHLO edge.example\nQUIT\n"},
};

static void ask(const struct row *row)
{
    static char hostname[] = "edge.example";
    const struct conf conf = {.hostname = hostname};
    const struct dns_source source = {.ask = no_questions};
    struct peer peer = {.script = {row->script}};
    struct arena a = {0};
    struct buf why = {0};
    struct live live;
    struct tls_client *tls;
    struct settings *settings = settings_new(&conf);
    live_init(&live);
    assert_int_equal(tls_client_new(&(struct tls_client_conf){.ca_file = ""}, &tls, &why), OK);
    peer_start(&peer);
    const struct dir_domain domain = {.domain = STR("ask.example"),
                                      .host = STR("127.0.0.1"),
                                      .port = addr_port(&peer.at),
                                      .protocol = row->protocol,
                                      .tls = row->tls};
    const struct callout callout = {.settings = settings, .source = &source, .tls = tls, .live = &live};
    struct outcome o = callout_rcpt(&callout,
                                    &(struct callout_question){.domain = &domain,
                                                               .address = STR("x@ask.example"),
                                                               .needs_utf8 = row->needs_utf8,
                                                               .timeout_ms = 5000},
                                    &a);
    peer_stop(&peer);
    if (peer.wrong[0] || o.blame != row->blame || o.reply.code != row->code ||
        (row->heard && strcmp(buf_cstr(&peer.heard), row->heard) != 0))
        fail_msg("row %zu: blame %d, %u %.*s; heard '%s' %s", row - rows, (int)o.blame, o.reply.code,
                 STR_ARG(o.text), buf_cstr(&peer.heard), peer.wrong);
    buf_release(&peer.heard);
    tls_client_free(tls);
    settings_free(settings);
    live_release(&live);
    arena_release(&a);
    buf_release(&why);
}

static void what_the_host_says(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ask(&rows[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_the_host_says)};
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
