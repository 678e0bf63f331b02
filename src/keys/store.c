#include "keys/store.h"

#include "tls/pair.h"

enum { SELF_SIGNED_DAYS = 3650, ZONES_MAX = 64, DEFAULT_TTL_S = 1800 };

/* Rows of key_set. */

#define KEY_ROW "SELECT id, grp, is_default, keeps_next FROM key_set WHERE grp <> ''"

static struct key_row row_of(struct call *c, struct db_query *q)
{
    return (struct key_row){.id = db_int(q, 0),
                            .group = arena_str(c->a, db_text(q, 1)),
                            .is_default = db_int(q, 2) != 0,
                            .keeps_next = db_int(q, 3) != 0};
}

enum err keys_rows(struct call *c, struct key_row **rows, size_t *n)
{
    int64_t count;
    *n = 0;
    enum err e = db_get_int(db_query(c->db, "SELECT COUNT(*) FROM key_set WHERE grp <> ''"), &count, c->why);
    if (e)
        return e;
    *rows = ARENA_ARRAY(c->a, struct key_row, (size_t)count);
    struct db_query *q = db_query(c->db, KEY_ROW " ORDER BY id");
    while (*n < (size_t)count && db_next(q))
        (*rows)[(*n)++] = row_of(c, q);
    return db_end(q, c->why);
}

enum err keys_find(struct call *c, struct str text, struct key_row *row)
{
    uint32_t number = 0;
    (void)str_to_u32(text, &number);
    struct db_query *q = db_query(c->db, KEY_ROW " AND (id = $1 OR grp = $2)");
    db_bind_int(q, number);
    db_bind_text(q, text);
    bool found = db_next(q);
    if (found)
        *row = row_of(c, q);
    enum err e = db_end(q, c->why);
    return e ? e : found ? OK : ERR_NOT_FOUND;
}

/* The gate's memory between steps. */

static void pack_moment(struct buf *b, const struct gate_moment *m)
{
    buf_add_u64(b, m->boot);
    buf_add_u64(b, (uint64_t)m->wall_ms);
    buf_add_u64(b, (uint64_t)m->mono_ms);
}

static struct gate_moment unpack_moment(struct unpack *u)
{
    struct gate_moment m = {.boot = unpack_u64(u)};
    m.wall_ms = (int64_t)unpack_u64(u);
    m.mono_ms = (int64_t)unpack_u64(u);
    return m;
}

static void pack_memory(struct buf *b, const struct gate_set *s)
{
    pack_moment(b, &s->step);
    pack_moment(b, &s->servers);
    pack_moment(b, &s->edges);
    buf_add_u64(b, s->names);
    buf_add_u64(b, s->serials);
    buf_add_u64(b, (uint64_t)s->largest_ttl_ms);
    buf_add_u64(b, (uint64_t)s->lower_ttl_ms);
    buf_add_u64(b, (uint64_t)s->lower_for_ms);
    buf_add_u64(b, (uint64_t)s->no_ta_ms);
    buf_add_u64(b, s->is_ta_on);
}

/* An empty memory is that of a new set. */
static bool unpack_memory(struct str bytes, struct gate_set *s)
{
    struct unpack u = {.rest = bytes};
    if (!bytes.n)
        return true;
    s->step = unpack_moment(&u);
    s->servers = unpack_moment(&u);
    s->edges = unpack_moment(&u);
    s->names = unpack_u64(&u);
    s->serials = unpack_u64(&u);
    s->largest_ttl_ms = (int64_t)unpack_u64(&u);
    s->lower_ttl_ms = (int64_t)unpack_u64(&u);
    s->lower_for_ms = (int64_t)unpack_u64(&u);
    s->no_ta_ms = (int64_t)unpack_u64(&u);
    s->is_ta_on = unpack_u64(&u) != 0;
    return !u.bad && !u.rest.n;
}

/* Keys. */

static const char *const rolls[] = {
    [GATE_ROLL_NO] = "", [GATE_ROLL_ASKED] = "asked", [GATE_ROLL_FORCED] = "forced"};

static bool roll_parse(struct str text, enum gate_roll *out)
{
    for (size_t i = 0; i < sizeof rolls / sizeof *rolls; i++) {
        if (!str_equal(text, str_of(rolls[i])))
            continue;
        *out = (enum gate_roll)i;
        return true;
    }
    return false;
}

static bool take_digest(struct str bytes, uint8_t out[32])
{
    if (bytes.n == 32)
        memcpy(out, bytes.p, 32);
    return bytes.n == 32;
}

