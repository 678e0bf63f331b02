#include "dns/name.h"
#include "inspect/switch_priv.h"

enum { PRIORITY_BEST = 0, PRIORITY_OLD = 30 };

static bool ttl_is_low(const struct switch_memory *m, const struct facts *f, const struct switch_options *o)
{
    return !switch_has_other(f) || (facts_mx_ttl(f) <= switch_low(o) && f->now_ms >= m->ttl_high.until_ms);
}

/* The addresses that the resolver validated, on every server of the zone. */
static bool host_is_published(const struct facts *f)
{
    const struct dns_answer *both[] = {&f->a, &f->aaaa};
    bool any = false;
    for (size_t i = 0; i < 2; i++) {
        if (both[i]->status != DNS_DATA)
            continue;
        any = true;
        for (size_t k = 0; k < f->host_zone.n; k++) {
            const struct facts_set *set = facts_set(&f->host_zone.servers[k], f->expected, both[i]->type);
            if (both[i]->security != DNS_SECURE || !set || set->status != DNS_DATA)
                return false;
        }
    }
    return any;
}

static bool mx_is_null(const struct facts *f)
{
    const struct dns_answer *mx = facts_mx(f);
    return mx->status == DNS_DATA && mx->n == 1 && !mx->records[0].mx.host.n;
}

static uint16_t highest_other(const struct facts *f)
{
    const struct dns_answer *mx = facts_mx(f);
    uint16_t highest = 0;
    for (size_t i = 0; mx->status == DNS_DATA && i < mx->n; i++)
        if (!str_equal(mx->records[i].mx.host, f->expected) && mx->records[i].mx.preference > highest)
            highest = mx->records[i].mx.preference;
    return highest;
}

/* There, and mail comes to it before it was tested only when all others fail. */
static bool mx_is_added(const struct switch_memory *m, const struct facts *f)
{
    const struct dns_record *e = facts_mx_expected(f);
    uint16_t highest = highest_other(f);
    return e && (m->is_tested || !switch_has_other(f) || e->mx.preference > highest ||
                 e->mx.preference == UINT16_MAX);
}

static bool is_preferred(const struct facts *f)
{
    const struct dns_answer *mx = facts_mx(f);
    const struct dns_record *e = facts_mx_expected(f);
    if (!e || (e->mx.preference != 0 && e->mx.preference != 10))
        return false;
    for (size_t i = 0; i < mx->n; i++)
        if (&mx->records[i] != e && mx->records[i].mx.preference <= e->mx.preference)
            return false;
    return true;
}

static bool tlsa_is_everywhere(const struct facts *f)
{
    struct str owner = dns_name_tlsa(f->arena, f->port, f->expected);
    for (size_t i = 0; i < f->host_zone.n; i++) {
        const struct facts_set *set = facts_set(&f->host_zone.servers[i], owner, DNS_TLSA);
        if (!set || set->status != DNS_DATA)
            return false;
    }
    return facts_tlsa_usable(f);
}

static const struct facts_dial *unmatched_dial(const struct facts *f)
{
    for (size_t i = 0; i < f->dial_count; i++)
        if (!facts_dial_matches(f, &f->dials[i]) &&
            !(f->dials[i].asked != DIAL_ANY && f->dials[i].end == DIAL_HANDSHAKE))
            return &f->dials[i];
    return NULL;
}

void switch_judge(const struct switch_memory *m, const struct facts *f, const struct switch_options *o,
                  bool held[SWITCH_STEPS])
{
    held[SWITCH_STS_TESTING] = switch_sts_is_ready(m, f);
    held[SWITCH_LOWER_TTL] = ttl_is_low(m, f, o);
    held[SWITCH_DNSSEC] = f->dnssec && host_is_published(f);
    held[SWITCH_ADD_MX] = mx_is_added(m, f);
    held[SWITCH_TEST] = f->dial_count && !switch_failing_dial(f);
    held[SWITCH_PREFER] = is_preferred(f);
    held[SWITCH_REMOVE_OLD] =
        facts_mx_is_alone(f) && switch_mx_is_everywhere(f) && f->now_ms >= m->old_mx.until_ms;
    held[SWITCH_RAISE_TTL] = facts_mx_ttl(f) >= SWITCH_TTL_FINAL;
    held[SWITCH_DANE] = f->dane;
    held[SWITCH_VERIFY] = tlsa_is_everywhere(f) && f->dial_count && !unmatched_dial(f);
    held[SWITCH_STS_ENFORCE] = switch_sts_is_enforced(m, f);
}

static void say_lower_ttl(const struct switch_memory *m, const struct facts *f,
                          const struct switch_options *o, struct switch_view *v)
{
    uint32_t low = switch_low(o);
    if (facts_mx_ttl(f) <= low) {
        switch_await(f, v, m->ttl_high.until_ms,
                     STR("caches may still hold the MX records with their old TTL"));
        return;
    }
    switch_yours(
        v, STR("at your DNS provider, lower the TTL of every MX record, so that each later change is soon "
               "seen (30 is the least that makes sense):"));
    const struct dns_answer *mx = facts_mx(f);
    for (size_t i = 0; i < mx->n; i++)
        switch_add_mx(f, v, "change",
                      (struct switch_mx){mx->records[i].mx.preference, mx->records[i].mx.host}, low);
}

static void say_test(const struct facts *f, struct switch_view *v)
{
    const struct facts_dial *d = switch_failing_dial(f);
    char text[ADDR_TEXT];
    if (!d) {
        switch_await(f, v, 0, STR("no address of the new MX host is known yet"));
        return;
    }
    if (d->end != DIAL_DONE)
        switch_await(f, v, 0,
                     arena_printf(f->arena, "the test of %.*s at %s fails: %s: %.*s", STR_ARG(f->expected),
                                  addr_ip_format(&d->to, text), dial_end_sentence(d->end), STR_ARG(d->said)));
    else
        switch_await(f, v, 0,
                     arena_printf(f->arena, "%.*s at %s does not take mail for the domain: %.*s",
                                  STR_ARG(f->expected), addr_ip_format(&d->to, text), STR_ARG(d->rcpt_said)));
}

