#include "zone/load.h"

static bool row_read(struct db_query *q, struct arena *a, struct zone_row *out)
{
    *out =
        (struct zone_row){.id = db_int(q, 0),
                          .name = arena_str(a, db_text(q, 1)),
                          .key = {.name = arena_str(a, db_text(q, 3)), .secret = arena_str(a, db_text(q, 5))},
                          .edge_group = arena_str(a, db_text(q, 6)),
                          .capacity = db_int(q, 7),
                          .tlsa_ttl = (uint32_t)db_int(q, 8),
                          .address_ttl = (uint32_t)db_int(q, 9),
                          .tlsa_per_host = db_int(q, 10) != 0,
                          .is_open = db_int(q, 11) != 0,
                          .hosts_version = db_int(q, 12)};
    return addr_parse(db_text(q, 2), 53, &out->primary) &&
           (!out->key.name.n || tsig_algorithm_parse(db_text(q, 4), &out->key.algorithm));
}

enum err zone_load_rows(struct call *c, struct arena *a, struct zone_row **out, size_t *n)
{
    int64_t count;
    *n = 0;
    enum err e = db_get_int(db_query(c->db, "SELECT COUNT(*) FROM zone"), &count, c->why);
    if (e)
        return e;
    *out = ARENA_ARRAY(a, struct zone_row, (size_t)count);
    bool good = true;
    struct db_query *q = db_query(
        c->db,
        "SELECT id, name, primary_address, tsig_name, tsig_algorithm, tsig_secret, edge_group, capacity,"
        " tlsa_ttl, address_ttl, tlsa_per_host, is_open, hosts_version FROM zone ORDER BY name");
    while (good && *n < (size_t)count && db_next(q))
        good = row_read(q, a, &(*out)[(*n)++]);
    e = db_end(q, c->why);
    if (e || good)
        return e;
    buf_set(c->why, "a zone in the database makes no sense; was it edited by hand?");
    return ERR_CORRUPT;
}

static enum err read_addresses(struct call *c, struct arena *a, struct str edge_group, struct zone_spec *out)
{
    int64_t count;
    struct db_query *q = db_query(c->db, "SELECT COUNT(*) FROM edge_address WHERE edge_group = $1");
    db_bind_text(q, edge_group);
    enum err e = db_get_int(q, &count, c->why);
    if (e)
        return e;
    struct addr *addresses = ARENA_ARRAY(a, struct addr, (size_t)count);
    q = db_query(c->db, "SELECT address FROM edge_address WHERE edge_group = $1 ORDER BY address");
    db_bind_text(q, edge_group);
    while (out->address_n < (size_t)count && db_next(q))
        out->address_n += addr_parse_ip(db_text(q, 0), &addresses[out->address_n]);
    out->addresses = addresses;
    return db_end(q, c->why);
}

static size_t group_of(const struct zone_group *groups, size_t n, int64_t key_set)
{
    for (size_t g = 0; g < n; g++)
        if (groups[g].key_set_id == key_set)
            return g;
    return SIZE_MAX;
}

enum err zone_load_hosts(struct call *c, struct arena *a, const struct zone_row *row, struct zone_spec *out)
{
    int64_t count;
    struct db_query *q = db_query(c->db, "SELECT COUNT(*) FROM mx_host WHERE zone_id = $1");
    db_bind_int(q, row->id);
    enum err e = db_get_int(q, &count, c->why);
    if (e)
        return e;
    struct zone_host *hosts = ARENA_ARRAY(a, struct zone_host, (size_t)count);
    q = db_query(c->db,
                 "SELECT label, state, dane, key_set_id FROM mx_host WHERE zone_id = $1 ORDER BY label");
    db_bind_int(q, row->id);
    while (out->host_n < (size_t)count && db_next(q))
        hosts[out->host_n++] = (struct zone_host){.label = arena_str(a, db_text(q, 0)),
                                                  .is_gone = str_equal(db_text(q, 1), STR("quarantined")),
                                                  .dane = db_int(q, 2) != 0,
                                                  .group = group_of(out->groups, out->group_n, db_int(q, 3))};
    out->hosts = hosts;
    return db_end(q, c->why);
}

enum err zone_load_spec(struct call *c, struct arena *a, const struct zone_row *row,
                        const struct zone_group *groups, size_t group_n, struct zone_spec *out)
{
    *out = (struct zone_spec){.name = row->name,
                              .address_ttl = row->address_ttl,
                              .tlsa_ttl = row->tlsa_ttl,
                              .tlsa_per_host = row->tlsa_per_host,
                              .groups = groups,
                              .group_n = group_n};
    return read_addresses(c, a, row->edge_group, out);
}
