/* kedge-smtpd: receives mail into the queue. Wires sockets, keys, directory, queue and journal to smtpd. */
#include "cmd/ask_mailbox.h"
#include "cmd/daemon.h"
#include "cmd/probe_self.h"
#include "smtpd/postmaster.h"
#include "smtpd/smtpd.h"

/* A client in the middle of a message has this long to finish it. */
enum { DRAIN_MS = 60000 };

struct smtpd_main {
    struct daemon daemon;
    struct arena arena;
    struct buf why;
    int listeners[SMTPD_LISTENERS_MAX];
    size_t listener_count;
    struct smtpd_backend backend;
    struct smtpd_outside outside;
    struct resolver *resolver;
    struct ask_mailbox ask;
    struct smtpd_identity identity;
    struct tls_server *tls;
    struct smtpd_server *server;
    struct confirm *confirm;
    struct probe_self *probe;
};

/* Before root goes: port 25. */
static void listen_all(struct smtpd_main *m)
{
    const struct conf_list *list = &m->daemon.conf->listen;
    enum net_stack stack = list->n == 1 ? NET_DUAL_STACK : NET_ONE_FAMILY;
    if (list->n > SMTPD_LISTENERS_MAX)
        die(EXIT_CONFIG, "listen: at most %d addresses, not %zu", SMTPD_LISTENERS_MAX, list->n);
    for (size_t i = 0; i < list->n; i++) {
        struct addr at;
        if (!addr_parse(str_of(list->v[i]), 25, &at))
            die(EXIT_CONFIG, "listen: %s is not an address such as 192.0.2.1:25 or [2001:db8::1]:25",
                list->v[i]);
        if (net_listen(&at, stack, &m->listeners[i], &m->why))
            die(EXIT_OS, "listen = %s: %s", list->v[i], buf_cstr(&m->why));
        m->listener_count++;
    }
}

static void open_stores(struct smtpd_main *m)
{
    const struct conf *c = m->daemon.conf;
    const char *data = c->data_directory;
    const struct queue_options queue = {.segment_size = (size_t)c->segment_size,
                                        .disk_reserve = (uint64_t)c->disk_reserve,
                                        .segment_age_ms = c->segment_age};
    const struct journal_options journal = {.retention_ms = c->journal_retention};
    m->backend.judge.directory = directory_open(daemon_path(&m->arena, data, "directory"), &m->why);
    if (!m->backend.judge.directory)
        die(EXIT_OS, "data_directory: %s", buf_cstr(&m->why));
    m->identity.directory = m->backend.judge.directory;
    m->identity.keystore = keystore_open(daemon_path(&m->arena, data, "keys"), &m->why);
    if (!m->identity.keystore)
        die(EXIT_OS, "data_directory: %s", buf_cstr(&m->why));
    m->backend.queue = queue_writer_open(daemon_path(&m->arena, data, "queue"), "smtpd", &queue, &m->why);
    if (!m->backend.queue)
        die(EXIT_OS, "data_directory: %s", buf_cstr(&m->why));
    m->backend.journal = journal_open(daemon_path(&m->arena, data, "journal"), "smtpd", &journal, &m->why);
    if (!m->backend.journal)
        die(EXIT_OS, "data_directory: %s", buf_cstr(&m->why));
    smtpd_backend_outside(&m->backend, &m->outside);
}

static void open_resolver(struct smtpd_main *m)
{
    const struct conf *c = m->daemon.conf;
    struct resolver_conf conf = {0};
    if (!addr_parse(str_of(c->resolver), 53, &conf.address))
        die(EXIT_CONFIG, "resolver = %s: not an address such as 127.0.0.1:53", c->resolver);
    if (resolver_address_check(&conf.address, c->resolver_trusted, &m->why) != OK)
        die(EXIT_CONFIG, "resolver = %s: %s", c->resolver, buf_cstr(&m->why));
    m->resolver = resolver_new(&conf);
    if (ask_mailbox_start(&m->ask, c, m->resolver, &m->why) != OK)
        die(EXIT_CONFIG, "ca_file = %s: %s", c->ca_file, buf_cstr(&m->why));
    m->backend.judge.ask = m->ask.ask;
}

