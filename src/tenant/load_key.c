#include "tenant/load_key_priv.h"

#include "tenant/key.h"

/* Names of MX hosts come before those that were given to imported keys: what the zone promises is served. */
#define HOST_NAMES                                                                                           \
    "SELECT h.label || '.' || z.name, h.key_set_id FROM mx_host h JOIN zone z ON z.id = h.zone_id"           \
    " WHERE h.key_set_id <> 0 AND h.state <> 'quarantined'"

/* A set that serves nothing (gone, or no key of it is active yet) has no record. */
static enum err put_set(struct db *db, struct keystore_write *w, int64_t key_set, struct buf *why)
{
    struct arena a = {0};
    struct tls_identity identity;
    enum err e = key_set_load(db, &a, key_set, &identity, why);
    if (!e)
        keystore_put(w, &identity);
    else if (e == ERR_NOT_FOUND)
        keystore_remove(w, (uint64_t)key_set);
    arena_release(&a);
    return e == ERR_NOT_FOUND ? OK : e;
}

static enum err put_name(struct db *db, struct keystore_write *w, struct str name, struct buf *why)
{
    struct str zone = name;
    struct str label = str_cut(&zone, '.');
    struct db_query *q = db_query(db, HOST_NAMES " AND h.label = $1 AND z.name = $2");
    db_bind_text(q, label);
    db_bind_text(q, zone);
    int64_t key_set = db_next(q) ? db_int(q, 1) : 0;
    enum err e = db_end(q, why);
    if (!e && !key_set) {
        q = db_query(db, "SELECT key_set_id FROM key_name WHERE name = $1 UNION ALL"
                         " SELECT id FROM key_set WHERE is_default = 1 AND $1 = ''");
        db_bind_text(q, name);
        e = db_get_int(q, &key_set, why);
    }
    if (e && e != ERR_NOT_FOUND)
        return e;
    if (key_set)
        keystore_put_name(w, name, (uint64_t)key_set);
    else
        keystore_remove_name(w, name);
    return OK;
}

enum err load_changed_key(struct db *db, struct keystore_write *w, struct str kind, struct str key,
                          struct buf *why)
{
    uint64_t key_set;
    if (str_equal(kind, str_of(change_name(CHANGE_KEY_NAME))))
        return put_name(db, w, key, why);
    return str_to_u64(key, &key_set) ? put_set(db, w, (int64_t)key_set, why) : OK;
}

static enum err put_names(struct db *db, struct keystore_write *w, const char *sql, struct buf *why)
{
    struct db_query *q = db_query(db, sql);
    while (db_next(q))
        keystore_put_name(w, db_text(q, 0), (uint64_t)db_int(q, 1));
    return db_end(q, why);
}

enum err load_all_keys(struct db *db, struct keystore_write *w, struct buf *why)
{
    enum err e = OK;
    struct db_query *q = db_query(db, "SELECT id FROM key_set");
    while (!e && db_next(q))
        e = put_set(db, w, db_int(q, 0), why);
    enum err ended = db_end(q, e ? NULL : why);
    if (!e)
        e = ended;
    if (!e)
        e = put_names(db, w, "SELECT '', id FROM key_set WHERE is_default = 1", why);
    if (!e)
        e = put_names(db, w, "SELECT name, key_set_id FROM key_name", why);
    return e ? e : put_names(db, w, HOST_NAMES, why);
}
