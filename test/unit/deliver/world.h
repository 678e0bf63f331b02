/* A whole sender: a real queue and directory, scripted DNS, nobody behind the ports. */
#ifndef TEST_DELIVER_WORLD_H
#define TEST_DELIVER_WORLD_H

#include "../policy/script.h"
#include "../queue/spool.h"

#include "deliver/deliver_priv.h"
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
    pthread_mutex_t asking;
    _Atomic bool holds;    /* what is asked for MX and TLSA of names with "slow" in them has to wait */
    _Atomic unsigned held; /* such questions that wait */
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

static bool is_slow(const struct dns_question *q)
{
    return (q->type == DNS_MX || q->type == DNS_TLSA) && str_find(q->name, STR("slow")) != SIZE_MAX;
}

/* Names with "mute" in them: what is asked together with them is answered when the time is over. */
static void wait_for_mute(const struct dns_question *q, size_t n, deadline until)
{
    for (size_t i = 0; i < n; i++)
        while (str_find(q[i].name, STR("mute")) != SIZE_MAX && !deadline_is_over(until))
            (void)usleep(2000);
}

/* What is held is let go at the latest when deliver stops. */
static void world_ask(void *ctx, struct arena *a, const struct dns_question *q, size_t n, deadline until,
                      struct dns_answer *out)
{
    struct world *w = ctx;
    if (is_slow(q)) {
        w->held++;
        while (w->holds && !deliver_is_stopping(w->deliver))
            (void)usleep(2000);
        w->held--;
    }
    if (deadline_is_over(until)) {
        for (size_t i = 0; i < n; i++)
            out[i] = (struct dns_answer){.type = q[i].type,
                                         .qname = q[i].name,
                                         .expanded = q[i].name,
                                         .status = DNS_ERROR,
                                         .error = DNS_ERROR_TIMEOUT,
                                         .ede = DNS_NO_EDE};
        return;
    }
    wait_for_mute(q, n, until);
    pthread_mutex_lock(&w->asking);
    script_ask(&w->dns, a, q, n, until, out);
    pthread_mutex_unlock(&w->asking);
}

static int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct buf why = {0};
    assert_int_equal(spool_setup(state), 0);
    assert_int_equal(pthread_mutex_init(&w->asking, NULL), 0);
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

static void world_start(struct world *w)
{
    struct buf why = {0};
    struct dns_source source = {w, world_ask};
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

static int world_teardown(void **state)
{
    struct world *w = *state;
    if (w->deliver)
        deliver_stop(w->deliver, 5000);
    queue_close(w->queue);
    queue_writer_close(w->in);
    queue_writer_close(w->bounces);
    directory_close(w->directory);
    tls_client_free(w->tls);
    pthread_mutex_destroy(&w->asking);
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
static __attribute__((unused)) int64_t rest(struct world *w, const char *id)
{
    struct queue_message *m = look(w, id);
    int64_t ms = m->claimed ? 0 : m->next_ms - clock_wall();
    queue_message_free(m);
    return ms;
}

/* A number of deliver_status. */
static __attribute__((unused)) int status(struct world *w, const char *name)
{
    json_t *all = deliver_status(w->deliver);
    json_t *one = json_object_get(all, name);
    int n = json_is_boolean(one) ? json_is_true(one) : (int)json_integer_value(one);
    json_decref(all);
    return n;
}

/* Is that the reason of the first recipient's last attempt? */
static __attribute__((unused)) bool waits_for(struct world *w, const char *id, const char *reason)
{
    struct queue_message *m = look(w, id);
    bool same = str_equal(m->rcpt[0].reason, str_of(reason));
    queue_message_free(m);
    return same;
}

#endif
