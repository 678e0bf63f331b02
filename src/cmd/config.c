/* kedge config: one table in the program, four ways to look at it. */
#include "cmd/commands.h"

#include <unistd.h>

#include "directory/directory.h"
#include "smtpd/postmaster.h"
#include "smtpd/settings.h"

static const char HELP[] = "Usage: kedge config --check | --show | --sample | --man [--config FILE]\n\n"
                           "  --check   is the file in order? Every mistake with its line; exit code 0 or 1\n"
                           "  --show    the settings in force, defaults included\n"
                           "  --sample  a complete file to start from, on standard output\n"
                           "  --man     kedge.conf(5) as mdoc\n\n"
                           "Example:\n  kedge config --sample > /etc/kedge/kedge.conf\n";

/* Reads the file and what its values mean to smtpd. */
static bool load(const char *path, struct conf *conf, struct buf *why)
{
    struct smtpd_settings *settings;
    struct buf meaning = {0};
    if (conf_load(path, conf, why))
        return false;
    bool good = !smtpd_settings_new(conf, &settings, &meaning);
    if (good) {
        smtpd_settings_free(settings);
    } else {
        buf_printf(why, "%s: %s", path, buf_cstr(&meaning));
        conf_release(conf);
    }
    buf_release(&meaning);
    return good;
}

/* Is the host name an accepted domain? Where there is no directory yet, or none that we may read, it is not
 * known to be one. The folder is not made here: its owner must be the daemons' user. */
static bool has_postmaster(const struct conf *conf)
{
    struct arena arena = {0};
    struct buf why = {0};
    struct directory_view view = {0};
    struct str mailbox, path = arena_printf(&arena, "%s/directory", conf->data_directory);
    const char *lock = arena_cstr(&arena, arena_printf(&arena, "%.*s/lock.mdb", STR_ARG(path)));
    bool found = *conf->postmaster != 0;
    struct directory *directory =
        access(lock, R_OK | W_OK) == 0 ? directory_open(arena_cstr(&arena, path), &why) : NULL;
    if (directory && directory_begin(directory, &view, &why) == OK)
        found = postmaster_find(&view, &arena, str_of(conf->hostname), str_of(conf->postmaster), &mailbox);
    directory_end(&view);
    directory_close(directory);
    buf_release(&why);
    arena_release(&arena);
    return found;
}

static int config_check(const struct cli *cli)
{
    struct conf conf;
    struct buf why = {0};
    bool good = load(cli->config_path, &conf, &why);
    if (good) {
        if (!has_postmaster(&conf))
            postmaster_advice(str_of(conf.hostname), &why);
        conf_release(&conf);
        if (why.n)
            fprintf(stderr, "%s: warning: %s\n", cli->config_path, buf_cstr(&why));
        printf(cli->json ? "{\"file\": \"%s\", \"ok\": true}\n" : "%s: in order\n", cli->config_path);
    } else {
        fprintf(stderr, "%.*s\n", STR_ARG(str_trim(buf_str(&why))));
    }
    buf_release(&why);
    return good ? EXIT_OK : EXIT_FAILED;
}

int cmd_config(const struct cli *cli, int argc, char **argv)
{
    struct buf out = {0};
    const char *what = argc == 2 ? argv[1] : "";
    int code = EXIT_OK;
    if (strcmp(what, "--check") == 0) {
        code = config_check(cli);
    } else if (strcmp(what, "--show") == 0) {
        struct conf conf;
        cli_conf(cli, &conf);
        conf_show(&conf, &out);
        conf_release(&conf);
    } else if (strcmp(what, "--sample") == 0) {
        conf_sample(&out);
    } else if (strcmp(what, "--man") == 0) {
        conf_man(&out);
    } else {
        code = strcmp(what, "--help") == 0 ? EXIT_OK : EXIT_BAD_USAGE;
        fputs(HELP, code ? stderr : stdout);
    }
    fwrite(buf_cstr(&out), 1, out.n, stdout);
    buf_release(&out);
    return code;
}
