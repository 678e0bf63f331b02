#include "zone/keep_linger.h"

#include <stdlib.h>

#include "base/clock.h"
#include "keys/gate.h"

/* What the zone has of a group. */
struct found {
    bool is_there, is_referred_to, is_needed;
    uint32_t ttl; /* the largest, of aliases, too */
};

static void count(struct found *f, bool is_alias, uint32_t ttl)
{
    *(is_alias ? &f->is_referred_to : &f->is_there) = true;
    if (ttl > f->ttl)
        f->ttl = ttl;
}

static void find(struct arena *a, const struct zone_spec *s, const struct zone_records *actual,
                 struct found *found)
{
    struct dns_record alias;
    size_t at;
    for (size_t i = 0; i < actual->n; i++) {
        const struct dns_raw *r = &actual->r[i];
        struct str group = r->owner;
        bool is_alias = r->type == DNS_CNAME && dns_raw_record(a, r, &alias);
        if (is_alias)
            group = alias.name;
        if ((is_alias || r->type == DNS_TLSA) && zone_owner_of(s, group, &at) == ZONE_GROUP)
            count(&found[at], is_alias, r->ttl);
    }
}

static struct keep_linger *entry(struct keep_lingers *all, int64_t key_set)
{
    for (size_t i = 0; i < all->n; i++)
        if (all->v[i].key_set == key_set)
            return &all->v[i];
    return NULL;
}

static int64_t until(const struct zone_spec *s, const struct found *f, int64_t now_ms)
{
    return now_ms + gate_two_ttls_ms((int64_t)(f->ttl > s->tlsa_ttl ? f->ttl : s->tlsa_ttl) * 1000);
}

int64_t keep_linger_follow(struct keep_lingers *all, struct arena *a, struct zone_spec *s,
                           const struct zone_records *actual, int64_t now_ms)
{
    struct found *found = ARENA_ARRAY(a, struct found, s->group_n);
    struct keep_lingers now = {.v = must_alloc(calloc(s->group_n + 1, sizeof *now.v))};
    bool *lingers = ARENA_ARRAY(a, bool, s->group_n), has_dane = false;
    int64_t next = DEADLINE_NEVER;
    find(a, s, actual, found);
    for (size_t i = 0; i < s->host_n; i++) {
        if (!zone_host_has_dane(s, &s->hosts[i]))
            continue;
        has_dane = true;
        found[s->hosts[i].group].is_needed |= !s->tlsa_per_host;
    }
    for (size_t g = 0; g < s->group_n; g++) {
        if (!has_dane || !found[g].is_there || found[g].is_needed)
            continue;
        const struct keep_linger *before = entry(all, s->groups[g].key_set_id);
        struct keep_linger *one = &now.v[now.n++];
        *one = (struct keep_linger){s->groups[g].key_set_id, before && !found[g].is_referred_to
                                                                 ? before->until_ms
                                                                 : until(s, &found[g], now_ms)};
        lingers[g] = now_ms < one->until_ms;
        next = lingers[g] && one->until_ms < next ? one->until_ms : next;
    }
    keep_linger_release(all);
    *all = now;
    s->lingers = lingers;
    return next;
}

struct keep_lingers keep_linger_copy(const struct keep_lingers *all)
{
    struct keep_lingers out = {.v = must_alloc(calloc(all->n + 1, sizeof *out.v)), .n = all->n};
    if (all->n)
        memcpy(out.v, all->v, all->n * sizeof *out.v);
    return out;
}

void keep_linger_release(struct keep_lingers *all)
{
    free(all->v);
    *all = (struct keep_lingers){0};
}
