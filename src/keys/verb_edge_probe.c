/* What edges found at their own MX hosts. */
#include "keys/probe.h"
#include "keys/verbs_priv.h"

enum { PROBES_MAX = 4096 };

static struct str text_of(const json_t *o, const char *name)
{
    return str_of(json_string_value(json_object_get(o, name)));
}

/* since_ms: when it was first found like that; before_ms: when it was found like that the time before, 0 when
 * it was not. */
static enum err put_probe(struct call *c, struct str edge, int64_t now, const json_t *o)
{
    enum probe_kind kind;
    struct str name = text_of(o, "name"), address = text_of(o, "address"),
               algorithm = text_of(o, "algorithm"), reason = text_of(o, "reason");
    if (!probe_kind_parse(text_of(o, "kind"), &kind)) /* from another version: what it saw is not known */
        kind = json_is_true(json_object_get(o, "good")) ? PROBE_GOOD : PROBE_UNSEEN;
    struct db_query *q = db_query(
        c->db,
        "INSERT INTO edge_probe (edge, name, address, algorithm, at_ms, good, reason, kind, since_ms,"
        " before_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $5, 0)"
        " ON CONFLICT (edge, name, address, algorithm) DO UPDATE SET since_ms ="
        " CASE WHEN edge_probe.kind = excluded.kind THEN edge_probe.since_ms ELSE excluded.since_ms END,"
        " before_ms = CASE WHEN edge_probe.kind = excluded.kind THEN edge_probe.at_ms ELSE 0 END,"
        " at_ms = excluded.at_ms, good = excluded.good, reason = excluded.reason, kind = excluded.kind"
        " WHERE edge_probe.at_ms <> excluded.at_ms");
    db_bind_text(q, edge);
    db_bind_text(q, name);
    db_bind_text(q, address);
    db_bind_text(q, algorithm);
    db_bind_int(q, now);
    db_bind_int(q, kind == PROBE_GOOD);
    db_bind_text(q, reason);
    db_bind_text(q, str_of(probe_kind_name(kind)));
    if (kind != PROBE_GOOD)
        log_event(LOG_ERROR, "edge-probe", LOG_STR("edge", edge), LOG_STR("name", name),
                  LOG_STR("address", address), LOG_STR("algorithm", algorithm),
                  LOG_TEXT("kind", probe_kind_name(kind)), LOG_STR("why", reason));
    return db_run(q, NULL, c->why);
}

static enum err named(struct call *c, struct str *edge)
{
    struct str text;
    int64_t there = 0;
    enum err e = arg_need(c, "edge", &text);
    if (!e)
        e = name_normal(c, text, edge);
    if (e)
        return e;
    struct db_query *q = db_query(c->db, "SELECT COUNT(*) FROM edge WHERE name = $1");
    db_bind_text(q, *edge);
    e = db_get_int(q, &there, c->why);
    if (e || there)
        return e;
    buf_set(c->why, "edge %.*s has not confirmed what it serves yet", STR_ARG(*edge));
    return ERR_NOT_FOUND;
}

/* The probes of a round replace those before. */
enum err verb_edge_probe(struct call *c)
{
    const json_t *probes = json_object_get(c->args, "probes");
    struct str edge = STR_NONE;
    int64_t now = clock_wall();
    enum err e = named(c, &edge);
    for (size_t i = 0; !e && i < json_array_size(probes) && i < PROBES_MAX; i++)
        e = put_probe(c, edge, now, json_array_get(probes, i));
    if (e)
        return e;
    struct db_query *q = db_query(c->db, "DELETE FROM edge_probe WHERE edge = $1 AND at_ms <> $2");
    db_bind_text(q, edge);
    db_bind_int(q, now);
    return db_run(q, NULL, c->why);
}
