#include "inspect/sts.h"

#include "base/base.h"
#include "dns/name.h"

static const struct {
    const char *name, *sentence;
} STATES[] = {
#define X(name, text, sentence) {text, sentence},
    STS_STATE_TABLE(X)
#undef X
};

static const char *const MODES[] = {"none", "testing", "enforce"};

const char *sts_state_name(enum sts_state s)
{
    return STATES[s].name;
}

const char *sts_state_sentence(enum sts_state s)
{
    return STATES[s].sentence;
}

const char *sts_mode_name(enum sts_mode m)
{
    return MODES[m];
}

static bool is_id(struct str id)
{
    for (size_t i = 0; i < id.n; i++)
        if (!((id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'z') ||
              (id.p[i] >= 'A' && id.p[i] <= 'Z')))
            return false;
    return id.n >= 1 && id.n <= 32;
}

/* "v=STSv1; id=...;" with other fields allowed (RFC 8461 3.1). */
static bool record_id(struct str txt, struct str *id)
{
    struct str rest = txt;
    bool first = true;
    *id = STR_NONE;
    while (rest.n) {
        struct str value = str_trim(str_cut(&rest, ';'));
        struct str key = str_trim(str_cut(&value, '='));
        value = str_trim(value);
        if (first && !(str_equal(key, STR("v")) && str_equal(value, STR("STSv1"))))
            return false;
        first = false;
        if (str_equal(key, STR("id")) && !id->p)
            *id = value;
    }
    return is_id(*id);
}

enum sts_state sts_record_parse(struct arena *a, const struct dns_answer *txt, struct sts_facts *out)
{
    *out = (struct sts_facts){.ttl = txt->ttl};
    if (txt->status == DNS_ERROR) {
        out->said = str_of(dns_error_sentence(txt->error));
        return out->state = STS_UNKNOWN;
    }
    size_t records = 0;
    bool good = false;
    for (size_t i = 0; i < txt->n; i++) {
        /* others are no business of MTA-STS (RFC 8461 3.1) */
        if (!str_starts(txt->records[i].txt, STR("v=STSv1")))
            continue;
        records++;
        good = record_id(txt->records[i].txt, &out->id);
        out->said = arena_str(a, txt->records[i].txt);
    }
    if (!records)
        return out->state = STS_ABSENT;
    if (records > 1)
        out->said = arena_printf(a, "%zu records", records);
    out->id = arena_str(a, out->id);
    return out->state = records == 1 && good ? STS_VALID : STS_RECORD;
}

static bool mode_of(struct str text, enum sts_mode *out)
{
    for (size_t i = 0; i < sizeof MODES / sizeof *MODES; i++)
        if (str_equal(text, str_of(MODES[i]))) {
            *out = (enum sts_mode)i;
            return true;
        }
    return false;
}

static bool pattern_of(struct arena *a, struct str text, struct str *out)
{
    bool wild = str_starts(text, STR("*."));
    struct str name;
    if (dns_name_normalise(a, wild ? str_from(text, 2) : text, &name) || !dns_name_is_host(name))
        return false;
    *out = wild ? arena_printf(a, "*.%.*s", STR_ARG(name)) : name;
    return true;
}

/* What of the required fields was seen. */
struct seen {
    bool version, mode, max_age;
};

static bool take_field(struct arena *a, struct str key, struct str value, struct sts_policy *out,
                       struct seen *seen)
{
    if (str_equal(key, STR("version")))
        return seen->version = str_equal(value, STR("STSv1"));
    if (str_equal(key, STR("mode")))
        return seen->mode = mode_of(value, &out->mode);
    if (str_equal(key, STR("max_age")))
        return seen->max_age = str_to_u32(value, &out->max_age) && out->max_age <= STS_MAX_AGE_MAX;
    if (str_equal(key, STR("mx")))
        return out->n < STS_PATTERNS_MAX && pattern_of(a, value, &out->mx[out->n++]);
    return true; /* extensions */
}

enum err sts_policy_parse(struct arena *a, struct str text, struct sts_policy *out, struct buf *why)
{
    struct seen seen = {0};
    *out = (struct sts_policy){0};
    for (struct str rest = text; rest.n;) {
        struct str value = str_cut(&rest, '\n');
        struct str line = str_trim(value);
        struct str key = str_trim(str_cut(&value, ':'));
        if (!line.n)
            continue;
        if (!value.p || !take_field(a, key, str_trim(value), out, &seen)) {
            buf_set(why, "this line is not valid: %.*s", STR_ARG(str_sub(line, 0, 100)));
            return ERR_MALFORMED;
        }
    }
    const char *missing = !seen.version                          ? "version"
                          : !seen.mode                           ? "mode"
                          : !seen.max_age                        ? "max_age"
                          : out->mode != STS_NONE && out->n == 0 ? "mx"
                                                                 : NULL;
    if (!missing)
        return OK;
    buf_set(why, "%s is missing", missing);
    return ERR_MALFORMED;
}

bool sts_pattern_covers(struct str pattern, struct str host)
{
    if (!str_starts(pattern, STR("*.")))
        return str_equal(pattern, host);
    size_t dot = str_find_char(host, '.');
    return dot != SIZE_MAX && dot > 0 && str_equal(str_from(host, dot + 1), str_from(pattern, 2));
}

bool sts_policy_covers(const struct sts_policy *p, struct str host)
{
    for (size_t i = 0; i < p->n; i++)
        if (sts_pattern_covers(p->mx[i], host))
            return true;
    return false;
}