static void say_add(const struct facts *f, const struct switch_options *o, struct switch_view *v)
{
    bool other = switch_has_other(f), there = facts_mx_expected(f);
    switch_yours(
        v, mx_is_null(f)
               ? STR("the domain says that it takes no mail (null MX), which no other record may stand "
                     "beside: at your DNS provider, change it to the new MX record, in one change:")
           : there ? STR("mail would come to the new MX host before it is tested: at your DNS provider, put "
                         "its record behind the others:")
           : other ? STR("at your DNS provider, add the new MX record behind the ones that are there:")
                   : STR("at your DNS provider, add:"));
    switch_add_mx(f, v, there || mx_is_null(f) ? "change" : "add",
                  switch_expected(f, other ? switch_behind(highest_other(f)) : PRIORITY_BEST), switch_low(o));
}

static void say_prefer(const struct facts *f, const struct switch_options *o, struct switch_view *v)
{
    const struct dns_answer *mx = facts_mx(f);
    switch_yours(
        v, STR("at your DNS provider, change the priorities so that the new MX record comes first (10 is as "
               "good as 0):"));
    for (size_t i = 0; i < mx->n; i++)
        if (str_equal(mx->records[i].mx.host, f->expected))
            switch_add_mx(f, v, "change", switch_expected(f, PRIORITY_BEST), switch_low(o));
        else if (mx->records[i].mx.preference <= 10)
            switch_add_mx(f, v, "change", (struct switch_mx){PRIORITY_OLD, mx->records[i].mx.host},
                          switch_low(o));
}

static void say_remove(const struct switch_memory *m, const struct facts *f, struct switch_view *v)
{
    const struct dns_answer *mx = facts_mx(f);
    if (facts_mx_is_alone(f)) {
        bool everywhere = switch_mx_is_everywhere(f);
        switch_await(
            f, v, m->old_mx.until_ms,
            everywhere
                ? STR("caches may still hold the old MX records: keep the old host running")
                : STR("an authoritative server still has the old MX records: keep the old host running"));
        return;
    }
    switch_yours(v, STR("at your DNS provider, remove the old MX records:"));
    for (size_t i = 0; i < mx->n; i++)
        if (!str_equal(mx->records[i].mx.host, f->expected))
            switch_add_mx(f, v, "remove",
                          (struct switch_mx){mx->records[i].mx.preference, mx->records[i].mx.host}, 0);
}

static void say_verify(const struct facts *f, struct switch_view *v)
{
    const struct facts_dial *d = unmatched_dial(f);
    char text[ADDR_TEXT];
    if (!tlsa_is_everywhere(f))
        switch_await(f, v, 0,
                     dns_answer_is_secure(&f->tlsa) && f->tlsa.n
                         ? STR("the TLSA records are not on every authoritative server yet")
                         : STR("the TLSA records are not published, or not signed, yet"));
    else if (d)
        switch_await(
            f, v, 0,
            arena_printf(f->arena, "%.*s at %s is not authenticated by its TLSA records: %s",
                         STR_ARG(f->expected), addr_ip_format(&d->to, text),
                         d->end == DIAL_DONE ? "the certificate matches none" : dial_end_sentence(d->end)));
    else
        switch_await(f, v, 0, STR("no address of the new MX host is known"));
}

static void say_done(const struct facts *f, struct switch_view *v)
{
    v->turn = SWITCH_DONE_TURN;
    v->say = facts_is_protected(f) ? STR("the switch is done: the domain is protected by DANE")
                                   : STR("the switch is done; the domain's own zone is not signed, or not "
                                         "vouched for by its parent: until "
                                         "it is, DANE protects the domain from nobody who can forge its MX "
                                         "record (kedge domain status)");
}

void switch_forward(const struct switch_memory *m, const struct facts *f, const struct switch_options *o,
                    struct switch_view *v)
{
    switch (v->step) {
    case SWITCH_STS_TESTING:
        switch_say_sts_ready(m, f, v);
        break;
    case SWITCH_LOWER_TTL:
        say_lower_ttl(m, f, o, v);
        break;
    case SWITCH_DNSSEC:
        if (f->dnssec)
            switch_await(f, v, 0,
                         STR("the new MX host is being published: it is not signed on every server yet"));
        else
            switch_ours(v, SWITCH_ENABLE_DNSSEC,
                        STR("the MX host is allocated and published in the signed MX zone"));
        break;
    case SWITCH_ADD_MX:
        say_add(f, o, v);
        break;
    case SWITCH_TEST:
        say_test(f, v);
        break;
    case SWITCH_PREFER:
        say_prefer(f, o, v);
        break;
    case SWITCH_REMOVE_OLD:
        say_remove(m, f, v);
        break;
    case SWITCH_RAISE_TTL:
        switch_yours(v, STR("at your DNS provider, raise the TTL of the MX record again:"));
        switch_add_mx(f, v, "change", switch_expected(f, facts_mx_expected(f)->mx.preference),
                      SWITCH_TTL_FINAL);
        break;
    case SWITCH_DANE:
        switch_ours(v, SWITCH_ENABLE_DANE, STR("the TLSA records are published"));
        break;
    case SWITCH_VERIFY:
        say_verify(f, v);
        break;
    case SWITCH_STS_ENFORCE:
        switch_say_sts_enforce(m, f, v);
        break;
    case SWITCH_STEPS:
        say_done(f, v);
        break;
    }
}
