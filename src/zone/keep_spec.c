/* What the keeper reads from the database. */
#include "keys/store.h"
#include "zone/keeper_priv.h"

/* TLSA records as the gate's last step published them, not as the database would have them: it may have been
 * restored. Before the first step of this process nothing is said of the group. */
static enum err load_group(struct call *c, const struct board *board, struct arena *a,
                           const struct key_row *row, struct zone_group *out)
{
    struct board_view view;
    if (!board_look(board, row->id, c->a, &view)) {
        buf_set(
            c->why,
            "the gate has not looked at key group %.*s since kedge-control started; it does within seconds",
            STR_ARG(row->group));
        return ERR_REFUSED;
    }
    const struct gate_out *gate = &view.out;
    struct tlsa *tlsa = ARENA_ARRAY(a, struct tlsa, gate->nrecord);
    *out = (struct zone_group){.key_set_id = row->id,
                               .label = arena_str(a, row->group),
                               .published = tlsa,
                               .n = gate->nrecord,
                               .additions_only = gate->additions_only,
                               .no_start = !gate->may_start};
    for (size_t i = 0; i < out->n; i++) {
        const struct gate_record *r = &gate->record[i];
        struct str digest = str_make((const char *)r->digest, sizeof r->digest);
        tlsa[i] = (struct tlsa){r->usage, r->selector, r->mtype, arena_str(a, digest)};
    }
    return OK;
}

static int compare_groups(const void *x, const void *y)
{
    return str_compare(((const struct zone_group *)x)->label, ((const struct zone_group *)y)->label);
}

static enum err load_groups(struct call *c, const struct board *board, struct arena *a,
                            struct zone_group **out, size_t *n)
{
    struct key_row *rows;
    enum err e = keys_rows(c, &rows, n);
    if (e)
        return e;
    *out = ARENA_ARRAY(a, struct zone_group, *n);
    for (size_t i = 0; !e && i < *n; i++)
        e = load_group(c, board, a, &rows[i], &(*out)[i]);
    if (!e && *n)
        qsort(*out, *n, sizeof **out, compare_groups);
    return e;
}

struct keep_pair keep_spec_pair(const struct keep_spec *s, size_t group)
{
    return (struct keep_pair){.zone_id = s->row.id,
                              .key_set = s->spec.groups[group].key_set_id,
                              .zone = s->row.name,
                              .group = s->spec.groups[group].label,
                              .per_host = s->spec.tlsa_per_host,
                              .is_wanted = true};
}

/* FNV-1a. */
static void mix(uint64_t *h, const void *p, size_t n)
{
    for (size_t i = 0; i < n; i++)
        *h = (*h ^ ((const uint8_t *)p)[i]) * UINT64_C(1099511628211);
}

static void mix_str(uint64_t *h, struct str s)
{
    mix(h, &s.n, sizeof s.n);
    mix(h, s.p, s.n);
}

static void mix_group(uint64_t *h, const struct zone_group *g)
{
    mix_str(h, g->label);
    mix(h, &g->additions_only, sizeof g->additions_only);
    mix(h, &g->no_start, sizeof g->no_start);
    for (size_t i = 0; i < g->n; i++) {
        const uint8_t kind[] = {g->published[i].usage, g->published[i].selector, g->published[i].mtype};
        mix(h, kind, sizeof kind);
        mix_str(h, g->published[i].data);
    }
}

uint64_t keep_spec_source(const struct keep_spec *s)
{
    uint64_t h = UINT64_C(14695981039346656037);
    char text[ADDR_TEXT];
    mix_str(&h, str_of(addr_format(&s->row.primary, text)));
    mix_str(&h, s->row.key.name);
    mix(&h, &s->row.key.algorithm, sizeof s->row.key.algorithm);
    mix_str(&h, s->row.key.secret);
    return h;
}

/* Everything but the hosts. */
static uint64_t mix_settings(const struct keep_spec *s)
{
    uint64_t h = keep_spec_source(s);
    const struct zone_spec *spec = &s->spec;
    char text[ADDR_TEXT];
    mix(&h, &spec->address_ttl, sizeof spec->address_ttl);
    mix(&h, &spec->tlsa_ttl, sizeof spec->tlsa_ttl);
    mix(&h, &spec->tlsa_per_host, sizeof spec->tlsa_per_host);
    for (size_t i = 0; i < spec->address_n; i++)
        mix_str(&h, str_of(addr_format(&spec->addresses[i], text)));
    for (size_t i = 0; i < spec->group_n; i++)
        mix_group(&h, &spec->groups[i]);
    return h;
}

