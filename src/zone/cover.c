#include "zone/cover.h"

#include <stdlib.h>

#include "base/die.h"
#include "dns/name.h"

#define TLSA_OF_HOST "_25._tcp."
#define TLSA_OF_GROUP "_dane."

static void version_release(struct cover_version *v)
{
    free(v->kind);
    arena_release(&v->arena);
    *v = (struct cover_version){0};
}

void cover_release(struct cover *c)
{
    for (size_t i = 0; i < c->n; i++)
        version_release(&c->version[i]);
    free(c->version);
    arena_release(&c->arena);
    map_release(&c->had);
    *c = (struct cover){0};
}

const struct cover_version *cover_find(const struct cover *c, uint32_t serial)
{
    for (size_t i = 0; i < c->n; i++)
        if (c->version[i].serial == serial)
            return &c->version[i];
    return NULL;
}

const struct cover_kind *cover_common(const struct cover_version *v, int64_t key_set)
{
    const struct cover_kind *best = NULL;
    for (size_t i = 0; i < v->n; i++)
        if (v->kind[i].key_set == key_set && v->kind[i].n && (!best || v->kind[i].hosts > best->hosts))
            best = &v->kind[i];
    return best;
}

/* ---- reading */

/* One host's records. */
struct found {
    struct gate_record *record;
    size_t n;
    int64_t ttl_ms, expires_ms;
    bool is_signed, is_alias; /* to a group's records */
};

/* When the signature ends, if it is one over TLSA records (RFC 4034 3.1, the time unfolded as in 3.1.5). */
static bool signature_end(const struct dns_raw *r, int64_t wall_ms, int64_t *out)
{
    enum { COVERED = 0, EXPIRATION = 8, LEAST = 18 };
    if (r->type != DNS_TYPE_RRSIG || r->rdata.n < LEAST || get_u16(r->rdata.p + COVERED) != DNS_TLSA)
        return false;
    int64_t now_s = wall_ms / 1000;
    *out = (now_s + (int32_t)(get_u32(r->rdata.p + EXPIRATION) - (uint32_t)now_s)) * 1000;
    return true;
}

/* An alias to a group's records: those are asked for by their own name. */
static bool is_our_alias(struct arena *a, const struct dns_raw *r, struct str zone)
{
    struct dns_record alias;
    return r->type == DNS_CNAME && dns_raw_record(a, r, &alias) &&
           str_starts(alias.name, STR(TLSA_OF_GROUP)) && dns_name_is_within(alias.name, zone);
}

/* The records from `at` on with one owner. Returns where the next owner begins. */
static size_t take_owner(struct arena *a, const struct cover_reading *r, size_t at, struct found *out)
{
    size_t end = at;
    int64_t ends_ms;
    while (end < r->n && str_equal(r->record[end].owner, r->record[at].owner))
        end++;
    *out = (struct found){.record = ARENA_ARRAY(a, struct gate_record, end - at)};
    for (size_t i = at; i < end; i++) {
        const struct dns_raw *one = &r->record[i];
        if (signature_end(one, r->wall_ms, &ends_ms)) {
            if (!out->is_signed || ends_ms < out->expires_ms)
                out->expires_ms = ends_ms;
            out->is_signed = true;
        } else if (one->type == DNS_CNAME && is_our_alias(a, one, r->zone)) {
            out->is_alias = true;
        } else if (one->type == DNS_TLSA || one->type == DNS_CNAME) {
            zone_gate_record(one, &out->record[out->n++]);
            if ((int64_t)one->ttl * 1000 > out->ttl_ms)
                out->ttl_ms = (int64_t)one->ttl * 1000;
        }
    }
    return end;
}

static bool is_same(const struct cover_kind *k, const struct found *f)
{
    return k->n == f->n && (k->n == 0 || memcmp(k->record, f->record, k->n * sizeof *k->record) == 0);
}

static struct cover_kind *kind_new(struct cover_version *v, const struct cover_host *h, const struct found *f)
{
    if (v->n == v->room) {
        v->room = v->room ? 2 * v->room : 4;
        v->kind = must_alloc(reallocarray(v->kind, v->room, sizeof *v->kind));
    }
    struct cover_kind *k = &v->kind[v->n++];
    *k = (struct cover_kind){.key_set = h->key_set,
                             .host = arena_str(&v->arena, h->label),
                             .record = ARENA_ARRAY(&v->arena, struct gate_record, f->n),
                             .n = f->n,
                             .expires_ms = f->expires_ms};
    if (f->n)
        memcpy(k->record, f->record, f->n * sizeof *f->record);
    return k;
}

