#include "cmd/cli_table.h"

enum { SUGGEST_DISTANCE = 3 };

int cli_help(void)
{
    printf("kedge - SMTP DANE with DNSSEC for every domain\n\nUsage: kedge [--config FILE] [--json] COMMAND "
           "...\n\n");
    for (size_t i = 0; i < cli_noun_count; i++)
        printf("  %-11s %s\n", cli_nouns[i].name, cli_nouns[i].sentence);
    printf("\n  --config FILE  configuration (default: $KEDGE_CONFIG, else /etc/kedge/kedge.conf)\n"
           "  --json         machine-readable output\n"
           "  --help         help for a command: kedge domain --help, kedge domain add --help\n\n"
           "Exit codes: 0 done, 1 no or failed, 2 wrong usage, 69 a daemon that is needed does not answer. "
           "See kedge(1).\n");
    return EXIT_OK;
}

int cli_help_noun(const struct cli_noun *noun)
{
    int width = 8;
    for (size_t i = 0; i < noun->verb_count; i++)
        width = (int)strlen(noun->verbs[i].name) > width ? (int)strlen(noun->verbs[i].name) : width;
    printf("kedge %s - %s\n\n", noun->name, noun->sentence);
    for (size_t i = 0; i < noun->verb_count; i++)
        printf("  %-*s  %s\n", width, noun->verbs[i].name, noun->verbs[i].sentence);
    printf("\nMore: kedge %s VERB --help\n", noun->name);
    return EXIT_OK;
}

static void print_synopsis(const struct cli_noun *noun, const struct cli_verb *verb)
{
    printf("Usage: kedge %s%s%s", noun->name, *verb->name ? " " : "", verb->name);
    struct str rest = str_of(verb->arguments), word;
    while ((word = str_word(&rest)).n) {
        struct str metavar = word;
        str_cut(&metavar, '=');
        printf(" %s%.*s", str_starts(word, STR("[")) ? "[" : "", STR_ARG(metavar));
    }
    printf("%s [--json] [--config FILE]\n", *verb->options ? " [OPTION...]" : "");
}

int cli_help_verb(const struct cli_noun *noun, const struct cli_verb *verb)
{
    print_synopsis(noun, verb);
    printf("\n%s\n", verb->sentence);
    struct str rest = str_of(verb->options), word;
    if (rest.n)
        printf("\n");
    while ((word = str_word(&rest)).n) {
        const struct cli_option *o = cli_option_find(word);
        struct buf left = {0};
        buf_printf(&left, "--%s%s%s", o->name, o->value ? " " : "", o->value ? o->value : "");
        printf("  %-24s %s%s\n", buf_cstr(&left), o->sentence,
               o->kind == CLI_MANY ? " (may be given again)" : "");
        buf_release(&left);
    }
    if (verb->example)
        printf("\nExample:\n  %s\n", verb->example);
    return EXIT_OK;
}

/* Levenshtein; texts longer than the rows are far from everything. */
static size_t distance(const char *a, const char *b)
{
    size_t row[64], n = strlen(b);
    if (n >= 64)
        return SIZE_MAX;
    for (size_t j = 0; j <= n; j++)
        row[j] = j;
    for (size_t i = 1; a[i - 1]; i++) {
        size_t corner = row[0];
        row[0] = i;
        for (size_t j = 1; j <= n; j++) {
            size_t best = corner + (a[i - 1] != b[j - 1]);
            corner = row[j];
            if (row[j] + 1 < best)
                best = row[j] + 1;
            if (row[j - 1] + 1 < best)
                best = row[j - 1] + 1;
            row[j] = best;
        }
    }
    return row[n];
}

void cli_unknown(const char *what, const char *typed, const char *(*candidate)(const void *ctx, size_t i),
                 const void *ctx)
{
    const char *nearest = NULL, *c;
    size_t least = SUGGEST_DISTANCE;
    for (size_t i = 0; (c = candidate(ctx, i)); i++) {
        size_t d = distance(typed, c);
        if (d < least && d < strlen(c)) {
            least = d;
            nearest = c;
        }
    }
    if (nearest)
        fprintf(stderr, "kedge: unknown %s '%s'; did you mean '%s'?\n", what, typed, nearest);
    else
        fprintf(stderr, "kedge: unknown %s '%s'; try --help\n", what, typed);
}