static uint64_t stamp_of(const struct keep_spec *s)
{
    uint64_t h = mix_settings(s);
    mix(&h, &s->row.id, sizeof s->row.id); /* another zone of that name counts anew */
    mix(&h, &s->row.hosts_version, sizeof s->row.hosts_version);
    return h ? h : 1;
}

uint64_t keep_spec_hash(const struct keep_spec *s)
{
    uint64_t h = mix_settings(s);
    for (size_t i = 0; i < s->spec.host_n; i++) {
        const struct zone_host *host = &s->spec.hosts[i];
        mix_str(&h, host->label);
        mix(&h, &host->is_gone, sizeof host->is_gone);
        mix(&h, &host->dane, sizeof host->dane);
        mix(&h, &host->group, sizeof host->group);
    }
    return h ? h : 1;
}

struct load {
    const struct keeper *keeper;
    const char *zone;
    struct keep_spec *out;
};

static enum err load_noted(struct call *c, struct keep_spec *s)
{
    enum err e = OK;
    s->noted = ARENA_ARRAY(&s->arena, bool, s->spec.group_n);
    for (size_t g = 0; !e && g < s->spec.group_n; g++) {
        struct keep_pair p = keep_spec_pair(s, g);
        e = keep_pair_is_noted(c, &p, &s->noted[g]);
    }
    return e;
}

static enum err load_zone(struct call *c, struct keep_spec *s, const struct zone_group *groups,
                          size_t group_n)
{
    enum err e = zone_load_spec(c, &s->arena, &s->row, groups, group_n, &s->spec);
    if (e)
        return e;
    s->stamp = stamp_of(s);
    e = zone_load_hosts(c, &s->arena, &s->row, &s->spec);
    return e ? e : load_noted(c, s);
}

static enum err load(struct call *c, void *ctx)
{
    struct load *l = ctx;
    struct keep_spec *s = l->out;
    struct zone_row *rows;
    struct zone_group *groups = NULL;
    size_t n, group_n = 0;
    enum err e = zone_load_rows(c, &s->arena, &rows, &n);
    if (!e)
        e = load_groups(c, l->keeper->conf.board, &s->arena, &groups, &group_n);
    for (size_t i = 0; !e && i < n; i++)
        if (str_equal(rows[i].name, str_of(l->zone))) {
            s->row = rows[i];
            return load_zone(c, s, groups, group_n);
        }
    return e ? e : ERR_NOT_FOUND;
}

enum err keep_spec_load(struct keeper *k, const char *zone, struct keep_spec *out, struct buf *why)
{
    *out = (struct keep_spec){0};
    struct load l = {.keeper = k, .zone = zone, .out = out};
    enum err e = tenant_transact(k->store, TENANT_READ, load, &l, why);
    if (e == ERR_NOT_FOUND)
        buf_set(why, "there is no zone '%s'; \"kedge zone list\" shows those there are", zone);
    return e;
}

void keep_spec_release(struct keep_spec *s)
{
    arena_release(&s->arena);
    *s = (struct keep_spec){0};
}

struct load_stamps {
    const struct keeper *keeper;
    struct keep_stamps *out;
};

static enum err load_stamps(struct call *c, void *ctx)
{
    const struct load_stamps *l = ctx;
    struct keep_stamps *out = l->out;
    struct zone_group *groups;
    size_t group_n;
    enum err e = zone_load_rows(c, &out->arena, &out->rows, &out->n);
    out->stamps = ARENA_ARRAY(&out->arena, uint64_t, out->n);
    if (!e)
        e = load_groups(c, l->keeper->conf.board, &out->arena, &groups, &group_n);
    if (e)
        return e == ERR_REFUSED ? OK : e;
    for (size_t i = 0; !e && i < out->n; i++) {
        struct keep_spec s = {.row = out->rows[i]};
        e = zone_load_spec(c, &out->arena, &s.row, groups, group_n, &s.spec);
        out->stamps[i] = stamp_of(&s);
    }
    return e;
}

enum err keep_stamps_load(struct keeper *k, struct keep_stamps *out, struct buf *why)
{
    *out = (struct keep_stamps){0};
    struct load_stamps l = {k, out};
    return tenant_transact(k->store, TENANT_READ, load_stamps, &l, why);
}
