#include "tenant/sync_priv.h"

#include "tenant/call.h"
#include "tenant/load_key_priv.h"
#include "tenant/load_priv.h"

/* So many epochs of changes are kept; a directory that is further behind is written anew. */
enum { CHANGES_KEPT = 10000 };

/* Where the database stands: an epoch counts in one history of it, which a restored backup leaves. */
struct stand {
    struct str source;
    int64_t epoch, key_epoch;
    struct str mark, key_mark;
};

static enum err meta(struct db *db, struct arena *a, struct stand *out, struct buf *why)
{
    struct db_query *q = db_query(db, "SELECT source, epoch, key_epoch, mark, key_mark FROM meta");
    bool found = db_next(q);
    if (found)
        *out = (struct stand){.source = arena_str(a, db_text(q, 0)),
                              .epoch = db_int(q, 1),
                              .key_epoch = db_int(q, 2),
                              .mark = arena_str(a, db_text(q, 3)),
                              .key_mark = arena_str(a, db_text(q, 4))};
    enum err e = db_end(q, why);
    if (!e && !found)
        buf_set(why, "the database has no identity");
    return e ? e : found ? OK : ERR_CORRUPT;
}

/* The identity of an epoch. Without a mark: from before there were any. */
static struct str identity(struct arena *a, struct str source, struct str mark)
{
    return mark.n ? arena_printf(a, "%.*s/%.*s", STR_ARG(source), STR_ARG(mark)) : source;
}

/* What the identity of that epoch was; ERR_NOT_FOUND when it is not on record any more. */
static enum err identity_at(struct db *db, struct arena *a, const struct stand *now, int64_t epoch,
                            struct str *out, struct buf *why)
{
    struct db_query *q = db_query(db, "SELECT mark FROM change WHERE epoch = $1 LIMIT 1");
    db_bind_int(q, epoch);
    bool found = db_next(q);
    if (found)
        *out = identity(a, now->source, db_text(q, 0));
    enum err e = db_end(q, why);
    return e ? e : found ? OK : ERR_NOT_FOUND;
}

static enum err apply_changes(struct db *db, struct directory_write *w, int64_t since, struct buf *why)
{
    struct db_query *q = db_query(db, "SELECT DISTINCT kind, key1, key2 FROM change WHERE epoch > $1");
    db_bind_int(q, since);
    enum err e = OK;
    while (!e && db_next(q))
        e = load_changed(db, w, db_text(q, 0), db_text(q, 1), db_text(q, 2), why);
    enum err ended = db_end(q, e ? NULL : why);
    return e ? e : ended;
}

static enum err sync_directory(const struct sync *s, struct arena *a, const struct stand *now,
                               struct buf *why)
{
    struct directory_view v = {0};
    struct str wanted = identity(a, now->source, now->mark), was = STR_NONE;
    enum err e = directory_begin(s->directory, &v, why);
    if (e)
        return e;
    int64_t has = (int64_t)directory_epoch(&v);
    bool is_done = has == now->epoch && directory_source_is(&v, wanted);
    e = is_done ? OK : identity_at(s->db, a, now, has, &was, why);
    bool anew = e == ERR_NOT_FOUND || !directory_source_is(&v, was);
    directory_end(&v);
    if (is_done || (e && e != ERR_NOT_FOUND))
        return e;
    struct directory_write *w = directory_write_begin(s->directory, why);
    if (!w)
        return ERR_SYSTEM;
    if (anew)
        directory_remove_all(w);
    e = anew ? load_everything(s->db, w, why) : apply_changes(s->db, w, has, why);
    if (!e)
        e = directory_write_commit(w, (uint64_t)now->epoch, wanted, why);
    else
        directory_write_abort(w);
    if (!e)
        log_event(LOG_INFO, "directory-written", LOG_NUM("epoch", now->epoch),
                  LOG_TEXT("by", anew ? "rebuild" : "changes"));
    return e;
}

/* Managed key sets that are served now, with their bytes. */
struct kept {
    struct tls_identity *identity;
    size_t n;
};

static void keep_managed(const struct keystore_view *v, struct arena *a, struct kept *out)
{
    uint64_t *ids;
    size_t n = keystore_managed(v, a, &ids);
    *out = (struct kept){.identity = ARENA_ARRAY(a, struct tls_identity, n)};
    for (size_t i = 0; i < n; i++)
        if (keystore_set(v, a, ids[i], &out->identity[out->n]))
            out->identity[out->n++].is_managed = true;
}

/* Does the database have this managed set, and has the gate said nothing of it since this process began? */
static enum err is_to_keep(const struct sync *s, struct arena *a, uint64_t key_set, bool *out,
                           struct buf *why)
{
    int64_t found = 0, said = 0;
    struct db_query *q = db_query(s->db, "SELECT COUNT(*) FROM key_set WHERE id = $1 AND grp <> ''");
    db_bind_int(q, (int64_t)key_set);
    enum err e = db_get_int(q, &found, why);
    if (e)
        return e;
    q = db_query(s->db, "SELECT COUNT(*) FROM change WHERE epoch > $1 AND kind = 'key' AND key1 = $2");
    db_bind_int(q, s->opened);
    db_bind_text(q, id_text(a, (int64_t)key_set));
    e = db_get_int(q, &said, why);
    *out = found && !said;
    return e;
}

