#include <unistd.h>

#include "cmd/cli_domain.h"

enum { PAUSE_LEAST_S = 1, PAUSE_MOST_S = 5 };

static const char *string(const json_t *object, const char *key)
{
    const char *p = json_string_value(json_object_get(object, key));
    return p ? p : "";
}

static bool is_turn(const json_t *view, const char *turn)
{
    return strcmp(string(view, "turn"), turn) == 0;
}

static void print_clean(const char *p)
{
    for (; *p; p++)
        (void)putchar((unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p);
}

static void print_number(const json_t *record, const char *key, int width)
{
    const json_t *value = json_object_get(record, key);
    if (json_is_integer(value))
        printf("%-*lld", width, (long long)json_integer_value(value));
    else
        printf("%-*s", width, "-");
}

/* As a DNS provider's panel asks for it. */
static void print_records(const json_t *view)
{
    const json_t *records = json_object_get(view, "records");
    if (!json_array_size(records))
        return;
    printf("\n    zone %s\n    %-8s %-5s %-10s %-10s %-7s %s\n", string(view, "provider_zone"), "", "type",
           "name", "priority", "TTL", "value");
    for (size_t i = 0; i < json_array_size(records); i++) {
        const json_t *r = json_array_get(records, i);
        printf("    %-8s %-5s %-10s ", string(r, "action"), string(r, "type"), string(r, "name"));
        print_number(r, "priority", 11);
        print_number(r, "ttl", 8);
        print_clean(string(r, "value"));
        (void)putchar('\n');
    }
    (void)putchar('\n');
}

static void print_steps(const json_t *view)
{
    const json_t *steps = json_object_get(view, "steps");
    long long at = json_is_integer(json_object_get(view, "step"))
                       ? json_integer_value(json_object_get(view, "step"))
                       : -1;
    for (size_t i = 0; i < json_array_size(steps); i++) {
        const json_t *s = json_array_get(steps, i);
        printf("  %s %2zu %-16s %s\n",
               (long long)i == at                          ? "->"
               : json_is_true(json_object_get(s, "holds")) ? "ok"
                                                           : "  ",
               i, string(s, "step"), string(s, "sentence"));
    }
}

static void print_view(const json_t *view)
{
    const json_t *did = json_object_get(view, "did"), *seconds = json_object_get(view, "seconds");
    for (size_t i = 0; i < json_array_size(did); i++)
        printf("done: %s\n", json_string_value(json_array_get(did, i)));
    printf("%s: %s%s", string(view, "domain"), is_turn(view, "awaited") ? "waiting: " : "",
           is_turn(view, "yours") ? "your turn: " : "");
    print_clean(string(view, "say"));
    if (json_is_integer(seconds))
        printf(" (until %s, %lld s)", string(view, "until"), (long long)json_integer_value(seconds));
    (void)putchar('\n');
    print_records(view);
    (void)fflush(stdout);
}

/* The same to somebody who watches: the same step, sentence and records. */
static bool is_same(const json_t *a, const json_t *b)
{
    return a && strcmp(string(a, "say"), string(b, "say")) == 0 &&
           json_equal(json_object_get(a, "step"), json_object_get(b, "step")) &&
           json_array_size(json_object_get(b, "did")) == 0;
}

static unsigned pause_of(const json_t *view)
{
    long long s = json_integer_value(json_object_get(view, "seconds"));
    return (unsigned)(s < PAUSE_LEAST_S ? PAUSE_LEAST_S : s > PAUSE_MOST_S ? PAUSE_MOST_S : s);
}

int cli_domain_switch(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
                      json_t *request)
{
    bool wait = json_is_true(json_object_get(request, "wait"));
    json_t *before = NULL, *view;
    int code;
    for (;;) {
        code = cli_send(cli, noun, verb, request, &view);
        if (!view)
            break;
        bool over = is_turn(view, "done") || !wait;
        if (!cli->json && !before)
            print_steps(view);
        if (!cli->json && !is_same(before, view))
            print_view(view);
        json_decref(before);
        before = view;
        if (over)
            break;
        (void)sleep(pause_of(view));
    }
    if (before && cli->json) {
        (void)json_dumpf(before, stdout, JSON_INDENT(2));
        (void)putchar('\n');
    } else if (before && !wait && !is_turn(before, "done")) {
        printf("Then: kedge domain switch %s%s\n", string(before, "domain"),
               json_is_true(json_object_get(request, "undo")) ? " --undo" : "");
    }
    json_decref(before);
    return code;
}
