#include "cmd/cli_domain.h"

#include "cmd/cli_print.h"

/* A text that others may have made: it must not move the operator's terminal. Valid until the buffer's next
 * use. */
static const char *text(struct buf *b, const json_t *object, const char *key)
{
    const json_t *value = json_object_get(object, key);
    const char *p = json_string_value(value);
    buf_clear(b);
    if (json_is_integer(value))
        buf_printf(b, "%lld", (long long)json_integer_value(value));
    for (; p && *p; p++)
        buf_add_char(b, (unsigned char)*p < ' ' || *p == 0x7f ? '?' : *p);
    return buf_cstr(b);
}

static bool is_true(const json_t *object, const char *key)
{
    return json_is_true(json_object_get(object, key));
}

static bool is_text(const json_t *object, const char *key, const char *value)
{
    const char *p = json_string_value(json_object_get(object, key));
    return p && strcmp(p, value) == 0;
}

static void print_json(const json_t *j)
{
    (void)json_dumpf(j, stdout, JSON_INDENT(2) | JSON_ENCODE_ANY);
    (void)putchar('\n');
}

static void print_mx(const json_t *domain)
{
    struct buf a = {0}, b = {0};
    const json_t *list = json_object_get(domain, "actual_mx");
    printf("  expected MX   0 or 10 %s\n", text(&a, json_object_get(domain, "expected_mx"), "host"));
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *mx = json_array_get(list, i);
        printf("  %-13s %s %s", i ? "" : "actual MX", text(&a, mx, "priority"), text(&b, mx, "host"));
        if (!is_text(mx, "kind", "expected"))
            printf(" (%s)", text(&a, mx, "kind"));
        (void)putchar('\n');
    }
    if (!json_array_size(list))
        printf("  actual MX     none\n");
    else
        printf("                %s, TTL %s\n", text(&a, domain, "mx_security"), text(&b, domain, "mx_ttl"));
    buf_release(&a);
    buf_release(&b);
}

static void print_connections(const json_t *domain)
{
    struct buf a = {0}, b = {0}, c = {0};
    const json_t *list = json_object_get(domain, "connections");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *x = json_array_get(list, i);
        const json_t *matched = json_object_get(x, "matched");
        printf("  %-13s %s: %s", i ? "" : "connections", text(&a, x, "address"), text(&b, x, "result"));
        if (json_object_get(x, "protocol"))
            printf(", %s with an %s key%s", text(&a, x, "protocol"), text(&c, x, "algorithm"),
                   json_is_true(matched)    ? ", authenticated"
                   : json_is_false(matched) ? ", NOT authenticated"
                                            : "");
        (void)putchar('\n');
    }
    buf_release(&a);
    buf_release(&b);
    buf_release(&c);
}

static void print_findings(const json_t *domain)
{
    struct buf a = {0}, b = {0};
    const json_t *list = json_object_get(domain, "findings");
    for (size_t i = 0; i < json_array_size(list); i++) {
        const json_t *f = json_array_get(list, i);
        printf("  %-8s %s", text(&a, f, "severity"), text(&b, f, "code"));
        printf(" %s: %s\n", text(&a, f, "subject"), text(&b, f, "sentence"));
        if (*text(&a, f, "evidence"))
            printf("                 seen: %s\n", buf_cstr(&a));
        if (*text(&a, f, "fix"))
            printf("                 fix:  %s\n", buf_cstr(&a));
    }
    if (!json_array_size(list))
        printf("  no findings\n");
    buf_release(&a);
    buf_release(&b);
}

static void print_domain(const json_t *domain)
{
    struct buf a = {0}, b = {0};
    const json_t *sts = json_object_get(domain, "mta_sts");
    printf("%s: %s", text(&a, domain, "domain"), text(&b, domain, "state"));
    printf(" (%s)\n", text(&a, domain, "sentence"));
    printf("  features      DNSSEC %s, DANE %s; tenant %s\n", is_true(domain, "dnssec") ? "on" : "off",
           is_true(domain, "dane") ? "on" : "off", text(&a, domain, "tenant"));
    print_mx(domain);
    printf("  TLSA          %zu records, %s\n", json_array_size(json_object_get(domain, "tlsa")),
           text(&a, domain, "tlsa_security"));
    print_connections(domain);
    printf("  MTA-STS       %s", text(&a, sts, "status"));
    if (json_object_get(sts, "mode"))
        printf(", mode %s", text(&a, sts, "mode"));
    (void)putchar('\n');
    print_findings(domain);
    buf_release(&a);
    buf_release(&b);
}

