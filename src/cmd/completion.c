/* kedge completion: scripts for the shells, printed from the table. */
#include "cmd/cli_table.h"

static const char COMMON[] = "--json --config --help";

static struct str first_word(const struct cli_verb *verb)
{
    struct str rest = str_of(verb->name);
    return str_word(&rest);
}

static void verb_words(struct buf *out, const struct cli_noun *noun)
{
    struct str before = STR_NONE; /* verbs of two words with the same first one are neighbours */
    for (size_t i = 0; i < noun->verb_count; i++) {
        struct str first = first_word(&noun->verbs[i]);
        if (first.n && !str_equal(first, before))
            buf_printf(out, "%s%.*s", out->n ? " " : "", STR_ARG(first));
        before = first;
    }
    if (noun->words)
        buf_printf(out, "%s", noun->words);
}

/* Of verbs with two words, each with a blank behind. */
static void second_words(struct buf *out, const struct cli_noun *noun, struct str first)
{
    for (size_t i = 0; i < noun->verb_count; i++) {
        struct str rest = str_of(noun->verbs[i].name);
        struct str second = str_equal(str_word(&rest), first) ? str_word(&rest) : STR_NONE;
        if (second.n)
            buf_printf(out, "%.*s ", STR_ARG(second));
    }
}

static void option_words(struct buf *out, const struct cli_verb *verb)
{
    struct str rest = str_of(verb->options), word;
    while ((word = str_word(&rest)).n)
        buf_printf(out, "--%.*s ", STR_ARG(word));
    buf_printf(out, "%s", COMMON);
}

/* A line for each verb whose arguments are files. */
static void file_cases(const char *format)
{
    for (size_t i = 0; i < cli_noun_count; i++)
        for (size_t v = 0; v < cli_nouns[i].verb_count; v++)
            if (strstr(cli_nouns[i].verbs[v].arguments, "=FILE")) {
                const char *noun = cli_nouns[i].name, *verb = cli_nouns[i].verbs[v].name, *p = format;
                for (; *p; p++) /* @ is the noun, % the verb */
                    if (*p == '@' || *p == '%')
                        fputs(*p == '@' ? noun : verb, stdout);
                    else
                        putchar(*p);
            }
}

static void noun_words(struct buf *out)
{
    for (size_t i = 0; i < cli_noun_count; i++)
        buf_printf(out, "%s%s", i ? " " : "", cli_nouns[i].name);
}

/* The cases of one shell function: first by the word before, then by noun and verb. */
static void shell_cases(const char *reply_open, const char *reply_close)
{
    struct buf words = {0};
    printf("    case $previous in\n");
    for (size_t i = 0; i < cli_option_count; i++)
        if (cli_options[i].choices)
            printf("    --%s) %s%s%s; return ;;\n", cli_options[i].name, reply_open, cli_options[i].choices,
                   reply_close);
    printf("    esac\n    case \"$noun $verb\" in\n");
    for (size_t i = 0; i < cli_noun_count; i++) {
        for (size_t v = 0; v < cli_nouns[i].verb_count; v++) {
            const struct cli_verb *verb = &cli_nouns[i].verbs[v];
            struct str first = first_word(verb);
            if (!first.n || (v > 0 && str_equal(first, first_word(verb - 1))))
                continue;
            buf_clear(&words);
            second_words(&words, &cli_nouns[i], first);
            option_words(&words, verb);
            printf("    '%s %.*s') %s%s%s; return ;;\n", cli_nouns[i].name, STR_ARG(first), reply_open,
                   buf_cstr(&words), reply_close);
        }
    }
    printf("    esac\n    case $noun in\n");
    for (size_t i = 0; i < cli_noun_count; i++) {
        buf_clear(&words);
        verb_words(&words, &cli_nouns[i]);
        printf("    %s) %s%s%s%s%s ;;\n", cli_nouns[i].name, reply_open, buf_cstr(&words), words.n ? " " : "",
               COMMON, reply_close);
    }
    buf_clear(&words);
    noun_words(&words);
    printf("    *) %s%s %s%s ;;\n    esac\n", reply_open, buf_cstr(&words), COMMON, reply_close);
    buf_release(&words);
}

