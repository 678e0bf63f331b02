#include "directory/keystore.h"

#include "directory/store_priv.h"
#include "directory/write.h"

/* Tables: "i" key set -> identity, "m" key set -> nothing (it is managed), "n" name -> key set (empty name:
 * default), "E" epoch, "S" source. */
static const size_t MAP_SIZE = (size_t)16 << 30;

struct keystore {
    struct store *store;
};

static struct keystore *keystore_open_mode(const char *path, enum store_mode mode, struct buf *why)
{
    struct store *s = store_open(path, mode, MAP_SIZE, why);
    if (!s)
        return NULL;
    struct keystore *k = must_alloc(calloc(1, sizeof *k));
    k->store = s;
    return k;
}

struct keystore *keystore_open(const char *path, struct buf *why)
{
    return keystore_open_mode(path, STORE_READ, why);
}

struct keystore *keystore_open_writable(const char *path, struct buf *why)
{
    return keystore_open_mode(path, STORE_WRITE, why);
}

void keystore_close(struct keystore *k)
{
    if (!k)
        return;
    store_close(k->store);
    free(k);
}

enum err keystore_begin(struct keystore *k, struct keystore_view *v, struct buf *why)
{
    *v = (struct keystore_view){.keystore = k};
    return store_begin(k->store, &v->reader, why);
}

void keystore_end(struct keystore_view *v)
{
    if (v->reader)
        store_end(v->keystore->store, v->reader);
    v->reader = NULL;
}

uint64_t keystore_epoch(const struct keystore_view *v)
{
    return store_get_u64(v->reader, STR("E"));
}

struct str keystore_source(const struct keystore_view *v)
{
    struct str is;
    return store_get(v->reader, STR("S"), &is) ? is : STR_NONE;
}

static void key_identity(struct store_key *k, uint64_t key_set)
{
    store_key_start(k, 'i');
    store_key_add_u64(k, key_set);
}

static void key_managed(struct store_key *k, uint64_t key_set)
{
    store_key_start(k, 'm');
    store_key_add_u64(k, key_set);
}

/* wildcard: "*." or nothing. */
static void key_name(struct store_key *k, struct str wildcard, struct str name)
{
    store_key_start(k, 'n');
    store_key_add(k, wildcard);
    store_key_add_lower(k, name);
}

/* The key set for a name, or 0. */
static uint64_t key_set_of(const struct keystore_view *v, struct str wildcard, struct str name)
{
    struct store_key key;
    key_name(&key, wildcard, name);
    return store_get_u64(v->reader, store_key_str(&key));
}

/* By the exact name or the wildcard; 0 when there is none. */
static uint64_t find_key_set(const struct keystore_view *v, struct str name)
{
    uint64_t id = name.n ? key_set_of(v, STR_NONE, name) : 0;
    struct str parent = name;
    if (!id && name.n && str_cut(&parent, '.').n && parent.n)
        id = key_set_of(v, STR("*."), parent);
    return id;
}

static bool identity_unpack(struct str record, struct arena *a, uint64_t key_set, struct tls_identity *out)
{
    struct unpack u = {.rest = record};
    *out = (struct tls_identity){.key_set = key_set, .n = unpack_u8(&u)};
    if (out->n == 0 || out->n > TLS_PAIRS_MAX)
        return false;
    for (size_t i = 0; i < out->n; i++) {
        struct tls_pair *pair = &out->pair[i];
        pair->id = unpack_u64(&u);
        pair->chain_n = unpack_u8(&u);
        if (pair->chain_n == 0 || pair->chain_n > TLS_CHAIN_MAX)
            return false;
        for (size_t c = 0; c < pair->chain_n; c++)
            pair->chain_der[c] = arena_str(a, unpack_str(&u));
        pair->key_der = arena_str(a, unpack_str(&u));
    }
    return !u.bad;
}

