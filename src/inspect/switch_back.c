/* Undoing, last step first. What the world shows says how far back it is. */
#include "inspect/switch_priv.h"

enum { PRIORITY_BEHIND = 20, PRIORITY_BACK = 30 };

static bool sts_blocks_old(const struct switch_memory *m, const struct facts *f)
{
    if (f->sts.state != STS_VALID || f->sts.policy.mode != STS_ENFORCE)
        return false;
    for (size_t i = 0; i < m->old_count; i++)
        if (!sts_policy_covers(&f->sts.policy, m->old[i].host))
            return true;
    return false;
}

/* Is somebody else preferred to the expected host? */
static bool other_is_preferred(const struct facts *f)
{
    const struct dns_answer *mx = facts_mx(f);
    for (size_t i = 0; i < mx->n; i++)
        if (!str_equal(mx->records[i].mx.host, f->expected) &&
            mx->records[i].mx.preference < facts_mx_expected(f)->mx.preference)
            return true;
    return false;
}

static void say_sts(const struct facts *f, struct switch_view *v, enum switch_step step, const char *mode,
                    const char *hosts)
{
    v->step = step;
    switch_yours(
        v,
        arena_printf(f->arena,
                     "on the web server of mta-sts.%.*s, set \"mode: %s\" in the policy%s; then, at your DNS "
                     "provider, change the id:",
                     STR_ARG(f->domain), mode, hosts));
    switch_add_txt(f, v);
}

static void say_old(const struct switch_memory *m, const struct facts *f, const struct switch_options *o,
                    struct switch_view *v)
{
    bool alone = facts_mx_is_alone(f);
    v->step = alone ? SWITCH_REMOVE_OLD : SWITCH_PREFER;
    switch_yours(v, alone ? STR("at your DNS provider, add the old MX records again, behind the new one:")
                          : STR("at your DNS provider, give the old MX records their priority back:"));
    for (size_t i = 0; i < m->old_count; i++)
        switch_add_mx(f, v, alone ? "add" : "change",
                      (struct switch_mx){alone ? PRIORITY_BACK : m->old[i].preference, m->old[i].host},
                      switch_low(o));
    if (!alone) {
        uint16_t behind = PRIORITY_BEHIND;
        for (size_t i = 0; i < m->old_count; i++)
            behind = m->old[i].preference >= behind && m->old[i].preference < UINT16_MAX - 10
                         ? (uint16_t)(m->old[i].preference + 10)
                         : behind;
        switch_add_mx(f, v, "change", switch_expected(f, behind), switch_low(o));
    }
}

static void say_mx(const struct switch_memory *m, const struct facts *f, const struct switch_options *o,
                   struct switch_view *v)
{
    if (m->old_count && (facts_mx_is_alone(f) || !other_is_preferred(f))) {
        say_old(m, f, o, v);
        return;
    }
    v->step = SWITCH_ADD_MX;
    switch_yours(v, STR("at your DNS provider, remove the new MX record:"));
    switch_add_mx(f, v, "remove", switch_expected(f, facts_mx_expected(f)->mx.preference), 0);
}

static void say_ttl(const struct switch_memory *m, const struct facts *f, struct switch_view *v)
{
    const struct dns_answer *mx = facts_mx(f);
    v->step = SWITCH_LOWER_TTL;
    switch_yours(v, STR("at your DNS provider, give the MX records their TTL back:"));
    for (size_t i = 0; i < mx->n; i++)
        switch_add_mx(f, v, "change",
                      (struct switch_mx){mx->records[i].mx.preference, mx->records[i].mx.host}, m->old_ttl);
}

void switch_back(const struct switch_memory *m, const struct facts *f, const struct switch_options *o,
                 struct switch_view *v)
{
    bool sts_waits = m->had_enforce && f->sts.state == STS_VALID && f->sts.policy.mode != STS_ENFORCE;
    if (facts_mx_expected(f) && sts_blocks_old(m, f)) {
        say_sts(f, v, SWITCH_STS_ENFORCE, "testing", " and list the old MX hosts in it, too");
    } else if (f->dane) {
        v->step = SWITCH_DANE;
        switch_ours(v, SWITCH_DISABLE_DANE, STR("the TLSA records are withdrawn"));
    } else if (f->dnssec && facts_mx_expected(f)) {
        say_mx(m, f, o, v);
    } else if (f->now_ms < m->new_mx.until_ms) {
        v->step = SWITCH_ADD_MX;
        switch_await(f, v, m->new_mx.until_ms,
                     STR("caches may still hold the new MX record: its host must stay"));
    } else if (f->dnssec) {
        v->step = SWITCH_DNSSEC;
        switch_ours(v, SWITCH_DISABLE_DNSSEC, STR("the MX host is taken out of the MX zone"));
    } else if (m->old_count && m->old_ttl && facts_mx_ttl(f) < m->old_ttl) {
        say_ttl(m, f, v);
    } else if (sts_waits) {
        say_sts(f, v, SWITCH_STS_TESTING, "enforce", ", and take the new MX host out of it");
    } else {
        v->turn = SWITCH_DONE_TURN;
        v->say = STR("the switch is undone");
    }
}
