#include "tenant/allocate.h"

#include "tenant/label.h"

#define HOST                                                                                                 \
    "SELECT h.zone_id, z.name, h.label, (SELECT COALESCE(MAX(s.id), 0) FROM key_set s WHERE s.id ="          \
    " h.key_set_id), h.dane FROM mx_host h JOIN zone z ON z.id = h.zone_id "

static bool host_read(struct call *c, struct db_query *q, struct mx_host *out)
{
    if (!db_next(q))
        return false;
    *out = (struct mx_host){.zone_id = db_int(q, 0),
                            .zone = arena_str(c->a, db_text(q, 1)),
                            .label = arena_str(c->a, db_text(q, 2)),
                            .key_set_id = db_int(q, 3),
                            .dane = db_int(q, 4) != 0};
    out->name = arena_printf(c->a, "%.*s.%.*s", STR_ARG(out->label), STR_ARG(out->zone));
    return true;
}

enum err mx_host_of(struct call *c, struct str domain, struct mx_host *out)
{
    struct db_query *q = db_query(c->db, HOST "WHERE h.domain = $1 AND h.state = 'live'");
    db_bind_text(q, domain);
    bool found = host_read(c, q, out);
    enum err e = db_end(q, c->why);
    return e ? e : found ? OK : ERR_NOT_FOUND;
}

static enum err note(struct call *c, const struct mx_host *h)
{
    return h->key_set_id ? change_note(c, CHANGE_KEY_NAME, h->name, STR_NONE) : OK;
}

/* Always the same for a label. Several share the hosts, so that a rollover does not concern all of them at
 * once. */
size_t mx_host_choose_key_set(struct str label, size_t count)
{
    return crc32c(0, label.p, label.n) % count;
}

/* A managed key set; 0 when there is none. */
static enum err choose_key_set(struct call *c, struct str label, int64_t *out)
{
    int64_t count;
    *out = 0;
    enum err e = db_get_int(db_query(c->db, "SELECT COUNT(*) FROM key_set WHERE grp <> ''"), &count, c->why);
    if (e || count == 0)
        return e;
    struct db_query *q =
        db_query(c->db, "SELECT id FROM key_set WHERE grp <> '' ORDER BY id LIMIT 1 OFFSET $1");
    db_bind_int(q, (int64_t)mx_host_choose_key_set(label, (size_t)count));
    return db_get_int(q, out, c->why);
}

/* The zone's MX hosts are others than before, and more of them by so many. */
static enum err note_hosts(struct call *c, int64_t zone, int64_t more)
{
    struct db_query *q = db_query(
        c->db, "UPDATE zone SET hosts = hosts + $1, hosts_version = hosts_version + 1 WHERE id = $2");
    db_bind_int(q, more);
    db_bind_int(q, zone);
    return db_run(q, NULL, c->why);
}

static enum err update(struct call *c, const struct mx_host *h, const char *state, int64_t until_ms)
{
    struct db_query *q =
        db_query(c->db, "UPDATE mx_host SET state = $1, until_ms = $2, dane = $3, key_set_id = "
                        "$4 WHERE zone_id = $5 AND label = $6");
    db_bind_text(q, str_of(state));
    db_bind_int(q, until_ms);
    db_bind_int(q, h->dane);
    db_bind_int(q, h->key_set_id);
    db_bind_int(q, h->zone_id);
    db_bind_text(q, h->label);
    enum err e = db_run(q, NULL, c->why);
    return e ? e : note_hosts(c, h->zone_id, 0);
}

