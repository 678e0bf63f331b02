#include "inspect/finding_priv.h"

#include "dns/name.h"

static const char *const SEVERITIES[] = {
#define X(name, text) text,
    INSPECT_SEVERITY_TABLE(X)
#undef X
};

const char *inspect_severity_name(enum inspect_severity s)
{
    return SEVERITIES[s];
}

enum kind {
#define X(name, code, severity, sentence, fix) KIND_##name,
#include "inspect/finding.def"
#undef X
};

static const struct inspect_finding KINDS[] = {
#define X(name, word, how_bad, what, todo)                                                                   \
    {.severity = INSPECT_##how_bad, .code = (word), .sentence = (what), .fix = (todo)},
#include "inspect/finding.def"
#undef X
};

static void add(struct inspect_report *r, struct inspect_finding f)
{
    struct inspect_finding *more = ARENA_ARRAY(&r->arena, struct inspect_finding, r->findings + 1);
    if (r->findings)
        memcpy(more, r->finding, r->findings * sizeof *more);
    more[r->findings++] = f;
    r->finding = more;
}

static void add_kind(struct inspect_report *r, enum kind kind, struct str subject, struct str detail)
{
    struct inspect_finding f = KINDS[kind];
    f.subject = subject;
    f.detail = detail;
    add(r, f);
}

static void add_reason(struct inspect_report *r, enum reason reason, struct str subject, struct str detail)
{
    const struct reason_row *row = reason_row(reason);
    add(r, (struct inspect_finding){.severity = INSPECT_PROBLEM,
                                    .code = row->name,
                                    .enhanced = r->verdict == INSPECT_BOUNCED ? row->final : row->temporary,
                                    .subject = subject,
                                    .sentence = row->sentence,
                                    .detail = detail,
                                    .fix = row->advice});
}

static void add_trouble(struct inspect_report *r, const struct policy_trouble *t, struct str subject)
{
    struct buf detail = {0};
    policy_trouble_describe(t, &detail);
    add_reason(r, t->reason, subject, arena_str(&r->arena, buf_str(&detail)));
    buf_release(&detail);
}

static void find_in_mx(struct inspect_report *r)
{
    const struct policy_plan *p = &r->plan;
    const struct dns_answer *mx = &p->mx.answer;
    if (p->mx.asked && mx->status == DNS_DATA && mx->security != DNS_SECURE && p->nhost)
        add_kind(r, KIND_MX_INSECURE, r->domain, STR_NONE);
    if (p->mx_dropped)
        add_kind(r, KIND_MX_TARGET_MALFORMED, r->domain,
                 arena_printf(&r->arena, "%zu of %zu", p->mx_dropped, mx->n));
    if (p->mx_left_out)
        add_kind(r, KIND_MX_TOO_MANY, r->domain,
                 arena_printf(&r->arena, "%zu of %zu", p->mx_left_out, mx->n));
    if (p->via == POLICY_VIA_IMPLICIT && mx->status != DNS_NXDOMAIN)
        add_kind(r, KIND_MX_IMPLICIT, r->domain, STR_NONE);
    if (p->we_are_mx)
        add_kind(r, KIND_WE_ARE_MX, r->domain, STR_NONE);
}

static bool is_in(const struct tlsa_set *set, const struct tlsa *t)
{
    for (size_t i = 0; i < set->n; i++)
        if (set->v[i].usage == t->usage && set->v[i].selector == t->selector && set->v[i].mtype == t->mtype &&
            str_equal(set->v[i].data, t->data))
            return true;
    return false;
}

static void find_in_records(struct inspect_report *r, const struct policy_host *h)
{
    for (size_t i = 0; i < h->published.n; i++) {
        const struct tlsa *t = &h->published.v[i];
        enum dane_tlsa_fault fault = dane_tlsa_fault(t);
        if (fault == DANE_TLSA_USABLE && is_in(&h->usable, t))
            continue;
        struct str detail = arena_printf(&r->arena, "%u %u %u%s%s", t->usage, t->selector, t->mtype,
                                         fault ? ": " : "", fault ? dane_tlsa_fault_sentence(fault) : "");
        add_kind(r, fault ? KIND_TLSA_RECORD_UNUSABLE : KIND_TLSA_RECORD_SHADOWED,
                 dns_name_tlsa(&r->arena, h->port, h->base), detail);
    }
}

static void find_in_families(struct inspect_report *r, const struct policy_host *h)
{
    const struct policy_lookup *both[] = {&h->a, &h->aaaa};
    for (size_t i = 0; h->naddr && i < 2; i++) {
        const struct dns_answer *answer = &both[i]->answer;
        if (both[i]->asked && answer->status == DNS_ERROR)
            add_kind(r, KIND_ADDRESS_FAMILY_FAILS, h->name,
                     arena_printf(&r->arena, "%s: %s", dns_type_name(answer->type),
                                  dns_error_sentence(answer->error)));
    }
}

static void find_cause(struct inspect_report *r, const struct policy_host *h)
{
    static const struct {
        enum level_cause cause;
        enum kind kind;
    } rows[] = {{CAUSE_NO_TLSA, KIND_NO_TLSA},
                {CAUSE_TLSA_INSECURE, KIND_TLSA_INSECURE},
                {CAUSE_ADDRESS_INSECURE, KIND_ADDRESS_INSECURE},
                {CAUSE_ALIAS_INSECURE, KIND_ALIAS_INSECURE}};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        if (h->cause == rows[i].cause)
            add_kind(r, rows[i].kind, h->name, STR_NONE);
}

static void find_in_probe(struct inspect_report *r, const struct policy_host *h,
                          const struct inspect_probe *p)
{
    char text[ADDR_TEXT];
    struct str subject = arena_printf(&r->arena, "%.*s %s", STR_ARG(h->name), addr_format(&p->to, text));
    if (p->outcome.blame != BLAME_NOBODY)
        add_reason(r, p->outcome.reason, subject, p->outcome.text);
    else if (!p->tls.protocol)
        add_kind(r, KIND_CLEAR_TEXT, subject,
                 p->handshake_failed ? STR("the TLS handshake fails")
                                     : STR("STARTTLS is not offered, or refused"));
}

static void find_in_host(struct inspect_report *r, const struct inspect_host *host)
{
    const struct policy_host *h = host->policy;
    find_in_families(r, h);
    find_in_records(r, h);
    bool said_already = r->plan.verdict != PLAN_GO && r->plan.trouble.reason == REASON_NO_SUCH_DOMAIN;
    if (h->state == POLICY_HOST_OUT && !said_already)
        add_trouble(r, &h->trouble, h->name);
    if (h->state == POLICY_HOST_USABLE)
        find_cause(r, h);
    for (size_t i = 0; i < host->probes; i++)
        find_in_probe(r, h, &host->probe[i]);
    if (r->chosen && h->state == POLICY_HOST_USABLE && h->level < r->chosen->level)
        add_kind(r, KIND_WEAKER_HOST, h->name,
                 arena_printf(&r->arena, "%s here, %s at %.*s", level_name(h->level),
                              level_name(r->chosen->level), STR_ARG(r->chosen->name)));
}

/* The plan's own trouble, unless it is a host's, told there. */
static void find_in_plan(struct inspect_report *r)
{
    if (r->plan.verdict == PLAN_GO)
        return;
    for (size_t i = 0; i < r->plan.nhost; i++)
        if (r->plan.host[i].state == POLICY_HOST_OUT &&
            r->plan.host[i].trouble.reason == r->plan.trouble.reason)
            return;
    add_trouble(r, &r->plan.trouble, r->domain);
}

void inspect_find(struct inspect_report *r)
{
    find_in_plan(r);
    find_in_mx(r);
    for (size_t i = 0; i < r->plan.nhost; i++)
        find_in_host(r, &r->host[i]);
    for (size_t i = 1; i < r->findings; i++) /* worst first, otherwise in the order found */
        for (size_t k = i; k && r->finding[k - 1].severity < r->finding[k].severity; k--) {
            struct inspect_finding moved = r->finding[k];
            r->finding[k] = r->finding[k - 1];
            r->finding[k - 1] = moved;
        }
}
