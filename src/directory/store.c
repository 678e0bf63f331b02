#include "directory/store_priv.h"

#include <errno.h>
#include <pthread.h>

enum {
    POOL_MAX = 64,   /* views out at once in a process; the next one waits */
    SLOTS = 64 * 16, /* reader slots of an environment, all processes */
};

struct store_reader {
    MDB_txn *txn;
    MDB_dbi dbi;
    struct store_reader *next;
};

struct store {
    MDB_env *env;
    MDB_dbi dbi;
    char *path;
    pthread_mutex_t lock; /* of the three below */
    pthread_cond_t freed;
    struct store_reader *idle; /* their transactions are reset */
    size_t made;
};

static enum err store_err(const char *path, int code, struct buf *why)
{
    buf_set(why, "%s: %s", path, mdb_strerror(code));
    if (code == MDB_MAP_FULL || code == ENOSPC || code == EDQUOT)
        return ERR_FULL;
    if (code == MDB_CORRUPTED || code == MDB_PAGE_NOTFOUND || code == MDB_INVALID ||
        code == MDB_VERSION_MISMATCH)
        return ERR_CORRUPT;
    return code == ENOENT ? ERR_NOT_FOUND : ERR_SYSTEM;
}

/* Opens the environment and the main database; 0 or LMDB's code. */
static int store_open_env(struct store *s, unsigned flags, size_t map_size)
{
    MDB_txn *txn = NULL;
    int rc = mdb_env_create(&s->env);
    ENSURE(rc != ENOMEM);
    if (!rc)
        rc = mdb_env_set_mapsize(s->env, map_size);
    if (!rc)
        rc = mdb_env_set_maxreaders(s->env, SLOTS);
    if (!rc)
        /* Without the sync of the meta page a crash may undo the last commit, never damage: the epoch tells.
         */
        rc = mdb_env_open(s->env, s->path, MDB_NOTLS | MDB_NOMETASYNC | flags, 0600);
    if (!rc)
        rc = mdb_txn_begin(s->env, NULL, flags & MDB_RDONLY, &txn);
    if (!rc)
        rc = mdb_dbi_open(txn, NULL, 0, &s->dbi);
    if (!rc) {
        rc = mdb_txn_commit(txn);
        txn = NULL;
    }
    if (txn)
        mdb_txn_abort(txn);
    if (rc && s->env) {
        mdb_env_close(s->env);
        s->env = NULL;
    }
    return rc;
}

struct store *store_open(const char *path, enum store_mode mode, size_t map_size, struct buf *why)
{
    if (file_make_dirs(path, 0700, why))
        return NULL;
    struct store *s = must_alloc(calloc(1, sizeof *s));
    s->path = str_dup(str_of(path));
    pthread_mutex_init(&s->lock, NULL);
    thread_cond_init(&s->freed);
    unsigned flags = mode == STORE_READ ? MDB_RDONLY : 0;
    int rc = store_open_env(s, flags, map_size);
    if (rc == ENOENT && mode == STORE_READ) {
        rc = store_open_env(s, 0, map_size); /* the first of all processes: makes an empty one */
        if (!rc) {
            mdb_env_close(s->env);
            rc = store_open_env(s, flags, map_size);
        }
    }
    if (rc) {
        (void)store_err(path, rc, why);
        store_close(s);
        return NULL;
    }
    int dead;
    (void)mdb_reader_check(s->env, &dead);
    return s;
}

void store_close(struct store *s)
{
    if (!s)
        return;
    while (s->idle) {
        struct store_reader *r = s->idle;
        s->idle = r->next;
        mdb_txn_abort(r->txn);
        free(r);
        s->made--;
    }
    ENSURE(s->made == 0);
    if (s->env)
        mdb_env_close(s->env);
    pthread_mutex_destroy(&s->lock);
    pthread_cond_destroy(&s->freed);
    free(s->path);
    free(s);
}

/* A reader from the pool, or a new one (its txn is NULL), waiting while all are out. */
static struct store_reader *store_take(struct store *s)
{
    pthread_mutex_lock(&s->lock);
    while (!s->idle && s->made == POOL_MAX)
        pthread_cond_wait(&s->freed, &s->lock);
    struct store_reader *r = s->idle;
    if (r)
        s->idle = r->next;
    else
        s->made++;
    pthread_mutex_unlock(&s->lock);
    if (!r) {
        r = must_alloc(calloc(1, sizeof *r));
        r->dbi = s->dbi;
    }
    return r;
}

static void store_give_back(struct store *s, struct store_reader *r, bool usable)
{
    pthread_mutex_lock(&s->lock);
    if (usable) {
        r->next = s->idle;
        s->idle = r;
    } else {
        s->made--;
    }
    pthread_cond_signal(&s->freed);
    pthread_mutex_unlock(&s->lock);
    if (!usable)
        free(r);
}

enum err store_begin(struct store *s, struct store_reader **out, struct buf *why)
{
    struct store_reader *r = store_take(s);
    int rc = r->txn ? mdb_txn_renew(r->txn) : mdb_txn_begin(s->env, NULL, MDB_RDONLY, &r->txn);
    if (rc) {
        if (r->txn)
            mdb_txn_abort(r->txn);
        store_give_back(s, r, false);
        *out = NULL;
        return store_err(s->path, rc, why);
    }
    *out = r;
    return OK;
}

