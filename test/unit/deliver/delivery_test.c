/* Whole deliveries: a real queue and directory, scripted DNS, nobody behind the ports. What becomes of each
 * recipient, and when it is due again. */
#include "../policy/script.h"
#include "../queue/spool.h"

#include "deliver/deliver.h"
#include "directory/write.h"
#include "net/prefix.h"

enum { NOBODY = 1 /* tcpmux */ };

struct world {
    struct conf conf, later;
    struct directory *directory;
    struct queue_writer *in, *bounces;
    struct queue *queue;
    struct tls_client *tls;
    struct script dns;
    struct deliver *deliver;
    _Atomic bool proven;
};

static _Atomic bool disk_fails;

static int sync_or_fail(int fd)
{
    errno = EIO;
    return disk_fails ? -1 : fdatasync(fd);
}

static enum err prove(void *ctx, const struct conf *conf, struct buf *why)
{
    struct world *w = ctx;
    (void)conf;
    if (w->proven)
        return OK;
    buf_set(why, "as the test wants it");
    return ERR_REFUSED;
}

static struct directory *fill_directory(void)
{
    char path[96];
    struct buf why = {0};
    (void)snprintf(path, sizeof path, "%s/directory", spool_path);
    assert_int_equal(mkdir(path, 0700), 0);
    struct directory *d = directory_open_writable(path, &why);
    assert_non_null(d);
    struct directory_write *w = directory_write_begin(d, &why);
    directory_put_tenant(w, 1, STR("acme"));
    directory_put_domain(
        w, &(struct dir_domain){
               .domain = STR("ours.example"), .tenant_id = 1, .host = STR("127.0.0.1"), .port = NOBODY});
    directory_put_mode(w, 1, STR("strict.example"), MODE_MANDATORY, 0);
    assert_int_equal(directory_write_commit(w, 1, STR("test"), &why), OK);
    return d;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct buf why = {0};
    assert_int_equal(spool_setup(state), 0);
    disk_fails = false;
    for (int i = 0; i < 2; i++) {
        struct conf *c = i ? &w->later : &w->conf;
        assert_int_equal(
            conf_parse(STR("hostname = edge.example\nresolver_proof_interval = 1s\n"), "test", c, &why), OK);
        c->smtp_port = NOBODY;
    }
    w->directory = fill_directory();
    w->in = spool_writer(NULL);
    static struct queue_io io;
    io = queue_io_system;
    io.sync = sync_or_fail;
    struct queue_options failing = spool_options();
    failing.io = &io;
    w->bounces = queue_writer_open(spool_path, "deliver", &failing, &why);
    w->queue = spool_queue(NULL);
    assert_int_equal(tls_client_new(&(struct tls_client_conf){.ca_file = ""}, &w->tls, &why), OK);
    w->dns.text = "null.example MX secure 0 .\n"
                  "strict.example MX insecure 10 mx.strict.example\n"
                  "remote.example MX insecure 10 mx.remote.example\n"
                  "mx.remote.example A insecure 127.0.0.1\n"
                  "mx.remote.example AAAA insecure-nodata\n";
    w->proven = true;
    *state = w;
    return 0;
}

static void start(struct world *w)
{
    struct buf why = {0};
    struct dns_source source = {&w->dns, script_ask};
    struct deliver_parts parts = {.conf = &w->conf,
                                  .directory = w->directory,
                                  .queue = w->queue,
                                  .bounces = w->bounces,
                                  .source = source,
                                  .unchecked = source,
                                  .tls = w->tls,
                                  .prove = prove,
                                  .prove_ctx = w};
    w->deliver = deliver_start(&parts, &why);
    assert_non_null(w->deliver);
}

static int teardown(void **state)
{
    struct world *w = *state;
    if (w->deliver)
        deliver_stop(w->deliver, 5000);
    queue_close(w->queue);
    queue_writer_close(w->in);
    queue_writer_close(w->bounces);
    directory_close(w->directory);
    tls_client_free(w->tls);
    conf_release(&w->conf);
    conf_release(&w->later);
    free(w);
    return spool_teardown(state);
}

static struct queue_message *look(struct world *w, const char *id)
{
    struct queue_message *m = NULL;
    assert_int_equal(queue_look(w->queue, id, &m, NULL), OK);
    return m;
}

/* Attempts of the message that were written down. */
static unsigned attempts(struct world *w, const char *id)
{
    struct queue_message *m = NULL;
    if (queue_look(w->queue, id, &m, NULL) != OK)
        return 0; /* the queue has not read it yet */
    unsigned n = m->claimed ? 0 : m->attempts;
    queue_message_free(m);
    return n;
}

/* How long until the next one; 0 while one is under way. */
static int64_t rest(struct world *w, const char *id)
{
    struct queue_message *m = look(w, id);
    int64_t ms = m->claimed ? 0 : m->next_ms - clock_wall();
    queue_message_free(m);
    return ms;
}

