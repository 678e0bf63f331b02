#include "report/tlsrpt.h"

#include <jansson.h>

#include "dns/name.h"

static const char *const types[] =
    {
#define X(name, text) [TLSRPT_##name] = text,
        TLSRPT_TYPE_TABLE(X)
#undef X
},
                         *const results[] = {
#define X(name, text) [TLSRPT_##name] = text,
                             TLSRPT_RESULT_TABLE(X)
#undef X
};

const char *tlsrpt_type_name(enum tlsrpt_type t)
{
    return types[t];
}

const char *tlsrpt_result_name(enum tlsrpt_result r)
{
    return results[r];
}

enum tlsrpt_result tlsrpt_result_parse(struct str name)
{
    for (size_t i = 0; i < sizeof results / sizeof *results; i++)
        if (str_equal_nocase(name, str_of(results[i])))
            return (enum tlsrpt_result)i;
    return TLSRPT_OTHER;
}

/* Where the reader stands, for sentences. */
struct reader {
    struct arena *a;
    struct buf *why;
    struct buf at;  /* "policies[3].policy." */
    size_t details; /* failure-details so far, in all policies */
};

__attribute__((format(printf, 3, 4))) static enum err wrong(const struct reader *r, const char *name,
                                                            const char *format, ...)
{
    struct buf what = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&what, format, args);
    va_end(args);
    buf_set(r->why, "%s%s %s", buf_cstr(&r->at), name, buf_cstr(&what));
    buf_release(&what);
    return ERR_MALFORMED;
}

static struct str text_of(const json_t *object, const char *name)
{
    const json_t *s = json_object_get(object, name);
    return str_trim(str_make(json_string_value(s), json_string_length(s)));
}

/* A text that is shown to people: control characters become blanks. */
static enum err need_text(const struct reader *r, const json_t *object, const char *name, struct str *out)
{
    struct str s = text_of(object, name);
    if (!s.n)
        return wrong(r, name, "is missing");
    if (s.n > TLSRPT_TEXT_MAX)
        return wrong(r, name, "is longer than %d octets", TLSRPT_TEXT_MAX);
    char *p = arena_cstr(r->a, s);
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)p[i] < ' ' || p[i] == 0x7f)
            p[i] = ' ';
    *out = str_make(p, s.n);
    return OK;
}

static enum err need_time(const struct reader *r, const json_t *object, const char *name, int64_t *out)
{
    struct str s = text_of(object, name);
    if (!s.n)
        return wrong(r, name, "is missing");
    if (!tlsrpt_time(s, out))
        return wrong(r, name, "'%.*s' is no time like 2026-11-29T00:00:00Z", STR_ARG(str_sub(s, 0, 40)));
    return OK;
}

/* Missing is none. */
static enum err take_count(const struct reader *r, const json_t *object, const char *name, int64_t *out)
{
    const json_t *value = json_object_get(object, name);
    uint64_t n = 0;
    bool good = !value || (json_is_string(value) && str_to_u64(text_of(object, name), &n));
    if (json_is_integer(value) && json_integer_value(value) >= 0) {
        n = (uint64_t)json_integer_value(value);
        good = true;
    }
    *out = (int64_t)n;
    if (!good || n > TLSRPT_COUNT_MAX)
        return wrong(r, name, "is not a count of sessions");
    return OK;
}

/* Adds to what was said of that result at that host, or begins it. */
static void add_failure(struct tlsrpt_policy *p, struct map *known, struct arena *a, struct tlsrpt_failure f)
{
    if (!f.sessions)
        return;
    struct str key = arena_printf(a, "%d %.*s", (int)f.result, STR_ARG(f.mx_host));
    struct tlsrpt_failure *there = map_get(known, key);
    if (!there) {
        there = &p->failure[p->nfailure++];
        *there = (struct tlsrpt_failure){f.result, f.mx_host, 0};
        (void)map_put(known, key, there);
    }
    there->sessions += f.sessions;
    p->failures += f.sessions;
}

static enum err read_failure(struct reader *r, const json_t *o, struct tlsrpt_failure *f)
{
    if (!json_is_object(o))
        return wrong(r, "", "is no object");
    f->result = tlsrpt_result_parse(text_of(o, "result-type"));
    struct str host = text_of(o, "receiving-mx-hostname");
    if (!host.n || dns_name_normalise(r->a, host, &f->mx_host))
        f->mx_host = STR_NONE;
    return take_count(r, o, "failed-session-count", &f->sessions);
}

/* total: of the summary. Where the details say more, they count; where they say less, the rest was not told.
 */