/* The database that the keystore is made anew from may have been restored, and call a key active that was
 * withdrawn since: what is served of managed sets stays, until the gate says otherwise (G4). */
static enum err fill_anew(const struct sync *s, struct arena *a, struct keystore_write *w,
                          const struct kept *kept, struct buf *why)
{
    keystore_remove_all(w);
    enum err e = load_all_keys(s->db, w, why);
    for (size_t i = 0; !e && i < kept->n; i++) {
        bool keep = false;
        e = is_to_keep(s, a, kept->identity[i].key_set, &keep, why);
        if (!e && keep)
            keystore_put(w, &kept->identity[i]);
    }
    return e;
}

/* By the keystore's changes since `has`. */
static enum err fill_keystore(struct db *db, struct keystore_write *w, int64_t has, struct buf *why)
{
    struct db_query *q = db_query(
        db, "SELECT DISTINCT kind, key1 FROM change WHERE epoch > $1 AND kind IN ('key', 'key-name')");
    db_bind_int(q, has);
    enum err e = OK;
    while (!e && db_next(q))
        e = load_changed_key(db, w, db_text(q, 0), db_text(q, 1), why);
    enum err ended = db_end(q, e ? NULL : why);
    return e ? e : ended;
}

/* Changes of keys from before each was noted with what it was about. */
static enum err has_vague_changes(struct db *db, int64_t since, bool *out, struct buf *why)
{
    int64_t vague = 0;
    struct db_query *q =
        db_query(db, "SELECT COUNT(*) FROM change WHERE epoch > $1 AND kind = 'key' AND key1 = ''");
    db_bind_int(q, since);
    enum err e = db_get_int(q, &vague, why);
    *out = vague > 0;
    return e;
}

static enum err sync_keystore(const struct sync *s, struct arena *a, const struct stand *now, struct buf *why)
{
    struct keystore_view v = {0};
    struct kept kept = {0};
    struct str wanted = identity(a, now->source, now->key_mark), was = STR_NONE;
    bool is_vague = false;
    enum err e = keystore_begin(s->keystore, &v, why);
    if (e)
        return e;
    int64_t has = (int64_t)keystore_epoch(&v);
    bool is_done = has == now->key_epoch && str_equal(keystore_source(&v), wanted);
    e = is_done ? OK : identity_at(s->db, a, now, has, &was, why);
    bool anew = e == ERR_NOT_FOUND || !str_equal(keystore_source(&v), was);
    if (!is_done && (!e || e == ERR_NOT_FOUND))
        e = has_vague_changes(s->db, has, &is_vague, why);
    if (!is_done && anew && str_starts(keystore_source(&v), now->source) && (was.n || has > now->key_epoch))
        log_event(LOG_WARN, "database-restored", LOG_NUM("epoch", now->key_epoch),
                  LOG_NUM("served_epoch", has),
                  LOG_TEXT("text", "edges go on serving what they serve until the gate has looked"));
    anew |= is_vague;
    if (!is_done && anew)
        keep_managed(&v, a, &kept);
    keystore_end(&v);
    if (is_done || e)
        return e;
    struct keystore_write *w = keystore_write_begin(s->keystore, why);
    if (!w)
        return ERR_SYSTEM;
    e = anew ? fill_anew(s, a, w, &kept, why) : fill_keystore(s->db, w, has, why);
    if (!e)
        e = keystore_write_commit(w, (uint64_t)now->key_epoch, wanted, why);
    else
        keystore_write_abort(w);
    if (!e)
        log_event(LOG_INFO, "keystore-written", LOG_NUM("epoch", now->key_epoch),
                  LOG_TEXT("by", anew ? "rebuild" : "changes"), LOG_NUM("kept", kept.n));
    return e;
}

static enum err forget_old_changes(struct db *db, int64_t epoch, struct buf *why)
{
    struct db_query *q = db_query(db, "DELETE FROM change WHERE epoch < $1");
    db_bind_int(q, epoch - CHANGES_KEPT);
    return db_run(q, NULL, why);
}

enum err sync_run(struct sync *s, struct buf *why)
{
    struct arena a = {0};
    struct stand now = {0};
    enum err e = meta(s->db, &a, &now, why);
    if (!e && !s->opened)
        s->opened = now.epoch;
    if (!e)
        e = sync_keystore(s, &a, &now, why);
    if (!e)
        e = sync_directory(s, &a, &now, why);
    if (!e && now.epoch % 100 == 0)
        e = forget_old_changes(s->db, now.epoch, why);
    arena_release(&a);
    return e;
}
