#include "tenant/rule_priv.h"

enum err rule_read(struct call *c, struct rule *out)
{
    struct str text;
    out->tenant_name = arg_has(c, "tenant") ? arg_text(c, "tenant") : STR("*");
    enum err e = tenant_id_of(c, out->tenant_name, TENANT_OR_EVERY, &out->tenant);
    if (!e)
        e = arg_need(c, "domain", &text);
    return e ? e : pattern_normal(c, text, &out->domain);
}

enum err rule_list_tenant(struct call *c, int64_t *tenant, bool *all)
{
    *tenant = 0;
    *all = !arg_has(c, "tenant");
    return *all ? OK : tenant_id_of(c, arg_text(c, "tenant"), TENANT_OR_EVERY, tenant);
}

enum err rule_missing(struct call *c, const char *noun, const struct rule *r)
{
    buf_set(c->why,
            "there is no %s for domain '%.*s' of tenant '%.*s'; \"kedge %s list\" shows those there are",
            noun, STR_ARG(r->domain), STR_ARG(r->tenant_name), noun);
    return ERR_NOT_FOUND;
}

json_t *rule_describe(struct str tenant, struct str domain)
{
    json_t *o = json_object();
    json_object_set_new(o, "domain", json_of(domain));
    json_object_set_new(o, "tenant", json_of(tenant));
    return o;
}

enum err rule_note(struct call *c, enum change_kind kind, const struct rule *r)
{
    return change_note(c, kind, id_text(c->a, r->tenant), r->domain);
}

enum err rule_exists(struct call *c, const char *noun, const struct rule *r, const char *what)
{
    buf_set(c->why, "there is a %s for '%.*s' of tenant '%.*s' already, %s; change it with \"kedge %s set\"",
            noun, STR_ARG(r->domain), STR_ARG(r->tenant_name), what, noun);
    return ERR_EXISTS;
}

enum err rule_remove(struct call *c, enum change_kind kind, const char *delete_sql, const struct rule *r)
{
    struct db_query *q = db_query(c->db, delete_sql);
    db_bind_int(q, r->tenant);
    db_bind_text(q, r->domain);
    enum err e = db_run(q, NULL, c->why);
    return e ? e : rule_note(c, kind, r);
}
