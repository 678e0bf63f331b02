/* The MX zones: where their primary is, how updates are signed, what their hosts get. What is in them and
 * how it gets there is the module zone's. */
#include "dns/name.h"
#include "tenant/verbs_priv.h"
#include "tenant/zone_args.h"

enum {
    CAPACITY = 5000,
    TLSA_TTL = 1800,
    ADDRESS_TTL = 3600,
    LABELS_MAX = 63 + 1 + 9 + 1, /* "_25._tcp." and the host's label go in front */
};

#define COLUMNS                                                                                              \
    "name, primary_address, tsig_name, tsig_algorithm, tsig_secret, edge_group, capacity, tlsa_ttl, "        \
    "address_ttl,"                                                                                           \
    " tlsa_per_host, is_open"

static enum err load(struct call *c, struct str name, struct zone_args *out)
{
    struct db_query *q = db_query(c->db, "SELECT " COLUMNS " FROM zone WHERE name = $1");
    db_bind_text(q, name);
    bool found = db_next(q);
    if (found)
        *out = (struct zone_args){.name = arena_str(c->a, db_text(q, 0)),
                                  .primary = arena_str(c->a, db_text(q, 1)),
                                  .tsig_name = arena_str(c->a, db_text(q, 2)),
                                  .tsig_algorithm = arena_str(c->a, db_text(q, 3)),
                                  .tsig_secret = arena_str(c->a, db_text(q, 4)),
                                  .edge_group = arena_str(c->a, db_text(q, 5)),
                                  .capacity = db_int(q, 6),
                                  .tlsa_ttl = db_int(q, 7),
                                  .address_ttl = db_int(q, 8),
                                  .tlsa_per_host = db_int(q, 9) != 0,
                                  .is_open = db_int(q, 10) != 0};
    enum err e = db_end(q, c->why);
    return e ? e : found ? OK : ERR_NOT_FOUND;
}

static int64_t count(struct call *c, struct str zone, const char *state)
{
    struct db_query *q =
        db_query(c->db, "SELECT COUNT(*) FROM mx_host WHERE state = $1 AND zone_id IN (SELECT id "
                        "FROM zone WHERE name = $2)");
    db_bind_text(q, str_of(state));
    db_bind_text(q, zone);
    int64_t n;
    return db_get_int(q, &n, NULL) ? 0 : n;
}

/* Never the secret. */
static json_t *describe(struct call *c, const struct zone_args *z)
{
    json_t *o = json_object();
    json_object_set_new(o, "zone", json_of(z->name));
    json_object_set_new(o, "primary", json_of(z->primary));
    json_object_set_new(o, "tsig", z->tsig_name.n ? json_of(z->tsig_name) : json_null());
    json_object_set_new(o, "algorithm", z->tsig_name.n ? json_of(z->tsig_algorithm) : json_null());
    json_object_set_new(o, "edge_group", json_of(z->edge_group));
    json_object_set_new(o, "open", json_boolean(z->is_open));
    json_object_set_new(o, "capacity", json_integer(z->capacity));
    json_object_set_new(o, "hosts", json_integer(count(c, z->name, "live")));
    json_object_set_new(o, "leaving", json_integer(count(c, z->name, "leaving")));
    json_object_set_new(o, "quarantined", json_integer(count(c, z->name, "quarantined")));
    json_object_set_new(o, "ttl", json_integer(z->tlsa_ttl));
    json_object_set_new(o, "address_ttl", json_integer(z->address_ttl));
    json_object_set_new(o, "tlsa", json_string(z->tlsa_per_host ? "host" : "alias"));
    return o;
}

enum err verb_zone_list(struct call *c)
{
    c->result = json_array();
    struct db_query *q = db_query(c->db, "SELECT name FROM zone ORDER BY name");
    enum err e = OK;
    while (!e && db_next(q)) {
        struct zone_args z;
        e = load(c, arena_str(c->a, db_text(q, 0)), &z);
        if (!e)
            json_array_append_new(c->result, describe(c, &z));
    }
    enum err ended = db_end(q, e ? NULL : c->why);
    return e ? e : ended;
}

static enum err named(struct call *c, struct str *name)
{
    struct str text;
    enum err e = arg_need(c, "zone", &text);
    return e ? e : name_normal(c, text, name);
}

static enum err load_named(struct call *c, struct zone_args *out)
{
    struct str name;
    enum err e = named(c, &name);
    if (!e && (e = load(c, name, out)) == ERR_NOT_FOUND)
        buf_set(c->why, "there is no MX zone '%.*s'; \"kedge zone list\" shows those there are",
                STR_ARG(name));
    return e;
}

enum err verb_zone_show(struct call *c)
{
    struct zone_args z;
    enum err e = load_named(c, &z);
    if (!e)
        c->result = describe(c, &z);
    return e;
}

static void bind_columns(struct db_query *q, const struct zone_args *z)
{
    db_bind_text(q, z->name);
    db_bind_text(q, z->primary);
    db_bind_text(q, z->tsig_name);
    db_bind_text(q, z->tsig_algorithm);
    db_bind_blob(q, z->tsig_secret);
    db_bind_text(q, z->edge_group);
    db_bind_int(q, z->capacity);
    db_bind_int(q, z->tlsa_ttl);
    db_bind_int(q, z->address_ttl);
    db_bind_int(q, z->tlsa_per_host);
    db_bind_int(q, z->is_open);
}