/* The host that the domain had before, of the same tenant, back to life. ERR_NOT_FOUND when there is none. */
static enum err revive(struct call *c, struct str domain, int64_t tenant, struct str zone,
                       struct mx_host *out)
{
    struct db_query *q = db_query(c->db, HOST "WHERE h.domain = $1 AND h.tenant_id = $2 AND"
                                              " (z.name = $3 OR $3 = '') ORDER BY h.state, h.created_ms");
    db_bind_text(q, domain);
    db_bind_int(q, tenant);
    db_bind_text(q, zone);
    bool found = host_read(c, q, out);
    enum err e = db_end(q, c->why);
    if (e || !found)
        return e ? e : ERR_NOT_FOUND;
    q = db_query(c->db, "SELECT COUNT(*) FROM mx_host WHERE zone_id = $1 AND label = $2 AND state = "
                        "'quarantined'");
    db_bind_int(q, out->zone_id);
    db_bind_text(q, out->label);
    int64_t was_out;
    e = db_get_int(q, &was_out, c->why);
    if (!e && was_out)
        e = note_hosts(c, out->zone_id, 1);
    out->dane = false;
    if (!e && !out->key_set_id)
        e = choose_key_set(c, out->label, &out->key_set_id);
    if (!e)
        e = update(c, out, "live", 0);
    return e ? e : note(c, out);
}

static enum err no_zone(struct call *c, struct str zone)
{
    if (zone.n)
        buf_set(
            c->why,
            "zone '%.*s' takes no more MX hosts (it is missing, closed or full); \"kedge zone list\" shows "
            "those there are",
            STR_ARG(zone));
    else
        buf_set(c->why, "no MX zone takes more hosts: all are full or closed, or there is none; \"kedge zone "
                        "add\" makes one, \"kedge zone set --capacity\" makes room");
    return ERR_REFUSED;
}

static enum err choose_zone(struct call *c, struct str name, struct mx_host *out)
{
    struct db_query *q =
        db_query(c->db, "SELECT id, name FROM zone WHERE is_open = 1 AND hosts < capacity AND"
                        " (name = $1 OR $1 = '') ORDER BY hosts, id LIMIT 1");
    db_bind_text(q, name);
    bool found = db_next(q);
    if (found)
        *out = (struct mx_host){.zone_id = db_int(q, 0), .zone = arena_str(c->a, db_text(q, 1))};
    enum err e = db_end(q, c->why);
    return e ? e : found ? OK : no_zone(c, name);
}

/* False in *fresh when the label is somebody's already, now or in quarantine. */
static enum err insert(struct call *c, const struct mx_host *h, struct str domain, int64_t tenant,
                       bool *fresh)
{
    struct db_query *q = db_query(
        c->db, "INSERT INTO mx_host (zone_id, label, domain, tenant_id, key_set_id, dane, state, until_ms,"
               " created_ms) VALUES ($1, $2, $3, $4, $5, 0, 'live', 0, $6) ON CONFLICT (zone_id, label) DO "
               "NOTHING");
    int64_t changed;
    db_bind_int(q, h->zone_id);
    db_bind_text(q, h->label);
    db_bind_text(q, domain);
    db_bind_int(q, tenant);
    db_bind_int(q, h->key_set_id);
    db_bind_int(q, clock_wall());
    enum err e = db_run(q, &changed, c->why);
    *fresh = changed > 0;
    return e;
}

enum err mx_host_allocate(struct call *c, struct str domain, int64_t tenant, struct str zone,
                          struct mx_host *out)
{
    enum err e = revive(c, domain, tenant, zone, out);
    if (e != ERR_NOT_FOUND)
        return e;
    e = choose_zone(c, zone, out);
    bool fresh = false;
    for (unsigned attempt = 0; !e && !fresh && attempt < MX_LABEL_TRIES; attempt++) {
        out->label = mx_label(c->a, domain, attempt);
        e = choose_key_set(c, out->label, &out->key_set_id);
        if (!e)
            e = insert(c, out, domain, tenant, &fresh);
    }
    if (!e && !fresh) {
        buf_set(c->why, "no label of zone '%.*s' is left for '%.*s'", STR_ARG(out->zone), STR_ARG(domain));
        e = ERR_EXISTS;
    }
    if (!e)
        e = note_hosts(c, out->zone_id, 1);
    if (e)
        return e;
    out->name = arena_printf(c->a, "%.*s.%.*s", STR_ARG(out->label), STR_ARG(out->zone));
    return note(c, out);
}

