/* kedge-control: owns the database, writes the directory and the keystore, answers the command line over a
 * Unix socket. */
#include "cmd/authority_rows.h"
#include "cmd/daemon.h"
#include "ctl/ctl.h"
#include "inspect/world.h"
#include "keys/keys.h"
#include "report/report.h"
#include "rollout/rollout.h"
#include "zone/keeper.h"

static bool control_progress(void *ctx, json_t *line)
{
    return ctl_reply_progress(ctx, line);
}

static enum err control_handle(void *ctx, const struct ctl_peer *peer, json_t *args, struct ctl_reply *reply,
                               struct buf *why)
{
    struct tenant_store *tenants = ctx;
    const char *verb = json_string_value(json_object_get(args, "verb"));
    json_t *result = NULL;
    int64_t began = clock_mono();
    struct tenant_request request = {
        .verb = verb, .args = args, .progress = control_progress, .progress_ctx = reply};
    enum err e = tenant_call(tenants, &request, &result, why);
    if (!e)
        ctl_reply_result(reply, result);
    log_event(e ? LOG_WARN : LOG_INFO, "call", LOG_TEXT("verb", verb), LOG_NUM("uid", peer->uid),
              LOG_NUM("pid", peer->pid), LOG_NUM("ms", clock_mono() - began),
              LOG_TEXT("result", e ? err_text(e) : "ok"));
    return e;
}

/* The verbs as the socket wants them; freed by the caller. */
static struct ctl_verb *control_verbs(const struct tenant_store *tenants, size_t *count)
{
    const struct tenant_verb *verbs = tenant_verbs(tenants, count);
    struct ctl_verb *out = must_alloc(calloc(*count, sizeof *out));
    for (size_t i = 0; i < *count; i++)
        out[i] =
            (struct ctl_verb){.name = verbs[i].name,
                              .handle = control_handle,
                              .read_only = verbs[i].kind == VERB_READ || verbs[i].kind == VERB_FREE_READ};
    return out;
}

static struct board *board_of(const struct conf *conf)
{
    return board_new(
        &(struct gate_set){.edge_silent_ms = conf->edge_silence, .signature_ms = conf->signature_reserve});
}

static enum zone_family family_of(enum conf_address_family family)
{
    return family == CONF_FAMILY_IPV4   ? ZONE_FAMILY_IPV4
           : family == CONF_FAMILY_IPV6 ? ZONE_FAMILY_IPV6
                                        : ZONE_FAMILY_NONE;
}

static struct keeper *keeper_of(const struct conf *conf, struct board *board,
                                const struct dns_source *resolver)
{
    return keeper_new(&(struct keeper_conf){.resolver = resolver,
                                            .board = board,
                                            .interval_ms = conf->zone_interval,
                                            .timeout_ms = conf->zone_timeout,
                                            .unreachable = family_of(conf->zone_unreachable_family)});
}

int main(int argc, char **argv)
{
    static const struct daemon_role role = {
        .program = "kedge-control",
        .summary = "keeps tenants, domains, modes, routes and keys, and answers the command line"};
    report_reader_main(argc, argv);
    struct daemon d;
    struct buf why = {0};
    struct arena a = {0};
    struct ctl_server *server = NULL;
    daemon_start(&d, &role, argc, argv);
    daemon_enter(&d);
    struct inspect_world world;
    if (inspect_world_open(&world, d.conf, &why))
        die(EXIT_CONFIG, "option resolver or ca_file: %s", buf_cstr(&why));
    struct board *board = board_of(d.conf);
    struct keeper *keeper = keeper_of(d.conf, board, &world.sources[0]);
    struct rollouts *rollouts =
        rollouts_new(&(struct rollouts_args){.journal = daemon_path(&a, d.conf->data_directory, "journal"),
                                             .hostname = d.conf->hostname,
                                             .board = board,
                                             .changed = keeper_wake,
                                             .changed_ctx = keeper});
    struct reports *reports = reports_new();
    const struct tenant_verb_table tables[] = {{keys_verbs, keys_verb_count, board},
                                               {zone_verbs, zone_verb_count, keeper},
                                               {report_verbs, report_verb_count, reports},
                                               {rollout_verbs, rollout_verb_count, rollouts},
                                               {inspect_verbs, inspect_verb_count, &world}};
    struct tenant_args opened = {.data_directory = d.conf->data_directory,
                                 .hostname = d.conf->hostname,
                                 .tables = tables,
                                 .table_count = sizeof tables / sizeof *tables,
                                 .changed = keeper_wake,
                                 .changed_ctx = keeper};
    struct tenant_store *tenants = tenant_open(&opened, &why);
    if (!tenants)
        die(EXIT_OS, "%s (option data_directory = %s)", buf_cstr(&why), d.conf->data_directory);
    enum err e = authority_rows(d.conf, tenants, &why);
    if (e) /* what time can mend, like a full disk, is no fault of the configuration */
        die(e == ERR_USAGE || e == ERR_REFUSED || e == ERR_MALFORMED ? EXIT_CONFIG : EXIT_OS,
            "option authority_private: %s", buf_cstr(&why));
    if (keeper_start(keeper, tenants, &why))
        die(EXIT_OS, "%s", buf_cstr(&why));
    if (rollouts_start(rollouts, tenants, &why))
        die(EXIT_OS, "%s", buf_cstr(&why));
    size_t count;
    struct ctl_verb *verbs = control_verbs(tenants, &count);
    const char *socket = daemon_path(&a, d.conf->run_directory, "control.sock");
    /* Who may write is decided by the peer's credentials; others get a sentence instead of a closed door. */
    if (ctl_server_start(socket, 0666, verbs, count, tenants, &server, &why))
        die(EXIT_OS, "%s (option run_directory = %s)", buf_cstr(&why), d.conf->run_directory);
    daemon_run(&d, NULL, NULL);
    tenant_stop(tenants);
    board_close(board);
    rollouts_stop(rollouts);
    keeper_stop(keeper);
    ctl_server_stop(server);
    free(verbs);
    tenant_close(tenants);
    rollouts_free(rollouts);
    reports_free(reports);
    keeper_free(keeper);
    board_free(board);
    inspect_world_close(&world);
    arena_release(&a);
    buf_release(&why);
    return daemon_end(&d);
}
