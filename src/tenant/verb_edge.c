/* Edges: machines that run smtpd. They appear by themselves, when they first say what they serve. */
#include "tenant/verbs_priv.h"

static json_t *serves_of(struct call *c, struct str edge)
{
    json_t *list = json_array();
    struct db_query *q =
        db_query(c->db, "SELECT key_set_id, pair_id, algorithm FROM edge_serves WHERE edge = $1"
                        " ORDER BY key_set_id, pair_id");
    db_bind_text(q, edge);
    while (db_next(q)) {
        json_t *o = json_object();
        json_object_set_new(o, "key_set", json_integer(db_int(q, 0)));
        json_object_set_new(o, "pair", json_of(id_text(c->a, db_int(q, 1))));
        json_object_set_new(o, "algorithm", json_of(db_text(q, 2)));
        json_array_append_new(list, o);
    }
    (void)!db_end(q, NULL);
    return list;
}

static json_t *probes_of(struct call *c, struct str edge)
{
    json_t *list = json_array();
    struct db_query *q =
        db_query(c->db, "SELECT name, address, algorithm, at_ms, good, reason, kind, since_ms FROM edge_probe"
                        " WHERE edge = $1 ORDER BY name, address, algorithm");
    db_bind_text(q, edge);
    while (db_next(q)) {
        json_t *o = json_object();
        json_object_set_new(o, "name", json_of(db_text(q, 0)));
        json_object_set_new(o, "address", json_of(db_text(q, 1)));
        json_object_set_new(o, "algorithm", json_of(db_text(q, 2)));
        json_object_set_new(o, "at", json_time(db_int(q, 3)));
        json_object_set_new(o, "good", json_boolean(db_int(q, 4) != 0));
        json_object_set_new(o, "reason", json_of(db_text(q, 5)));
        json_object_set_new(o, "kind", json_of(db_text(q, 6)));
        json_object_set_new(o, "since", json_time(db_int(q, 7)));
        json_array_append_new(list, o);
    }
    (void)!db_end(q, NULL);
    return list;
}

#define EDGE                                                                                                 \
    "SELECT e.name, e.edge_group, e.key_epoch, e.confirmed_ms, e.created_ms,"                                \
    " (SELECT COUNT(*) FROM edge_probe p WHERE p.edge = e.name AND p.good = 0) FROM edge e "

static json_t *describe(struct db_query *q)
{
    json_t *o = json_object();
    json_object_set_new(o, "edge", json_of(db_text(q, 0)));
    json_object_set_new(o, "edge_group", json_of(db_text(q, 1)));
    json_object_set_new(o, "key_epoch", json_integer(db_int(q, 2)));
    json_object_set_new(o, "confirmed", json_time(db_int(q, 3)));
    json_object_set_new(o, "since", json_time(db_int(q, 4)));
    json_object_set_new(o, "bad_probes", json_integer(db_int(q, 5)));
    return o;
}

enum err verb_edge_list(struct call *c)
{
    c->result = json_array();
    struct db_query *q = db_query(c->db, EDGE "ORDER BY e.name");
    while (db_next(q))
        json_array_append_new(c->result, describe(q));
    return db_end(q, c->why);
}

/* The edge that the argument names, described. */
static enum err named(struct call *c, struct str *name)
{
    struct str text;
    enum err e = arg_need(c, "edge", &text);
    if (!e)
        e = name_normal(c, text, name);
    if (e)
        return e;
    struct db_query *q = db_query(c->db, EDGE "WHERE e.name = $1");
    db_bind_text(q, *name);
    c->result = db_next(q) ? describe(q) : NULL;
    e = db_end(q, c->why);
    if (e || c->result)
        return e;
    buf_set(c->why, "there is no edge '%.*s'; \"kedge edge list\" shows those there are", STR_ARG(*name));
    return ERR_NOT_FOUND;
}

enum err verb_edge_show(struct call *c)
{
    struct str name;
    enum err e = named(c, &name);
    if (e)
        return e;
    json_object_set_new(c->result, "serves", serves_of(c, name));
    json_object_set_new(c->result, "probes", probes_of(c, name));
    return OK;
}

enum err verb_edge_set(struct call *c)
{
    struct str name, group;
    int64_t there;
    enum err e = named(c, &name);
    if (!e)
        e = arg_need(c, "edge_group", &group);
    if (e)
        return e;
    struct db_query *q = db_query(c->db, "SELECT COUNT(*) FROM edge_group WHERE name = $1");
    db_bind_text(q, group);
    e = db_get_int(q, &there, c->why);
    if (!e && !there) {
        buf_set(c->why, "there is no edge group '%.*s'; \"kedge edge-group list\" shows those there are",
                STR_ARG(group));
        e = ERR_NOT_FOUND;
    }
    if (e)
        return e;
    q = db_query(c->db, "UPDATE edge SET edge_group = $1 WHERE name = $2");
    db_bind_text(q, group);
    db_bind_text(q, name);
    e = db_run(q, NULL, c->why);
    json_object_set_new(c->result, "edge_group", json_of(group));
    return e;
}

/* The gate waits for every edge: one that is gone for good is taken out here. One that is alive comes back
 * with what it says next. */
enum err verb_edge_remove(struct call *c)
{
    struct str name;
    enum err e = named(c, &name);
    if (e)
        return e;
    struct db_query *q = db_query(c->db, "DELETE FROM edge WHERE name = $1");
    db_bind_text(q, name);
    return db_run(q, NULL, c->why);
}
