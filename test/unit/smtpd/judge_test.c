#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

#include "directory/write.h"
#include "smtpd/judge.h"

static const uint8_t certificate[32] = {1, 2, 3};
static struct conf conf = {.ask_timeout = 5000, .ask_keep_known = 60000, .ask_keep_unknown = 1000};
static struct smtpd_settings settings = {.conf = &conf, .hostname = {"edge.example", 12}};
static char folder[] = "/tmp/kedge-judge-XXXXXX";

static void clean(const char *path)
{
    static const char *const names[] = {"/data.mdb", "/lock.mdb", ""};
    struct buf b = {0};
    for (size_t i = 0; i < 3; i++) {
        buf_set(&b, "%s%s", path, names[i]);
        assert_int_equal(remove(buf_cstr(&b)), 0);
    }
    buf_release(&b);
}

static void fill(struct directory *d)
{
    struct buf why = {0};
    struct net_prefix network;
    struct directory_write *w = directory_write_begin(d, &why);
    struct dir_domain domain = {.tenant_id = 1, .tenant = STR("acme"), .host = STR("127.0.0.1"), .port = 24};
    assert_non_null(w);
    directory_put_tenant(w, 1, STR("acme"));
    domain.domain = STR("list.example"), domain.recipients = DIR_RECIPIENTS_LIST;
    directory_put_domain(w, &domain);
    directory_put_recipient(w, STR("list.example"), STR("user"));
    directory_put_recipient(w, STR("list.example"), STR("a b"));
    domain.domain = STR("ask.example"), domain.recipients = DIR_RECIPIENTS_ASK;
    directory_put_domain(w, &domain);
    domain.domain = STR("any.example"), domain.recipients = DIR_RECIPIENTS_ANY;
    directory_put_domain(w, &domain);
    domain.domain = STR("xn--bcher-kva.example");
    directory_put_domain(w, &domain);
    assert_true(prefix_parse(STR("198.51.100.0/24"), &network));
    directory_put_network(w, &network, 1);
    directory_put_certificate(w, certificate, 1);
    assert_int_equal(directory_write_commit(w, 1, STR("test"), &why), OK);
    buf_release(&why);
}

struct row {
    const char *rcpt;
    enum answer answer;
    const char *stored; /* NULL: as given */
};

static void ask(const struct judge_args *j, const char *rcpt, const char *sender, const char *peer,
                const uint8_t *client_certificate, enum answer wanted, const char *stored, const char *tenant)
{
    struct arena a = {0};
    struct buf path = {0};
    struct mail_address address;
    struct addr from;
    buf_printf(&path, "<%s>", rcpt);
    assert_int_equal(mail_path_parse(buf_str(&path), MAIL_FORWARD_PATH, true, &address, NULL), OK);
    assert_true(addr_parse_ip(str_of(peer), &from));
    struct smtpd_verdict v = judge_recipient(j,
                                             &(struct smtpd_question){.rcpt = &address,
                                                                      .sender = str_of(sender),
                                                                      .peer = &from,
                                                                      .certificate = client_certificate,
                                                                      .settings = &settings},
                                             &a);
    if (v.answer != wanted)
        fail_msg("%s from %s: %s instead of %s", rcpt, peer, answer_row(v.answer)->name,
                 answer_row(wanted)->name);
    if (v.answer == ANSWER_recipient_ok) {
        assert_true(str_equal(v.address, stored ? str_of(stored) : address.text));
        assert_true(str_equal(v.tenant, str_of(tenant)));
    }
    buf_release(&path);
    arena_release(&a);
}

