/* Family ES: the domain's own MTA-STS policy. */
#include "inspect/find_priv.h"

/* "*.mx.example" was meant for "a.b.mx.example". */
static bool is_shallow(struct str pattern, struct str host)
{
    return str_starts(pattern, STR("*.")) && str_ends(host, str_from(pattern, 1)) &&
           !sts_pattern_covers(pattern, host);
}

static void find_in_policy(struct finder *x, struct str subject)
{
    const struct facts *f = x->f;
    const struct sts_policy *p = &f->sts.policy;
    if (p->mode != STS_ENFORCE)
        find_add(x, FIND_STS_NOT_ENFORCED, subject, arena_printf(x->a, "mode %s", sts_mode_name(p->mode)));
    if (p->mode == STS_NONE || sts_policy_covers(p, f->expected))
        return;
    for (size_t i = 0; i < p->n; i++)
        if (is_shallow(p->mx[i], f->expected)) {
            find_add(x, FIND_STS_SHALLOW, subject,
                     arena_printf(x->a, "%.*s for %.*s", STR_ARG(p->mx[i]), STR_ARG(f->expected)));
            return;
        }
    find_add(x, FIND_STS_LACKS_HOST, subject,
             arena_printf(x->a, "%.*s is not among its %zu", STR_ARG(f->expected), p->n));
}

void find_sts(struct finder *x)
{
    static const enum domain_kind kinds[] = {[STS_RECORD] = FIND_STS_RECORD,
                                             [STS_UNREACHABLE] = FIND_STS_UNREACHABLE,
                                             [STS_CERTIFICATE] = FIND_STS_CERTIFICATE,
                                             [STS_STATUS] = FIND_STS_STATUS,
                                             [STS_POLICY] = FIND_STS_POLICY};
    const struct sts_facts *sts = &x->f->sts;
    struct str subject = arena_printf(x->a, "_mta-sts.%.*s", STR_ARG(x->f->domain));
    if (sts->state == STS_VALID)
        find_in_policy(x, subject);
    else if (sts->state >= STS_RECORD)
        find_add(x, kinds[sts->state], subject, sts->said);
}
