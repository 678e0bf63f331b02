#include "cmd/cli_report.h"

#include <errno.h>
#include <unistd.h>

#include "cmd/cli_print.h"
#include "report/unwrap.h"

static enum err read_stdin(struct buf *out, struct buf *why)
{
    for (;;) {
        buf_reserve(out, 1 << 16);
        ssize_t n = read(STDIN_FILENO, out->p + out->n, 1 << 16);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_system(why, "standard input");
        if (n == 0)
            return OK;
        out->n += (size_t)n;
        if (out->n > REPORT_INPUT_MAX) {
            buf_set(why, "standard input: more than %d MiB", REPORT_INPUT_MAX >> 20);
            return ERR_FULL;
        }
    }
}

/* The file's name and content into the request. */
static bool load(const char *file, json_t *request)
{
    struct buf content = {0}, text = {0}, why = {0};
    bool is_stdin = strcmp(file, "-") == 0;
    enum err e = is_stdin ? read_stdin(&content, &why) : file_read(file, REPORT_INPUT_MAX, &content, &why);
    base64_append(&text, content.p, content.n);
    json_object_set_new(request, "name", json_string(is_stdin ? "standard input" : file));
    json_object_set_new(request, "content", json_stringn(buf_cstr(&text), text.n));
    if (e)
        fprintf(stderr, "kedge report take: %s\n", buf_cstr(&why));
    buf_release(&content);
    buf_release(&text);
    buf_release(&why);
    return !e;
}

static long long number(const json_t *o, const char *name)
{
    return (long long)json_integer_value(json_object_get(o, name));
}

static void tell(const json_t *o)
{
    const json_t *results = json_object_get(o, "results");
    printf("%s: report %s of %s: ", json_string_value(json_object_get(o, "file")),
           json_string_value(json_object_get(o, "report_id")),
           json_string_value(json_object_get(o, "organization")));
    if (json_is_true(json_object_get(o, "duplicate"))) {
        puts("taken before, not counted again");
        return;
    }
    printf("%lld policies, %lld sessions, %lld failed", number(o, "policies"),
           number(o, "successes") + number(o, "failures"), number(o, "failures"));
    for (size_t i = 0; i < json_array_size(results); i++)
        printf("%s %s", i ? "," : ":", json_string_value(json_array_get(results, i)));
    if (number(o, "foreign"))
        printf("; %lld policies about names that are not hosted here left out", number(o, "foreign"));
    putchar('\n');
}

int cli_report_take(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
                    json_t *request)
{
    json_t *given = json_object_get(request, "file"),
           *files = given ? json_incref(given) : json_pack("[s]", "-"), *taken = json_array();
    int worst = EXIT_OK;
    for (size_t i = 0; i < json_array_size(files) && worst != EXIT_UNAVAILABLE; i++) {
        json_t *one = json_pack("{sO}", "verb", json_object_get(request, "verb")), *result = NULL;
        int code = EXIT_FAILED;
        if (load(json_string_value(json_array_get(files, i)), one))
            code = cli_send(cli, noun, verb, one, &result);
        if (result && !cli->json)
            tell(result);
        if (result)
            json_array_append(taken, result);
        worst = code > worst ? code : worst;
        json_decref(one);
        json_decref(result);
    }
    if (cli->json)
        cli_print(cli, noun, verb, taken);
    json_decref(files);
    json_decref(taken);
    return worst;
}
