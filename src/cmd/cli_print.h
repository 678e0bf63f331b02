/* Results on standard output: JSON as it came, or aligned for humans. */
#ifndef CMD_CLI_PRINT_H
#define CMD_CLI_PRINT_H

#include <jansson.h>

#include "cmd/cli_table.h"

void cli_print(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
               const json_t *result);

enum { CLI_COLUMNS_MAX = 12 };

/* A list that is printed as it comes: columns get wider when a later page needs it. As JSON it is closed with
 * the last page only, so that half a list is no JSON. Zero but for json and noun before the first page. */
struct cli_list {
    bool json;
    const struct cli_noun *noun;
    bool begun;
    size_t width[CLI_COLUMNS_MAX];
};
void cli_print_page(struct cli_list *l, const json_t *rows);
void cli_print_last_page(struct cli_list *l, const json_t *rows);

#endif
