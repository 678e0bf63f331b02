/* kedge: the command line. Takes --config and --json out of the words, finds the noun and the verb in the
 * table, and either asks kedge-control or runs the command here. */
#include "cmd/cli_table.h"

#define DEFAULT_CONFIG "/etc/kedge/kedge.conf"

void cli_conf(const struct cli *cli, struct conf *out)
{
    struct buf why = {0};
    if (conf_load(cli->config_path, out, &why))
        die(EXIT_CONFIG,
            "%s\nName another file with --config FILE or KEDGE_CONFIG; \"kedge config --sample\" prints one "
            "to start from.",
            buf_cstr(&why));
    buf_release(&why);
}

int cmd_version(const struct cli *cli, int argc, char **argv)
{
    (void)argc, (void)argv;
    printf(cli->json ? "{\"version\": \"%s\"}\n" : "kedge %s\n", KEDGE_VERSION);
    return EXIT_OK;
}

/* Takes --config FILE and --json out of argv, up to a "--"; gives the new argc. */
static int take_common(struct cli *cli, int argc, char **argv)
{
    const char *environment = getenv("KEDGE_CONFIG");
    cli->config_path = environment && *environment ? environment : DEFAULT_CONFIG;
    int kept = 1;
    for (int i = 1; i < argc; i++) {
        if (strcmp(argv[i], "--") == 0) {
            while (i < argc)
                argv[kept++] = argv[i++];
        } else if (strcmp(argv[i], "--json") == 0) {
            cli->json = true;
        } else if (strncmp(argv[i], "--config=", 9) == 0) {
            cli->config_path = argv[i] + 9;
        } else if (strcmp(argv[i], "--config") == 0) {
            if (i + 1 == argc)
                die(EXIT_BAD_USAGE, "a file is missing after --config");
            cli->config_path = argv[++i];
        } else {
            argv[kept++] = argv[i];
        }
    }
    argv[kept] = NULL;
    return kept;
}

static const char *noun_candidate(const void *ctx, size_t i)
{
    (void)ctx;
    return i < cli_noun_count ? cli_nouns[i].name : NULL;
}

static const char *verb_candidate(const void *ctx, size_t i)
{
    const struct cli_noun *noun = ctx;
    return i < noun->verb_count ? noun->verbs[i].name : NULL;
}

/* Is it the first of a verb's two words? */
static bool is_half(const struct cli_noun *noun, const char *word)
{
    struct str first = str_of(word);
    for (size_t i = 0; i < noun->verb_count; i++)
        if (str_starts(str_of(noun->verbs[i].name), first) && noun->verbs[i].name[first.n] == ' ')
            return true;
    return false;
}

static int run_verb(const struct cli *cli, const struct cli_noun *noun, int argc, char **argv)
{
    const struct cli_verb *only = cli_verb_only(noun);
    if (only)
        return cli_call(cli, noun, only, argc - 1, argv + 1);
    if (argc < 2 || strcmp(argv[1], "--help") == 0) {
        cli_help_noun(noun);
        return argc < 2 ? EXIT_BAD_USAGE : EXIT_OK;
    }
    int words;
    const struct cli_verb *verb = cli_verb_find(noun, argc - 1, argv + 1, &words);
    if (verb)
        return cli_call(cli, noun, verb, argc - 1 - words, argv + 1 + words);
    struct buf what = {0}, typed = {0};
    buf_printf(&what, "verb of %s", noun->name);
    buf_printf(&typed, "%s%s%s", argv[1], is_half(noun, argv[1]) && argc > 2 ? " " : "",
               is_half(noun, argv[1]) && argc > 2 ? argv[2] : "");
    cli_unknown(buf_cstr(&what), buf_cstr(&typed), verb_candidate, noun);
    buf_release(&what);
    buf_release(&typed);
    return EXIT_BAD_USAGE;
}

int main(int argc, char **argv)
{
    struct cli cli = {0};
    log_init("kedge", LOG_WARN);
    argc = take_common(&cli, argc, argv);
    if (argc < 2) {
        cli_help();
        return EXIT_BAD_USAGE;
    }
    const char *word = argv[1];
    if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0 || strcmp(word, "help") == 0) {
        const struct cli_noun *about = argc > 2 ? cli_noun_find(str_of(argv[2])) : NULL;
        return about && about->verbs ? cli_help_noun(about) : cli_help();
    }
    if (strcmp(word, "--version") == 0)
        return cmd_version(&cli, 0, NULL);
    const struct cli_noun *noun = cli_noun_find(str_of(word));
    if (!noun) {
        cli_unknown("command", word, noun_candidate, NULL);
        return EXIT_BAD_USAGE;
    }
    int code = noun->run ? noun->run(&cli, argc - 1, argv + 1) : run_verb(&cli, noun, argc - 1, argv + 1);
    if (fflush(stdout) || ferror(stdout)) {
        fprintf(stderr, "kedge: cannot write to standard output\n");
        return EXIT_FAILED;
    }
    return code;
}
