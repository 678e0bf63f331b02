/* kedge report take: files go to kedge-control one by one. */
#ifndef CMD_CLI_REPORT_H
#define CMD_CLI_REPORT_H

#include "cmd/cli_table.h"

int cli_report_take(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
                    json_t *request);

#endif