static void complete_bash(void)
{
    printf("# kedge for bash: kedge completion bash > /usr/share/bash-completion/completions/kedge\n"
           "_kedge() {\n"
           "    local current=${COMP_WORDS[COMP_CWORD]} previous=${COMP_WORDS[COMP_CWORD-1]} noun= verb=\n"
           "    [ \"$COMP_CWORD\" -gt 1 ] && noun=${COMP_WORDS[1]}\n"
           "    [ \"$COMP_CWORD\" -gt 2 ] && verb=${COMP_WORDS[2]}\n"
           "    case $previous in --config|--cert|--key|--certificate|--chain|--file|--tsig-file) "
           "COMPREPLY=($(compgen -f -- "
           "\"$current\")); return ;; esac\n");
    file_cases("    [[ \"$noun $verb\" == '@ %' && $current != -* ]] && "
               "{ COMPREPLY=($(compgen -f -- \"$current\")); return; }\n");
    shell_cases("COMPREPLY=($(compgen -W '", "' -- \"$current\"))");
    printf("}\ncomplete -F _kedge kedge\n");
}

static void complete_zsh(void)
{
    printf("#compdef kedge\n# kedge for zsh: kedge completion zsh > \"${fpath[1]}/_kedge\"\n"
           "_kedge() {\n"
           "    local previous=${words[CURRENT-1]} noun= verb=\n"
           "    (( CURRENT > 2 )) && noun=${words[2]}\n"
           "    (( CURRENT > 3 )) && verb=${words[3]}\n"
           "    case $previous in --config|--cert|--key|--certificate|--chain|--file|--tsig-file) _files; "
           "return ;; esac\n");
    file_cases("    [[ \"$noun $verb\" == '@ %' && $words[CURRENT] != -* ]] && { _files; return; }\n");
    shell_cases("compadd -- ", "");
    printf("}\ncompdef _kedge kedge\n");
}

static void complete_fish(void)
{
    struct buf words = {0};
    printf("# kedge for fish: kedge completion fish > ~/.config/fish/completions/kedge.fish\ncomplete -c "
           "kedge -f\n");
    for (size_t i = 0; i < cli_noun_count; i++) {
        const struct cli_noun *noun = &cli_nouns[i];
        printf("complete -c kedge -n __fish_use_subcommand -a %s -d '%s'\n", noun->name, noun->sentence);
        buf_clear(&words);
        verb_words(&words, noun);
        if (words.n)
            printf("complete -c kedge -n '__fish_seen_subcommand_from %s' -a '%s'\n", noun->name,
                   buf_cstr(&words));
        for (size_t o = 0; o < cli_option_count; o++) {
            bool taken = false;
            for (size_t v = 0; v < noun->verb_count; v++)
                taken |= cli_verb_takes(&noun->verbs[v], &cli_options[o]);
            if (taken)
                printf("complete -c kedge -n '__fish_seen_subcommand_from %s' -l %s%s%s%s%s\n", noun->name,
                       cli_options[o].name,
                       cli_options[o].kind == CLI_FLAG   ? ""
                       : cli_options[o].kind == CLI_FILE ? " -r -F"
                                                         : " -x",
                       cli_options[o].choices ? " -a '" : "",
                       cli_options[o].choices ? cli_options[o].choices : "",
                       cli_options[o].choices ? "'" : "");
        }
    }
    file_cases(
        "complete -c kedge -n '__fish_seen_subcommand_from @; and __fish_seen_subcommand_from %' -F\n");
    printf("complete -c kedge -l json\ncomplete -c kedge -l config -r -F\ncomplete -c kedge -l help\n");
    buf_release(&words);
}

int cmd_completion(const struct cli *cli, int argc, char **argv)
{
    (void)cli;
    const char *shell = argc == 2 ? argv[1] : "";
    if (strcmp(shell, "bash") == 0)
        complete_bash();
    else if (strcmp(shell, "zsh") == 0)
        complete_zsh();
    else if (strcmp(shell, "fish") == 0)
        complete_fish();
    else {
        bool asked = strcmp(shell, "--help") == 0;
        fputs("Usage: kedge completion bash | zsh | fish\n\nPrints a completion script.\n\nExample:\n"
              "  kedge completion bash > /usr/share/bash-completion/completions/kedge\n",
              asked ? stdout : stderr);
        return asked ? EXIT_OK : EXIT_BAD_USAGE;
    }
    return EXIT_OK;
}
