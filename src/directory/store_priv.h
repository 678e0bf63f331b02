/* One LMDB environment: opened once per process, read through a pool of transactions (why: directory.h). All
 * tables live in the main database; the first byte of a key names its table. */
#ifndef DIRECTORY_STORE_PRIV_H
#define DIRECTORY_STORE_PRIV_H

#include <lmdb.h>

#include "base/base.h"

enum store_mode { STORE_READ, STORE_WRITE };

struct store;
struct store_reader;

/* Creates the folder and an empty environment when missing. map_size is the reserved address space. */
struct store *store_open(const char *path, enum store_mode mode, size_t map_size, struct buf *why);
void store_close(struct store *s);

enum err store_begin(struct store *s, struct store_reader **out, struct buf *why) MUST_CHECK;
void store_end(struct store *s, struct store_reader *r);
/* The value borrows from the view. */
bool store_get(const struct store_reader *r, struct str key, struct str *value);
/* An integer kept under a key; 0 when absent. */
uint64_t store_get_u64(const struct store_reader *r, struct str key);

/* The first key at or behind `from` that begins with the prefix. Key and value borrow from the view. */
bool store_seek(const struct store_reader *r, struct str prefix, struct str from, struct str *key,
                struct str *value);

/* One writer at a time (LMDB waits for the other). Errors are sticky: after the first, puts and removes do
 * nothing and commit tells. Begin, then exactly one commit or abort. */
struct store_write {
    struct store *store;
    MDB_txn *txn;
    struct store_reader *seen; /* reads inside this transaction */
    int failed;                /* LMDB's code */
};
enum err store_write_begin(struct store *s, struct store_write *w, struct buf *why) MUST_CHECK;
enum err store_write_commit(struct store_write *w, struct buf *why) MUST_CHECK;
void store_write_abort(struct store_write *w);
void store_put(struct store_write *w, struct str key, struct str value);
void store_put_u64(struct store_write *w, struct str key, uint64_t value);
void store_remove(struct store_write *w, struct str key); /* what is absent stays absent */
void store_remove_all(struct store_write *w);

/* Keys: a table's letter and its fields, in a fixed array. LMDB allows 511 bytes: longer keys match nothing
 * and cannot be put (callers check with store_key_fits what comes from outside). */
enum { STORE_KEY_MAX = 511 };
struct store_key {
    size_t n;
    bool too_long;
    char p[STORE_KEY_MAX];
};
void store_key_start(struct store_key *k, char table);
void store_key_add(struct store_key *k, struct str s);
void store_key_add_lower(struct store_key *k, struct str s);
void store_key_add_u64(struct store_key *k, uint64_t v);
static inline struct str store_key_str(const struct store_key *k)
{
    return k->too_long ? STR_NONE : str_make(k->p, k->n);
}

#endif
