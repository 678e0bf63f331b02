#include "tenant/allocate.h"
#include "tenant/verbs_priv.h"

enum { TENANT_NAME_MAX = 64 };

static enum err check_name(struct call *c, struct str name)
{
    bool good = name.n > 0 && name.n <= TENANT_NAME_MAX;
    for (size_t i = 0; i < name.n; i++) {
        char ch = name.p[i];
        good &= (ch >= 'a' && ch <= 'z') || (ch >= '0' && ch <= '9') ||
                (i > 0 && (ch == '-' || ch == '_' || ch == '.'));
    }
    if (good)
        return OK;
    buf_set(
        c->why,
        "'%.*s' cannot be a tenant's name: 1 to %d of a-z, 0-9, and after the first also '-', '_' and '.'",
        STR_ARG(name), TENANT_NAME_MAX);
    return ERR_USAGE;
}

static int64_t count_of(struct call *c, const char *sql, int64_t id)
{
    struct db_query *q = db_query(c->db, sql);
    db_bind_int(q, id);
    int64_t n;
    return db_get_int(q, &n, NULL) ? 0 : n;
}

static json_t *senders_of(struct call *c, int64_t id)
{
    json_t *list = json_array();
    struct db_query *q = db_query(c->db, "SELECT domain FROM sender WHERE tenant_id = $1 ORDER BY domain");
    db_bind_int(q, id);
    while (db_next(q))
        json_array_append_new(list, json_of(db_text(q, 0)));
    (void)!db_end(q, NULL);
    return list;
}

static json_t *describe(struct call *c, int64_t id, struct str name, int64_t created_ms)
{
    json_t *o = json_object();
    json_object_set_new(o, "tenant", json_of(name));
    json_object_set_new(o, "domains",
                        json_integer(count_of(c, "SELECT COUNT(*) FROM domain WHERE tenant_id = $1", id)));
    json_object_set_new(
        o, "relays",
        json_integer(count_of(c, "SELECT COUNT(*) FROM relay_network WHERE tenant_id = $1", id) +
                     count_of(c, "SELECT COUNT(*) FROM relay_certificate WHERE tenant_id = $1", id)));
    json_object_set_new(o, "sender_domains", senders_of(c, id));
    json_object_set_new(o, "created", json_time(created_ms));
    return o;
}

static enum err describe_one(struct call *c, int64_t id)
{
    struct db_query *q = db_query(c->db, "SELECT name, created_ms FROM tenant WHERE id = $1");
    db_bind_int(q, id);
    if (db_next(q))
        c->result = describe(c, id, db_text(q, 0), db_int(q, 1));
    return db_end(q, c->why);
}

enum err verb_tenant_list(struct call *c)
{
    c->result = json_array();
    struct db_query *q = db_query(c->db, "SELECT id, name, created_ms FROM tenant ORDER BY name");
    while (db_next(q))
        json_array_append_new(c->result, describe(c, db_int(q, 0), db_text(q, 1), db_int(q, 2)));
    return db_end(q, c->why);
}

static enum err named(struct call *c, struct str *name, int64_t *id)
{
    enum err e = arg_need(c, "tenant", name);
    return e ? e : tenant_id_of(c, *name, TENANT_ONE, id);
}

enum err verb_tenant_show(struct call *c)
{
    struct str name;
    int64_t id;
    enum err e = named(c, &name, &id);
    return e ? e : describe_one(c, id);
}

static enum err add_senders(struct call *c, int64_t id)
{
    for (size_t i = 0; i < arg_count(c, "sender_domain"); i++) {
        struct str domain;
        enum err e = name_normal(c, arg_at(c, "sender_domain", i), &domain);
        if (e)
            return e;
        struct db_query *q = db_query(c->db, "INSERT INTO sender (tenant_id, domain) VALUES ($1, $2) ON "
                                             "CONFLICT (tenant_id, domain) DO NOTHING");
        db_bind_int(q, id);
        db_bind_text(q, domain);
        int64_t changed;
        e = db_run(q, &changed, c->why);
        if (!e && changed)
            e = change_note(c, CHANGE_SENDER, id_text(c->a, id), domain);
        if (e)
            return e;
    }
    return OK;
}

static enum err remove_senders(struct call *c, int64_t id)
{
    for (size_t i = 0; i < arg_count(c, "no_sender_domain"); i++) {
        struct str domain;
        enum err e = name_normal(c, arg_at(c, "no_sender_domain", i), &domain);
        if (e)
            return e;
        struct db_query *q = db_query(c->db, "DELETE FROM sender WHERE tenant_id = $1 AND domain = $2");
        db_bind_int(q, id);
        db_bind_text(q, domain);
        int64_t changed;
        e = db_run(q, &changed, c->why);
        if (e)
            return e;
        if (!changed) {
            buf_set(c->why, "'%.*s' is not a sender domain of this tenant", STR_ARG(domain));
            return ERR_NOT_FOUND;
        }
        e = change_note(c, CHANGE_SENDER, id_text(c->a, id), domain);
        if (e)
            return e;
    }
    return OK;
}

static enum err insert_tenant(struct call *c, struct str name, int64_t *id)
{
    enum err e = check_name(c, name);
    if (!e)
        e = new_id(c, id);
    if (e)
        return e;
    struct db_query *q = db_query(c->db, "INSERT INTO tenant (id, name, created_ms) VALUES ($1, $2, $3)");
    db_bind_int(q, *id);
    db_bind_text(q, name);
    db_bind_int(q, clock_wall());
    e = db_run(q, NULL, c->why);
    return e ? e : change_note(c, CHANGE_TENANT, id_text(c->a, *id), STR_NONE);
}

