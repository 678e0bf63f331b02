#include "zone/keep_pair.h"

#include <stdlib.h>

#define PAIRS                                                                                                \
    "SELECT p.zone_id, p.key_set_id, z.name, k.grp, p.per_host, MAX(p.wanted) FROM"                          \
    " (SELECT zone_id, key_set_id, per_host, 0 AS wanted FROM tlsa_rrset UNION ALL"                          \
    " SELECT u.id, s.id, u.tlsa_per_host, 1 FROM zone u CROSS JOIN key_set s WHERE s.grp <> '' AND EXISTS"   \
    " (SELECT 1 FROM mx_host h WHERE h.zone_id = u.id AND h.key_set_id = s.id AND h.dane = 1"                \
    " AND h.state <> 'quarantined')) p"                                                                      \
    " JOIN zone z ON z.id = p.zone_id JOIN key_set k ON k.id = p.key_set_id WHERE k.grp <> ''"               \
    " GROUP BY p.zone_id, p.key_set_id, z.name, k.grp, p.per_host ORDER BY z.name, p.key_set_id, p.per_host"

enum err keep_pairs(struct call *c, struct arena *a, struct keep_pair **out, size_t *n)
{
    int64_t zones, sets;
    *n = 0;
    enum err e = db_get_int(db_query(c->db, "SELECT COUNT(*) FROM zone"), &zones, c->why);
    if (!e)
        e = db_get_int(db_query(c->db, "SELECT COUNT(*) FROM key_set WHERE grp <> ''"), &sets, c->why);
    if (e)
        return e;
    size_t most = (size_t)(zones * sets) * 2;
    *out = ARENA_ARRAY(a, struct keep_pair, most);
    struct db_query *q = db_query(c->db, PAIRS);
    while (*n < most && db_next(q))
        (*out)[(*n)++] = (struct keep_pair){.zone_id = db_int(q, 0),
                                            .key_set = db_int(q, 1),
                                            .zone = arena_str(a, db_text(q, 2)),
                                            .group = arena_str(a, db_text(q, 3)),
                                            .per_host = db_int(q, 4) != 0,
                                            .is_wanted = db_int(q, 5) != 0};
    return db_end(q, c->why);
}

static void bind_pair(struct db_query *q, const struct keep_pair *p)
{
    db_bind_int(q, p->zone_id);
    db_bind_int(q, p->key_set);
    db_bind_int(q, p->per_host);
}

enum err keep_pair_is_noted(struct call *c, const struct keep_pair *p, bool *noted)
{
    int64_t count = 0;
    struct db_query *q = db_query(
        c->db, "SELECT COUNT(*) FROM tlsa_rrset WHERE zone_id = $1 AND key_set_id = $2 AND per_host = $3");
    bind_pair(q, p);
    enum err e = db_get_int(q, &count, c->why);
    *noted = count > 0;
    return e;
}

enum err keep_pair_note(struct call *c, const struct keep_pair *p)
{
    struct db_query *q =
        db_query(c->db, "INSERT INTO tlsa_rrset (zone_id, key_set_id, per_host) VALUES ($1, $2, $3)"
                        " ON CONFLICT (zone_id, key_set_id, per_host) DO NOTHING");
    bind_pair(q, p);
    return db_run(q, NULL, c->why);
}

enum err keep_pair_forget(struct call *c, const struct keep_pair *p)
{
    struct db_query *q = db_query(
        c->db, "DELETE FROM tlsa_rrset WHERE zone_id = $1 AND key_set_id = $2 AND per_host = $3"
               " AND NOT EXISTS (SELECT 1 FROM mx_host h JOIN zone u ON u.id = h.zone_id WHERE h.zone_id = $1"
               " AND h.key_set_id = $2 AND h.dane = 1 AND h.state <> 'quarantined'"
               " AND u.tlsa_per_host = $3)");
    bind_pair(q, p);
    return db_run(q, NULL, c->why);
}

static size_t find(const struct keep_absences *all, const struct keep_pair *p)
{
    size_t i = 0;
    while (i < all->n && (all->v[i].zone_id != p->zone_id || all->v[i].key_set != p->key_set ||
                          all->v[i].per_host != p->per_host))
        i++;
    return i;
}

bool keep_absence_follow(struct keep_absences *all, const struct keep_pair *p, bool absent, int64_t now_ms,
                         int64_t wait_ms, int64_t gap_ms)
{
    size_t i = find(all, p);
    if (!absent) {
        if (i < all->n)
            all->v[i] = all->v[--all->n];
        return false;
    }
    if (i == all->n) {
        all->v = must_alloc(reallocarray(all->v, all->n + 1, sizeof *all->v));
        all->v[all->n++] = (struct keep_absence){p->zone_id, p->key_set, p->per_host, now_ms, now_ms};
    }
    struct keep_absence *one = &all->v[i];
    if (now_ms - one->last_ms > gap_ms)
        one->since_ms = now_ms;
    one->last_ms = now_ms;
    return now_ms - one->since_ms >= wait_ms;
}

void keep_absences_release(struct keep_absences *all)
{
    free(all->v);
    *all = (struct keep_absences){0};
}
