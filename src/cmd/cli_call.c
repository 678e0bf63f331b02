#include <jansson.h>
#include <unistd.h>

#include "cmd/cli_print.h"
#include "cmd/cli_table.h"
#include "ctl/wire.h"

enum { FILE_MAX = 8 << 20, ANSWER_MS = 120000 };

static int usage(const char *format, const char *a, const struct cli_noun *noun, const struct cli_verb *verb)
{
    fprintf(stderr, "kedge %s %s: ", noun->name, verb->name);
    fprintf(stderr, "%s '%s'; try: kedge %s %s --help\n", format, a, noun->name, verb->name);
    return EXIT_BAD_USAGE;
}

/* Adds a value to the request, alone or to a list. */
static void give(json_t *request, const char *name, bool many, json_t *value)
{
    if (!many) {
        json_object_set_new(request, name, value);
        return;
    }
    json_t *list = json_object_get(request, name);
    if (!list) {
        list = json_array();
        json_object_set_new(request, name, list);
    }
    json_array_append_new(list, value);
}

static int give_option(json_t *request, const struct cli_option *o, const char *value)
{
    if (o->kind == CLI_FLAG) {
        give(request, o->json, false, json_true());
        return EXIT_OK;
    }
    if (o->kind != CLI_FILE) {
        give(request, o->json, o->kind == CLI_MANY, json_string(value));
        return EXIT_OK;
    }
    struct buf content = {0}, why = {0};
    bool good = !file_read(value, FILE_MAX, &content, &why);
    json_t *text = good ? json_stringn(buf_cstr(&content), content.n) : NULL;
    if (text)
        give(request, o->json, false, text);
    else
        fprintf(stderr, "kedge: option --%s: %s\n", o->name, good ? "the file is not text" : buf_cstr(&why));
    buf_release(&content);
    buf_release(&why);
    return text ? EXIT_OK : EXIT_FAILED;
}

static const char *option_candidate(const void *ctx, size_t i)
{
    const struct cli_verb *verb = ctx;
    for (size_t at = 0; at < cli_option_count; at++)
        if (cli_verb_takes(verb, &cli_options[at]) && i-- == 0)
            return cli_options[at].name;
    return NULL;
}

/* "--name value", "--name=value" or "--flag" at argv[*at]. */
static int read_option(json_t *request, const struct cli_noun *noun, const struct cli_verb *verb, int argc,
                       char **argv, int *at)
{
    struct str value = str_of(argv[*at] + 2);
    struct str name = str_cut(&value, '=');
    const struct cli_option *o = cli_option_find(name);
    if (!o || !cli_verb_takes(verb, o)) {
        cli_unknown("option", argv[*at] + 2, option_candidate, verb);
        return EXIT_BAD_USAGE;
    }
    if (o->kind == CLI_FLAG && value.p)
        return usage("no value can be given to", argv[*at], noun, verb);
    if (o->kind != CLI_FLAG && !value.p && *at + 1 >= argc)
        return usage("a value is missing after", argv[*at], noun, verb);
    const char *text = value.p ? value.p : o->kind == CLI_FLAG ? NULL : argv[++*at];
    return give_option(request, o, text);
}

/* "[name=METAVAR...]" may be left out. */
static bool is_optional(struct str word)
{
    return str_starts(word, STR("["));
}

/* The next positional argument by the verb's row; *rest is what of the row is left. */
static bool give_argument(json_t *request, struct str *rest, const char *text)
{
    struct str before = *rest;
    struct str metavar = str_word(rest);
    if (!metavar.n)
        return false;
    char name[32];
    struct str word = str_cut(&metavar, '=');
    ENSURE(str_copy(str_from(word, is_optional(word)), name, sizeof name));
    bool many = str_ends(metavar, STR("...")) || str_ends(metavar, STR("...]"));
    if (many)
        *rest = before; /* takes all that follow */
    give(request, name, many, json_string(text));
    return true;
}

/* Options that say which ones instead of the words: the daemon checks that it is one of these. */
static bool has_selection(const json_t *request)
{
    return json_object_get(request, "file") || json_object_get(request, "all") ||
           json_object_get(request, "tenant");
}

static int read_arguments(json_t *request, const struct cli_noun *noun, const struct cli_verb *verb, int argc,
                          char **argv)
{
    struct str rest = str_of(verb->arguments);
    bool options_over = false;
    int arguments = 0;
    for (int i = 0; i < argc; i++) {
        int code = EXIT_OK;
        if (!options_over && strcmp(argv[i], "--") == 0)
            options_over = true;
        else if (!options_over && strncmp(argv[i], "--", 2) == 0)
            code = read_option(request, noun, verb, argc, argv, &i);
        else if (give_argument(request, &rest, argv[i]))
            arguments++;
        else
            return usage("unexpected argument", argv[i], noun, verb);
        if (code)
            return code;
    }
    struct str missing = str_word(&rest);
    bool may_miss = str_ends(missing, STR("...")) && (arguments || has_selection(request));
    if (!missing.n || may_miss || is_optional(missing))
        return EXIT_OK;
    str_cut(&missing, '=');
    fprintf(stderr, "kedge %s %s: %.*s is missing; try: kedge %s %s --help\n", noun->name, verb->name,
            STR_ARG(missing), noun->name, verb->name);
    return EXIT_BAD_USAGE;
}

