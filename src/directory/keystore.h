/* The pairs of certificate and key that smtpd serves, by server name: an LMDB environment of its own
 * (data_directory/ keys, mode 0700) that only smtpd opens for reading and control for writing. The rules of
 * directory.h about LMDB hold here too. Look-up order: the exact name, the wildcard one label up
 * ("*.mx.example" for "a.mx.example"), the default. */
#ifndef DIRECTORY_KEYSTORE_H
#define DIRECTORY_KEYSTORE_H

#include "base/base.h"

enum { KEYSTORE_CHAIN_MAX = 8 };

struct keystore_pair {
    uint64_t id;      /* never reused; another key or certificate has another id */
    uint64_t key_set; /* session tickets are bound to it */
    bool is_default;  /* no name matched */
    size_t chain_count;
    struct str chain[KEYSTORE_CHAIN_MAX]; /* DER, leaf first */
    struct str key;                       /* DER, PKCS #8 */
};

struct keystore;
/* Creates an empty one when it is missing. NULL with why. Thread-safe from here on. */
struct keystore *keystore_open(const char *path, struct buf *why);
void keystore_close(struct keystore *k); /* accepts NULL */

struct keystore_view {
    struct keystore *keystore;
    struct store_reader *reader;
};
enum err keystore_begin(struct keystore *k, struct keystore_view *v, struct buf *why) MUST_CHECK;
void keystore_end(struct keystore_view *v);

/* Changes when any pair or name changes: parsed copies of an older epoch may be stale. */
uint64_t keystore_epoch(const struct keystore_view *v);
/* The id alone, for a cache of parsed pairs; false when there is not even a default. server_name may be
 * empty. Case and a trailing dot do not matter. */
bool keystore_find(const struct keystore_view *v, struct str server_name, uint64_t *id, bool *is_default);
bool keystore_load(const struct keystore_view *v, struct arena *a, uint64_t id, struct keystore_pair *out);
/* Both at once. */
bool keystore_pair(const struct keystore_view *v, struct arena *a, struct str server_name,
                   struct keystore_pair *out);

#endif
