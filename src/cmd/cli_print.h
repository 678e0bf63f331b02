/* Results on standard output: JSON as it came, or aligned for humans. */
#ifndef CMD_CLI_PRINT_H
#define CMD_CLI_PRINT_H

#include <jansson.h>

#include "cmd/cli_table.h"

void cli_print(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
               const json_t *result);

#endif
