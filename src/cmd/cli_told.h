/* Verbs whose results come with lines for people ("lines"), and those that want to be confirmed first. */
#ifndef CMD_CLI_TOLD_H
#define CMD_CLI_TOLD_H

#include "cmd/cli_table.h"

/* Prints the lines, or with --json everything else. A result with "good": false is EXIT_FAILED. */
int cli_told(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
             json_t *request);
/* The same, but a result with "confirm" is a plan: it is shown, and carried out after a yes at the terminal.
 * EXIT_FAILED without one. */
int cli_confirmed(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
                  json_t *request);

#endif