/* Of many domains: a list that is written as it comes. */
struct listing {
    bool json, begun;
};

static void print_json_row(struct listing *l, const json_t *row)
{
    (void)fputs(l->begun ? ",\n    " : "{\n  \"domains\": [\n    ", stdout);
    (void)json_dumpf(row, stdout, JSON_COMPACT);
}

static void print_text_row(const json_t *row)
{
    struct buf a = {0}, b = {0};
    const json_t *codes = json_object_get(row, "codes");
    bool failed = json_object_get(row, "error");
    printf("%-40s %s", text(&a, row, "domain"), text(&b, row, failed ? "error" : "state"));
    for (size_t i = 0; i < json_array_size(codes); i++)
        printf(" %s", json_string_value(json_array_get(codes, i)));
    (void)putchar('\n');
    buf_release(&a);
    buf_release(&b);
}

static void print_rows(void *ctx, const json_t *rows)
{
    struct listing *l = ctx;
    for (size_t i = 0; i < json_array_size(rows); i++) {
        if (l->json)
            print_json_row(l, json_array_get(rows, i));
        else
            print_text_row(json_array_get(rows, i));
        l->begun = true;
    }
}

/* The rest of the object. Without a result the list is not whole: it is closed, and has no summary. */
static void end_json(const struct listing *l, json_t *result)
{
    const char *key;
    json_t *value;
    if (!l->begun && !result)
        return;
    (void)fputs(l->begun ? "\n  ]" : "{\n  \"domains\": []", stdout);
    json_object_foreach(result, key, value)
    {
        printf(",\n  \"%s\": ", key);
        (void)json_dumpf(value, stdout, JSON_COMPACT | JSON_ENCODE_ANY);
    }
    (void)puts("\n}");
}

static void print_summary(const json_t *result)
{
    const char *code;
    json_t *count, *codes = json_object_get(result, "codes");
    struct buf a = {0};
    printf("%s checked:", text(&a, result, "checked"));
    printf(" %s protected,", text(&a, result, "protected"));
    printf(" %s unprotected,", text(&a, result, "unprotected"));
    printf(" %s broken,", text(&a, result, "broken"));
    printf(" %s unknown,", text(&a, result, "unknown"));
    printf(" %s failed\n", text(&a, result, "failed"));
    json_object_foreach(codes, code, count)
    {
        printf("  %s %lld\n", code, (long long)json_integer_value(count));
    }
    buf_release(&a);
}

static bool is_bad(const json_t *domain)
{
    return is_text(domain, "state", "broken") || is_text(domain, "state", "unknown");
}

int cli_domain_status(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
                      json_t *request)
{
    json_t *result;
    struct listing l = {.json = cli->json};
    int code = cli_send_pages(cli, noun, verb, request, print_rows, &l, &result);
    if (json_is_array(result)) {
        for (size_t i = 0; i < json_array_size(result); i++) {
            code = is_bad(json_array_get(result, i)) ? EXIT_FAILED : code;
            if (!cli->json)
                print_domain(json_array_get(result, i));
        }
        if (cli->json)
            print_json(result);
    } else {
        if (json_integer_value(json_object_get(result, "broken")) ||
            json_integer_value(json_object_get(result, "unknown")))
            code = EXIT_FAILED;
        if (cli->json)
            end_json(&l, result);
        else if (result)
            print_summary(result);
    }
    json_decref(result);
    return code;
}

int cli_domain_codes(const struct cli *cli, const struct cli_noun *noun, const struct cli_verb *verb,
                     json_t *request)
{
    json_t *result;
    struct buf a = {0}, b = {0};
    int code = cli_send(cli, noun, verb, request, &result);
    if (result && cli->json)
        print_json(result);
    for (size_t i = 0; !cli->json && i < json_array_size(result); i++) {
        const json_t *kind = json_array_get(result, i);
        printf("%s %s: ", text(&a, kind, "code"), text(&b, kind, "severity"));
        printf("%s\n", text(&a, kind, "sentence"));
        printf("      fix: %s\n", text(&a, kind, "fix"));
    }
    buf_release(&a);
    buf_release(&b);
    json_decref(result);
    return code;
}
