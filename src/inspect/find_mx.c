/* Family EX: what the MX records say against what they should say. */
#include "inspect/find_priv.h"

enum { MX_TTL_HIGH = 3600 };

/* No other MX is as good. */
static void find_other(struct finder *x, const struct dns_record *expected, size_t i)
{
    const struct facts *f = x->f;
    const struct dns_record *r = &facts_mx(f)->records[i];
    bool legacy = facts_mx_is_legacy(f, i), better = expected && r->mx.preference <= expected->mx.preference;
    enum domain_kind kind = legacy    ? better ? FIND_LEGACY_PREFERRED : FIND_LEGACY_MX
                            : !better ? FIND_OTHER_MX_HIGHER
                            : r->mx.preference == expected->mx.preference ? FIND_OTHER_MX_SAME
                                                                          : FIND_OTHER_MX_LOWER;
    find_add(x, kind, r->mx.host,
             expected ? arena_printf(x->a, "priority %u; the expected one has %u", r->mx.preference,
                                     expected->mx.preference)
                      : arena_printf(x->a, "priority %u", r->mx.preference));
}

static void find_in_records(struct finder *x, const struct dns_answer *mx)
{
    const struct facts *f = x->f;
    const struct dns_record *expected = facts_mx_expected(f);
    if (!expected)
        find_add(x, FIND_MX_UNEXPECTED, f->domain,
                 arena_printf(x->a, "expected: %.*s", STR_ARG(f->expected)));
    for (size_t i = 0; i < mx->n; i++)
        if (!str_equal(mx->records[i].mx.host, f->expected) && (expected || facts_mx_is_legacy(f, i)))
            find_other(x, expected, i);
    if (expected && expected->mx.preference != 0 && expected->mx.preference != 10)
        find_add(x, FIND_MX_PRIORITY, f->expected,
                 arena_printf(x->a, "priority %u", expected->mx.preference));
    uint32_t ttl = facts_mx_ttl(f);
    if (ttl > MX_TTL_HIGH)
        find_add(x, FIND_MX_TTL_HIGH, f->domain, arena_printf(x->a, "%u seconds", ttl));
}

void find_mx(struct finder *x)
{
    const struct facts *f = x->f;
    const struct dns_answer *mx = facts_mx(f);
    if (f->cname.status == DNS_DATA)
        find_add(x, FIND_CNAME_AT_DOMAIN, f->domain,
                 arena_printf(x->a, "CNAME %.*s", STR_ARG(f->cname.records[0].name)));
    if (mx->status == DNS_NODATA || mx->status == DNS_NXDOMAIN)
        find_add(x, FIND_MX_MISSING, f->domain, arena_printf(x->a, "expected: %.*s", STR_ARG(f->expected)));
    else if (mx->status == DNS_DATA && mx->n == 1 && !mx->records[0].mx.host.n)
        find_add(x, FIND_NULL_MX, f->domain, STR_NONE);
    else if (mx->status == DNS_DATA)
        find_in_records(x, mx);
    bool insecure = (f->a.status == DNS_DATA && f->a.security != DNS_SECURE) ||
                    (f->aaaa.status == DNS_DATA && f->aaaa.security != DNS_SECURE);
    if (insecure)
        find_add(x, FIND_MX_HOST_UNSIGNED, f->expected, STR_NONE);
}
