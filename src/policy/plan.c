#include "policy/plan_priv.h"

#include "dns/name.h"

const char *policy_via_name(enum policy_via via)
{
    static const char *const names[] = {"mx", "implicit-mx", "route", "address-literal", "mailbox-host"};
    return names[via];
}

enum reason policy_error_reason(const struct dns_answer *answer, enum policy_step step)
{
    static const enum reason bogus[] = {REASON_DNSSEC_BOGUS_MX, REASON_DNSSEC_BOGUS_ADDRESS,
                                        REASON_DNSSEC_BOGUS_TLSA};
    switch (answer->error) {
    case DNS_ERROR_BOGUS:
        return bogus[step];
    case DNS_ERROR_SERVFAIL:
        return REASON_DNS_SERVFAIL;
    case DNS_ERROR_TIMEOUT:
        return REASON_DNS_TIMEOUT;
    case DNS_ERROR_UNREACHABLE:
        return REASON_RESOLVER_FAULT; /* whoever owns the name has no part in it */
    case DNS_ERROR_REFUSED:
    case DNS_ERROR_NOTIMP:
        return REASON_DNS_REFUSED;
    default:
        return REASON_DNS_MALFORMED;
    }
}

static void end(struct policy_plan *p, enum plan_verdict verdict, struct policy_trouble trouble)
{
    p->verdict = verdict;
    p->trouble = trouble;
}

/* In their order; hosts behind the limit are left out, and counted. */
static void add_host(struct policy_plan *p, struct str name, uint16_t preference, uint16_t port)
{
    if (!p->host)
        p->host = ARENA_ARRAY(p->arena, struct policy_host, POLICY_HOSTS_MAX);
    if (p->nhost == POLICY_HOSTS_MAX) {
        p->mx_left_out++;
        return;
    }
    p->host[p->nhost++] =
        (struct policy_host){.name = name, .base = name, .preference = preference, .port = port};
}

/* By preference; hosts of equal preference in the order of a keyed hash of their record's place (shuffled by
 * the seed). */
struct ranked {
    uint64_t rank;
    const struct dns_record *record;
};

static int compare_ranked(const void *x, const void *y)
{
    const struct ranked *a = x, *b = y;
    return a->rank < b->rank ? -1 : a->rank > b->rank;
}

static uint64_t mix(uint64_t x) /* splitmix64's finaliser */
{
    x ^= x >> 30, x *= 0xbf58476d1ce4e5b9U;
    x ^= x >> 27, x *= 0x94d049bb133111ebU;
    return x ^ x >> 31;
}

static void take_mx(struct policy_plan *p, const struct dns_answer *mx)
{
    struct ranked *ranked = ARENA_ARRAY(p->arena, struct ranked, mx->n);
    size_t n = 0;
    for (size_t i = 0; i < mx->n; i++) {
        const struct dns_record *r = &mx->records[i];
        if (!dns_name_is_host(r->mx.host)) {
            p->mx_dropped++;
            continue;
        }
        uint64_t place = p->in->seed ? mix(p->in->seed + i) >> 16 : i;
        ranked[n++] = (struct ranked){(uint64_t)r->mx.preference << 48 | place, r};
    }
    qsort(ranked, n, sizeof *ranked, compare_ranked);
    for (size_t i = 0; i < n; i++)
        add_host(p, ranked[i].record->mx.host, ranked[i].record->mx.preference, p->in->port);
}

static bool is_null_mx(const struct dns_answer *mx)
{
    return mx->n == 1 && mx->records[0].mx.host.n == 0;
}