static bool take_lost(struct str bytes, struct gate_record *out)
{
    if (bytes.n != 35)
        return false;
    out->usage = (uint8_t)bytes.p[0], out->selector = (uint8_t)bytes.p[1], out->mtype = (uint8_t)bytes.p[2];
    return take_digest(str_from(bytes, 3), out->digest);
}

#define GATE_KEY                                                                                             \
    "SELECT id, pair_id, algorithm, spki_sha256, ta_sha256, lost, state, since_ms, proven_ms, roll, "        \
    "roll_ms,"                                                                                               \
    " compromised FROM gate_key WHERE key_set_id = $1 AND forgotten = 0 ORDER BY id"

static bool key_of(struct db_query *q, struct gate_key *k)
{
    *k = (struct gate_key){.id = db_int(q, 0), .pair_id = db_int(q, 1), .since_ms = db_int(q, 7)};
    k->has_ta = db_text(q, 4).n > 0;
    k->is_lost = db_text(q, 5).n > 0;
    k->proven_ms = db_int(q, 8);
    k->roll_ms = db_int(q, 10);
    k->is_compromised = db_int(q, 11) != 0;
    return gate_algorithm_parse(db_text(q, 2), &k->algorithm) && take_digest(db_text(q, 3), k->spki) &&
           (!k->has_ta || take_digest(db_text(q, 4), k->ta)) &&
           (!k->is_lost || take_lost(db_text(q, 5), &k->lost)) &&
           gate_state_parse(db_text(q, 6), &k->state) && roll_parse(db_text(q, 9), &k->roll);
}

static enum err senseless(struct call *c, int64_t id)
{
    buf_set(c->why, "what the database says of key set %lld makes no sense; was it edited by hand?",
            (long long)id);
    return ERR_CORRUPT;
}

static enum err load_keys(struct call *c, struct gate_set *set)
{
    struct db_query *q = db_query(c->db, GATE_KEY);
    db_bind_int(q, set->id);
    bool good = true;
    while (good && db_next(q))
        good = set->nkey < GATE_KEYS_MAX && key_of(q, &set->key[set->nkey++]);
    enum err e = db_end(q, c->why);
    return e ? e : good ? OK : senseless(c, set->id);
}

enum err keys_load(struct call *c, int64_t id, struct gate_set *set)
{
    *set = (struct gate_set){.id = id};
    int64_t ttl_s;
    enum err e = db_get_int(db_query(c->db, "SELECT COALESCE(MAX(tlsa_ttl), 0) FROM zone"), &ttl_s, c->why);
    if (e)
        return e;
    set->ttl_ms = (ttl_s ? ttl_s : DEFAULT_TTL_S) * 1000;
    struct db_query *q =
        db_query(c->db, "SELECT rsa, ta, keeps_next, memory FROM key_set WHERE id = $1 AND grp <> ''");
    db_bind_int(q, id);
    bool found = db_next(q), good = found;
    if (found) {
        set->wants[GATE_ECDSA] = true;
        set->wants[GATE_RSA] = db_int(q, 0) != 0;
        set->ta = db_int(q, 1) != 0;
        set->keeps_next = db_int(q, 2) != 0;
        good = unpack_memory(db_text(q, 3), set);
    }
    e = db_end(q, c->why);
    if (e || !found)
        return e ? e : ERR_NOT_FOUND;
    return good ? load_keys(c, set) : senseless(c, id);
}

static void bind_key(struct db_query *q, const struct gate_key *k)
{
    uint8_t lost[35] = {k->lost.usage, k->lost.selector, k->lost.mtype};
    memcpy(lost + 3, k->lost.digest, 32);
    db_bind_int(q, k->pair_id);
    db_bind_text(q, str_of(gate_algorithm_name(k->algorithm)));
    db_bind_blob(q, str_make((const char *)k->spki, sizeof k->spki));
    db_bind_blob(q, str_make((const char *)k->ta, k->has_ta ? sizeof k->ta : 0));
    db_bind_blob(q, str_make((const char *)lost, k->is_lost ? sizeof lost : 0));
    db_bind_text(q, str_of(gate_state_name(k->state)));
    db_bind_int(q, k->since_ms);
    db_bind_int(q, k->proven_ms);
    db_bind_text(q, str_of(rolls[k->roll]));
    db_bind_int(q, k->roll_ms);
    db_bind_int(q, k->is_compromised);
}