static enum err read_failures(struct reader *r, const json_t *list, int64_t total, struct tlsrpt_policy *p)
{
    size_t n = json_array_size(list), at = r->at.n;
    struct map known = {0};
    enum err e = OK;
    if ((r->details += n) > TLSRPT_FAILURES_MAX)
        return wrong(r, "failure-details", "are more than %d in all", TLSRPT_FAILURES_MAX);
    if (list && !json_is_array(list) && !json_is_null(list))
        return wrong(r, "failure-details", "is no list");
    p->failure = ARENA_ARRAY(r->a, struct tlsrpt_failure, n + 1);
    for (size_t i = 0; !e && i < n; i++) {
        struct tlsrpt_failure f = {0};
        buf_printf(&r->at, "failure-details[%zu].", i);
        e = read_failure(r, json_array_get(list, i), &f);
        if (!e)
            add_failure(p, &known, r->a, f);
        r->at.n = at;
        r->at.p[at] = '\0';
    }
    struct tlsrpt_failure rest = {TLSRPT_NOT_TOLD, STR_NONE, total - p->failures};
    if (!e && rest.sessions > 0)
        add_failure(p, &known, r->a, rest);
    map_release(&known);
    return e;
}

static enum err read_policy(struct reader *r, const json_t *o, struct tlsrpt_policy *p)
{
    const json_t *policy = json_object_get(o, "policy"), *summary = json_object_get(o, "summary");
    struct str type = text_of(policy, "policy-type"), domain = text_of(policy, "policy-domain");
    int64_t total = 0;
    if (!json_is_object(policy))
        return wrong(r, "policy", "is missing");
    if (!json_is_object(summary))
        return wrong(r, "summary", "is missing");
    size_t t = 0;
    while (t < sizeof types / sizeof *types && !str_equal_nocase(type, str_of(types[t])))
        t++;
    if (t == sizeof types / sizeof *types)
        return wrong(r, "policy.policy-type", "'%.*s' is none of tlsa, sts, no-policy-found",
                     STR_ARG(str_sub(type, 0, 40)));
    p->type = (enum tlsrpt_type)t;
    if (!domain.n || dns_name_normalise(r->a, domain, &p->domain) || !p->domain.n)
        return wrong(r, "policy.policy-domain", "'%.*s' is no domain", STR_ARG(str_sub(domain, 0, 80)));
    enum err e = take_count(r, summary, "total-successful-session-count", &p->successes);
    if (!e)
        e = take_count(r, summary, "total-failure-session-count", &total);
    return e ? e : read_failures(r, json_object_get(o, "failure-details"), total, p);
}

static enum err read_policies(struct reader *r, const json_t *list, struct tlsrpt *out)
{
    enum err e = OK;
    out->npolicy = json_array_size(list);
    if (!json_is_array(list) || !out->npolicy)
        return wrong(r, "policies", "is missing or empty");
    if (out->npolicy > TLSRPT_POLICIES_MAX)
        return wrong(r, "policies", "are more than %d", TLSRPT_POLICIES_MAX);
    out->policy = ARENA_ARRAY(r->a, struct tlsrpt_policy, out->npolicy);
    for (size_t i = 0; !e && i < out->npolicy; i++) {
        buf_clear(&r->at);
        buf_printf(&r->at, "policies[%zu].", i);
        e = read_policy(r, json_array_get(list, i), &out->policy[i]);
    }
    return e;
}

static enum err read_report(struct reader *r, const json_t *root, struct tlsrpt *out)
{
    const json_t *range = json_object_get(root, "date-range");
    enum err e = need_text(r, root, "organization-name", &out->organization);
    if (!e)
        e = need_text(r, root, "report-id", &out->report_id);
    buf_set(&r->at, "date-range.");
    if (!e)
        e = need_time(r, range, "start-datetime", &out->begin_ms);
    if (!e)
        e = need_time(r, range, "end-datetime", &out->end_ms);
    buf_clear(&r->at);
    return e ? e : read_policies(r, json_object_get(root, "policies"), out);
}

/* Before a parser that recurses sees it. Brackets in texts do not count. */
static bool is_too_deep(struct str json)
{
    size_t depth = 0;
    bool inside = false;
    for (size_t i = 0; i < json.n && depth <= TLSRPT_DEPTH_MAX; i++) {
        char c = json.p[i];
        if (inside && c == '\\')
            i++;
        else if (c == '"')
            inside = !inside;
        else if (!inside && (c == '{' || c == '['))
            depth++;
        else if (!inside && (c == '}' || c == ']') && depth)
            depth--;
    }
    return depth > TLSRPT_DEPTH_MAX;
}

enum err tlsrpt_parse(struct str json, struct arena *a, struct tlsrpt *out, struct buf *why)
{
    struct reader r = {.a = a, .why = why};
    json_error_t error;
    *out = (struct tlsrpt){0};
    if (str_starts(json, STR("\xef\xbb\xbf"))) /* a byte order mark, which RFC 8259 lets a reader ignore */
        json = str_from(json, 3);
    if (is_too_deep(json)) {
        buf_set(why, "the JSON has brackets in brackets more than %d deep", TLSRPT_DEPTH_MAX);
        return ERR_MALFORMED;
    }
    json_t *root = json_loadb(json.p ? json.p : "", json.n, 0, &error);
    enum err e = ERR_MALFORMED;
    if (!root)
        buf_set(why, "it is no JSON: line %d, column %d: %s", error.line, error.column, error.text);
    else if (!json_is_object(root))
        buf_set(why, "the JSON is no object");
    else
        e = read_report(&r, root, out);
    json_decref(root);
    buf_release(&r.at);
    return e;
}
