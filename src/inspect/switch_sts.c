/* MTA-STS is the first and the last step: senders with an enforced policy go where it says, and believe what
 * it says, whatever DNS has. */
#include "inspect/switch_priv.h"

/* May senders hold a policy that keeps them from the new host? An enforced one that lists it is what a domain
 * ends with. */
static bool sts_is_remembered(const struct switch_memory *m, const struct facts *f)
{
    return m->sts_id.n && (m->sts_lacked || !facts_mx_is_alone(f));
}

/* Whatever the policy's text is now: those who have it under this id do not fetch it again. */
static bool sts_id_is_old(const struct switch_memory *m, const struct facts *f)
{
    return sts_is_remembered(m, f) && str_equal(f->sts.id, m->sts_id);
}

/* Senders that have this policy go to the new host as others do. */
static bool sts_lets_in(const struct facts *f)
{
    const struct sts_policy *p = &f->sts.policy;
    return p->mode == STS_NONE ||
           (sts_policy_covers(p, f->expected) && (p->mode == STS_TESTING || facts_mx_is_alone(f)));
}

bool switch_sts_is_ready(const struct switch_memory *m, const struct facts *f)
{
    if (f->sts.state == STS_ABSENT)
        return !sts_is_remembered(m, f) || f->now_ms >= m->sts_age.until_ms;
    if (f->sts.state != STS_VALID)
        return facts_mx_is_alone(f);
    return sts_lets_in(f) && !sts_id_is_old(m, f) && f->now_ms >= m->sts.until_ms;
}

/* The policy is not there, or cannot be used: true, it is said. */
static bool say_trouble(const struct switch_memory *m, const struct facts *f, struct switch_view *v)
{
    const struct sts_facts *sts = &f->sts;
    if (sts->state == STS_VALID)
        return false;
    if (sts->state == STS_ABSENT)
        switch_await(
            f, v, m->sts_age.until_ms,
            STR("the MTA-STS record was removed, but senders remember the policy without the new MX "
                "host for its max_age; sooner: enter the record again, with a new id, and a policy of "
                "\"mode: none\""));
    else if (sts->state == STS_UNKNOWN)
        switch_await(
            f, v, 0,
            arena_printf(f->arena, "the MTA-STS record cannot be looked up: %.*s", STR_ARG(sts->said)));
    else
        switch_yours(
            v,
            arena_printf(f->arena,
                         "the MTA-STS policy cannot be used (%s: %.*s), and senders may remember an older "
                         "one: mend it, or remove the record at _mta-sts and wait until its max_age is over",
                         sts_state_sentence(sts->state), STR_ARG(sts->said)));
    return true;
}

void switch_say_sts_ready(const struct switch_memory *m, const struct facts *f, struct switch_view *v)
{
    if (!f->dnssec && !f->is_allocated) { /* its name must be known first */
        switch_ours(v, SWITCH_ENABLE_DNSSEC,
                    STR("the MX host is allocated first: the MTA-STS policy must list it"));
        return;
    }
    if (say_trouble(m, f, v))
        return;
    if (sts_lets_in(f) && !sts_id_is_old(m, f)) {
        switch_await(f, v, m->sts.until_ms,
                     STR("senders may still remember the policy without the new MX host"));
        return;
    }
    bool lists = sts_policy_covers(&f->sts.policy, f->expected);
    if (sts_lets_in(f))
        switch_yours(v, STR("the MTA-STS policy is changed, but its id is not: senders that remember the old "
                            "policy do not see the new one. At your DNS provider, change the id:"));
    else
        switch_yours(
            v,
            arena_printf(f->arena,
                         "on the web server of mta-sts.%.*s, set \"mode: testing\" in the policy%s%.*s; "
                         "then, at your DNS provider, change the id:",
                         STR_ARG(f->domain), lists ? "" : " and add the line \"mx: ",
                         STR_ARG(lists ? STR("") : arena_printf(f->arena, "%.*s\"", STR_ARG(f->expected)))));
    switch_add_txt(f, v);
}

/* Senders that follow MTA-STS ask for more than those that follow DANE: a certificate of a known authority.
 */
static const struct facts_dial *refused_dial(const struct facts *f)
{
    for (size_t i = 0; i < f->dial_count; i++)
        if (f->dials[i].asked == DIAL_ANY && facts_certificate_fault(f, &f->dials[i]))
            return &f->dials[i];
    return NULL;
}

bool switch_sts_is_enforced(const struct switch_memory *m, const struct facts *f)
{
    if (!m->had_enforce || f->sts.state == STS_ABSENT)
        return true;
    return f->sts.state == STS_VALID && f->sts.policy.mode == STS_ENFORCE &&
           sts_policy_covers(&f->sts.policy, f->expected) && f->dial_count && !refused_dial(f);
}

static void say_certificate(const struct facts *f, const struct facts_dial *d, struct switch_view *v)
{
    char text[ADDR_TEXT];
    bool enforced = f->sts.state == STS_VALID && f->sts.policy.mode == STS_ENFORCE;
    addr_ip_format(&d->to, text);
    if (d->end != DIAL_DONE) {
        switch_await(f, v, 0,
                     arena_printf(f->arena, "the certificate of %.*s at %s cannot be seen: %s: %.*s",
                                  STR_ARG(f->expected), text, dial_end_sentence(d->end), STR_ARG(d->said)));
        return;
    }
    switch_yours(
        v,
        arena_printf(f->arena,
                     "%.*s at %s shows a certificate that %s, and senders refuse it when the MTA-STS "
                     "policy is enforced: hand in one of a known authority that names the host (kedge key "
                     "stage)%s",
                     STR_ARG(f->expected), text, facts_certificate_fault(f, d),
                     enforced ? "; until then set \"mode: testing\" in the policy, and change the id:" : ""));
    if (enforced)
        switch_add_txt(f, v);
}

void switch_say_sts_enforce(const struct switch_memory *m, const struct facts *f, struct switch_view *v)
{
    if (say_trouble(m, f, v))
        return;
    const struct facts_dial *d = refused_dial(f);
    if (!f->dial_count) {
        switch_await(f, v, 0, STR("no address of the new MX host is known"));
        return;
    }
    if (d) {
        say_certificate(f, d, v);
        return;
    }
    switch_yours(
        v, arena_printf(f->arena,
                        "on the web server of mta-sts.%.*s, set \"mode: enforce\" in the policy; then, at "
                        "your DNS provider, change the id:",
                        STR_ARG(f->domain)));
    switch_add_txt(f, v);
}