bool keystore_set(const struct keystore_view *v, struct arena *a, uint64_t key_set, struct tls_identity *out)
{
    struct store_key key;
    struct str record;
    key_identity(&key, key_set);
    if (!key_set || !store_get(v->reader, store_key_str(&key), &record))
        return false;
    if (identity_unpack(record, a, key_set, out))
        return true;
    log_event(LOG_ERROR, "keystore-damaged", LOG_NUM("key-set", key_set));
    return false;
}

bool keystore_identity(const struct keystore_view *v, struct arena *a, struct str server_name,
                       struct tls_identity *out, bool *is_default)
{
    bool named = keystore_set(v, a, find_key_set(v, server_name), out);
    if (is_default)
        *is_default = !named;
    return named || keystore_set(v, a, key_set_of(v, STR_NONE, STR_NONE), out);
}

size_t keystore_managed(const struct keystore_view *v, struct arena *a, uint64_t **ids)
{
    struct buf found = {0};
    struct store_key from;
    struct str key, value;
    key_managed(&from, 0);
    while (store_seek(v->reader, STR("m"), store_key_str(&from), &key, &value) && key.n == 9) {
        uint64_t id = get_u64(key.p + 1);
        buf_append(&found, &id, sizeof id);
        key_managed(&from, id + 1);
    }
    size_t n = found.n / sizeof **ids;
    *ids = ARENA_ARRAY(a, uint64_t, n);
    if (n)
        memcpy(*ids, found.p, found.n);
    buf_release(&found);
    return n;
}

struct keystore_write {
    struct store_write w;
};

struct keystore_write *keystore_write_begin(struct keystore *k, struct buf *why)
{
    struct keystore_write *w = must_alloc(calloc(1, sizeof *w));
    if (!store_write_begin(k->store, &w->w, why))
        return w;
    free(w);
    return NULL;
}

enum err keystore_write_commit(struct keystore_write *w, uint64_t epoch, struct str source, struct buf *why)
{
    store_put_u64(&w->w, STR("E"), epoch);
    store_put(&w->w, STR("S"), source);
    enum err e = store_write_commit(&w->w, why);
    free(w);
    return e;
}

void keystore_write_abort(struct keystore_write *w)
{
    store_write_abort(&w->w);
    free(w);
}

void keystore_remove_all(struct keystore_write *w)
{
    store_remove_all(&w->w);
}

void keystore_put(struct keystore_write *w, const struct tls_identity *identity)
{
    struct buf record = {0};
    buf_add_char(&record, (char)identity->n);
    for (size_t i = 0; i < identity->n; i++) {
        const struct tls_pair *pair = &identity->pair[i];
        buf_add_u64(&record, pair->id);
        buf_add_char(&record, (char)pair->chain_n);
        for (size_t c = 0; c < pair->chain_n; c++)
            pack_str(&record, pair->chain_der[c]);
        pack_str(&record, pair->key_der);
    }
    struct store_key key;
    key_identity(&key, identity->key_set);
    store_put(&w->w, store_key_str(&key), buf_str(&record));
    key_managed(&key, identity->key_set);
    if (identity->is_managed)
        store_put(&w->w, store_key_str(&key), STR_NONE);
    else
        store_remove(&w->w, store_key_str(&key));
    buf_release(&record);
}

void keystore_put_name(struct keystore_write *w, struct str name, uint64_t key_set)
{
    struct store_key key;
    key_name(&key, STR_NONE, name);
    store_put_u64(&w->w, store_key_str(&key), key_set);
}

void keystore_remove(struct keystore_write *w, uint64_t key_set)
{
    struct store_key key;
    key_identity(&key, key_set);
    store_remove(&w->w, store_key_str(&key));
    key_managed(&key, key_set);
    store_remove(&w->w, store_key_str(&key));
}

void keystore_remove_name(struct keystore_write *w, struct str name)
{
    struct store_key key;
    key_name(&key, STR_NONE, name);
    store_remove(&w->w, store_key_str(&key));
}
