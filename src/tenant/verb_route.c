#include "tenant/rule_priv.h"
#include "tenant/verbs_priv.h"

struct route {
    struct str host;
    uint16_t port;
};

static bool load(struct call *c, const struct rule *r, struct route *out)
{
    struct db_query *q = db_query(c->db, "SELECT host, port FROM route WHERE tenant_id = $1 AND domain = $2");
    db_bind_int(q, r->tenant);
    db_bind_text(q, r->domain);
    bool found = db_next(q);
    if (found)
        *out = (struct route){.host = arena_str(c->a, db_text(q, 0)), .port = (uint16_t)db_int(q, 1)};
    return !db_end(q, c->why) && found;
}

static json_t *describe(struct call *c, struct str tenant, struct str domain, const struct route *route)
{
    json_t *o = rule_describe(tenant, domain);
    json_object_set_new(o, "to", json_of(host_port_text(c->a, route->host, route->port)));
    return o;
}

enum err verb_route_list(struct call *c)
{
    int64_t tenant;
    bool all;
    enum err e = rule_list_tenant(c, &tenant, &all);
    if (e)
        return e;
    c->result = json_array();
    struct db_query *q =
        db_query(c->db, "SELECT tenant_id, domain, host, port FROM route ORDER BY tenant_id, domain");
    while (db_next(q)) {
        struct route route = {.host = db_text(q, 2), .port = (uint16_t)db_int(q, 3)};
        if (all || db_int(q, 0) == tenant)
            json_array_append_new(c->result,
                                  describe(c, tenant_name_of(c, db_int(q, 0)), db_text(q, 1), &route));
    }
    return db_end(q, c->why);
}

enum err verb_route_show(struct call *c)
{
    struct rule r;
    struct route route;
    enum err e = rule_read(c, &r);
    if (e)
        return e;
    if (!load(c, &r, &route))
        return rule_missing(c, "route", &r);
    c->result = describe(c, r.tenant_name, r.domain, &route);
    return OK;
}

static enum err write_row(struct call *c, const struct rule *r, const struct route *route)
{
    struct db_query *q = db_query(
        c->db, "INSERT INTO route (tenant_id, domain, host, port, created_ms) VALUES ($1, $2, $3, $4, $5)"
               " ON CONFLICT (tenant_id, domain) DO UPDATE SET host = excluded.host, port = excluded.port");
    db_bind_int(q, r->tenant);
    db_bind_text(q, r->domain);
    db_bind_text(q, route->host);
    db_bind_int(q, route->port);
    db_bind_int(q, clock_wall());
    enum err e = db_run(q, NULL, c->why);
    return e ? e : rule_note(c, CHANGE_ROUTE, r);
}

static enum err put(struct call *c, enum rule_difference difference)
{
    struct rule r;
    struct route before, after = {0};
    struct str to = STR_NONE;
    enum err e = rule_read(c, &r);
    if (!e)
        e = arg_need(c, "to", &to);
    if (!e)
        e = host_port(c, to, 25, &after.host, &after.port);
    if (e)
        return e;
    bool exists = load(c, &r, &before);
    bool same = exists && str_equal(before.host, after.host) && before.port == after.port;
    if (exists && !same && difference == RULE_REFUSE) {
        struct str hop = host_port_text(c->a, before.host, before.port);
        return rule_exists(c, "route", &r, arena_printf(c->a, "to %.*s", STR_ARG(hop)).p);
    }
    e = same ? OK : write_row(c, &r, &after);
    if (!e)
        c->result = describe(c, r.tenant_name, r.domain, &after);
    return e;
}

enum err verb_route_add(struct call *c)
{
    return put(c, RULE_REFUSE);
}

enum err verb_route_set(struct call *c)
{
    return put(c, RULE_REPLACE);
}

enum err verb_route_remove(struct call *c)
{
    struct rule r;
    struct route route;
    enum err e = rule_read(c, &r);
    if (e)
        return e;
    if (!load(c, &r, &route))
        return rule_missing(c, "route", &r);
    e = rule_remove(c, CHANGE_ROUTE, "DELETE FROM route WHERE tenant_id = $1 AND domain = $2", &r);
    if (!e)
        c->result = describe(c, r.tenant_name, r.domain, &route);
    return e;
}
