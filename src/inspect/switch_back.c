/* Undoing, last step first. What the world shows says how far back it is. */
#include "inspect/switch_priv.h"

enum { PRIORITY_BACK = 30 };

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

/* The record as it is now, or NULL. */
static const struct dns_record *current(const struct facts *f, struct str host)
{
    const struct dns_answer *mx = facts_mx(f);
    for (size_t i = 0; mx->status == DNS_DATA && i < mx->n; i++)
        if (str_equal(mx->records[i].mx.host, host))
            return &mx->records[i];
    return NULL;
}

/* Where somebody stands behind the expected host. */
static uint16_t behind_ours(const struct facts *f)
{
    uint16_t ours = facts_mx_expected(f) ? facts_mx_expected(f)->mx.preference : 0;
    return ours < PRIORITY_BACK ? PRIORITY_BACK : switch_behind(ours);
}

static void say_old(const struct switch_memory *m, const struct facts *f, const struct switch_options *o,
                    struct switch_view *v)
{
    bool alone = facts_mx_is_alone(f);
    v->step = alone ? SWITCH_REMOVE_OLD : SWITCH_PREFER;
    switch_yours(v, alone ? STR("at your DNS provider, add the old MX records again, behind the new one:")
                          : STR("at your DNS provider, give the old MX records their priority back:"));
    uint16_t highest = 0, back = behind_ours(f);
    for (size_t i = 0; i < m->old_count; i++) {
        const struct switch_mx *old = &m->old[i];
        const struct dns_record *now = current(f, old->host);
        highest = old->preference > highest ? old->preference : highest;
        if (alone || !now || now->mx.preference != old->preference)
            switch_add_mx(f, v, now ? "change" : "add",
                          (struct switch_mx){alone ? back : old->preference, old->host}, switch_low(o));
    }
    if (!alone)
        switch_add_mx(f, v, "change", switch_expected(f, switch_behind(highest)), switch_low(o));
}

static void say_mx(const struct switch_memory *m, const struct facts *f, const struct switch_options *o,
                   struct switch_view *v)
{
    if (facts_mx_is_alone(f) || !other_is_preferred(f)) {
        say_old(m, f, o, v);
        return;
    }
    v->step = SWITCH_ADD_MX;
    switch_yours(v, STR("at your DNS provider, remove the new MX record:"));
    switch_add_mx(f, v, "remove", switch_expected(f, facts_mx_expected(f)->mx.preference), 0);
}

/* Senders with a policy that bars the old hosts must have seen another before mail goes there. False: they
 * have. */
static bool say_policy(const struct switch_memory *m, const struct facts *f, struct switch_view *v)
{
    bool is_gone = f->sts.state == STS_ABSENT;
    int64_t until_ms = is_gone ? m->sts_age.until_ms : m->sts.until_ms;
    bool is_same = f->sts.state == STS_VALID && m->sts_id.n && str_equal(f->sts.id, m->sts_id);
    if (switch_sts_bars_old(m, f)) {
        say_sts(f, v, SWITCH_STS_ENFORCE, "testing", " and list the old MX hosts in it, too");
    } else if (m->sts_bars_old && is_same) {
        v->step = SWITCH_STS_ENFORCE;
        switch_yours(v, STR("the MTA-STS policy is changed, but its id is not: senders that remember the old "
                            "policy do not see the new one. At your DNS provider, change the id:"));
        switch_add_txt(f, v);
    } else if (m->sts_bars_old && f->now_ms < until_ms) {
        v->step = SWITCH_STS_ENFORCE;
        switch_await(f, v, until_ms, STR("senders may still remember the policy without the old MX hosts"));
    } else {
        return false;
    }
    return true;
}

/* Nobody may be led to the new host any more before its name goes. False: nobody is. */
static bool say_caches(const struct switch_memory *m, const struct facts *f, struct switch_view *v)
{
    const struct facts_server *silent = f->dnssec ? switch_silent_server(f) : NULL;
    v->step = SWITCH_ADD_MX;
    if (f->dnssec && switch_is_shown(f, SWITCH_NEW_HOST)) {
        switch_await(f, v, 0, STR("an authoritative server still has the new MX record: its host must stay"));
    } else if (f->dnssec && !f->zone.n && facts_mx(f)->status != DNS_NXDOMAIN) {
        switch_await(f, v, 0,
                     STR("the domain's authoritative servers cannot be found, and so be asked whether they "
                         "still have the new MX record"));
    } else if (silent) {
        struct str name = facts_server_text(f->arena, silent);
        switch_await(
            f, v, 0,
            arena_printf(f->arena,
                         "%.*s does not say whether it still has the new MX record: start it, or take it "
                         "out of the zone's NS records",
                         STR_ARG(name)));
    } else if (f->now_ms < m->new_mx.until_ms) {
        switch_await(f, v, m->new_mx.until_ms,
                     STR("caches may still hold the new MX record: its host must stay"));
    } else {
        return false;
    }
    return true;
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
    if ((f->dnssec || f->dane) && facts_mx_is_alone(f) && !m->old_count) {
        v->step = SWITCH_REMOVE_OLD;
        switch_yours(
            v, arena_printf(f->arena,
                            "no MX host is known to go back to: at your DNS provider, first add the MX "
                            "record of the host that takes over, with priority %u, behind the one that is "
                            "there",
                            behind_ours(f)));
    } else if (facts_mx_expected(f) && say_policy(m, f, v)) {
        return;
    } else if (f->dane) {
        v->step = SWITCH_DANE;
        switch_ours(v, SWITCH_DISABLE_DANE, STR("the TLSA records are withdrawn"));
    } else if (f->dnssec && facts_mx_expected(f)) {
        say_mx(m, f, o, v);
    } else if (say_caches(m, f, v)) {
        return;
    } else if (f->dnssec) {
        v->step = SWITCH_DNSSEC;
        switch_ours(v, SWITCH_DISABLE_DNSSEC, STR("the MX host is taken out of the MX zone"));
    } else if (m->old_count && m->old_ttl && facts_mx_ttl(f) < m->old_ttl) {
        say_ttl(m, f, v);
    } else if (sts_waits) {
        say_sts(f, v, SWITCH_STS_TESTING, "enforce", ", and take the new MX host out of it");
    } else {
        v->step = SWITCH_STEPS;
        v->turn = SWITCH_DONE_TURN;
        v->say = STR("the switch is undone");
    }
}
