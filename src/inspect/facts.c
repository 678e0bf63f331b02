#include "inspect/facts.h"

#include "dane/dane.h"

const char *dial_end_sentence(enum dial_end e)
{
    static const char *const sentences[] = {
#define X(name, text) text,
        DIAL_TABLE(X)
#undef X
    };
    return sentences[e];
}

const struct facts_set *facts_set(const struct facts_server *s, struct str owner, uint16_t type)
{
    for (size_t i = 0; i < s->n; i++)
        if (s->sets[i].type == type && str_equal(s->sets[i].owner, owner))
            return &s->sets[i];
    return NULL;
}

uint32_t facts_mx_ttl(const struct facts *f)
{
    uint32_t highest = 0;
    bool told = false;
    for (size_t i = 0; i < f->zone.n; i++) {
        const struct facts_set *set = facts_set(&f->zone.servers[i], f->domain, DNS_MX);
        if (!set || set->status != DNS_DATA)
            continue;
        told = true;
        highest = set->ttl > highest ? set->ttl : highest;
    }
    const struct dns_answer *mx = facts_mx(f);
    return told ? highest : mx->status == DNS_DATA ? mx->ttl : 0;
}

struct str facts_sts_name(const struct facts *f)
{
    return arena_printf(f->arena, "_mta-sts.%.*s", STR_ARG(f->domain));
}

uint32_t facts_sts_ttl(const struct facts *f)
{
    struct str name = facts_sts_name(f);
    uint32_t highest = f->sts.ttl;
    for (size_t i = 0; i < f->zone.n; i++) {
        const struct facts_set *set = facts_set(&f->zone.servers[i], name, DNS_TXT);
        if (set && set->ttl > highest) /* an alias has one, too */
            highest = set->ttl;
    }
    return highest;
}

const struct dns_record *facts_mx_expected(const struct facts *f)
{
    const struct dns_answer *mx = facts_mx(f);
    for (size_t i = 0; f->expected.n && mx->status == DNS_DATA && i < mx->n; i++)
        if (str_equal(mx->records[i].mx.host, f->expected))
            return &mx->records[i];
    return NULL;
}

bool facts_mx_is_alone(const struct facts *f)
{
    return facts_mx_expected(f) && facts_mx(f)->n == 1;
}

static bool leads_to_us(const struct facts *f, const struct dns_answer *answer)
{
    for (size_t i = 0; answer->status == DNS_DATA && i < answer->n; i++)
        for (size_t k = 0; k < f->edge_count; k++)
            if (addr_equal_ip(&answer->records[i].addr, &f->edges[k]))
                return true;
    return false;
}

bool facts_mx_is_legacy(const struct facts *f, size_t i)
{
    const struct dns_answer *mx = facts_mx(f);
    struct str host = mx->records[i].mx.host;
    if (str_equal(host, f->expected))
        return false;
    return str_equal(host, f->hostname) || (f->other_a && leads_to_us(f, &f->other_a[i])) ||
           (f->other_aaaa && leads_to_us(f, &f->other_aaaa[i]));
}

size_t facts_tlsa_usable(const struct facts *f)
{
    size_t n = 0;
    for (size_t i = 0; dns_answer_is_secure(&f->tlsa) && i < f->tlsa.n; i++)
        n += dane_tlsa_fault(&f->tlsa.records[i].tlsa) == DANE_TLSA_USABLE;
    return n;
}

const char *facts_certificate_fault(const struct facts *f, const struct facts_dial *d)
{
    return d->end != DIAL_DONE            ? "is not shown"
           : d->not_after_ms <= f->now_ms ? "has expired"
           : !d->is_named                 ? "is for another name"
           : !d->is_trusted               ? "is of no known authority"
                                          : NULL;
}

bool facts_dial_matches(const struct facts *f, const struct facts_dial *d)
{
    if (d->end != DIAL_DONE)
        return false;
    if (!facts_tlsa_usable(f))
        return true;
    for (size_t i = 0; i < f->tlsa.n; i++)
        if (d->matched[i])
            return true;
    return false;
}

/* A second connection that the server cannot make with the other algorithm says nothing bad. */
static bool dials_are_good(const struct facts *f)
{
    for (size_t i = 0; i < f->dial_count; i++)
        if (!facts_dial_matches(f, &f->dials[i]) &&
            !(f->dials[i].asked != DIAL_ANY && f->dials[i].end == DIAL_HANDSHAKE))
            return false;
    return true;
}

bool facts_is_protected(const struct facts *f)
{
    bool reachable = f->a.status == DNS_DATA || f->aaaa.status == DNS_DATA;
    return dns_answer_is_secure(&f->mx) && facts_mx_is_alone(f) && reachable &&
           (f->a.status == DNS_ERROR || dns_answer_is_secure(&f->a)) &&
           (f->aaaa.status == DNS_ERROR || dns_answer_is_secure(&f->aaaa)) && facts_tlsa_usable(f) &&
           dials_are_good(f);
}

bool facts_dane_is_wanted(const struct facts *f)
{
    return f->dane || (f->is_named && !f->is_allocated);
}

static bool failed_here(const struct dns_answer *a)
{
    return a->status == DNS_ERROR && (a->error == DNS_ERROR_TIMEOUT || a->error == DNS_ERROR_UNREACHABLE ||
                                      a->error == DNS_ERROR_REFUSED);
}

bool facts_is_unknown(const struct facts *f)
{
    return failed_here(&f->mx) && (!f->mx_unvalidated.qname.p || failed_here(&f->mx_unvalidated));
}

struct str facts_server_text(struct arena *a, const struct facts_server *s)
{
    char text[ADDR_TEXT];
    return arena_printf(a, "%.*s (%s)", STR_ARG(s->name), addr_ip_format(&s->at, text));
}
