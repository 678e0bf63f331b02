/* kedge-control: owns the database, writes the directory and the keystore, answers the command line over a
 * Unix socket. */
#include "cmd/daemon.h"
#include "ctl/ctl.h"
#include "tenant/tenant.h"

static enum err control_handle(void *ctx, const struct ctl_peer *peer, json_t *args, struct ctl_reply *reply,
                               struct buf *why)
{
    struct tenant_store *tenants = ctx;
    const char *verb = json_string_value(json_object_get(args, "verb"));
    json_t *result = NULL;
    int64_t began = clock_mono();
    enum err e = tenant_call(tenants, verb, args, &result, why);
    if (!e)
        ctl_reply_result(reply, result);
    log_event(e ? LOG_WARN : LOG_INFO, "call", LOG_TEXT("verb", verb), LOG_NUM("uid", peer->uid),
              LOG_NUM("pid", peer->pid), LOG_NUM("ms", clock_mono() - began),
              LOG_TEXT("result", e ? err_text(e) : "ok"));
    return e;
}

/* The verbs of the module tenant as the socket wants them; freed by the caller. */
static struct ctl_verb *control_verbs(size_t *count)
{
    const struct tenant_verb *verbs = tenant_verbs(count);
    struct ctl_verb *out = must_alloc(calloc(*count, sizeof *out));
    for (size_t i = 0; i < *count; i++)
        out[i] = (struct ctl_verb){
            .name = verbs[i].name, .handle = control_handle, .read_only = verbs[i].read_only};
    return out;
}

int main(int argc, char **argv)
{
    static const struct daemon_role role = {
        .program = "kedge-control",
        .summary = "keeps tenants, domains, modes, routes and keys, and answers the command line"};
    struct daemon d;
    struct buf why = {0};
    struct arena a = {0};
    struct ctl_server *server = NULL;
    daemon_start(&d, &role, argc, argv);
    daemon_enter(&d);
    struct tenant_store *tenants = tenant_open(d.conf->data_directory, d.conf->hostname, &why);
    if (!tenants)
        die(EXIT_OS, "%s (option data_directory = %s)", buf_cstr(&why), d.conf->data_directory);
    size_t count;
    struct ctl_verb *verbs = control_verbs(&count);
    const char *socket = daemon_path(&a, d.conf->run_directory, "control.sock");
    /* Who may write is decided by the peer's credentials; others get a sentence instead of a closed door. */
    if (ctl_server_start(socket, 0666, verbs, count, tenants, &server, &why))
        die(EXIT_OS, "%s (option run_directory = %s)", buf_cstr(&why), d.conf->run_directory);
    daemon_run(&d, NULL, NULL);
    ctl_server_stop(server);
    free(verbs);
    tenant_close(tenants);
    arena_release(&a);
    buf_release(&why);
    return daemon_end(&d);
}
