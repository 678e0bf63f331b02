/* The commands of `kedge`. Each runs in the foreground and gives an exit code (base/die.h): 0 yes or done, 1
 * no or failed, 2 wrong usage, 69 a daemon or resolver that is needed does not answer.
 *
 * argv[0] is the noun ("queue"); the verb and its arguments follow, as typed. Options that all commands share
 * are taken out before, wherever they stood: --config FILE and --json. --help is left in: a command prints
 * its own. */
#ifndef CMD_COMMANDS_H
#define CMD_COMMANDS_H

#include "base/base.h"
#include "conf/conf.h"

struct cli {
    const char *config_path; /* --config, $KEDGE_CONFIG or the default; never NULL */
    bool json;
};

/* Loads the configuration or dies with what is wrong in it. The caller releases it. */
void cli_conf(const struct cli *cli, struct conf *out);

/* What needs no control daemon. */
int cmd_queue(const struct cli *cli, int argc, char **argv);
int cmd_trace(const struct cli *cli, int argc, char **argv);
int cmd_tlsa(const struct cli *cli, int argc, char **argv);
int cmd_check(const struct cli *cli, int argc, char **argv);

int cmd_config(const struct cli *cli, int argc, char **argv);
int cmd_run(const struct cli *cli, int argc, char **argv);
int cmd_completion(const struct cli *cli, int argc, char **argv);
int cmd_version(const struct cli *cli, int argc, char **argv);

#endif