enum err verb_tenant_add(struct call *c)
{
    struct str name;
    int64_t id;
    enum err e = arg_need(c, "tenant", &name);
    if (e)
        return e;
    e = tenant_id_of(c, name, TENANT_ONE, &id); /* adding what is there already is fine */
    if (e == ERR_NOT_FOUND)
        e = insert_tenant(c, name, &id);
    if (!e)
        e = add_senders(c, id);
    return e ? e : describe_one(c, id);
}

static enum err rename_tenant(struct call *c, int64_t id, struct str name)
{
    enum err e = check_name(c, name);
    if (e)
        return e;
    struct db_query *q = db_query(c->db, "UPDATE tenant SET name = $1 WHERE id = $2");
    db_bind_text(q, name);
    db_bind_int(q, id);
    e = db_run(q, NULL, c->why);
    if (e == ERR_EXISTS)
        buf_set(c->why, "there is a tenant '%.*s' already", STR_ARG(name));
    return e ? e : change_note(c, CHANGE_TENANT, id_text(c->a, id), STR_NONE);
}

enum err verb_tenant_set(struct call *c)
{
    struct str name;
    int64_t id;
    enum err e = named(c, &name, &id);
    if (!e && arg_has(c, "rename"))
        e = rename_tenant(c, id, arg_text(c, "rename"));
    if (!e)
        e = add_senders(c, id);
    if (!e)
        e = remove_senders(c, id);
    return e ? e : describe_one(c, id);
}

/* Notes and deletes every row of a table that belongs to the tenant. $1 epoch (in notes), $1 id (in deletes).
 */
static enum err sweep(struct call *c, const char *note_sql, const char *delete_sql, int64_t id)
{
    struct db_query *q = db_query(c->db, note_sql);
    db_bind_int(q, c->epoch);
    db_bind_int(q, id);
    enum err e = db_run(q, NULL, c->why);
    if (e || !delete_sql)
        return e;
    q = db_query(c->db, delete_sql);
    db_bind_int(q, id);
    return db_run(q, NULL, c->why);
}

enum err verb_tenant_remove(struct call *c)
{
    struct str name;
    int64_t id;
    enum err e = named(c, &name, &id);
    if (e)
        return e;
    int64_t domains = count_of(c, "SELECT COUNT(*) FROM domain WHERE tenant_id = $1", id);
    if (domains && !arg_is_set(c, "force")) {
        buf_set(c->why,
                "tenant '%.*s' has %lld accepted domain(s), and mail for them would be refused; remove them "
                "first "
                "(\"kedge domain list --tenant %.*s\"), or say --force",
                STR_ARG(name), (long long)domains, STR_ARG(name));
        return ERR_REFUSED;
    }
    e = describe_one(c, id);
    if (!e)
        e = change_note(c, CHANGE_TENANT, id_text(c->a, id), STR_NONE);
    if (!e)
        e = mx_host_leave_tenant(c, id);
    static const char *const sweeps[][2] = {
        {"INSERT INTO change (epoch, kind, key1, key2) SELECT $1, 'recipient', r.domain, r.local_part FROM "
         "recipient r"
         " JOIN domain d ON d.name = r.domain WHERE d.tenant_id = $2",
         NULL},
        {"INSERT INTO change (epoch, kind, key1, key2) SELECT $1, 'domain', name, '' FROM domain WHERE "
         "tenant_id = $2",
         "DELETE FROM domain WHERE tenant_id = $1"},
        {"INSERT INTO change (epoch, kind, key1, key2) SELECT $1, 'sender', CAST(tenant_id AS TEXT), domain "
         "FROM sender"
         " WHERE tenant_id = $2",
         "DELETE FROM sender WHERE tenant_id = $1"},
        {"INSERT INTO change (epoch, kind, key1, key2) SELECT $1, 'network', network, '' FROM relay_network"
         " WHERE tenant_id = $2",
         "DELETE FROM relay_network WHERE tenant_id = $1"},
        {"INSERT INTO change (epoch, kind, key1, key2) SELECT $1, 'certificate', sha256, '' FROM "
         "relay_certificate"
         " WHERE tenant_id = $2",
         "DELETE FROM relay_certificate WHERE tenant_id = $1"},
        {"INSERT INTO change (epoch, kind, key1, key2) SELECT $1, 'mode', CAST(tenant_id AS TEXT), domain "
         "FROM mode_rule"
         " WHERE tenant_id = $2",
         "DELETE FROM mode_rule WHERE tenant_id = $1"},
        {"INSERT INTO change (epoch, kind, key1, key2) SELECT $1, 'route', CAST(tenant_id AS TEXT), domain "
         "FROM route"
         " WHERE tenant_id = $2",
         "DELETE FROM route WHERE tenant_id = $1"},
    };
    for (size_t i = 0; !e && i < sizeof sweeps / sizeof *sweeps; i++)
        e = sweep(c, sweeps[i][0], sweeps[i][1], id);
    if (e)
        return e;
    struct db_query *q = db_query(c->db, "DELETE FROM tenant WHERE id = $1");
    db_bind_int(q, id);
    return db_run(q, NULL, c->why);
}
