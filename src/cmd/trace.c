/* kedge trace: everything the journal knows of a message, in the order of time, in plain words. Fields
 * without words of their own are printed as they are: nothing is hidden. */
#include "cmd/commands.h"

#include <jansson.h>

#include "journal/journal.h"
#include "policy/reason.h"
#include "queue/queue.h"

static const char HELP[] =
    "usage: kedge trace QUEUE-ID [--config FILE] [--json]\n"
    "Prints what happened to a message: how it was received, every attempt with the reason for its\n"
    "level of security, and how it ended.\n"
    "Exit code: 0 found, 1 the journal knows nothing of it, 2 wrong usage.\n";

enum { DAY_MS = 86400000, WIDTH = 20 };

/* ---- values ---- */

static void print_clean(const char *s)
{
    for (; *s; s++)
        putchar((unsigned char)*s < ' ' || *s == 127 ? '?' : *s);
}

static void print_value(const json_t *v);

static void print_members(const json_t *object)
{
    const char *name;
    const json_t *v;
    bool comma = false;
    json_object_foreach((json_t *)(uintptr_t)object, name, v)
    {
        printf("%s%s ", comma ? ", " : "", name);
        print_value(v);
        comma = true;
    }
}

static void print_value(const json_t *v)
{
    size_t i;
    const json_t *one;
    switch (json_typeof(v)) {
    case JSON_STRING:
        print_clean(json_string_value(v));
        break;
    case JSON_INTEGER:
        printf("%lld", (long long)json_integer_value(v));
        break;
    case JSON_REAL:
        printf("%g", json_real_value(v));
        break;
    case JSON_ARRAY:
        json_array_foreach(v, i, one)
        {
            printf("%s", i ? ", " : "");
            print_value(one);
        }
        if (!json_array_size(v))
            printf("none");
        break;
    case JSON_OBJECT:
        print_members(v);
        break;
    default:
        printf("%s", json_is_true(v) ? "yes" : json_is_false(v) ? "no" : "-");
    }
}

static const char *text_of(const json_t *event, const char *name)
{
    const char *s = json_string_value(json_object_get(event, name));
    return s ? s : "";
}

/* ---- fields ---- */

static void print_list_of_hosts(const json_t *v)
{
    size_t i;
    const json_t *one;
    json_array_foreach(v, i, one)
    {
        printf("%s%lld ", i ? ", " : "", (long long)json_integer_value(json_object_get(one, "preference")));
        print_clean(text_of(one, "host"));
    }
    if (!json_array_size(v))
        printf("none");
}

/* Addresses, alone or each with its outcome. */
static void print_recipients(const json_t *v)
{
    size_t i;
    const json_t *one;
    json_array_foreach(v, i, one)
    {
        if (i)
            printf("\n    %*s", WIDTH, "");
        printf("<");
        print_clean(json_is_string(one) ? json_string_value(one) : text_of(one, "address"));
        printf(">");
        const char *name;
        const json_t *member;
        if (json_is_object(one))
            json_object_foreach((json_t *)(uintptr_t)one, name, member)
            {
                if (strcmp(name, "address") == 0)
                    continue;
                printf(" ");
                print_value(member);
            }
    }
}

static void print_reason(const json_t *v)
{
    enum reason reason;
    const char *name = json_string_value(v);
    print_value(v);
    if (!name || !reason_parse(str_of(name), &reason) || !*reason_row(reason)->sentence)
        return;
    printf(": %s", reason_row(reason)->sentence);
    if (*reason_row(reason)->advice)
        printf("\n    %*swhat to do: %s", WIDTH, "", reason_row(reason)->advice);
}

struct field {
    const char *name;
    const char *label;
    void (*print)(const json_t *v); /* NULL: print_value */
};

/* In the order in which they are told: who, where to, what DNS said, what was demanded, what was reached, how
 * it ended. */
static const struct field fields[] = {
    {"tenant", "tenant", NULL},
    {"peer", "from host", NULL},
    {"helo", "calling itself", NULL},
    {"sender", "sender", NULL},
    {"sender_domain", "sender's domain", NULL},
    {"octets", "octets", NULL},
    {"message_id", "Message-ID", NULL},
    {"domain", "to domain", NULL},
    {"mode", "mode", NULL},
    {"rule", "set by rule", NULL},
    {"via", "next hop by", NULL},
    {"mx_security", "MX lookup", NULL},
    {"mx_error", "MX error", NULL},
    {"mx", "MX hosts", print_list_of_hosts},
    {"host", "host tried", NULL},
    {"address", "address", NULL},
    {"address_security", "address lookup", NULL},
    {"base_domain", "TLSA base domain", NULL},
    {"tlsa", "TLSA records", NULL},
    {"tlsa_usable", "usable of them", NULL},
    {"required_level", "level demanded", NULL},
    {"cause", "because", NULL},
    {"level", "level reached", NULL},
    {"matched", "record that matched", NULL},
    {"depth", "at depth", NULL},
    {"leaf_key_sha256", "key of the server", NULL},
    {"tls", "TLS version", NULL},
    {"cipher", "cipher", NULL},
    {"sni", "SNI", NULL},
    {"verdict", "outcome", NULL},
    {"code", "code", NULL},
    {"reason", "reason", print_reason},
    {"reply", "answer of the peer", NULL},
    {"detail", "detail", NULL},
    {"recipients", "recipients", print_recipients},
    {"started", "started", NULL},
    {"duration_ms", "milliseconds", NULL},
};
enum { FIELDS = sizeof fields / sizeof *fields };

