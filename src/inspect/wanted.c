#include "inspect/wanted.h"

#include "keys/gate.h"
#include "tenant/allocate.h"

static enum err load_row(struct call *c, struct facts *f)
{
    struct db_query *q = db_query(c->db, "SELECT t.name, d.mx_host, d.dnssec, d.dane FROM domain d"
                                         " JOIN tenant t ON t.id = d.tenant_id WHERE d.name = $1");
    db_bind_text(q, f->domain);
    bool found = db_next(q);
    if (found) {
        f->tenant = arena_str(f->arena, db_text(q, 0));
        f->expected = arena_str(f->arena, db_text(q, 1));
        f->dnssec = db_int(q, 2);
        f->dane = db_int(q, 3);
        f->is_named = f->expected.n && !f->dnssec;
    }
    enum err e = db_end(q, c->why);
    if (e || found)
        return e;
    buf_set(c->why, "'%.*s' is not an accepted domain; \"kedge domain list\" shows those there are",
            STR_ARG(f->domain));
    return ERR_NOT_FOUND;
}

/* Where we receive: the addresses of the MX zone's edge group, or of all groups. */
static enum err load_edges(struct call *c, struct facts *f)
{
    static const char from[] = " FROM edge_address WHERE $1 = '' OR edge_group ="
                               " (SELECT edge_group FROM zone WHERE name = $1)";
    struct buf sql = {0};
    int64_t count = 0;
    buf_printf(&sql, "SELECT COUNT(*)%s", from);
    struct db_query *q = db_query(c->db, buf_cstr(&sql));
    db_bind_text(q, f->mx_zone);
    enum err e = db_get_int(q, &count, c->why);
    buf_set(&sql, "SELECT address%s", from);
    f->edges = ARENA_ARRAY(f->arena, struct addr, (size_t)count + 1);
    if (!e) {
        q = db_query(c->db, buf_cstr(&sql));
        db_bind_text(q, f->mx_zone);
        while (f->edge_count < (size_t)count && db_next(q))
            f->edge_count += addr_parse_ip(db_text(q, 0), &f->edges[f->edge_count]);
        e = db_end(q, c->why);
    }
    buf_release(&sql);
    return e;
}

static enum err load_keys(struct call *c, struct facts *f, int64_t key_set)
{
    f->keys = ARENA_ARRAY(f->arena, struct facts_key, GATE_KEYS_MAX);
    struct db_query *q =
        db_query(c->db, "SELECT algorithm, state, spki_sha256 FROM gate_key WHERE key_set_id = $1"
                        " AND state IN ('published', 'ready', 'active', 'retiring')");
    db_bind_int(q, key_set);
    while (f->key_count < GATE_KEYS_MAX && db_next(q)) {
        struct facts_key *k = &f->keys[f->key_count];
        struct str state = db_text(q, 1), spki = db_text(q, 2);
        if (spki.n != sizeof k->spki)
            continue;
        k->is_rsa = str_equal(db_text(q, 0), STR("rsa"));
        k->is_active = str_equal(state, STR("active"));
        k->is_next = str_equal(state, STR("published")) || str_equal(state, STR("ready"));
        memcpy(k->spki, spki.p, spki.n);
        f->key_count++;
    }
    return db_end(q, c->why);
}

static enum err load_protection(struct call *c, struct facts *f)
{
    struct db_query *q = db_query(c->db, "SELECT protected_ms, lost_ms FROM protection WHERE domain = $1");
    db_bind_text(q, f->domain);
    if (db_next(q)) {
        f->protected_ms = db_int(q, 0);
        f->lost_ms = db_int(q, 1);
    }
    return db_end(q, c->why);
}

enum err wanted_load(struct call *c, struct str domain, struct facts *f)
{
    struct mx_host host = {0};
    f->domain = arena_str(f->arena, domain);
    f->hostname = arena_str(f->arena, str_of(c->hostname));
    enum err e = load_row(c, f);
    if (e)
        return e;
    e = mx_host_of(c, domain, &host);
    if (!e) {
        f->is_allocated = true;
        f->mx_zone = arena_str(f->arena, host.zone);
        f->expected = arena_str(f->arena, host.name);
    } else if (e != ERR_NOT_FOUND) {
        return e;
    }
    if (!f->expected.n)
        f->expected = f->hostname;
    e = load_edges(c, f);
    if (!e)
        e = load_keys(c, f, host.key_set_id);
    return e ? e : load_protection(c, f);
}

struct wanted_seen wanted_seen_of(const struct facts *f)
{
    struct wanted_seen seen = {.domain = f->domain, .now_ms = f->now_ms, .what = SEEN_UNPROTECTED};
    if (facts_is_unknown(f))
        seen.what = SEEN_NOTHING;
    else if (facts_is_protected(f))
        seen.what = SEEN_PROTECTED;
    else if (!facts_dane_is_wanted(f))
        seen.what = SEEN_GIVEN_UP;
    return seen;
}

enum err wanted_remember(struct call *c, const struct wanted_seen *seen)
{
    struct db_query *q;
    if (seen->what == SEEN_NOTHING)
        return OK;
    if (seen->what == SEEN_PROTECTED) {
        q = db_query(
            c->db, "INSERT INTO protection (protected_ms, lost_ms, domain) SELECT $1, 0, name FROM domain"
                   " WHERE name = $2 ON CONFLICT (domain) DO UPDATE SET protected_ms = excluded.protected_ms,"
                   " lost_ms = 0");
    } else if (seen->what == SEEN_GIVEN_UP) { /* not lost */
        q = db_query(c->db, "DELETE FROM protection WHERE $1 > 0 AND domain = $2");
    } else {
        q = db_query(c->db, "UPDATE protection SET lost_ms = $1 WHERE domain = $2 AND lost_ms = 0");
    }
    db_bind_int(q, seen->now_ms);
    db_bind_text(q, seen->domain);
    return db_run(q, NULL, c->why);
}

enum err wanted_switch_load(struct call *c, struct str domain, struct arena *a, struct switch_memory *m)
{
    *m = (struct switch_memory){0};
    struct db_query *q = db_query(c->db, "SELECT memory FROM switch_memory WHERE domain = $1");
    db_bind_text(q, domain);
    if (db_next(q)) {
        struct str text = db_text(q, 0);
        json_t *j = json_loadb(text.p, text.n, 0, NULL);
        switch_memory_read(j, a, m);
        json_decref(j);
    }
    return db_end(q, c->why);
}

enum err wanted_switch_save(struct call *c, struct str domain, const struct switch_memory *m)
{
    json_t *j = switch_memory_json(m);
    char *text = must_alloc(json_dumps(j, JSON_COMPACT));
    struct db_query *q =
        db_query(c->db, "INSERT INTO switch_memory (memory, domain) SELECT $1, name FROM domain"
                        " WHERE name = $2 ON CONFLICT (domain) DO UPDATE SET memory = excluded.memory");
    db_bind_text(q, str_of(text));
    db_bind_text(q, domain);
    free(text);
    json_decref(j);
    return db_run(q, NULL, c->why);
}

enum err wanted_switch_forget(struct call *c, struct str domain)
{
    struct db_query *q = db_query(c->db, "DELETE FROM switch_memory WHERE domain = $1");
    db_bind_text(q, domain);
    return db_run(q, NULL, c->why);
}