/* Returns which kind it is. */
static size_t count(struct cover_version *v, const struct cover_host *h, const struct found *f)
{
    struct cover_kind *k = NULL;
    size_t kinds = 0;
    for (size_t i = 0; i < v->n && !k; i++) {
        if (v->kind[i].key_set != h->key_set)
            continue;
        kinds++;
        k = is_same(&v->kind[i], f) ? &v->kind[i] : NULL;
    }
    v->is_mixed |= !k && kinds == COVER_KINDS;
    if (v->is_mixed)
        return SIZE_MAX;
    if (!k)
        k = kind_new(v, h, f);
    k->hosts++;
    if (f->ttl_ms > k->ttl_ms)
        k->ttl_ms = f->ttl_ms;
    if (f->expires_ms < k->expires_ms)
        k->expires_ms = f->expires_ms;
    return (size_t)(k - v->kind);
}

/* Is it one whose records should be there, and were? An alias that took their place has nothing lost. */
static bool is_lost(struct cover *c, const struct cover_host *h, const struct found *f)
{
    if (h->is_wanted && f->n)
        (void)map_put(&c->had, h->label, c);
    else if (!h->is_wanted || f->is_alias)
        (void)map_remove(&c->had, h->label);
    return !f->n && map_get(&c->had, h->label);
}

static struct cover_version *version_new(struct cover *c, uint32_t serial)
{
    size_t at = 0;
    if (!c->version)
        c->version = must_alloc(calloc(COVER_VERSIONS, sizeof *c->version));
    while (at < c->n && c->version[at].serial != serial)
        at++;
    if (at == COVER_VERSIONS)
        at--;
    if (at < c->n)
        version_release(&c->version[at]);
    else
        c->n++;
    memmove(c->version + 1, c->version, at * sizeof *c->version);
    c->version[0] = (struct cover_version){.serial = serial};
    return c->version;
}

