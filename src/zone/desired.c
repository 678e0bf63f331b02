#include "zone/desired.h"

#include "dns/name.h"

#define TLSA_OF_HOST "_25._tcp."
#define TLSA_OF_GROUP "_dane."

/* Records of a kind of owner, made once: only the owner differs. */
struct pattern {
    struct dns_raw *r;
    size_t n;
};

static struct pattern addresses_of(struct arena *a, const struct zone_spec *s)
{
    struct pattern p = {.r = ARENA_ARRAY(a, struct dns_raw, s->address_n), .n = s->address_n};
    for (size_t i = 0; i < p.n; i++)
        p.r[i] = dns_raw_addr(a, STR_NONE, s->address_ttl, &s->addresses[i]);
    return p;
}

static struct pattern tlsa_of(struct arena *a, const struct zone_spec *s, const struct zone_group *g)
{
    struct pattern p = {.r = ARENA_ARRAY(a, struct dns_raw, g->n), .n = g->n};
    for (size_t i = 0; i < p.n; i++)
        p.r[i] = dns_raw_tlsa(a, STR_NONE, s->tlsa_ttl, &g->published[i]);
    return p;
}

static struct str group_name(struct arena *a, const struct zone_spec *s, const struct zone_group *g)
{
    return arena_printf(a, TLSA_OF_GROUP "%.*s.%.*s", STR_ARG(g->label), STR_ARG(s->name));
}

static void put(struct zone_records *out, const struct pattern *p, struct str owner)
{
    for (size_t i = 0; i < p->n; i++) {
        out->r[out->n] = p->r[i];
        out->r[out->n++].owner = owner;
    }
}

bool zone_host_has_dane(const struct zone_spec *s, const struct zone_host *h)
{
    return !h->is_gone && h->dane && h->group < s->group_n &&
           (s->groups[h->group].n > 0 || s->groups[h->group].additions_only);
}

void zone_desired(struct arena *a, const struct zone_spec *s, struct zone_records *out)
{
    struct pattern addresses = addresses_of(a, s);
    struct pattern *tlsa = ARENA_ARRAY(a, struct pattern, s->group_n); /* at every group, or at every host */
    struct pattern *alias = ARENA_ARRAY(a, struct pattern, s->group_n);
    bool *needed = ARENA_ARRAY(a, bool, s->group_n);
    size_t most = 0;
    for (size_t g = 0; g < s->group_n; g++) {
        tlsa[g] = tlsa_of(a, s, &s->groups[g]);
        alias[g] = (struct pattern){.r = ARENA_NEW(a, struct dns_raw), .n = 1};
        *alias[g].r = dns_raw_cname(a, STR_NONE, s->tlsa_ttl, group_name(a, s, &s->groups[g]));
        most += tlsa[g].n;
    }
    for (size_t i = 0; i < s->host_n; i++) {
        const struct zone_host *h = &s->hosts[i];
        most += h->is_gone ? 0 : addresses.n;
        most += !zone_host_has_dane(s, h) ? 0 : s->tlsa_per_host ? tlsa[h->group].n : 1;
    }
    *out = (struct zone_records){.r = ARENA_ARRAY(a, struct dns_raw, most)};
    for (size_t i = 0; i < s->host_n; i++) {
        const struct zone_host *h = &s->hosts[i];
        if (h->is_gone)
            continue;
        put(out, &addresses, arena_printf(a, "%.*s.%.*s", STR_ARG(h->label), STR_ARG(s->name)));
        if (!zone_host_has_dane(s, h))
            continue;
        needed[h->group] = true;
        put(out, s->tlsa_per_host ? &tlsa[h->group] : &alias[h->group],
            arena_printf(a, TLSA_OF_HOST "%.*s.%.*s", STR_ARG(h->label), STR_ARG(s->name)));
    }
    for (size_t g = 0; g < s->group_n; g++)
        if ((needed[g] && !s->tlsa_per_host) || (s->lingers && s->lingers[g]))
            put(out, &tlsa[g], group_name(a, s, &s->groups[g]));
    dns_raw_sort(out->r, out->n);
}

static size_t host_at(const struct zone_spec *s, struct str label)
{
    size_t low = 0, high = s->host_n;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_compare(s->hosts[middle].label, label);
        if (order == 0)
            return middle;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return SIZE_MAX;
}

static size_t group_at(const struct zone_spec *s, struct str label)
{
    for (size_t g = 0; g < s->group_n; g++)
        if (str_equal(s->groups[g].label, label))
            return g;
    return SIZE_MAX;
}

enum zone_owner zone_owner_of(const struct zone_spec *s, struct str name, size_t *at)
{
    if (name.n <= s->name.n + 1 || !dns_name_is_within(name, s->name))
        return ZONE_OTHER;
    struct str rest = str_sub(name, 0, name.n - s->name.n - 1);
    enum zone_owner kind = ZONE_HOST;
    if (str_starts(rest, STR(TLSA_OF_HOST))) {
        kind = ZONE_HOST_TLSA;
        rest = str_from(rest, sizeof TLSA_OF_HOST - 1);
    } else if (str_starts(rest, STR(TLSA_OF_GROUP))) {
        kind = ZONE_GROUP;
        rest = str_from(rest, sizeof TLSA_OF_GROUP - 1);
    }
    size_t found = kind == ZONE_GROUP ? group_at(s, rest) : host_at(s, rest);
    if (at)
        *at = found;
    return found == SIZE_MAX ? ZONE_OTHER : kind;
}
