/* Edge groups: the addresses that MX hosts get. */
#include "net/addr.h"
#include "tenant/verbs_priv.h"

enum { NAME_MAX_OCTETS = 64 };

static enum err check_name(struct call *c, struct str name)
{
    bool good = name.n > 0 && name.n <= NAME_MAX_OCTETS;
    for (size_t i = 0; i < name.n; i++) {
        char ch = name.p[i];
        good &= (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') || (i > 0 && ch == '-');
    }
    if (!good)
        buf_set(c->why,
                "'%.*s' cannot be an edge group's name: 1 to %d of a-z, 0-9, and after the first also '-'",
                STR_ARG(name), NAME_MAX_OCTETS);
    return good ? OK : ERR_USAGE;
}

static json_t *texts_of(struct call *c, const char *sql, struct str name)
{
    json_t *list = json_array();
    struct db_query *q = db_query(c->db, sql);
    db_bind_text(q, name);
    while (db_next(q))
        json_array_append_new(list, json_of(db_text(q, 0)));
    (void)!db_end(q, NULL);
    return list;
}

static json_t *describe(struct call *c, struct str name)
{
    json_t *o = json_object();
    json_object_set_new(o, "edge_group", json_of(name));
    json_object_set_new(
        o, "addresses",
        texts_of(c, "SELECT address FROM edge_address WHERE edge_group = $1 ORDER BY address", name));
    json_object_set_new(o, "edges",
                        texts_of(c, "SELECT name FROM edge WHERE edge_group = $1 ORDER BY name", name));
    json_object_set_new(o, "zones",
                        texts_of(c, "SELECT name FROM zone WHERE edge_group = $1 ORDER BY name", name));
    return o;
}

enum err verb_edge_group_list(struct call *c)
{
    c->result = json_array();
    struct db_query *q = db_query(c->db, "SELECT name FROM edge_group ORDER BY name");
    while (db_next(q))
        json_array_append_new(c->result, describe(c, arena_str(c->a, db_text(q, 0))));
    return db_end(q, c->why);
}

static enum err exists(struct call *c, struct str name, bool *out)
{
    int64_t n;
    struct db_query *q = db_query(c->db, "SELECT COUNT(*) FROM edge_group WHERE name = $1");
    db_bind_text(q, name);
    enum err e = db_get_int(q, &n, c->why);
    *out = n > 0;
    return e;
}

/* The group that the argument names; it must be there. */
static enum err named(struct call *c, struct str *name)
{
    bool there = false;
    enum err e = arg_need(c, "edge_group", name);
    if (!e)
        e = exists(c, *name, &there);
    if (e || there)
        return e;
    buf_set(c->why, "there is no edge group '%.*s'; \"kedge edge-group list\" shows those there are",
            STR_ARG(*name));
    return ERR_NOT_FOUND;
}

enum err verb_edge_group_show(struct call *c)
{
    struct str name;
    enum err e = named(c, &name);
    if (!e)
        c->result = describe(c, name);
    return e;
}

/* In the one form that is stored. */
static enum err read_address(struct call *c, struct str text, struct str *out)
{
    struct addr address;
    char ip[ADDR_TEXT];
    if (!addr_parse_ip(text, &address) || addr_is_any(&address)) {
        buf_set(c->why, "'%.*s' is not an IPv4 or IPv6 address", STR_ARG(text));
        return ERR_USAGE;
    }
    *out = arena_str(c->a, str_of(addr_ip_format(&address, ip)));
    return OK;
}

static enum err change_addresses(struct call *c, struct str name, const char *argument, const char *sql)
{
    enum err e = OK;
    for (size_t i = 0; !e && i < arg_count(c, argument); i++) {
        struct str address;
        e = read_address(c, arg_at(c, argument, i), &address);
        if (e)
            return e;
        struct db_query *q = db_query(c->db, sql);
        db_bind_text(q, name);
        db_bind_text(q, address);
        e = db_run(q, NULL, c->why);
    }
    return e;
}

/* A zone without addresses would lose the records of all its MX hosts. */
static enum err check_addresses(struct call *c, struct str name)
{
    int64_t addresses, zones;
    struct db_query *q = db_query(c->db, "SELECT COUNT(*) FROM edge_address WHERE edge_group = $1");
    db_bind_text(q, name);
    enum err e = db_get_int(q, &addresses, c->why);
    if (e || addresses)
        return e;
    q = db_query(c->db, "SELECT COUNT(*) FROM zone WHERE edge_group = $1");
    db_bind_text(q, name);
    e = db_get_int(q, &zones, c->why);
    if (e || !zones)
        return e;
    buf_set(c->why,
            "edge group '%.*s' would have no address, and %lld zone(s) use it: mail for their MX hosts "
            "would stop",
            STR_ARG(name), (long long)zones);
    return ERR_REFUSED;
}

static enum err change(struct call *c, struct str name)
{
    enum err e =
        change_addresses(c, name, "address",
                         "INSERT INTO edge_address (edge_group, address) VALUES ($1, $2) ON CONFLICT "
                         "(edge_group, address) DO NOTHING");
    if (!e)
        e = change_addresses(c, name, "no_address",
                             "DELETE FROM edge_address WHERE edge_group = $1 AND address = $2");
    if (!e)
        e = check_addresses(c, name);
    if (!e)
        c->result = describe(c, name);
    return e;
}

enum err verb_edge_group_add(struct call *c)
{
    struct str name;
    enum err e = arg_need(c, "edge_group", &name);
    if (!e)
        e = check_name(c, name);
    if (e)
        return e;
    struct db_query *q = db_query(
        c->db, "INSERT INTO edge_group (name, created_ms) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING");
    db_bind_text(q, name);
    db_bind_int(q, clock_wall());
    e = db_run(q, NULL, c->why);
    return e ? e : change(c, name);
}

enum err verb_edge_group_set(struct call *c)
{
    struct str name;
    enum err e = named(c, &name);
    return e ? e : change(c, name);
}

enum err verb_edge_group_remove(struct call *c)
{
    struct str name;
    enum err e = named(c, &name);
    if (e)
        return e;
    json_t *was = describe(c, name);
    size_t edges = json_array_size(json_object_get(was, "edges")),
           zones = json_array_size(json_object_get(was, "zones"));
    if (edges || zones) {
        json_decref(was);
        buf_set(c->why, "edge group '%.*s' has %zu edge(s), and %zu zone(s) use it", STR_ARG(name), edges,
                zones);
        return ERR_REFUSED;
    }
    c->result = was;
    struct db_query *q = db_query(c->db, "DELETE FROM edge_group WHERE name = $1");
    db_bind_text(q, name);
    return db_run(q, NULL, c->why);
}
