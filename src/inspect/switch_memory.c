#include "inspect/switch_priv.h"
#include "tenant/call.h"

/* One look at records: their TTL, 0 when they are not there. */
static void see(struct switch_wait *w, int64_t now_ms, uint32_t ttl)
{
    if (ttl < w->ttl) {
        int64_t end = now_ms + (int64_t)w->ttl * 1000;
        w->until_ms = end > w->until_ms ? end : w->until_ms;
    }
    w->ttl = ttl;
}

/* The whole TTL, of a server; a resolver that still has the records from before counts down from theirs. */
static uint32_t whole_ttl(const struct facts *f)
{
    const struct dns_answer *mx = facts_mx(f);
    uint32_t ttl = facts_mx_ttl(f), left = mx->status == DNS_DATA ? mx->ttl : 0;
    ttl = left > ttl ? left : ttl;
    return ttl ? ttl : 1;
}

static void take_old(struct switch_memory *m, const struct facts *f)
{
    const struct dns_answer *mx = facts_mx(f);
    for (size_t i = 0; mx->status == DNS_DATA && i < mx->n && m->old_count < SWITCH_OLD_MX_MAX; i++)
        if (mx->records[i].mx.host.n && !str_equal(mx->records[i].mx.host, f->expected))
            m->old[m->old_count++] =
                (struct switch_mx){mx->records[i].mx.preference, arena_str(f->arena, mx->records[i].mx.host)};
}

static void begin(struct switch_memory *m, const struct facts *f)
{
    m->started_ms = f->now_ms;
    m->old_ttl = facts_mx_ttl(f);
    take_old(m, f);
}

bool switch_sts_bars_old(const struct switch_memory *m, const struct facts *f)
{
    if (f->sts.state != STS_VALID || f->sts.policy.mode != STS_ENFORCE)
        return false;
    for (size_t i = 0; i < m->old_count; i++)
        if (!sts_policy_covers(&f->sts.policy, m->old[i].host))
            return true;
    return false;
}

static void see_policy(struct switch_memory *m, const struct facts *f)
{
    const struct sts_facts *sts = &f->sts;
    if (sts->state == STS_ABSENT)
        see(&m->sts_age, f->now_ms, 0);
    if (sts->state != STS_VALID)
        return;
    bool same = m->sts_id.n && str_equal(sts->id, m->sts_id);
    bool enforced = sts->policy.mode == STS_ENFORCE;
    bool lacks = sts->policy.mode != STS_NONE && !sts_policy_covers(&sts->policy, f->expected);
    m->had_enforce |= enforced;
    if (!same) {
        see(&m->sts, f->now_ms, 0);
        m->sts_age = (struct switch_wait){0};
    }
    if (enforced || lacks) {
        m->sts_id = arena_str(f->arena, sts->id);
        m->sts_lacked = lacks || (same && m->sts_lacked);
        m->sts_bars_old = switch_sts_bars_old(m, f) || (same && m->sts_bars_old);
        m->sts_age.ttl = sts->policy.max_age > m->sts_age.ttl ? sts->policy.max_age : m->sts_age.ttl;
        same = true;
    }
    see(&m->sts, f->now_ms, same ? facts_sts_ttl(f) : 0);
}

void switch_remember(struct switch_memory *m, const struct facts *f, uint32_t low)
{
    /* Nothing was seen, or another name's records. */
    if (facts_mx(f)->status == DNS_ERROR || f->cname.status == DNS_DATA)
        return;
    if (!m->started_ms)
        begin(m, f);
    else if (m->is_undoing && !m->old_count)
        take_old(m, f);
    m->is_tested = facts_mx_expected(f) && (m->is_tested || (f->dial_count && !switch_failing_dial(f)));
    uint32_t ttl = facts_mx_ttl(f);
    see(&m->ttl_high, f->now_ms, ttl > low ? ttl : 0);
    see(&m->old_mx, f->now_ms, switch_is_shown(f, SWITCH_OLD_HOSTS) ? whole_ttl(f) : 0);
    see(&m->new_mx, f->now_ms, switch_is_shown(f, SWITCH_NEW_HOST) ? whole_ttl(f) : 0);
    see_policy(m, f);
}