static void a_stranger_reaches_accepted_domains_only(void **state)
{
    static const struct row rows[] = {
        {"user@list.example", ANSWER_recipient_ok, NULL},
        {"USER@LIST.example", ANSWER_recipient_ok, NULL},
        {"\"user\"@list.example", ANSWER_recipient_ok, NULL},
        {"\"a b\"@list.example", ANSWER_recipient_ok, NULL},
        {"nobody@list.example", ANSWER_recipient_unknown, NULL},
        {"postmaster@list.example", ANSWER_recipient_ok, NULL},
        {"\"Postmaster\"@list.example", ANSWER_recipient_ok, NULL},
        {"x@any.example", ANSWER_recipient_ok, NULL},
        {"x@b\xc3\xbc"
         "cher.example",
         ANSWER_recipient_ok, NULL},
        {"x@XN--BCHER-KVA.example", ANSWER_recipient_ok, NULL},
        {"postmaster", ANSWER_postmaster_missing, NULL},
        {"postmaster@Edge.Example", ANSWER_postmaster_missing, NULL},
        {"x@edge.example", ANSWER_relay_denied, NULL},
        {"x@remote.example", ANSWER_relay_denied, NULL},
        {"postmaster@remote.example", ANSWER_relay_denied, NULL},
        {"x@sub.any.example", ANSWER_relay_denied, NULL},
        {"x@example", ANSWER_relay_denied, NULL},
        {"x@any.example.remote.example", ANSWER_relay_denied, NULL},
        {"x@[127.0.0.1]", ANSWER_relay_denied, NULL},
        {"x@[IPv6:::1]", ANSWER_relay_denied, NULL},
        {"x%remote.example@any.example", ANSWER_disguise, NULL},
        {"remote.example!x@any.example", ANSWER_disguise, NULL},
        {"\"x@remote.example\"@any.example", ANSWER_disguise, NULL},
        {"\"x\\@remote.example\"@any.example", ANSWER_disguise, NULL},
        {"\"@remote.example:x@remote.example\"@any.example", ANSWER_disguise, NULL},
        {"\"x%remote.example\"@any.example", ANSWER_disguise, NULL},
        {"@any.example:x@remote.example", ANSWER_relay_denied, NULL},
        {"@remote.example:x@any.example", ANSWER_recipient_ok, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        ask(*state, rows[i].rcpt, "a@any.example", "192.0.2.1", NULL, rows[i].answer, rows[i].stored, "");
}

static void a_tenant_relays_for_its_own_senders(void **state)
{
    const uint8_t other[32] = {9};
    ask(*state, "x@remote.example", "a@any.example", "198.51.100.7", NULL, ANSWER_recipient_ok, NULL, "acme");
    ask(*state, "x@remote.example", "a@Any.Example", "198.51.100.7", NULL, ANSWER_recipient_ok, NULL, "acme");
    ask(*state, "x@remote.example", "", "198.51.100.7", NULL, ANSWER_recipient_ok, NULL, "acme");
    ask(*state, "x@remote.example", "a@remote.example", "198.51.100.7", NULL, ANSWER_sender_denied, NULL, "");
    ask(*state, "x@remote.example", "a@[192.0.2.1]", "198.51.100.7", NULL, ANSWER_sender_denied, NULL, "");
    ask(*state, "x@remote.example", "a@any.example", "198.51.101.7", NULL, ANSWER_relay_denied, NULL, "");
    ask(*state, "x@remote.example", "a@any.example", "192.0.2.1", certificate, ANSWER_recipient_ok, NULL,
        "acme");
    ask(*state, "x@remote.example", "a@any.example", "192.0.2.1", other, ANSWER_relay_denied, NULL, "");
    /* to an accepted domain it is mail like any other */
    ask(*state, "x@any.example", "a@remote.example", "198.51.100.7", NULL, ANSWER_recipient_ok, NULL, "");
    ask(*state, "x@[127.0.0.1]", "a@any.example", "198.51.100.7", NULL, ANSWER_relay_denied, NULL, "");
}

/* RFC 5321 section 4.5.1, and never a mailbox that would come back to us. */
static void who_is_postmaster(void **state)
{
    static const struct {
        const char *own_name, *option, *rcpt;
        enum answer answer;
        const char *stored;
    } rows[] = {
        {"edge.example", "help@any.example", "postmaster", ANSWER_recipient_ok, "help@any.example"},
        {"edge.example", "help@any.example", "Postmaster@EDGE.example", ANSWER_recipient_ok,
         "help@any.example"},
        {"edge.example", "help@any.example", "postmaster@any.example", ANSWER_recipient_ok, NULL},
        {"edge.example", "ops@remote.example", "postmaster", ANSWER_recipient_ok, "ops@remote.example"},
        {"edge.example", "root@Edge.example", "postmaster", ANSWER_postmaster_missing, NULL},
        {"edge.example", "root@edge.example", "postmaster@edge.example", ANSWER_postmaster_missing, NULL},
        {"any.example", "", "postmaster", ANSWER_recipient_ok, "postmaster@any.example"},
        {"list.example", "", "postmaster", ANSWER_recipient_ok, "postmaster@list.example"},
        {"list.example", "", "postmaster@list.example", ANSWER_recipient_ok, NULL},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        settings.hostname = str_of(rows[i].own_name), settings.postmaster = str_of(rows[i].option);
        ask(*state, rows[i].rcpt, "", "192.0.2.1", NULL, rows[i].answer, rows[i].stored, "");
    }
    settings.hostname = STR("edge.example"), settings.postmaster = STR_NONE;
}

struct mailbox_host {
    const char *reply; /* to RCPT; NULL: it cannot be reached */
    unsigned asked;
};

static enum err call(void *ctx, const struct ask_question *q, struct arena *a, struct smtp_reply *reply,
                     struct buf *why)
{
    struct mailbox_host *host = ctx;
    struct smtp_reply_parser parser = {0};
    const char *fault;
    host->asked++;
    assert_true(str_equal(q->domain->domain, STR("ask.example")) && q->domain->port == 24);
    if (!host->reply) {
        buf_set(why, "as the test wants");
        return ERR_CLOSED;
    }
    assert_int_equal(smtp_reply_feed(&parser, str_of(host->reply), &fault), SMTP_REPLY_DONE);
    *reply = (struct smtp_reply){.code = parser.code, .text = arena_str(a, buf_str(&parser.text))};
    memcpy(reply->status, parser.status, sizeof reply->status);
    smtp_reply_parser_release(&parser);
    return OK;
}

static void the_mailbox_host_has_the_word(void **state)
{
    struct judge_args j = *(const struct judge_args *)*state;
    struct mailbox_host host = {.reply = "550 5.1.1 no"};
    ask(&j, "x@ask.example", "", "192.0.2.1", NULL, ANSWER_recipient_unverified, NULL, "");
    j.ask = ask_new(&(struct ask_caller){.ctx = &host, .call = call});
    ask(&j, "no@ask.example", "", "192.0.2.1", NULL, ANSWER_recipient_unknown, NULL, "");
    ask(&j, "postmaster@ask.example", "", "192.0.2.1", NULL, ANSWER_recipient_ok, NULL, "");
    ask(&j, "x%remote.example@ask.example", "", "192.0.2.1", NULL, ANSWER_disguise, NULL, "");
    assert_int_equal(host.asked, 1);
    host.reply = "250 ok";
    ask(&j, "yes@ask.example", "", "192.0.2.1", NULL, ANSWER_recipient_ok, NULL, "");
    host.reply = "451 4.3.0 later";
    ask(&j, "later@ask.example", "", "192.0.2.1", NULL, ANSWER_recipient_unverified, NULL, "");
    ask_free(j.ask);
}

static void an_empty_directory_is_no_verdict(void **state)
{
    (void)state;
    char empty[] = "/tmp/kedge-judge-XXXXXX";
    struct buf why = {0};
    assert_non_null(mkdtemp(empty));
    struct judge_args j = {.directory = directory_open(empty, &why)};
    assert_non_null(j.directory);
    ask(&j, "x@any.example", "", "192.0.2.1", NULL, ANSWER_directory_trouble, NULL, "");
    ask(&j, "postmaster", "", "192.0.2.1", NULL, ANSWER_directory_trouble, NULL, "");
    directory_close(j.directory);
    clean(empty);
    buf_release(&why);
}

static int setup(void **state)
{
    static struct judge_args j;
    struct buf why = {0};
    if (!mkdtemp(folder))
        return -1;
    j.directory = directory_open_writable(folder, &why);
    if (!j.directory)
        return -1;
    fill(j.directory);
    *state = &j;
    buf_release(&why);
    return 0;
}

static int teardown(void **state)
{
    directory_close(((struct judge_args *)*state)->directory);
    clean(folder);
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_stranger_reaches_accepted_domains_only),
        cmocka_unit_test(a_tenant_relays_for_its_own_senders),
        cmocka_unit_test(who_is_postmaster),
        cmocka_unit_test(the_mailbox_host_has_the_word),
        cmocka_unit_test(an_empty_directory_is_no_verdict),
    };
    return cmocka_run_group_tests(tests, setup, teardown);
}