static bool is_told(const char *name)
{
    if (strcmp(name, "time") == 0 || strcmp(name, "event") == 0 || strcmp(name, "queue_id") == 0)
        return true;
    for (size_t i = 0; i < FIELDS; i++)
        if (strcmp(fields[i].name, name) == 0)
            return true;
    return false;
}

static void print_field(const char *label, const json_t *v, void (*print)(const json_t *))
{
    printf("    %-*s", WIDTH, label);
    if (strlen(label) >= WIDTH)
        printf(" ");
    (print ? print : print_value)(v);
    printf("\n");
}

static void print_event(const json_t *event)
{
    const char *name;
    const json_t *v;
    print_clean(text_of(event, "time"));
    printf("  ");
    print_clean(text_of(event, "event"));
    printf("\n");
    for (size_t i = 0; i < FIELDS; i++)
        if ((v = json_object_get(event, fields[i].name)) && !(json_is_string(v) && !*json_string_value(v)))
            print_field(fields[i].label, v, fields[i].print);
    json_object_foreach((json_t *)(uintptr_t)event, name, v)
    {
        if (!is_told(name))
            print_field(name, v, NULL);
    }
}

/* ---- events ---- */

struct trace {
    json_t **event;
    size_t n, size;
};

static bool collect(void *ctx, struct str line)
{
    struct trace *t = ctx;
    json_t *event = json_loadb(line.p, line.n, 0, NULL);
    if (!json_is_object(event)) {
        json_decref(event);
        return true;
    }
    if (t->n == t->size) {
        t->size = t->size ? 2 * t->size : 16;
        t->event = must_alloc(realloc(t->event, t->size * sizeof(json_t *)));
    }
    t->event[t->n++] = event;
    return true;
}

static int by_time(const void *a, const void *b)
{
    const json_t *const *x = a, *const *y = b;
    return strcmp(text_of(*x, "time"), text_of(*y, "time"));
}

static void print_all(const struct trace *t, bool as_json)
{
    json_t *all = json_array();
    for (size_t i = 0; i < t->n; i++) {
        if (as_json)
            json_array_append(all, t->event[i]);
        else
            print_event(t->event[i]);
    }
    char *text = as_json ? json_dumps(all, JSON_INDENT(2)) : NULL;
    if (text)
        printf("%s\n", text);
    free(text);
    json_decref(all);
}

static int trace(const struct cli *cli, const char *id)
{
    struct conf conf;
    struct buf why = {0};
    struct arena a = {0};
    struct trace t = {0};
    cli_conf(cli, &conf);
    const char *dir = arena_printf(&a, "%s/journal", conf.data_directory).p;
    /* What concerns a message has its id in it; the clock may have been set back a little since. */
    enum err e = journal_read(dir, queue_id_time(id) - DAY_MS, str_of(id), collect, &t, &why);
    int code = EXIT_OK;
    if (e != OK) {
        (void)fprintf(stderr, "kedge trace: %s\n", buf_cstr(&why));
        code = EXIT_FAILED;
    } else if (!t.n) {
        (void)fprintf(stderr, "kedge trace: the journal in %s knows nothing of %s\n", dir, id);
        code = EXIT_FAILED;
    } else {
        qsort(t.event, t.n, sizeof(json_t *), by_time);
        print_all(&t, cli->json);
    }
    for (size_t i = 0; i < t.n; i++)
        json_decref(t.event[i]);
    free(t.event);
    conf_release(&conf);
    arena_release(&a);
    buf_release(&why);
    return code;
}

int cmd_trace(const struct cli *cli, int argc, char **argv)
{
    if (argc == 2 && strcmp(argv[1], "--help") == 0) {
        printf("%s", HELP);
        return EXIT_OK;
    }
    if (argc != 2) {
        (void)fprintf(stderr, "%s", HELP);
        return EXIT_BAD_USAGE;
    }
    if (!queue_id_is_valid(str_of(argv[1]))) {
        (void)fprintf(stderr, "kedge trace: %s is not a queue id (14 of 0-9 and a-z)\n", argv[1]);
        return EXIT_FAILED;
    }
    return trace(cli, argv[1]);
}