static json_t *wait_json(const struct switch_wait *w)
{
    json_t *j = json_object();
    json_object_set_new(j, "ttl", json_integer(w->ttl));
    json_object_set_new(j, "until_ms", json_integer(w->until_ms));
    return j;
}

static int64_t number(const json_t *j, const char *key)
{
    return json_integer_value(json_object_get(j, key));
}

static struct str text(const json_t *j, const char *key, struct arena *a)
{
    const char *p = json_string_value(json_object_get(j, key));
    return arena_str(a, str_of(p ? p : ""));
}

static struct switch_wait wait_of(const json_t *j)
{
    return (struct switch_wait){(uint32_t)number(j, "ttl"), number(j, "until_ms")};
}

json_t *switch_memory_json(const struct switch_memory *m)
{
    json_t *old = json_array();
    for (size_t i = 0; i < m->old_count; i++) {
        json_t *mx = json_object();
        json_object_set_new(mx, "preference", json_integer(m->old[i].preference));
        json_object_set_new(mx, "host", json_of(m->old[i].host));
        json_array_append_new(old, mx);
    }
    json_t *j = json_object();
    json_object_set_new(j, "started_ms", json_integer(m->started_ms));
    json_object_set_new(j, "undoing", json_boolean(m->is_undoing));
    json_object_set_new(j, "old", old);
    json_object_set_new(j, "old_ttl", json_integer(m->old_ttl));
    json_object_set_new(j, "tested", json_boolean(m->is_tested));
    json_object_set_new(j, "had_enforce", json_boolean(m->had_enforce));
    json_object_set_new(j, "ttl_high", wait_json(&m->ttl_high));
    json_object_set_new(j, "old_mx", wait_json(&m->old_mx));
    json_object_set_new(j, "new_mx", wait_json(&m->new_mx));
    json_object_set_new(j, "sts_id", json_of(m->sts_id));
    json_object_set_new(j, "sts_lacked", json_boolean(m->sts_lacked));
    json_object_set_new(j, "sts_bars_old", json_boolean(m->sts_bars_old));
    json_object_set_new(j, "sts", wait_json(&m->sts));
    json_object_set_new(j, "sts_age", wait_json(&m->sts_age));
    return j;
}

void switch_memory_read(const json_t *j, struct arena *a, struct switch_memory *out)
{
    const json_t *old = json_object_get(j, "old");
    *out = (struct switch_memory){.started_ms = number(j, "started_ms"),
                                  .is_undoing = json_is_true(json_object_get(j, "undoing")),
                                  .old_ttl = (uint32_t)number(j, "old_ttl"),
                                  .is_tested = json_is_true(json_object_get(j, "tested")),
                                  .had_enforce = json_is_true(json_object_get(j, "had_enforce")),
                                  .ttl_high = wait_of(json_object_get(j, "ttl_high")),
                                  .old_mx = wait_of(json_object_get(j, "old_mx")),
                                  .new_mx = wait_of(json_object_get(j, "new_mx")),
                                  .sts_id = text(j, "sts_id", a),
                                  .sts_lacked = json_is_true(json_object_get(j, "sts_lacked")),
                                  .sts_bars_old = json_is_true(json_object_get(j, "sts_bars_old")),
                                  .sts = wait_of(json_object_get(j, "sts")),
                                  .sts_age = wait_of(json_object_get(j, "sts_age"))};
    for (size_t i = 0; i < json_array_size(old) && out->old_count < SWITCH_OLD_MX_MAX; i++) {
        const json_t *mx = json_array_get(old, i);
        out->old[out->old_count++] =
            (struct switch_mx){(uint16_t)number(mx, "preference"), text(mx, "host", a)};
    }
}