static const struct cover_host *host_of(const struct cover_reading *r, struct str owner)
{
    size_t around = sizeof TLSA_OF_HOST - 1 + r->zone.n + 1, low = 0, high = r->nhost;
    if (owner.n <= around || !str_starts(owner, STR(TLSA_OF_HOST)) || !dns_name_is_within(owner, r->zone))
        return NULL;
    struct str label = str_sub(owner, sizeof TLSA_OF_HOST - 1, owner.n - around);
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_compare(r->host[middle].label, label);
        if (order == 0)
            return &r->host[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

void cover_add(struct cover *c, const struct cover_reading *r)
{
    struct arena a = {0};
    struct cover_version *v = version_new(c, r->serial);
    struct found *found = ARENA_ARRAY(&a, struct found, r->nhost);
    for (size_t at = 0; at < r->n;) {
        struct found one;
        const struct cover_host *host = host_of(r, r->record[at].owner);
        at = take_owner(&a, r, at, &one);
        if (host)
            found[host - r->host] = one;
    }
    arena_release(&c->arena);
    c->known = ARENA_ARRAY(&c->arena, struct cover_known, r->nhost);
    c->nknown = 0;
    for (size_t i = 0; i < r->nhost; i++) {
        bool lost = is_lost(c, &r->host[i], &found[i]);
        size_t kind = lost || found[i].n ? count(v, &r->host[i], &found[i]) : SIZE_MAX;
        if (kind != SIZE_MAX && !lost)
            c->known[c->nknown++] =
                (struct cover_known){.label = arena_str(&c->arena, r->host[i].label), .kind = kind};
    }
    arena_release(&a);
}

const struct cover_known *cover_host(const struct cover *c, struct str label)
{
    size_t low = 0, high = c->nknown;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = str_compare(c->known[middle].label, label);
        if (order == 0)
            return &c->known[middle];
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return NULL;
}

enum cover_word cover_compare(const struct cover *c, const struct zone_server *s, size_t question,
                              const struct cover_known *host)
{
    if (s->state != ZONE_SERVER_GOOD || s->rrsets[question].proof == ZONE_PROOF_NONE || c->n == 0 ||
        s->serial != c->version[0].serial)
        return COVER_UNKNOWN;
    const struct zone_rrset *shown = &s->rrsets[question];
    const struct cover_kind *kind = &c->version[0].kind[host->kind];
    bool same = shown->proof == ZONE_PROOF_VALID && shown->n == kind->n;
    for (size_t i = 0; same && i < kind->n; i++) { /* both are sorted by their octets */
        struct gate_record r;
        zone_gate_record(&shown->records[i], &r);
        same = memcmp(&r, &kind->record[i], sizeof r) == 0;
    }
    return same ? COVER_AGREES : COVER_DIFFERS;
}

/* ---- what follows */

static bool is_asked(const struct zone_evidence *e, const struct zone_server *s)
{
    return s->state == ZONE_SERVER_GOOD && !zone_server_is_left_out(e, s);
}

static struct str host_name(struct arena *a, const struct zone_evidence *e, const struct cover_kind *k)
{
    return arena_printf(a, TLSA_OF_HOST "%.*s.%.*s", STR_ARG(k->host), STR_ARG(e->zone));
}

static size_t add_version(struct arena *a, const struct cover_version *v, const struct zone_evidence *e,
                          const struct zone_server *s, int64_t key_set, struct gate_server *out)
{
    char text[ADDR_TEXT];
    size_t n = 0;
    const struct cover_kind *common = cover_common(v, key_set);
    (void)addr_format(&s->addr, text);
    for (size_t i = 0; i < v->n; i++) {
        const struct cover_kind *k = &v->kind[i];
        if (k->key_set != key_set)
            continue;
        struct gate_record *record = ARENA_ARRAY(a, struct gate_record, k->n);
        if (k->n)
            memcpy(record, k->record, k->n * sizeof *record);
        struct str name = k == common ? arena_printf(a, "hosts at %s for %.*s", text, STR_ARG(e->zone))
                                      : arena_printf(a, "%.*s at %s", STR_ARG(host_name(a, e, k)), text);
        out[n++] = (struct gate_server){.name = name,
                                        .answer = GATE_ANSWER_SECURE,
                                        .serial = v->serial,
                                        .ttl_ms = k->ttl_ms,
                                        .expires_ms = k->expires_ms,
                                        .record = record,
                                        .nrecord = k->n};
    }
    return n;
}

size_t cover_gate_servers(struct arena *a, const struct cover *c, const struct zone_evidence *e,
                          int64_t key_set, struct gate_server **out)
{
    char text[ADDR_TEXT];
    size_t n = 0;
    *out = ARENA_ARRAY(a, struct gate_server, e->n * COVER_KINDS);
    for (size_t i = 0; i < e->n; i++) {
        const struct zone_server *s = &e->servers[i];
        const struct cover_version *v = cover_find(c, s->serial);
        if (!is_asked(e, s))
            continue;
        if (v && !v->is_mixed)
            n += add_version(a, v, e, s, key_set, *out + n);
        else
            (*out)[n++] = (struct gate_server){
                .name = arena_printf(a,
                                     v ? "%s for %.*s, where hosts differ too much (serial %u)"
                                       : "%s for %.*s, whose serial %u was not read from the primary",
                                     addr_format(&s->addr, text), STR_ARG(e->zone), s->serial),
                .answer = GATE_ANSWER_SILENT,
                .serial = s->serial};
    }
    return n;
}

static void tell_kinds(const struct cover_version *v, const struct zone_evidence *e, int64_t key_set,
                       struct buf *why)
{
    struct arena a = {0};
    const struct cover_kind *common = cover_common(v, key_set);
    for (size_t i = 0; i < v->n; i++) {
        const struct cover_kind *k = &v->kind[i];
        if (k->key_set != key_set || k == common)
            continue;
        struct str name = host_name(&a, e, k);
        buf_printf(why, "%.*s", STR_ARG(name));
        if (k->hosts > 1)
            buf_printf(why, " and %zu more", k->hosts - 1);
        buf_printf(why, " %s %s in serial %u\n", k->hosts > 1 ? "have" : "has",
                   k->n ? "other TLSA records than most hosts" : "lost the TLSA records", v->serial);
    }
    arena_release(&a);
}

bool cover_is_level(const struct cover *c, const struct zone_evidence *e, int64_t key_set, struct buf *why)
{
    size_t before = why->n;
    for (size_t i = 0; i < e->n; i++) {
        const struct zone_server *s = &e->servers[i];
        const struct cover_version *v = cover_find(c, s->serial);
        char text[ADDR_TEXT];
        bool told = false; /* another server has the same version */
        for (size_t j = 0; j < i; j++)
            told |= is_asked(e, &e->servers[j]) && e->servers[j].serial == s->serial;
        if (!is_asked(e, s) || told)
            continue;
        if (!v)
            buf_printf(why, "%.*s (%s) shows serial %u, which was not read from the primary\n",
                       STR_ARG(s->name), addr_format(&s->addr, text), s->serial);
        else
            tell_kinds(v, e, key_set, why);
        if (v && v->is_mixed)
            buf_printf(why, "hosts have TLSA records of more than %d kinds in serial %u\n", COVER_KINDS,
                       v->serial);
    }
    return why->n == before;
}