enum err mx_host_set_dane(struct call *c, struct mx_host *h, bool dane)
{
    bool had_key_set = h->key_set_id != 0;
    enum err e = dane && !had_key_set ? choose_key_set(c, h->label, &h->key_set_id) : OK;
    if (!e && dane && !h->key_set_id) {
        buf_set(c->why,
                "there is no managed key set whose TLSA records could be published; make one: kedge key "
                "add --group g1");
        e = ERR_REFUSED;
    }
    h->dane = dane;
    if (!e)
        e = update(c, h, "live", 0);
    return e || had_key_set ? e : note(c, h);
}

/* Two TTLs, of the zone's longest. */
#define LEAVE                                                                                                \
    "UPDATE mx_host SET state = 'leaving', until_ms = $1 + 2000 * (SELECT CASE WHEN z.address_ttl > "        \
    "z.tlsa_ttl"                                                                                             \
    " THEN z.address_ttl ELSE z.tlsa_ttl END FROM zone z WHERE z.id = mx_host.zone_id)"                      \
    " WHERE state = 'live' AND "

enum err mx_host_leave(struct call *c, struct str domain, int64_t *until_ms)
{
    struct mx_host h;
    *until_ms = 0;
    enum err e = mx_host_of(c, domain, &h);
    if (e)
        return e == ERR_NOT_FOUND ? OK : e;
    struct db_query *q = db_query(c->db, LEAVE "domain = $2");
    db_bind_int(q, clock_wall());
    db_bind_text(q, domain);
    e = db_run(q, NULL, c->why);
    if (e)
        return e;
    q = db_query(c->db, "SELECT until_ms FROM mx_host WHERE zone_id = $1 AND label = $2");
    db_bind_int(q, h.zone_id);
    db_bind_text(q, h.label);
    return db_get_int(q, until_ms, c->why);
}

enum err mx_host_leave_tenant(struct call *c, int64_t tenant)
{
    struct db_query *q = db_query(c->db, LEAVE "tenant_id = $2");
    db_bind_int(q, clock_wall());
    db_bind_int(q, tenant);
    return db_run(q, NULL, c->why);
}

enum err mx_host_move(struct call *c, struct str domain, int64_t tenant)
{
    struct db_query *q =
        db_query(c->db, "UPDATE mx_host SET tenant_id = $1 WHERE domain = $2 AND state = 'live'");
    db_bind_int(q, tenant);
    db_bind_text(q, domain);
    return db_run(q, NULL, c->why);
}

enum err mx_host_expire(struct call *c, int64_t now_ms, int64_t *count)
{
    enum err e = OK;
    struct mx_host h;
    *count = 0;
    struct db_query *q = db_query(c->db, HOST "WHERE h.state = 'leaving' AND h.until_ms <= $1");
    db_bind_int(q, now_ms);
    while (!e && host_read(c, q, &h)) {
        ++*count;
        log_event(LOG_INFO, "mx-host-removed", LOG_STR("name", h.name));
        e = note(c, &h);
    }
    enum err ended = db_end(q, e ? NULL : c->why);
    if (e || ended || *count == 0)
        return e ? e : ended;
    q = db_query(c->db, "UPDATE mx_host SET state = 'quarantined', dane = 0, until_ms = 0"
                        " WHERE state = 'leaving' AND until_ms <= $1");
    db_bind_int(q, now_ms);
    e = db_run(q, NULL, c->why);
    return e ? e
             : db_run(db_query(c->db,
                               "UPDATE zone SET hosts_version = hosts_version + 1, hosts = (SELECT COUNT(*) "
                               "FROM mx_host h WHERE h.zone_id = zone.id AND h.state <> 'quarantined')"),
                      NULL, c->why);
}
