#include "cmd/cli_print.h"

enum { GAP = 2 };

/* A value as one word or line; control characters from certificates and the like do not reach the terminal.
 */
static void value_text(const json_t *value, struct buf *out)
{
    switch (value ? json_typeof(value) : JSON_NULL) {
    case JSON_STRING:
        for (const char *p = json_string_value(value); *p; p++)
            buf_add_char(out, (unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p);
        break;
    case JSON_INTEGER:
        buf_printf(out, "%lld", (long long)json_integer_value(value));
        break;
    case JSON_TRUE:
        buf_add(out, STR("yes"));
        break;
    case JSON_FALSE:
        buf_add(out, STR("no"));
        break;
    case JSON_ARRAY:
        for (size_t i = 0; i < json_array_size(value); i++) {
            if (i)
                buf_add_char(out, ' ');
            value_text(json_array_get(value, i), out);
        }
        if (!json_array_size(value))
            buf_add_char(out, '-');
        break;
    default:
        buf_add_char(out, '-');
    }
}

/* Characters, not bytes: continuation bytes of UTF-8 take no room. */
static size_t width_of(struct str s)
{
    size_t n = 0;
    for (size_t i = 0; i < s.n; i++)
        n += ((unsigned char)s.p[i] & 0xc0) != 0x80;
    return n;
}

static void print_padded(struct str s, size_t width, bool last)
{
    printf("%.*s", STR_ARG(s));
    for (size_t n = width_of(s); !last && n < width + GAP; n++)
        putchar(' ');
    if (last)
        putchar('\n');
}

static size_t column_names(const struct cli_noun *noun, char names[CLI_COLUMNS_MAX][32])
{
    size_t n = 0;
    struct str rest = str_of(noun->columns), word;
    while ((word = str_word(&rest)).n)
        ENSURE(n < CLI_COLUMNS_MAX && str_copy(word, names[n++], sizeof *names));
    return n;
}

static void widen(struct cli_list *l, char names[][32], size_t columns, const json_t *rows)
{
    struct buf text = {0};
    for (size_t c = 0; c < columns; c++) {
        if (l->width[c] < strlen(names[c]))
            l->width[c] = strlen(names[c]);
        for (size_t at = 0; at < json_array_size(rows); at++) {
            buf_clear(&text);
            value_text(json_object_get(json_array_get(rows, at), names[c]), &text);
            size_t w = width_of(buf_str(&text));
            l->width[c] = w > l->width[c] ? w : l->width[c];
        }
    }
    buf_release(&text);
}

static void print_table(struct cli_list *l, const json_t *rows)
{
    char names[CLI_COLUMNS_MAX][32];
    size_t columns = column_names(l->noun, names);
    struct buf text = {0};
    widen(l, names, columns, rows);
    for (size_t c = 0; c < columns && !l->begun; c++) {
        buf_set(&text, "%s", names[c]);
        for (size_t i = 0; i < text.n; i++)
            text.p[i] = (char)(text.p[i] == '_' ? ' ' : text.p[i]);
        print_padded(buf_str(&text), l->width[c], c + 1 == columns);
    }
    for (size_t at = 0; at < json_array_size(rows); at++) {
        for (size_t c = 0; c < columns; c++) {
            buf_clear(&text);
            value_text(json_object_get(json_array_get(rows, at), names[c]), &text);
            print_padded(buf_str(&text), l->width[c], c + 1 == columns);
        }
    }
    buf_release(&text);
}

/* Laid out as if the whole list were printed at once. */
static void print_json_row(const json_t *row)
{
    char *text = must_alloc(json_dumps(row, JSON_INDENT(2)));
    for (const char *p = text; *p; p++) {
        (void)putchar(*p);
        if (*p == '\n')
            (void)fputs("  ", stdout);
    }
    free(text);
}

static void print_json_rows(const struct cli_list *l, const json_t *rows)
{
    for (size_t i = 0; i < json_array_size(rows); i++) {
        (void)fputs(i || l->begun ? ",\n  " : "[\n  ", stdout);
        print_json_row(json_array_get(rows, i));
    }
}

void cli_print_page(struct cli_list *l, const json_t *rows)
{
    if (l->json)
        print_json_rows(l, rows);
    else
        print_table(l, rows);
    l->begun = true;
}

void cli_print_last_page(struct cli_list *l, const json_t *rows)
{
    cli_print_page(l, rows);
    if (l->json)
        (void)puts("\n]");
}

static void print_object(json_t *object)
{
    const char *key;
    json_t *value;
    struct buf text = {0};
    json_object_foreach(object, key, value)
    {
        buf_clear(&text);
        value_text(value, &text);
        printf("%-16s %s\n", key, buf_cstr(&text));
    }
    buf_release(&text);
}

/* What a change was about is the first member of its object. */
static void print_change(const struct cli_noun *noun, const char *done, json_t *object)
{
    const char *key;
    json_t *value;
    struct buf text = {0};
    json_object_foreach(object, key, value)
    {
        value_text(value, &text);
        break;
    }
    printf("%s %s %s\n", noun->name, buf_cstr(&text), done);
    const char *policy = json_string_value(json_object_get(object, "recipients"));
    if (strcmp(done, "removed") != 0 && policy && strcmp(policy, "list") == 0 &&
        json_integer_value(json_object_get(object, "listed")) == 0)
        printf("Its recipients are a list, and the list is empty: all mail is refused until \"kedge "
               "recipient add\" or "
               "--recipients any.\n");
    const char *domain = json_string_value(json_object_get(object, "domain")),
               *until = json_string_value(json_object_get(object, "mx_host_until")),
               *host = json_string_value(json_object_get(object, "mx_host"));
    if (domain && host && until)
        printf("Its MX host %s stays until %s: take it out of the MX record before.\n", host, until);
    else if (domain && host && strcmp(done, "dnssec enabled") == 0)
        printf("At its DNS provider, add, behind the MX records that are there (20, or 10 more than the "
               "highest): %s. MX 20 %s.\n",
               domain, host);
    buf_release(&text);
}

/* A change of many. */
static void print_summary(const struct cli_noun *noun, const json_t *summary)
{
    const json_t *failures = json_object_get(summary, "failures");
    long long failed = json_integer_value(json_object_get(summary, "failed"));
    for (size_t i = 0; i < json_array_size(failures); i++) {
        const json_t *f = json_array_get(failures, i);
        fprintf(stderr, "%s %s: %s\n", noun->name, json_string_value(json_object_get(f, "domain")),
                json_string_value(json_object_get(f, "error")));
    }
    if (failed > (long long)json_array_size(failures))
        fprintf(stderr, "... and %lld more\n", failed - (long long)json_array_size(failures));
    printf("%lld changed, %lld unchanged, %lld failed\n",
           (long long)json_integer_value(json_object_get(summary, "changed")),
           (long long)json_integer_value(json_object_get(summary, "unchanged")), failed);
}

void cli_print(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
               const json_t *result)
{
    static const struct {
        const char *verb, *done;
    } changes[] = {{"add", "added"},
                   {"set", "set"},
                   {"remove", "removed"},
                   {"dnssec enable", "dnssec enabled"},
                   {"dnssec disable", "dnssec disabled"},
                   {"dane enable", "dane enabled"},
                   {"dane disable", "dane disabled"}};
    if (cli->json) {
        json_dumpf(result, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
        putchar('\n');
        return;
    }
    if (json_object_get(result, "changed") && json_object_get(result, "failures")) {
        print_summary(noun, result);
        return;
    }
    for (size_t c = 0; c < sizeof changes / sizeof *changes; c++) {
        if (strcmp(verb->name, changes[c].verb) != 0)
            continue;
        json_t *mutable = json_deep_copy(result);
        if (json_is_object(mutable))
            print_change(noun, changes[c].done, mutable);
        for (size_t i = 0; i < json_array_size(mutable); i++)
            print_change(noun, changes[c].done, json_array_get(mutable, i));
        json_decref(mutable);
        return;
    }
    if (json_is_array(result)) {
        print_table(&(struct cli_list){.noun = noun}, result);
        return;
    }
    json_t *copy = json_deep_copy(result);
    print_object(copy);
    json_decref(copy);
}
