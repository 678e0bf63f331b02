/* kedge-deliver: sends what is in the queue. Wires queue, directory, resolver, TLS and journal to deliver,
 * and serves the queue's verbs on run/deliver.sock. */
#include "cmd/daemon.h"
#include "ctl/ctl.h"
#include "deliver/deliver.h"
#include "deliver/discard.h"
#include "dns/cache.h"
#include "queue/control.h"

/* Attempts in flight have this long to end. */
enum { DRAIN_MS = 30000, PROOF_MS = 15000, ANSWERS_KEPT = 16384 };

struct deliver_main {
    struct daemon daemon;
    struct arena arena;
    struct buf why;
    struct directory *directory;
    struct queue *queue;
    struct queue_writer *bounces;
    struct journal *journal;
    struct resolver *resolver, *unchecked;
    struct dns_cache *answers; /* of the resolver */
    struct tls_client *tls;
    struct deliver *deliver;
    struct ctl_server *ctl;
};

static void open_stores(struct deliver_main *m)
{
    const struct conf *c = m->daemon.conf;
    const char *data = c->data_directory;
    const struct queue_options options = {.segment_size = (size_t)c->segment_size,
                                          .disk_reserve = (uint64_t)c->disk_reserve,
                                          .segment_age_ms = c->segment_age};
    const struct journal_options journal = {.retention_ms = c->journal_retention};
    const char *queue = daemon_path(&m->arena, data, "queue");
    m->directory = directory_open(daemon_path(&m->arena, data, "directory"), &m->why);
    if (!m->directory)
        die(EXIT_OS, "data_directory: %s", buf_cstr(&m->why));
    if (queue_open(queue, &options, &m->queue, &m->why) != OK)
        die(EXIT_OS, "data_directory: %s", buf_cstr(&m->why));
    m->bounces = queue_writer_open(queue, "deliver", &options, &m->why);
    if (!m->bounces)
        die(EXIT_OS, "data_directory: %s", buf_cstr(&m->why));
    m->journal = journal_open(daemon_path(&m->arena, data, "journal"), "deliver", &journal, &m->why);
    if (!m->journal)
        die(EXIT_OS, "data_directory: %s", buf_cstr(&m->why));
}

static void open_resolver(struct deliver_main *m)
{
    const struct conf *c = m->daemon.conf;
    struct resolver_conf conf = {0};
    if (!addr_parse(str_of(c->resolver), 53, &conf.address))
        die(EXIT_CONFIG, "resolver = %s: not an address such as 127.0.0.1:53", c->resolver);
    if (resolver_address_check(&conf.address, c->resolver_trusted, &m->why) != OK)
        die(EXIT_CONFIG, "resolver = %s: %s", c->resolver, buf_cstr(&m->why));
    m->resolver = resolver_new(&conf);
    conf.unchecked = true;
    m->unchecked = resolver_new(&conf);
    struct dns_source source = resolver_source(m->resolver);
    m->answers = dns_cache_new(&source, ANSWERS_KEPT);
    if (tls_client_new(&(struct tls_client_conf){.ca_file = c->ca_file}, &m->tls, &m->why) != OK)
        die(EXIT_CONFIG, "ca_file = %s: %s", c->ca_file, buf_cstr(&m->why));
}

static enum err prove(void *ctx, const struct conf *c, struct buf *why)
{
    struct deliver_main *m = ctx;
    enum err e = resolver_prove(m->resolver, str_of(c->resolver_proof_secure),
                                str_of(c->resolver_proof_bogus), deadline_in(PROOF_MS), why);
    if (e)
        dns_cache_clear(m->answers); /* what it said a moment ago is not to be believed either */
    return e;
}

static enum err verb_status(void *ctx, const struct ctl_peer *peer, json_t *args, struct ctl_reply *reply,
                            struct buf *why)
{
    (void)peer, (void)args, (void)why;
    struct deliver_main *m = ctx;
    ctl_reply_result(reply, deliver_status(m->deliver));
    return OK;
}

static void record_discard(void *ctx, const struct queue_message *message, struct str by)
{
    discard_record(((const struct deliver_main *)ctx)->journal, message, by);
}

static void wake_destinations(void *ctx)
{
    const struct deliver_main *m = ctx;
    dns_cache_clear(m->answers);
    deliver_wake(m->deliver);
}

static enum err verb_queue(void *ctx, const struct ctl_peer *peer, json_t *args, struct ctl_reply *reply,
                           struct buf *why)
{
    struct deliver_main *m = ctx;
    const struct queue_control control = {
        .queue = m->queue, .discarded = record_discard, .retried = wake_destinations, .ctx = m};
    return queue_control_serve(&control, peer, args, reply, why);
}

static const struct ctl_verb verbs[] = {{"deliver.status", verb_status, true},
#define X(name, read_only) {"queue." #name, verb_queue, read_only},
                                        QUEUE_VERB_TABLE(X)
#undef X
};

static void serve(struct deliver_main *m)
{
    const struct conf *c = m->daemon.conf;
    struct deliver_parts parts = {.conf = c,
                                  .directory = m->directory,
                                  .queue = m->queue,
                                  .bounces = m->bounces,
                                  .journal = m->journal,
                                  .source = dns_cache_source(m->answers),
                                  .unchecked = resolver_source(m->unchecked),
                                  .tls = m->tls,
                                  .prove = prove,
                                  .prove_ctx = m};
    m->deliver = deliver_start(&parts, &m->why);
    if (!m->deliver)
        die(EXIT_OS, "%s", buf_cstr(&m->why));
    const char *path = daemon_path(&m->arena, c->run_directory, "deliver.sock");
    if (ctl_server_start(path, 0660, verbs, sizeof verbs / sizeof *verbs, m, &m->ctl, &m->why) != OK)
        die(EXIT_OS, "run_directory: %s", buf_cstr(&m->why));
}

static void reload(void *ctx, const struct conf *now)
{
    struct deliver_main *m = ctx;
    deliver_reload(m->deliver, now);
}

int main(int argc, char **argv)
{
    static struct deliver_main m;
    daemon_start(&m.daemon, &(struct daemon_role){.program = "kedge-deliver", .summary = "sends mail"}, argc,
                 argv);
    daemon_enter(&m.daemon);
    open_stores(&m);
    open_resolver(&m);
    serve(&m);
    daemon_run(&m.daemon, reload, &m);

    queue_stop(m.queue); /* a drain that somebody waits for ends, too */
    ctl_server_stop(m.ctl);
    deliver_stop(m.deliver, DRAIN_MS);
    tls_client_free(m.tls);
    dns_cache_free(m.answers);
    resolver_free(m.resolver);
    resolver_free(m.unchecked);
    journal_close(m.journal);
    queue_writer_close(m.bounces);
    queue_close(m.queue);
    directory_close(m.directory);
    arena_release(&m.arena);
    buf_release(&m.why);
    return daemon_end(&m.daemon);
}
