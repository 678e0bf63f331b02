/* What edges say of themselves. Confirmations come every few seconds: they go to the board, and to the
 * database only when they differ or have not been written for a while. */
#include "keys/store.h"
#include "keys/verbs_priv.h"

enum { SERVED_MAX = 4096, WRITE_EVERY_MS = 60000 };
#define DEFAULT_GROUP "default"

struct confirmation {
    struct str edge;
    int64_t key_epoch;
    struct board_served *served;
    int64_t *pair;
    size_t n;
    bool differs;
};

static bool take_digest(const json_t *o, const char *name, uint8_t out[32])
{
    struct buf bytes = {0};
    struct str hex = str_of(json_string_value(json_object_get(o, name)));
    bool good = hex_decode(&bytes, hex) && bytes.n == 32;
    if (good)
        memcpy(out, bytes.p, 32);
    buf_release(&bytes);
    return good;
}

static bool take_served(const json_t *o, struct board_served *served, int64_t *pair)
{
    const json_t *set = json_object_get(o, "key_set"), *id = json_object_get(o, "pair"),
                 *issuer = json_object_get(o, "issuer_spki_sha256");
    *served = (struct board_served){.key_set = json_integer_value(set)};
    *pair = json_integer_value(id);
    served->is.has_ta = json_is_string(issuer);
    return json_is_integer(set) && json_is_integer(id) && take_digest(o, "spki_sha256", served->is.spki) &&
           (!served->is.has_ta || take_digest(o, "issuer_spki_sha256", served->is.ta)) &&
           gate_algorithm_parse(str_of(json_string_value(json_object_get(o, "algorithm"))),
                                &served->is.algorithm);
}

static enum err read_confirmation(struct call *c, struct confirmation *out)
{
    const json_t *serves = json_object_get(c->args, "serves");
    struct str name;
    enum err e = arg_need(c, "edge", &name);
    if (!e)
        e = name_normal(c, name, &out->edge);
    if (e)
        return e;
    out->key_epoch = json_integer_value(json_object_get(c->args, "key_epoch"));
    bool good = json_is_array(serves) && json_array_size(serves) <= SERVED_MAX;
    size_t most = good ? json_array_size(serves) : 0;
    out->served = ARENA_ARRAY(c->a, struct board_served, most);
    out->pair = ARENA_ARRAY(c->a, int64_t, most);
    for (; good && out->n < most; out->n++)
        good = take_served(json_array_get(serves, out->n), &out->served[out->n], &out->pair[out->n]);
    if (good)
        return OK;
    buf_set(c->why, "edge %.*s does not say what it serves in a way that is understood", STR_ARG(out->edge));
    return ERR_USAGE;
}

static enum err written_at(struct call *c, struct str edge, int64_t *ms)
{
    struct db_query *q = db_query(c->db, "SELECT confirmed_ms FROM edge WHERE name = $1");
    db_bind_text(q, edge);
    return db_get_int(q, ms, c->why);
}

/* A newcomer may serve only what there is: anything else is not an edge of ours. */
static enum err register_edge(struct call *c, const struct confirmation *f)
{
    for (size_t i = 0; i < f->n; i++) {
        int64_t one;
        struct db_query *q = db_query(c->db, "SELECT 1 FROM key_set WHERE id = $1");
        db_bind_int(q, f->served[i].key_set);
        enum err e = db_get_int(q, &one, c->why);
        if (e == ERR_NOT_FOUND)
            buf_set(c->why, "edge %.*s is not known here and serves key set %lld, which does not exist here",
                    STR_ARG(f->edge), (long long)f->served[i].key_set);
        if (e)
            return e == ERR_NOT_FOUND ? ERR_REFUSED : e;
    }
    struct db_query *q =
        db_query(c->db, "INSERT INTO edge_group (name, created_ms) VALUES ('" DEFAULT_GROUP "', $1)"
                        " ON CONFLICT (name) DO NOTHING");
    db_bind_int(q, clock_wall());
    enum err e = db_run(q, NULL, c->why);
    if (e)
        return e;
    q = db_query(c->db, "INSERT INTO edge (name, edge_group, key_epoch, confirmed_ms, created_ms)"
                        " VALUES ($1, '" DEFAULT_GROUP "', $2, $3, $4)");
    db_bind_text(q, f->edge);
    db_bind_int(q, f->key_epoch);
    db_bind_int(q, clock_wall());
    db_bind_int(q, clock_wall());
    log_event(LOG_INFO, "edge-registered", LOG_STR("edge", f->edge));
    return db_run(q, NULL, c->why);
}

static enum err write_served(struct call *c, const struct confirmation *f)
{
    struct db_query *q = db_query(c->db, "DELETE FROM edge_serves WHERE edge = $1");
    db_bind_text(q, f->edge);
    enum err e = db_run(q, NULL, c->why);
    for (size_t i = 0; !e && i < f->n; i++) {
        q = db_query(c->db,
                     "INSERT INTO edge_serves (edge, key_set_id, pair_id, algorithm, spki_sha256)"
                     " VALUES ($1, $2, $3, $4, $5) ON CONFLICT (edge, key_set_id, pair_id) DO NOTHING");
        db_bind_text(q, f->edge);
        db_bind_int(q, f->served[i].key_set);
        db_bind_int(q, f->pair[i]);
        db_bind_text(q, str_of(gate_algorithm_name(f->served[i].is.algorithm)));
        db_bind_blob(q, str_make((const char *)f->served[i].is.spki, sizeof f->served[i].is.spki));
        e = db_run(q, NULL, c->why);
    }
    return e;
}

static enum err needs_write(struct call *c, void *ctx)
{
    struct confirmation *f = ctx;
    int64_t ms = 0;
    enum err e = written_at(c, f->edge, &ms);
    f->differs |= e == ERR_NOT_FOUND || clock_wall() - ms > WRITE_EVERY_MS || ms > clock_wall();
    return e == ERR_NOT_FOUND ? OK : e;
}

static enum err write_confirmation(struct call *c, void *ctx)
{
    const struct confirmation *f = ctx;
    int64_t ms;
    enum err e = written_at(c, f->edge, &ms);
    if (e == ERR_NOT_FOUND)
        e = register_edge(c, f);
    if (e)
        return e;
    struct db_query *q = db_query(c->db, "UPDATE edge SET key_epoch = $1, confirmed_ms = $2 WHERE name = $3");
    db_bind_int(q, f->key_epoch);
    db_bind_int(q, clock_wall());
    db_bind_text(q, f->edge);
    e = db_run(q, NULL, c->why);
    return e ? e : write_served(c, f);
}

enum err verb_edge_confirm(struct call *c)
{
    struct confirmation f = {0};
    enum err e = read_confirmation(c, &f);
    if (e)
        return e;
    /* The board first: what an edge serves is a fact, whether or not it can be written down. */
    bool news = f.differs = board_confirm(c->context, f.edge, f.served, f.n);
    e = f.differs ? OK : tenant_transact(c->store, TENANT_READ, needs_write, &f, c->why);
    if (!e && f.differs)
        e = tenant_transact(c->store, TENANT_WRITE, write_confirmation, &f, c->why);
    if (e == ERR_REFUSED)
        board_forget_edge(c->context, f.edge);
    if (news && !e) {
        log_event(LOG_INFO, "edge-serves", LOG_STR("edge", f.edge), LOG_NUM("key_epoch", f.key_epoch),
                  LOG_NUM("keys", f.n));
        board_wake(c->context);
    }
    return e;
}
