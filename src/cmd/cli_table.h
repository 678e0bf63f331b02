/* What `kedge` understands: nouns, verbs and options, once. Parser, help, shell completion and the synopsis
 * of the man page come from these rows. */
#ifndef CMD_CLI_TABLE_H
#define CMD_CLI_TABLE_H

#include <jansson.h>

#include "cmd/commands.h"

enum cli_kind {
    CLI_TEXT, /* one value */
    CLI_MANY, /* may be given again */
    CLI_FLAG, /* no value */
    CLI_FILE, /* the value is a file whose content is sent */
};

struct cli_option {
    const char *name; /* without the dashes */
    const char *value;
    enum cli_kind kind;
    const char *json;    /* its name in the request */
    const char *choices; /* for completion; NULL */
    const char *sentence;
};
extern const struct cli_option cli_options[];
extern const size_t cli_option_count;

struct cli_noun;
/* A verb of a noun that kedge-control answers. */
struct cli_verb {
    const char *name;      /* one word or two: "add", "dane enable" */
    const char *arguments; /* words "json-name=METAVAR", the last may end in "..."; "" for none */
    const char *options;   /* names, blank-separated */
    const char *sentence;
    const char *example; /* NULL */
    /* Sends the request and shows what comes, in place of cli_send and cli_print. request is borrowed. */
    int (*run)(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
               json_t *request);
};

struct cli_noun {
    const char *name;
    const char *sentence;
    const struct cli_verb *verbs; /* NULL: run does it all */
    size_t verb_count;
    const char *columns; /* of list, blank-separated */
    int (*run)(const struct cli *cli, int argc, char **argv);
    const char *words; /* verbs of a noun with run, for help and completion */
};
extern const struct cli_noun cli_nouns[];
extern const size_t cli_noun_count;

const struct cli_noun *cli_noun_find(struct str name);
/* The verb that argv begins with; *words: of how many it is. */
const struct cli_verb *cli_verb_find(const struct cli_noun *noun, int argc, char *const *argv, int *words);
/* The noun's verb without a name, which stands for the noun alone; NULL when it has verbs with names. */
const struct cli_verb *cli_verb_only(const struct cli_noun *noun);
const struct cli_option *cli_option_find(struct str name);
/* Does the verb take it? */
bool cli_verb_takes(const struct cli_verb *verb, const struct cli_option *option);

/* "unknown <what> 'x'; did you mean 'y'?" on stderr; the candidates are asked for one by one, NULL at the
 * end. */
void cli_unknown(const char *what, const char *typed, const char *(*candidate)(const void *ctx, size_t i),
                 const void *ctx);

/* Each gives EXIT_OK. */
int cli_help(void);
int cli_help_noun(const struct cli_noun *noun);
int cli_help_verb(const struct cli_noun *noun, const struct cli_verb *verb);

/* Sends a request, shows progress, says what went wrong. *result is a new reference. Returns an exit code; a
 * result that tells of failures is EXIT_FAILED with a result. */
int cli_send(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb, json_t *request,
             json_t **result);
/* The same for a list that may be too long to keep: rows are handed on as they come, borrowed. How far it has
 * come is shown on a terminal that does not see the rows. */
int cli_send_pages(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
                   json_t *request, void (*page)(void *ctx, const json_t *rows), void *ctx, json_t **result);
/* One call to kedge-control: argv holds what follows the verb. */
int cli_call(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb, int argc,
             char **argv);

#endif