static int not_running(const char *socket, const char *why, const struct cli *cli)
{
    fprintf(stderr,
            "kedge: kedge-control does not answer: %s\n"
            "It is asked at %s (options data_directory and run_directory of %s).\n"
            "Start it: systemctl start kedge-control, or all of this machine in the foreground: kedge run "
            "--config %s\n",
            why, socket, cli->config_path, cli->config_path);
    return EXIT_UNAVAILABLE;
}

/* What progress lines bring: rows of a long list, or how far a change of many has come. */
struct shown {
    bool live; /* somebody looks at it */
    bool dirty;
    void (*page)(void *ctx, const json_t *rows); /* NULL: none are expected */
    void *ctx;
};

static void show_progress(void *ctx, json_t *line)
{
    struct shown *s = ctx;
    json_t *rows = json_object_get(line, "rows"), *done = json_object_get(line, "done");
    const char *text = json_string_value(json_object_get(line, "text"));
    if (rows && s->page)
        s->page(s->ctx, rows);
    if (!s->live)
        return;
    if (text) {
        fprintf(stderr, "%s\n", text);
    } else if (done) {
        fprintf(stderr, "\r%lld done, %lld failed", (long long)json_integer_value(done),
                (long long)json_integer_value(json_object_get(line, "failed")));
        s->dirty = true;
    }
}

static void end_progress(const struct shown *s)
{
    if (s->dirty)
        fputc('\n', stderr);
}

static int send_and_show(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
                         json_t *request, struct shown *shown, json_t **result)
{
    struct conf conf;
    struct buf socket = {0}, why = {0};
    int fd = -1, code = EXIT_OK;
    *result = NULL;
    cli_conf(cli, &conf);
    buf_printf(&socket, "%s/control.sock", conf.run_directory);
    conf_release(&conf);
    /* A first connection tells "nobody there" apart from the answer "not found". */
    enum err e = ctl_connect(buf_cstr(&socket), &fd, &why);
    file_close(&fd);
    if (e) {
        code = not_running(buf_cstr(&socket), buf_cstr(&why), cli);
    } else if ((e = ctl_call(buf_cstr(&socket), request, show_progress, shown, ANSWER_MS, result, &why))) {
        end_progress(shown);
        fprintf(stderr, "kedge %s%s%s: %s\n", noun->name, *verb->name ? " " : "", verb->name, buf_cstr(&why));
        code = e == ERR_USAGE                        ? EXIT_BAD_USAGE
               : e == ERR_CLOSED || e == ERR_TIMEOUT ? EXIT_UNAVAILABLE
                                                     : EXIT_FAILED;
    } else {
        end_progress(shown);
        code = json_integer_value(json_object_get(*result, "failed")) > 0 ? EXIT_FAILED : EXIT_OK;
    }
    buf_release(&socket);
    buf_release(&why);
    return code;
}

int cli_send(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb, json_t *request,
             json_t **result)
{
    struct shown shown = {.live = !cli->json && isatty(STDERR_FILENO)};
    return send_and_show(cli, noun, verb, request, &shown, result);
}

int cli_send_pages(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
                   json_t *request, void (*page)(void *ctx, const json_t *rows), void *ctx, json_t **result)
{
    struct shown shown = {.live = isatty(STDERR_FILENO) && !isatty(STDOUT_FILENO), .page = page, .ctx = ctx};
    return send_and_show(cli, noun, verb, request, &shown, result);
}

static void print_page(void *ctx, const json_t *rows)
{
    cli_print_page(ctx, rows);
}

static int send_and_print(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
                          json_t *request)
{
    json_t *result;
    struct cli_list list = {.json = cli->json, .noun = noun};
    struct shown shown = {.live = !cli->json && isatty(STDERR_FILENO), .page = print_page, .ctx = &list};
    int code = send_and_show(cli, noun, verb, request, &shown, &result);
    if (list.begun && result)
        cli_print_last_page(&list, result);
    else if (result)
        cli_print(cli, noun, verb, result);
    json_decref(result);
    return code;
}

int cli_call(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb, int argc,
             char **argv)
{
    for (int i = 0; i < argc; i++)
        if (strcmp(argv[i], "--help") == 0)
            return cli_help_verb(noun, verb);
    json_t *request = json_object();
    struct buf name = {0};
    buf_printf(&name, "%s%s%s", noun->name, *verb->name ? "." : "", verb->name);
    for (size_t i = 0; i < name.n; i++) /* "edge-group add" is edge.group.add */
        name.p[i] = (char)(name.p[i] == '-' || name.p[i] == ' ' ? '.' : name.p[i]);
    json_object_set_new(request, "verb", json_string(buf_cstr(&name)));
    buf_release(&name);
    int code = read_arguments(request, noun, verb, argc, argv);
    if (!code)
        code = (verb->run ? verb->run : send_and_print)(cli, noun, verb, request);
    json_decref(request);
    return code;
}
