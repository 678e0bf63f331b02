/* `kedge domain status|codes|switch`: results that are told, not tabulated. */
#ifndef CMD_CLI_DOMAIN_H
#define CMD_CLI_DOMAIN_H

#include "cmd/cli_table.h"

int cli_domain_status(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
                      json_t *request);
int cli_domain_codes(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
                     json_t *request);
/* With "wait" in the request it asks again until nothing is left to wait for. */
int cli_domain_switch(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
                      json_t *request);

#endif
