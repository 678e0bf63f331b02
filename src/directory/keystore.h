/* The certificates and keys that smtpd serves, by server name: an LMDB environment of its own
 * (data_directory/keys, mode 0700) that only smtpd opens for reading and control for writing. The rules of
 * directory.h about LMDB hold here too. Look-up order: the exact name, the wildcard one label up
 * ("*.mx.example" for "a.mx.example"), the default. A name whose key set has nothing to serve
 * yet gets the default, too. */
#ifndef DIRECTORY_KEYSTORE_H
#define DIRECTORY_KEYSTORE_H

#include "base/base.h"
#include "tls/pair.h"

struct keystore;
/* Creates an empty one when it is missing. NULL with why. Thread-safe from here on. */
struct keystore *keystore_open(const char *path, struct buf *why);
void keystore_close(struct keystore *k); /* accepts NULL */

struct keystore_view {
    struct keystore *keystore;
    struct store_reader *reader;
};
enum err keystore_begin(struct keystore *k, struct keystore_view *v, struct buf *why) MUST_CHECK;
void keystore_end(struct keystore_view *v); /* accepts one that is not begun */

/* Grows with every change. */
uint64_t keystore_epoch(const struct keystore_view *v);

/* What to serve for a server name (lower case, no trailing dot; empty: the default). Bytes live in the arena.
 * False when there is not even a default. is_default (may be NULL) tells that no name matched. */
bool keystore_identity(const struct keystore_view *v, struct arena *a, struct str server_name,
                       struct tls_identity *out, bool *is_default);

/* The managed key sets that have something to serve: their ids, in the arena. */
size_t keystore_managed(const struct keystore_view *v, struct arena *a, uint64_t **ids);
/* What a key set serves. False when it has nothing. */
bool keystore_set(const struct keystore_view *v, struct arena *a, uint64_t key_set, struct tls_identity *out);

#endif
