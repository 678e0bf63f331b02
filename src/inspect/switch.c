#include "inspect/find_priv.h"
#include "inspect/switch_priv.h"

static const struct {
    const char *name, *sentence;
} STEPS[] = {
#define X(name, text, sentence) {text, sentence},
    SWITCH_TABLE(X)
#undef X
        {"done", "all steps hold"},
};

const char *switch_step_name(enum switch_step s)
{
    return STEPS[s].name;
}

const char *switch_step_sentence(enum switch_step s)
{
    return STEPS[s].sentence;
}

const char *switch_turn_name(enum switch_turn t)
{
    static const char *const names[] = {
#define X(name, text) text,
        SWITCH_TURN_TABLE(X)
#undef X
    };
    return names[t];
}

uint32_t switch_low(const struct switch_options *o)
{
    return o->ttl_low ? o->ttl_low : SWITCH_TTL_LOW;
}

bool switch_has_other(const struct facts *f)
{
    const struct dns_answer *mx = facts_mx(f);
    return mx->status == DNS_DATA && !(mx->n == 1 && !mx->records[0].mx.host.n) && !facts_mx_is_alone(f);
}

static bool names(const struct dns_record *records, size_t n, struct str expected, enum switch_host which)
{
    for (size_t i = 0; i < n; i++) {
        bool is_new = expected.n && str_equal(records[i].mx.host, expected);
        if (records[i].mx.host.n && is_new == (which == SWITCH_NEW_HOST))
            return true;
    }
    return false;
}

bool switch_is_shown(const struct facts *f, enum switch_host which)
{
    const struct dns_answer *mx = facts_mx(f);
    if (mx->status == DNS_DATA && names(mx->records, mx->n, f->expected, which))
        return true;
    for (size_t i = 0; i < f->zone.n; i++) {
        const struct facts_set *set = facts_set(&f->zone.servers[i], f->domain, DNS_MX);
        if (set && set->status == DNS_DATA && names(set->records, set->n, f->expected, which))
            return true;
    }
    return false;
}

const struct facts_server *switch_silent_server(const struct facts *f)
{
    for (size_t i = 0; i < f->zone.n; i++) {
        const struct facts_set *set = facts_set(&f->zone.servers[i], f->domain, DNS_MX);
        if (!set || set->status == DNS_ERROR)
            return &f->zone.servers[i];
    }
    return NULL;
}

void switch_await(const struct facts *f, struct switch_view *v, int64_t until_ms, struct str say)
{
    v->turn = SWITCH_AWAITED_TURN;
    v->until_ms = until_ms > f->now_ms ? until_ms : 0;
    v->say = say;
}

void switch_ours(struct switch_view *v, enum switch_action action, struct str say)
{
    v->turn = SWITCH_OURS_TURN;
    v->action = action;
    v->say = say;
}

void switch_yours(struct switch_view *v, struct str say)
{
    v->turn = SWITCH_YOURS_TURN;
    v->say = say;
}

/* Relative to the zone, as panels want it. */
static struct str panel_name(const struct facts *f, struct str name)
{
    struct str zone = f->zone.name.p ? f->zone.name : f->domain;
    if (str_equal(name, zone))
        return STR("@");
    return name.n > zone.n + 1 && str_ends(name, zone) ? str_sub(name, 0, name.n - zone.n - 1) : name;
}

void switch_add_mx(const struct facts *f, struct switch_view *v, const char *what, struct switch_mx mx,
                   uint32_t ttl)
{
    if (v->records == SWITCH_OLD_MX_MAX)
        return;
    v->record[v->records++] = (struct switch_record){.what = what,
                                                     .type = "MX",
                                                     .name = panel_name(f, f->domain),
                                                     .value = mx.host,
                                                     .priority = mx.preference,
                                                     .ttl = ttl};
}

void switch_add_txt(const struct facts *f, struct switch_view *v)
{
    char now[CLOCK_TEXT], id[15] = {0};
    size_t n = 0;
    clock_iso(f->now_ms, now);
    for (size_t i = 0; now[i] && n < 14; i++)
        if (now[i] >= '0' && now[i] <= '9')
            id[n++] = now[i];
    v->record[v->records++] = (struct switch_record){.what = "change",
                                                     .type = "TXT",
                                                     .name = panel_name(f, facts_sts_name(f)),
                                                     .value = arena_printf(f->arena, "v=STSv1; id=%s;", id),
                                                     .priority = -1};
}

const struct facts_dial *switch_failing_dial(const struct facts *f)
{
    enum { REPLY_BAD = 400 };
    for (size_t i = 0; i < f->dial_count; i++) {
        const struct facts_dial *d = &f->dials[i];
        if (d->asked == DIAL_ANY && (d->end != DIAL_DONE || d->rcpt >= REPLY_BAD || !d->rcpt))
            return d;
    }
    return NULL;
}

uint16_t switch_behind(uint16_t highest)
{
    enum { LEAST = 20, STEP = 10 };
    uint16_t behind = highest > UINT16_MAX - STEP ? UINT16_MAX : (uint16_t)(highest + STEP);
    return behind < LEAST ? LEAST : behind;
}

struct switch_mx switch_expected(const struct facts *f, uint16_t preference)
{
    return (struct switch_mx){preference, f->expected};
}

/* Every authoritative server that answers shows exactly the validated MX RRset: caches will, too. */
bool switch_mx_is_everywhere(const struct facts *f)
{
    const struct dns_answer *mx = facts_mx(f);
    for (size_t i = 0; i < f->zone.n; i++) {
        const struct facts_set *set = facts_set(&f->zone.servers[i], f->domain, DNS_MX);
        if (!set || set->status == DNS_ERROR)
            continue;
        size_t same = 0;
        for (size_t k = 0; k < set->n; k++)
            for (size_t n = 0; n < mx->n; n++)
                same += set->records[k].mx.preference == mx->records[n].mx.preference &&
                        str_equal(set->records[k].mx.host, mx->records[n].mx.host);
        if (same != mx->n || set->n != mx->n)
            return false;
    }
    return true;
}

/* All that is seen there is another name's. */
static void say_alias(const struct facts *f, struct switch_view *v)
{
    size_t count;
    const struct inspect_finding *kind = &domain_finding_kinds(&count)[FIND_CNAME_AT_DOMAIN];
    v->step = SWITCH_STS_TESTING;
    switch_yours(v, arena_printf(f->arena, "%s: %s", kind->sentence, kind->fix));
}

void switch_look(const struct switch_memory *m, const struct facts *f, const struct switch_options *o,
                 struct switch_view *out)
{
    *out = (struct switch_view){.step = SWITCH_STEPS};
    if (f->cname.status == DNS_DATA) {
        say_alias(f, out);
        return;
    }
    switch_judge(m, f, o, out->held);
    while (out->step > 0 && !m->is_undoing && !switch_all_before(out->held, out->step))
        out->step--;
    if (facts_mx(f)->status == DNS_ERROR && facts_mx(f)->error != DNS_ERROR_BOGUS)
        switch_await(f, out, 0,
                     arena_printf(f->arena, "the domain's MX records cannot be looked up: %s",
                                  dns_error_sentence(facts_mx(f)->error)));
    else if (m->is_undoing)
        switch_back(m, f, o, out);
    else
        switch_forward(m, f, o, out);
}
