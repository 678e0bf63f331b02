/* What edges find at the MX hosts of waves that have begun. */
#include "keys/probe.h"
#include "rollout/watch.h"

#define PROBES                                                                                               \
    " FROM edge_probe p JOIN domain d ON d.mx_host = p.name JOIN rollout_domain r ON r.domain = d.name"      \
    " JOIN rollout_wave w ON w.rollout_id = r.rollout_id AND w.wave = r.wave"                                \
    " WHERE r.rollout_id = $1 AND r.state = 'on' AND "

/* MX hosts of the wave that an edge found broken in two rounds since the wave began: one alone may have been
 * a moment when records, caches and keys were not the same everywhere. */
static enum err count_broken(struct call *c, const struct rollout *r, size_t wave, int64_t *count)
{
    struct db_query *q = db_query(c->db, "SELECT COUNT(DISTINCT p.name)" PROBES
                                         "r.wave = $2 AND p.kind = $3 AND p.before_ms >= w.begun_ms");
    db_bind_int(q, r->id);
    db_bind_int(q, (int64_t)wave);
    db_bind_text(q, str_of(probe_kind_name(PROBE_BROKEN)));
    return db_get_int(q, count, c->why);
}

enum err rollout_watch_probes(struct call *c, struct rollout *r)
{
    enum err e = OK;
    for (size_t i = 0; !e && i < r->begun; i++)
        e = count_broken(c, r, i, &r->wave[i].bad_probes);
    return e;
}

enum err rollout_awaited_probe(struct call *c, const struct rollout *r, struct arena *a,
                               struct rollout_awaited *out)
{
    *out = (struct rollout_awaited){0};
    struct db_query *q = db_query(c->db, "SELECT p.name, p.edge, p.reason, p.since_ms" PROBES
                                         "r.wave < $2 AND p.kind <> $3 AND p.at_ms >= w.begun_ms"
                                         " ORDER BY p.since_ms, p.name, p.edge LIMIT 1");
    db_bind_int(q, r->id);
    db_bind_int(q, (int64_t)r->begun);
    db_bind_text(q, str_of(probe_kind_name(PROBE_GOOD)));
    if (db_next(q))
        *out = (struct rollout_awaited){.mx_host = arena_str(a, db_text(q, 0)),
                                        .edge = arena_str(a, db_text(q, 1)),
                                        .reason = arena_str(a, db_text(q, 2)),
                                        .since_ms = db_int(q, 3)};
    return db_end(q, c->why);
}