static enum err save_key(struct call *c, int64_t set_id, struct gate_key *k)
{
    enum err e = k->id ? OK : new_id(c, &k->id);
    if (e)
        return e;
    struct db_query *q = db_query(
        c->db,
        "INSERT INTO gate_key (pair_id, algorithm, spki_sha256, ta_sha256, lost, state, since_ms, proven_ms,"
        " roll, roll_ms, compromised, id, key_set_id, forgotten)"
        " VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, 0)"
        " ON CONFLICT (id) DO UPDATE SET pair_id = excluded.pair_id, algorithm = excluded.algorithm,"
        " spki_sha256 = excluded.spki_sha256, ta_sha256 = excluded.ta_sha256,"
        " lost = excluded.lost, state = excluded.state, since_ms = excluded.since_ms,"
        " proven_ms = excluded.proven_ms, roll = excluded.roll, roll_ms = excluded.roll_ms,"
        " compromised = excluded.compromised");
    bind_key(q, k);
    db_bind_int(q, k->id);
    db_bind_int(q, set_id);
    return db_run(q, NULL, c->why);
}

static bool has_key(const struct gate_set *set, int64_t id)
{
    for (size_t i = 0; i < set->nkey; i++)
        if (set->key[i].id == id)
            return true;
    return false;
}

/* Rows of keys that have left the set stay for the timeline; pairs that no key has any more go. */
static enum err forget(struct call *c, const struct gate_set *set)
{
    int64_t gone[GATE_KEYS_MAX * 2];
    size_t n = 0;
    struct db_query *q = db_query(c->db, "SELECT id FROM gate_key WHERE key_set_id = $1 AND forgotten = 0");
    db_bind_int(q, set->id);
    while (db_next(q))
        if (!has_key(set, db_int(q, 0)) && n < sizeof gone / sizeof *gone)
            gone[n++] = db_int(q, 0);
    enum err e = db_end(q, c->why);
    for (size_t i = 0; !e && i < n; i++) {
        q = db_query(c->db, "UPDATE gate_key SET forgotten = 1 WHERE id = $1");
        db_bind_int(q, gone[i]);
        e = db_run(q, NULL, c->why);
    }
    if (e)
        return e;
    q = db_query(c->db, "DELETE FROM key_pair WHERE key_set_id = $1 AND pair_id NOT IN"
                        " (SELECT pair_id FROM gate_key WHERE key_set_id = $1 AND forgotten = 0)");
    db_bind_int(q, set->id);
    return db_run(q, NULL, c->why);
}

enum err keys_event(struct call *c, int64_t set_id, int64_t key_id, const char *event, struct str detail)
{
    int64_t number;
    enum err e = new_id(c, &number);
    if (e)
        return e;
    struct db_query *q =
        db_query(c->db, "INSERT INTO key_event (key_set_id, at_ms, gate_key_id, event, detail, number)"
                        " VALUES ($1, $2, $3, $4, $5, $6)");
    db_bind_int(q, set_id);
    db_bind_int(q, clock_wall());
    db_bind_int(q, key_id);
    db_bind_text(q, str_of(event));
    db_bind_text(q, detail);
    db_bind_int(q, number);
    return db_run(q, NULL, c->why);
}

enum err keys_save(struct call *c, struct gate_set *set, const struct gate_out *events)
{
    enum err e = OK;
    for (size_t i = 0; !e && i < set->nkey; i++)
        e = save_key(c, set->id, &set->key[i]);
    if (!e)
        e = forget(c, set);
    for (size_t i = 0; !e && events && i < events->nevent; i++) {
        const struct gate_event *v = &events->event[i];
        e = keys_event(c, set->id, v->key_id, gate_event_name(v->what), v->subject);
        log_event(LOG_INFO, "key", LOG_NUM("set", set->id), LOG_NUM("key", v->key_id),
                  LOG_TEXT("what", gate_event_name(v->what)), LOG_TEXT("state", gate_state_name(v->to)),
                  LOG_STR("by", v->subject));
    }
    if (e)
        return e;
    struct buf memory = {0};
    pack_memory(&memory, set);
    struct db_query *q = db_query(c->db, "UPDATE key_set SET memory = $1 WHERE id = $2");
    db_bind_blob(q, buf_str(&memory));
    db_bind_int(q, set->id);
    buf_release(&memory);
    return db_run(q, NULL, c->why);
}

/* Sets. */