static bool same(const struct zone_args *a, const struct zone_args *b)
{
    return str_equal(a->primary, b->primary) && str_equal(a->tsig_name, b->tsig_name) &&
           str_equal(a->tsig_algorithm, b->tsig_algorithm) && str_equal(a->tsig_secret, b->tsig_secret) &&
           str_equal(a->edge_group, b->edge_group) && a->capacity == b->capacity &&
           a->tlsa_ttl == b->tlsa_ttl && a->address_ttl == b->address_ttl &&
           a->tlsa_per_host == b->tlsa_per_host && a->is_open == b->is_open;
}

static enum err insert(struct call *c, const struct zone_args *z)
{
    int64_t id;
    if (z->name.n > DNS_NAME_MAX - LABELS_MAX) {
        buf_set(c->why, "'%.*s' is too long for an MX zone: names in it need %d octets more",
                STR_ARG(z->name), LABELS_MAX);
        return ERR_USAGE;
    }
    if (!z->primary.n) {
        buf_set(c->why, "--primary ADDRESS:PORT is missing: the server that takes updates of the zone");
        return ERR_USAGE;
    }
    enum err e = new_id(c, &id);
    if (e)
        return e;
    struct db_query *q = db_query(
        c->db, "INSERT INTO zone (" COLUMNS
               ", id, hosts, created_ms) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, $13)");
    bind_columns(q, z);
    db_bind_int(q, id);
    db_bind_int(q, clock_wall());
    return db_run(q, NULL, c->why);
}

enum err verb_zone_add(struct call *c)
{
    struct str name;
    enum err e = named(c, &name);
    if (e)
        return e;
    struct zone_args before, z = {.name = name,
                                  .capacity = CAPACITY,
                                  .tlsa_ttl = TLSA_TTL,
                                  .address_ttl = ADDRESS_TTL,
                                  .is_open = true};
    e = load(c, name, &before);
    if (e && e != ERR_NOT_FOUND)
        return e;
    bool exists = !e;
    if (exists)
        z = before;
    e = zone_args_read(c, &z);
    if (!e && exists && !same(&z, &before)) {
        buf_set(c->why, "'%.*s' is an MX zone already; change it with \"kedge zone set\"", STR_ARG(name));
        e = ERR_EXISTS;
    }
    if (!e && !exists)
        e = insert(c, &z);
    if (!e)
        c->result = describe(c, &z);
    return e;
}

enum err verb_zone_set(struct call *c)
{
    struct zone_args z;
    enum err e = load_named(c, &z);
    if (!e)
        e = zone_args_read(c, &z);
    if (e)
        return e;
    struct db_query *q = db_query(
        c->db, "UPDATE zone SET name = $1, primary_address = $2, tsig_name = $3, tsig_algorithm = $4,"
               " tsig_secret = $5, edge_group = $6, capacity = $7, tlsa_ttl = $8, address_ttl = $9,"
               " tlsa_per_host = $10, is_open = $11 WHERE name = $1");
    bind_columns(q, &z);
    e = db_run(q, NULL, c->why);
    if (!e)
        c->result = describe(c, &z);
    return e;
}

/* TLSA RRsets that servers or caches may still have: the gate follows them only while the zone is here. */
static bool may_be_cached(struct call *c, struct str zone)
{
    int64_t n;
    struct db_query *q = db_query(
        c->db, "SELECT COUNT(*) FROM tlsa_rrset WHERE zone_id IN (SELECT id FROM zone WHERE name = $1)");
    db_bind_text(q, zone);
    return db_get_int(q, &n, NULL) || n > 0;
}

/* Labels in quarantine are forgotten with their zone, so it takes a word more. */
static enum err may_remove(struct call *c, const struct zone_args *z)
{
    int64_t hosts = count(c, z->name, "live") + count(c, z->name, "leaving"),
            quarantined = count(c, z->name, "quarantined");
    if (hosts)
        buf_set(c->why,
                "zone '%.*s' has %lld MX host(s) that are published; first: kedge domain dnssec disable",
                STR_ARG(z->name), (long long)hosts);
    else if (may_be_cached(c, z->name) && !arg_is_set(c, "force"))
        buf_set(
            c->why,
            "servers or caches may still have TLSA records of zone '%.*s'; the gate looks after them until "
            "two "
            "TTLs after the last server has shown them. Try later, or leave them to themselves with --force",
            STR_ARG(z->name));
    else if (quarantined && !arg_is_set(c, "force"))
        buf_set(c->why,
                "zone '%.*s' keeps %lld label(s) from being given to another tenant; with --force they are "
                "forgotten",
                STR_ARG(z->name), (long long)quarantined);
    else
        return OK;
    return ERR_REFUSED;
}

enum err verb_zone_remove(struct call *c)
{
    struct zone_args z;
    enum err e = load_named(c, &z);
    if (!e)
        e = may_remove(c, &z);
    if (e)
        return e;
    c->result = describe(c, &z);
    struct db_query *q =
        db_query(c->db, "DELETE FROM mx_host WHERE zone_id IN (SELECT id FROM zone WHERE name = $1)");
    db_bind_text(q, z.name);
    e = db_run(q, NULL, c->why);
    if (e)
        return e;
    q = db_query(c->db, "DELETE FROM zone WHERE name = $1");
    db_bind_text(q, z.name);
    return db_run(q, NULL, c->why);
}