void store_end(struct store *s, struct store_reader *r)
{
    if (!r)
        return;
    mdb_txn_reset(r->txn);
    store_give_back(s, r, true);
}

bool store_get(const struct store_reader *r, struct str key, struct str *value)
{
    *value = STR_NONE;
    if (key.n == 0 || key.n > STORE_KEY_MAX)
        return false;
    MDB_val k = {.mv_size = key.n, .mv_data = (void *)(uintptr_t)key.p}; /* LMDB only reads it */
    MDB_val v;
    int rc = mdb_get(r->txn, r->dbi, &k, &v);
    if (rc == 0) {
        *value = str_make(v.mv_data, v.mv_size);
        return true;
    }
    if (rc != MDB_NOTFOUND)
        log_event(LOG_ERROR, "directory-damaged", LOG_TEXT("why", mdb_strerror(rc)));
    return false;
}

uint64_t store_get_u64(const struct store_reader *r, struct str key)
{
    struct str v;
    return store_get(r, key, &v) && v.n == 8 ? get_u64(v.p) : 0;
}

bool store_seek(const struct store_reader *r, struct str prefix, struct str from, struct str *key,
                struct str *value)
{
    MDB_cursor *cursor;
    MDB_val k = {.mv_size = from.n, .mv_data = (void *)(uintptr_t)from.p};
    MDB_val v = {0};
    int rc = mdb_cursor_open(r->txn, r->dbi, &cursor);
    if (!rc) {
        rc = mdb_cursor_get(cursor, &k, &v, MDB_SET_RANGE);
        mdb_cursor_close(cursor);
    }
    if (rc && rc != MDB_NOTFOUND)
        log_event(LOG_ERROR, "directory-damaged", LOG_TEXT("why", mdb_strerror(rc)));
    *key = rc ? STR_NONE : str_make(k.mv_data, k.mv_size);
    *value = rc ? STR_NONE : str_make(v.mv_data, v.mv_size);
    return !rc && str_starts(*key, prefix);
}

enum err store_write_begin(struct store *s, struct store_write *w, struct buf *why)
{
    *w = (struct store_write){.store = s};
    int dead;
    (void)mdb_reader_check(s->env, &dead);
    int rc = mdb_txn_begin(s->env, NULL, 0, &w->txn);
    if (rc)
        return store_err(s->path, rc, why);
    w->seen = must_alloc(calloc(1, sizeof *w->seen));
    *w->seen = (struct store_reader){.txn = w->txn, .dbi = s->dbi};
    return OK;
}

void store_write_abort(struct store_write *w)
{
    if (w->txn)
        mdb_txn_abort(w->txn);
    free(w->seen);
    w->txn = NULL;
    w->seen = NULL;
}

enum err store_write_commit(struct store_write *w, struct buf *why)
{
    if (w->failed) {
        store_write_abort(w);
        return store_err(w->store->path, w->failed, why);
    }
    int rc = mdb_txn_commit(w->txn); /* frees it, also when it fails */
    w->txn = NULL;
    store_write_abort(w);
    return rc ? store_err(w->store->path, rc, why) : OK;
}

void store_put(struct store_write *w, struct str key, struct str value)
{
    MDB_val k = {.mv_size = key.n, .mv_data = (void *)(uintptr_t)key.p};
    MDB_val v = {.mv_size = value.n, .mv_data = (void *)(uintptr_t)value.p};
    if (!w->failed)
        w->failed = mdb_put(w->txn, w->store->dbi, &k, &v, 0);
}

void store_put_u64(struct store_write *w, struct str key, uint64_t value)
{
    char bytes[8];
    put_u64(bytes, value);
    store_put(w, key, str_make(bytes, sizeof bytes));
}

void store_remove(struct store_write *w, struct str key)
{
    MDB_val k = {.mv_size = key.n, .mv_data = (void *)(uintptr_t)key.p};
    if (w->failed || key.n == 0)
        return;
    int rc = mdb_del(w->txn, w->store->dbi, &k, NULL);
    if (rc != MDB_NOTFOUND)
        w->failed = rc;
}

void store_remove_all(struct store_write *w)
{
    if (!w->failed)
        w->failed = mdb_drop(w->txn, w->store->dbi, 0);
}

void store_key_start(struct store_key *k, char table)
{
    k->too_long = false;
    k->n = 1;
    k->p[0] = table;
}

static char *store_key_room(struct store_key *k, size_t n)
{
    if (k->too_long || n > STORE_KEY_MAX - k->n) {
        k->too_long = true;
        return NULL;
    }
    char *at = k->p + k->n;
    k->n += n;
    return at;
}

void store_key_add(struct store_key *k, struct str s)
{
    char *at = store_key_room(k, s.n);
    if (at && s.n)
        memcpy(at, s.p, s.n);
}

void store_key_add_lower(struct store_key *k, struct str s)
{
    char *at = store_key_room(k, s.n);
    for (size_t i = 0; at && i < s.n; i++)
        at[i] = s.p[i] >= 'A' && s.p[i] <= 'Z' ? (char)(s.p[i] | 0x20) : s.p[i];
}

void store_key_add_u64(struct store_key *k, uint64_t v)
{
    char *at = store_key_room(k, 8);
    if (at)
        put_u64(at, v);
}