static void find_by_mx(struct policy_plan *p, deadline until)
{
    struct dns_answer *mx = &p->mx.answer;
    p->mx.asked = true;
    dns_source_ask(p->source, p->arena, p->in->domain, DNS_MX, until, mx);
    if (mx->status == DNS_ERROR) {
        end(p, PLAN_DEFER,
            (struct policy_trouble){.reason = policy_error_reason(mx, POLICY_STEP_MX), .asked = mx});
        return;
    }
    p->expanded = mx->expanded;
    if (mx->status != DNS_DATA || mx->n == 0) {
        /* By its own name, not by that at the end of its aliases: an alias that is not signed must not lend
         * the domain the security of whatever it leads to. Section 2.2.2 of RFC 7672 expands it. */
        p->via = POLICY_VIA_IMPLICIT;
        add_host(p, p->in->domain, 0, p->in->port);
        return;
    }
    if (is_null_mx(mx)) {
        end(p, PLAN_BOUNCE, (struct policy_trouble){.reason = REASON_NULL_MX, .asked = mx});
        return;
    }
    if (p->in->mode == MODE_MANDATORY && mx->security != DNS_SECURE) {
        end(p, PLAN_DEFER,
            (struct policy_trouble){.reason = REASON_DANE_REQUIRED, .cause = CAUSE_MX_INSECURE, .asked = mx});
        return;
    }
    take_mx(p, mx);
    if (p->nhost == 0)
        end(p, PLAN_BOUNCE, (struct policy_trouble){.reason = REASON_NO_ADDRESS, .asked = mx});
}

void policy_begin(struct policy_plan *p, struct arena *a, const struct policy_input *in,
                  const struct dns_source *source, deadline until)
{
    *p = (struct policy_plan){
        .in = in, .arena = a, .source = source, .verdict = PLAN_GO, .via = in->via, .expanded = in->domain};
    switch (in->via) {
    case POLICY_VIA_MX:
    case POLICY_VIA_IMPLICIT:
        find_by_mx(p, until);
        break;
    case POLICY_VIA_LITERAL:
        add_host(p, in->host, 0, in->port);
        if (in->mode == MODE_MANDATORY)
            end(p, PLAN_DEFER,
                (struct policy_trouble){.reason = REASON_DANE_REQUIRED, .cause = CAUSE_LITERAL});
        break;
    case POLICY_VIA_ROUTE:
    case POLICY_VIA_MAILBOX:
        add_host(p, in->host, 0, in->port);
        break;
    }
}

/* No host is left: an error anywhere, or a host that was us, means that later may be better. */
void policy_conclude(struct policy_plan *p)
{
    if (p->verdict != PLAN_GO)
        return;
    const struct policy_host *first = NULL, *failed = NULL;
    for (size_t i = 0; i < p->nhost; i++) {
        const struct policy_host *h = &p->host[i];
        if (h->state != POLICY_HOST_OUT)
            return;
        if (!first)
            first = h;
        if (!failed && h->trouble.reason != REASON_NO_ADDRESS)
            failed = h;
    }
    ENSURE(first); /* a plan without hosts was never GO */
    if (failed) {
        end(p, PLAN_DEFER, failed->trouble);
    } else if (p->we_are_mx) {
        end(p, PLAN_DEFER, (struct policy_trouble){.reason = REASON_MAIL_LOOP});
    } else if (p->via == POLICY_VIA_ROUTE || p->via == POLICY_VIA_MAILBOX) {
        end(p, PLAN_DEFER,
            first->trouble); /* our own configuration names a host that is not there: an operator's to mend */
    } else {
        struct policy_trouble trouble = first->trouble;
        if (p->mx.answer.status == DNS_NXDOMAIN)
            trouble = (struct policy_trouble){.reason = REASON_NO_SUCH_DOMAIN, .asked = &p->mx.answer};
        end(p, PLAN_BOUNCE, trouble);
    }
}

void policy_make(struct policy_plan *p, struct arena *a, const struct policy_input *in,
                 const struct dns_source *source, deadline until)
{
    policy_begin(p, a, in, source, until);
    policy_find_addresses(p, until);
    for (size_t i = 0; p->verdict == PLAN_GO && i < p->nhost; i++)
        policy_resolve(p, i, until);
    policy_conclude(p);
}

void policy_trouble_describe(const struct policy_trouble *t, struct buf *out)
{
    if (t->cause != CAUSE_UNDECIDED)
        buf_add(out, str_of(level_cause_sentence(t->cause)));
    if (!t->asked)
        return;
    const struct dns_answer *a = t->asked;
    if (out->n)
        buf_add(out, STR(": "));
    buf_printf(out, "%.*s %s", STR_ARG(a->qname), dns_type_name(a->type));
    if (a->status != DNS_ERROR)
        return;
    buf_printf(out, ": %s", dns_error_sentence(a->error));
    if (a->ede != DNS_NO_EDE)
        buf_printf(out, " (extended error %u)", (unsigned)a->ede);
    if (a->ede_text.n)
        buf_printf(out, ": %.*s", STR_ARG(a->ede_text));
}
