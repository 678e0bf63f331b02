#include "tenant/key.h"

void key_chain_pack(struct buf *out, const struct tls_pair *pair)
{
    for (size_t i = 0; i < pair->chain_n; i++)
        pack_str(out, pair->chain_der[i]);
}

static bool pair_read(struct db_query *q, struct arena *a, struct tls_pair *out)
{
    struct unpack u = {.rest = db_text(q, 1)};
    *out = (struct tls_pair){.id = (uint64_t)db_int(q, 0), .key_der = arena_str(a, db_text(q, 2))};
    while (u.rest.n && !u.bad && out->chain_n < TLS_CHAIN_MAX)
        out->chain_der[out->chain_n++] = arena_str(a, unpack_str(&u));
    return !u.bad && !u.rest.n && out->chain_n > 0;
}

enum err key_set_load(struct db *db, struct arena *a, int64_t key_set, struct tls_identity *out,
                      struct buf *why)
{
    *out = (struct tls_identity){.key_set = (uint64_t)key_set};
    bool good = true;
    struct db_query *q =
        db_query(db, "SELECT pair_id, chain, private_key,"
                     " (SELECT grp <> '' FROM key_set WHERE id = $1) FROM key_pair WHERE key_set_id = $1 AND"
                     " (pair_id IN (SELECT pair_id FROM gate_key WHERE key_set_id = $1 AND state = 'active')"
                     " OR NOT EXISTS (SELECT 1 FROM key_set WHERE id = $1 AND grp <> '')) ORDER BY pair_id");
    db_bind_int(q, key_set);
    while (db_next(q) && good && out->n < TLS_PAIRS_MAX) {
        good = pair_read(q, a, &out->pair[out->n++]);
        out->is_managed = db_int(q, 3) != 0;
    }
    enum err e = db_end(q, why);
    if (e)
        return e;
    if (!good) {
        buf_set(why, "key set %lld is damaged in the database", (long long)key_set);
        return ERR_CORRUPT;
    }
    return out->n ? OK : ERR_NOT_FOUND;
}

enum err key_pair_load(struct db *db, struct arena *a, int64_t pair_id, struct tls_pair *out, struct buf *why)
{
    struct db_query *q = db_query(db, "SELECT pair_id, chain, private_key FROM key_pair WHERE pair_id = $1");
    db_bind_int(q, pair_id);
    bool found = db_next(q), good = found && pair_read(q, a, out);
    enum err e = db_end(q, why);
    if (!e && found && !good)
        buf_set(why, "pair %lld is damaged in the database", (long long)pair_id);
    return e ? e : !found ? ERR_NOT_FOUND : good ? OK : ERR_CORRUPT;
}