/* The notification that waits to be delivered; NULL: there is none. */
static bool find_notification(void *ctx, struct queue_message *m)
{
    if (m->envelope->sender.n || m->claimed || !m->attempts)
        return true;
    memcpy(ctx, m->id, QUEUE_ID);
    return false;
}

static void each_recipient_has_its_own_time(void **state)
{
    struct world *w = *state;
    char id[QUEUE_ID];
    w->proven = false;
    start(w);
    assert_int_equal(spool_commit(w->in, 10, 'c', id, "a@ours.example", "b@null.example"), OK);
    SPOOL_UNTIL(attempts(w, id) == 1);
    struct queue_message *m = look(w, id);
    int64_t first = m->rcpt[0].next_ms, now = clock_wall();
    assert_true(str_equal(m->rcpt[0].reason, STR("connect-failed")));
    assert_true(str_equal(m->rcpt[1].reason, STR("resolver-fault")));
    assert_true(first > now + 14 * 60000 && first <= now + 15 * 60000);
    assert_true(m->next_ms <= now + 1000 + 3000);
    queue_message_free(m);

    w->proven = true; /* the other recipient ends; this one still waits */
    SPOOL_UNTIL(attempts(w, id) == 2);
    m = look(w, id);
    assert_int_equal(m->rcpt[1].status, QUEUE_BOUNCED);
    assert_int_equal(m->rcpt[0].attempts, 1);
    assert_int_equal(m->rcpt[0].next_ms, first);
    assert_int_equal(m->next_ms, first);
    queue_message_free(m);
}

static void unproven_mail_waits_for_the_next_proof(void **state)
{
    struct world *w = *state;
    char id[QUEUE_ID];
    w->proven = false;
    start(w);
    assert_int_equal(spool_commit(w->in, 10, 'c', id, "b@remote.example", NULL), OK);
    SPOOL_UNTIL(attempts(w, id) == 1);
    w->later.resolver_proof_interval = 60000;
    deliver_reload(w->deliver, &w->later);
    int64_t wait = 0;
    SPOOL_UNTIL((wait = rest(w, id)) > 10000);
    assert_true(wait <= 63000);
    assert_int_equal(attempts(w, id), 1); /* and nothing was written for it */
}

static void a_notification_keeps_the_tenants_mode(void **state)
{
    struct world *w = *state;
    char id[QUEUE_ID], notification[QUEUE_ID] = "";
    struct envelope_rcpt to = {.address = STR("b@null.example")};
    struct envelope e = {.received_ms = clock_wall(),
                         .tenant = STR("acme"),
                         .sender = STR("s@strict.example"),
                         .rcpt = &to,
                         .nrcpt = 1};
    start(w);
    struct queue_draft *draft = queue_draft_new(w->in);
    queue_draft_write(draft, "Subject: x\r\n\r\n", 14);
    assert_int_equal(queue_draft_commit(draft, &e, id, NULL), OK);
    SPOOL_UNTIL((queue_walk(w->queue, find_notification, notification), notification[0]));
    struct queue_message *m = look(w, notification);
    assert_true(str_equal(m->envelope->tenant, STR("acme")));
    assert_true(str_equal(m->rcpt[0].reason, STR("dane-required")));
    queue_message_free(m);
}

static void what_was_not_told_is_told_later(void **state)
{
    struct world *w = *state;
    char id[QUEUE_ID];
    disk_fails = true;
    w->conf.delay_warning = 1;
    start(w);
    assert_int_equal(spool_commit(w->in, 10, 'c', id, "a@ours.example", "b@null.example"), OK);
    SPOOL_UNTIL(attempts(w, id) == 1);
    struct queue_message *m = look(w, id);
    assert_int_equal(m->rcpt[0].status, QUEUE_DEFERRED);
    assert_int_equal(m->rcpt[0].warned_ms, 0);
    assert_int_equal(m->rcpt[1].status, QUEUE_DEFERRED);
    assert_int_equal(m->rcpt[1].warned_ms, 0);
    assert_true(m->next_ms <= clock_wall() + 60000);
    queue_message_free(m);

    disk_fails = false;
    assert_int_equal(queue_retry(w->queue, id, NULL), OK);
    SPOOL_UNTIL(attempts(w, id) == 2);
    m = look(w, id);
    assert_true(m->rcpt[0].warned_ms > 0);
    assert_int_equal(m->rcpt[1].status, QUEUE_BOUNCED);
    queue_message_free(m);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(each_recipient_has_its_own_time),
        T(unproven_mail_waits_for_the_next_proof),
        T(a_notification_keeps_the_tenants_mode),
        T(what_was_not_told_is_told_later),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