enum err keys_add_set(struct call *c, struct str group, struct gate_set *set)
{
    struct key_row row;
    enum err e = keys_find(c, group, &row);
    if (!e) {
        buf_set(c->why, "there is a key group '%.*s' already (key set %lld)", STR_ARG(group),
                (long long)row.id);
        return ERR_EXISTS;
    }
    e = e == ERR_NOT_FOUND ? new_id(c, &set->id) : e;
    if (e)
        return e;
    struct db_query *q =
        db_query(c->db, "INSERT INTO key_set (id, is_default, created_ms, grp) VALUES ($1, 0, $2, $3)");
    db_bind_int(q, set->id);
    db_bind_int(q, clock_wall());
    db_bind_text(q, group);
    e = db_run(q, NULL, c->why);
    return e ? e : keys_set_options(c, set);
}

enum err keys_set_options(struct call *c, const struct gate_set *set)
{
    struct db_query *q =
        db_query(c->db, "UPDATE key_set SET rsa = $1, ta = $2, keeps_next = $3 WHERE id = $4");
    db_bind_int(q, set->wants[GATE_RSA]);
    db_bind_int(q, set->ta);
    db_bind_int(q, set->keeps_next);
    db_bind_int(q, set->id);
    return db_run(q, NULL, c->why);
}

/* Pairs. */

static enum err keep_bytes(struct call *c, int64_t set_id, const struct tls_pair *pair)
{
    struct buf chain = {0};
    key_chain_pack(&chain, pair);
    struct db_query *q = db_query(c->db, "INSERT INTO key_pair (pair_id, key_set_id, chain, private_key)"
                                         " VALUES ($1, $2, $3, $4)");
    db_bind_int(q, (int64_t)pair->id);
    db_bind_int(q, set_id);
    db_bind_blob(q, buf_str(&chain));
    db_bind_blob(q, pair->key_der);
    buf_release(&chain);
    return db_run(q, NULL, c->why);
}

/* A pair belongs to one key set: ERR_NOT_FOUND when to none yet. */
static enum err owner_of(struct call *c, const struct tls_pair *pair, int64_t *set_id)
{
    struct db_query *q = db_query(c->db, "SELECT key_set_id FROM key_pair WHERE pair_id = $1");
    db_bind_int(q, (int64_t)pair->id);
    return db_get_int(q, set_id, c->why);
}

enum err keys_keep_pair(struct call *c, int64_t set_id, const struct tls_pair *pair, struct gate_key *out,
                        struct buf *why)
{
    struct tls_pair_facts facts;
    enum err e = tls_pair_inspect(pair, c->a, &facts, why);
    if (e)
        return e;
    *out = (struct gate_key){.pair_id = (int64_t)pair->id, .has_ta = facts.has_issuer_key};
    if (strcmp(facts.algorithm, "EC") != 0 && strcmp(facts.algorithm, "RSA") != 0) {
        buf_set(why, "the key is neither ECDSA nor RSA: some senders could not use it");
        return ERR_REFUSED;
    }
    out->algorithm = strcmp(facts.algorithm, "EC") == 0 ? GATE_ECDSA : GATE_RSA;
    memcpy(out->spki, facts.spki_sha256, sizeof out->spki);
    memcpy(out->ta, facts.issuer_spki_sha256, sizeof out->ta);
    int64_t owner;
    e = owner_of(c, pair, &owner);
    if (e == ERR_NOT_FOUND)
        return keep_bytes(c, set_id, pair);
    if (!e && owner != set_id) {
        buf_set(why, "this certificate and key belong to key set %lld", (long long)owner);
        return ERR_EXISTS;
    }
    return e;
}

enum err keys_make_pair(struct call *c, enum gate_algorithm algorithm, struct tls_pair *out)
{
    struct str names[ZONES_MAX];
    size_t n = 0;
    struct db_query *q = db_query(c->db, "SELECT name FROM zone ORDER BY id");
    while (n < ZONES_MAX && db_next(q))
        names[n++] = arena_printf(c->a, "*.%.*s", STR_ARG(db_text(q, 0)));
    enum err e = db_end(q, c->why);
    if (e)
        return e;
    if (!n)
        names[n++] = str_of(c->hostname);
    tls_pair_self_signed(c->a, algorithm == GATE_RSA ? TLS_KEY_RSA3072 : TLS_KEY_P256, names, n,
                         clock_wall() / 1000, SELF_SIGNED_DAYS, out);
    return OK;
}
