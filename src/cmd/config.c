/* kedge config: one table in the program, four ways to look at it. */
#include "cmd/commands.h"

static const char HELP[] = "Usage: kedge config --check | --show | --sample | --man [--config FILE]\n\n"
                           "  --check   is the file in order? Every mistake with its line; exit code 0 or 1\n"
                           "  --show    the settings in force, defaults included\n"
                           "  --sample  a complete file to start from, on standard output\n"
                           "  --man     kedge.conf(5) as mdoc\n\n"
                           "Example:\n  kedge config --sample > /etc/kedge/kedge.conf\n";

static int config_check(const struct cli *cli)
{
    struct conf conf;
    struct buf why = {0};
    bool good = !conf_load(cli->config_path, &conf, &why);
    if (good) {
        conf_release(&conf);
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
