#include "inspect/find_priv.h"

static const struct inspect_finding KINDS[] = {
#define X(name, word, how_bad, what, todo)                                                                   \
    {.severity = INSPECT_##how_bad, .code = (word), .sentence = (what), .fix = (todo)},
#include "inspect/domain_finding.def"
#undef X
};

static const struct {
    const char *name, *sentence;
} STATES[] = {
#define X(name, text, sentence) {text, sentence},
    DOMAIN_STATE_TABLE(X)
#undef X
};

const char *domain_state_name(enum domain_state s)
{
    return STATES[s].name;
}

const char *domain_state_sentence(enum domain_state s)
{
    return STATES[s].sentence;
}

const struct inspect_finding *domain_finding_kinds(size_t *count)
{
    *count = FIND_COUNT;
    return KINDS;
}

/* Fixes name the domain and its MX host where the table says DOMAIN and HOST. */
static const char *fix_for(struct finder *x, const char *fix)
{
    struct str rest = str_of(fix);
    struct buf b = {0};
    while (rest.n) {
        bool domain = str_starts(rest, STR("DOMAIN")), host = str_starts(rest, STR("HOST"));
        if (domain || host)
            buf_add(&b, domain ? x->f->domain : x->f->expected);
        else
            buf_add_char(&b, rest.p[0]);
        rest = str_from(rest, domain ? 6 : host ? 4 : 1);
    }
    struct str made = arena_str(x->a, buf_str(&b));
    buf_release(&b);
    return made.p;
}

void find_add(struct finder *x, enum domain_kind kind, struct str subject, struct str detail)
{
    if (x->n == x->size) {
        x->size = x->size ? 2 * x->size : 8;
        struct inspect_finding *more = ARENA_ARRAY(x->a, struct inspect_finding, x->size);
        if (x->n)
            memcpy(more, x->v, x->n * sizeof *more);
        x->v = more;
    }
    x->v[x->n] = KINDS[kind];
    x->v[x->n].fix = fix_for(x, KINDS[kind].fix);
    x->v[x->n].subject = subject;
    x->v[x->n++].detail = detail;
}

void find_add_server(struct finder *x, enum domain_kind kind, struct str subject,
                     const struct facts_server *s, const char *format, ...)
{
    struct buf detail = {0};
    struct str server = facts_server_text(x->a, s);
    buf_printf(&detail, "%.*s: ", STR_ARG(server));
    va_list args;
    va_start(args, format);
    buf_vprintf(&detail, format, args);
    va_end(args);
    find_add(x, kind, subject, arena_str(x->a, buf_str(&detail)));
    buf_release(&detail);
}

static void find_feature(struct finder *x)
{
    const struct facts *f = x->f;
    if (!f->dnssec)
        find_add(x, FIND_DNSSEC_OFF, f->domain, STR_NONE);
    if (!f->dane)
        find_add(x, FIND_DANE_OFF, f->domain, STR_NONE);
    if (f->protected_ms && facts_dane_is_wanted(f) && !facts_is_unknown(f) && !facts_is_protected(f)) {
        char since[CLOCK_TEXT], last[CLOCK_TEXT];
        clock_iso(f->lost_ms ? f->lost_ms : f->now_ms, since);
        clock_iso(f->protected_ms, last);
        find_add(x, FIND_PROTECTION_LOST, f->domain,
                 arena_printf(x->a, "protection lost since %.19sZ (last seen whole at %.19sZ)", since, last));
    }
    bool none = f->a.qname.p && f->a.status != DNS_DATA && f->a.status != DNS_ERROR &&
                f->aaaa.status != DNS_DATA && f->aaaa.status != DNS_ERROR;
    if (none)
        find_add(x, FIND_HOST_NOT_PUBLISHED, f->expected,
                 f->a.status == DNS_NXDOMAIN ? STR("the name does not exist")
                                             : STR("it has neither A nor AAAA"));
}

static void sort_worst_first(struct inspect_finding *v, size_t n)
{
    for (size_t i = 1; i < n; i++)
        for (size_t k = i; k && v[k - 1].severity < v[k].severity; k--) {
            struct inspect_finding moved = v[k];
            v[k] = v[k - 1];
            v[k - 1] = moved;
        }
}

void domain_find(const struct facts *f, struct domain_report *out)
{
    struct finder x = {.a = f->arena, .f = f};
    find_feature(&x);
    find_dnssec(&x);
    find_mx(&x);
    find_tlsa(&x);
    find_connections(&x);
    find_sts(&x);
    sort_worst_first(x.v, x.n);
    bool bad = x.n && x.v[0].severity == INSPECT_PROBLEM;
    *out = (struct domain_report){.finding = x.v, .findings = x.n};
    out->state = facts_is_unknown(f)     ? DOMAIN_UNKNOWN
                 : bad                   ? DOMAIN_BROKEN
                 : facts_is_protected(f) ? DOMAIN_PROTECTED
                                         : DOMAIN_UNPROTECTED;
}
