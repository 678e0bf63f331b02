/* Results that are told: kedge-control sends the lines for people with them. */
#include <unistd.h>

#include "cmd/cli_print.h"
#include "cmd/cli_told.h"

static void print_clean(const char *p)
{
    for (; *p; p++)
        (void)putchar((unsigned char)*p < ' ' && *p != '\n' ? '?' : *p == 0x7f ? '?' : *p);
    (void)putchar('\n');
}

static void print_told(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
                       json_t *result)
{
    size_t i;
    json_t *line, *lines = json_incref(json_object_get(result, "lines"));
    (void)json_object_del(result, "lines");
    if (cli->json || !lines)
        cli_print(cli, noun, verb, result);
    else
        json_array_foreach(lines, i, line) print_clean(json_string_value(line));
    json_decref(lines);
}

int cli_told(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb, json_t *request)
{
    json_t *result;
    int code = cli_send(cli, noun, verb, request, &result);
    if (result) {
        print_told(cli, noun, verb, result);
        if (json_is_false(json_object_get(result, "good")))
            code = EXIT_FAILED;
    }
    json_decref(result);
    return code;
}

/* Only somebody at a terminal can be asked. */
static bool agrees(void)
{
    char answer[16];
    if (!isatty(STDIN_FILENO))
        return false;
    fputs("Go on? (yes/no) ", stderr);
    return fgets(answer, sizeof answer, stdin) && strcmp(answer, "yes\n") == 0;
}

int cli_confirmed(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
                  json_t *request)
{
    json_t *result;
    int code = cli_send(cli, noun, verb, request, &result);
    const char *confirm = json_string_value(json_object_get(result, "confirm"));
    bool ask = confirm != NULL, yes = false;
    if (confirm && cli->json) {
        cli_print(cli, noun, verb, result);
    } else if (confirm) {
        print_clean(confirm);
        yes = agrees();
    } else if (result) {
        print_told(cli, noun, verb, result);
    }
    json_decref(result);
    if (yes) {
        json_object_set_new(request, "yes", json_true());
        return cli_told(cli, noun, verb, request);
    }
    if (ask)
        fprintf(stderr, "kedge %s %s: nothing was done; to do it: --yes\n", noun->name, verb->name);
    return ask ? EXIT_FAILED : code;
}