static void serve(struct smtpd_main *m)
{
    struct smtpd_settings *settings;
    if (smtpd_settings_new(m->daemon.conf, &settings, &m->why))
        die(EXIT_CONFIG, "%s", buf_cstr(&m->why));
    const struct tls_server_conf tls = {.lookup = smtpd_identity_lookup,
                                        .ctx = &m->identity,
                                        .fallback_name = str_of(m->daemon.conf->hostname),
                                        .wants_certificate = smtpd_identity_wants_certificate};
    if (tls_server_new(&tls, &m->tls, &m->why))
        die(EXIT_OS, "TLS: %s", buf_cstr(&m->why));
    const struct smtpd_server_args args = {.listeners = m->listeners,
                                           .listener_count = m->listener_count,
                                           .settings = settings,
                                           .outside = &m->outside,
                                           .tls = m->tls,
                                           .stop_fd = m->daemon.stop_fd};
    if (smtpd_server_start(&args, &m->server, &m->why))
        die(EXIT_OS, "%s", buf_cstr(&m->why));
}

/* What control hears of this edge, and what the edge sees of itself. */
static void watch(struct smtpd_main *m)
{
    const struct conf *c = m->daemon.conf;
    const struct confirm_args confirm = {.keystore = m->identity.keystore,
                                         .tls = m->tls,
                                         .socket = daemon_path(&m->arena, c->run_directory, "control.sock"),
                                         .edge = str_of(*c->edge_name ? c->edge_name : c->hostname),
                                         .stop_fd = m->daemon.stop_fd};
    const struct probe_self_args probe = {.conf = c,
                                          .keystore = m->identity.keystore,
                                          .resolver = m->resolver,
                                          .socket = confirm.socket,
                                          .edge = confirm.edge,
                                          .stop_fd = m->daemon.stop_fd};
    if (confirm_start(&confirm, &m->confirm, &m->why) || probe_self_start(&probe, &m->probe, &m->why))
        die(EXIT_OS, "%s", buf_cstr(&m->why));
}

/* RFC 5321 wants one, and nothing is accepted that nobody gets. */
static void warn_without_postmaster(struct smtpd_main *m)
{
    const struct conf *c = m->daemon.conf;
    struct directory_view view = {0};
    struct str mailbox;
    buf_clear(&m->why);
    if (directory_begin(m->backend.judge.directory, &view, &m->why) == OK &&
        !postmaster_find(&view, &m->arena, str_of(c->hostname), str_of(c->postmaster), &mailbox)) {
        postmaster_advice(str_of(c->hostname), &m->why);
        log_event(LOG_WARN, "no-postmaster", LOG_TEXT("why", buf_cstr(&m->why)));
    }
    directory_end(&view);
}

static void reload(void *ctx, const struct conf *now)
{
    struct smtpd_main *m = ctx;
    struct smtpd_settings *settings;
    if (smtpd_settings_new(now, &settings, &m->why))
        log_event(LOG_ERROR, "reload-refused", LOG_TEXT("why", buf_cstr(&m->why)));
    else
        smtpd_server_reload(m->server, settings);
    ask_mailbox_reload(&m->ask, now);
    warn_without_postmaster(m);
}

int main(int argc, char **argv)
{
    static struct smtpd_main m;
    daemon_start(&m.daemon, &(struct daemon_role){.program = "kedge-smtpd", .summary = "receives mail"}, argc,
                 argv);
    listen_all(&m);
    daemon_enter(&m.daemon);
    open_stores(&m);
    open_resolver(&m);
    serve(&m);
    watch(&m);
    warn_without_postmaster(&m);
    daemon_run(&m.daemon, reload, &m);

    ask_mailbox_cut(&m.ask);
    size_t left = smtpd_server_drain(m.server, deadline_in(DRAIN_MS));
    if (left) {
        /* What they were sending has not been acknowledged: nothing is lost. */
        log_event(LOG_WARN, "sessions-cut", LOG_NUM("count", left));
        journal_flush(m.backend.journal);
        _Exit(EXIT_OK);
    }
    smtpd_server_free(m.server);
    confirm_free(m.confirm);
    probe_self_free(m.probe);
    tls_server_free(m.tls);
    ask_mailbox_stop(&m.ask);
    resolver_free(m.resolver);
    queue_writer_close(m.backend.queue);
    journal_close(m.backend.journal);
    keystore_close(m.identity.keystore);
    directory_close(m.backend.judge.directory);
    arena_release(&m.arena);
    buf_release(&m.why);
    return daemon_end(&m.daemon);
}
