#include "tenant/sync_priv.h"

#include "tenant/load_key_priv.h"
#include "tenant/load_priv.h"

/* So many epochs of changes are kept; a directory that is further behind is written anew. */
enum { CHANGES_KEPT = 10000 };

static enum err meta(struct db *db, struct arena *a, struct str *source, int64_t *epoch, int64_t *key_epoch,
                     struct buf *why)
{
    struct db_query *q = db_query(db, "SELECT source, epoch, key_epoch FROM meta");
    bool found = db_next(q);
    if (found) {
        *source = arena_str(a, db_text(q, 0));
        *epoch = db_int(q, 1);
        *key_epoch = db_int(q, 2);
    }
    enum err e = db_end(q, why);
    if (!e && !found)
        buf_set(why, "the database has no identity");
    return e ? e : found ? OK : ERR_CORRUPT;
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

static enum err sync_directory(const struct sync *s, struct str source, int64_t epoch, struct buf *why)
{
    struct directory_view v = {0};
    enum err e = directory_begin(s->directory, &v, why);
    if (e)
        return e;
    int64_t has = (int64_t)directory_epoch(&v);
    bool ours = directory_source_is(&v, source);
    directory_end(&v);
    if (ours && has == epoch)
        return OK;
    int64_t oldest;
    e = db_get_int(db_query(s->db, "SELECT COALESCE(MIN(epoch), 0) FROM change"), &oldest, why);
    if (e)
        return e;
    struct directory_write *w = directory_write_begin(s->directory, why);
    if (!w)
        return ERR_SYSTEM;
    bool anew = !ours || has > epoch || has + 1 < oldest;
    if (anew)
        directory_remove_all(w);
    e = anew ? load_everything(s->db, w, why) : apply_changes(s->db, w, has, why);
    if (!e)
        e = directory_write_commit(w, (uint64_t)epoch, source, why);
    else
        directory_write_abort(w);
    if (!e)
        log_event(LOG_INFO, "directory-written", LOG_NUM("epoch", epoch),
                  LOG_TEXT("by", anew ? "rebuild" : "changes"));
    return e;
}

/* By the keystore's changes since `has`, or anew. */
static enum err fill_keystore(struct db *db, struct keystore_write *w, int64_t has, bool anew,
                              struct buf *why)
{
    if (anew) {
        keystore_remove_all(w);
        return load_all_keys(db, w, why);
    }
    struct db_query *q = db_query(
        db, "SELECT DISTINCT kind, key1 FROM change WHERE epoch > $1 AND kind IN ('key', 'key-name')");
    db_bind_int(q, has);
    enum err e = OK;
    while (!e && db_next(q))
        e = load_changed_key(db, w, db_text(q, 0), db_text(q, 1), why);
    enum err ended = db_end(q, e ? NULL : why);
    return e ? e : ended;
}

/* Are all changes of keys since that epoch on record, each with what it was about? */
static enum err keys_on_record(struct db *db, int64_t since, bool *out, struct buf *why)
{
    int64_t oldest, vague;
    enum err e = db_get_int(db_query(db, "SELECT COALESCE(MIN(epoch), 0) FROM change"), &oldest, why);
    if (e)
        return e;
    struct db_query *q =
        db_query(db, "SELECT COUNT(*) FROM change WHERE epoch > $1 AND kind = 'key' AND key1 = ''");
    db_bind_int(q, since);
    e = db_get_int(q, &vague, why);
    *out = since + 1 >= oldest && vague == 0;
    return e;
}

/* key_epoch alone cannot tell two databases apart: the caller says when the source changed. */
static enum err sync_keystore(const struct sync *s, int64_t key_epoch, bool other, struct buf *why)
{
    struct keystore_view v = {0};
    bool on_record = false;
    enum err e = keystore_begin(s->keystore, &v, why);
    if (e)
        return e;
    int64_t has = (int64_t)keystore_epoch(&v);
    keystore_end(&v);
    if (has == key_epoch && !other)
        return OK;
    e = keys_on_record(s->db, has, &on_record, why);
    if (e)
        return e;
    bool anew = other || has == 0 || has > key_epoch || !on_record;
    struct keystore_write *w = keystore_write_begin(s->keystore, why);
    if (!w)
        return ERR_SYSTEM;
    e = fill_keystore(s->db, w, has, anew, why);
    if (!e)
        e = keystore_write_commit(w, (uint64_t)key_epoch, why);
    else
        keystore_write_abort(w);
    if (!e)
        log_event(LOG_INFO, "keystore-written", LOG_NUM("epoch", key_epoch),
                  LOG_TEXT("by", anew ? "rebuild" : "changes"));
    return e;
}

static enum err forget_old_changes(struct db *db, int64_t epoch, struct buf *why)
{
    struct db_query *q = db_query(db, "DELETE FROM change WHERE epoch < $1");
    db_bind_int(q, epoch - CHANGES_KEPT);
    return db_run(q, NULL, why);
}

enum err sync_run(const struct sync *s, struct buf *why)
{
    struct arena a = {0};
    struct str source = STR_NONE;
    int64_t epoch = 0, key_epoch = 0;
    struct directory_view v = {0};
    enum err e = meta(s->db, &a, &source, &epoch, &key_epoch, why);
    if (!e)
        e = directory_begin(s->directory, &v, why);
    if (!e) {
        bool other = !directory_source_is(&v, source);
        directory_end(&v);
        e = sync_keystore(s, key_epoch, other, why);
    }
    if (!e)
        e = sync_directory(s, source, epoch, why);
    if (!e && epoch % 100 == 0)
        e = forget_old_changes(s->db, epoch, why);
    arena_release(&a);
    return e;
}
