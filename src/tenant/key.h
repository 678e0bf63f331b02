/* Key sets as they are kept in the database: chain as packed DER, key as DER. Used by the keystore's sync and
 * by the module keys. */
#ifndef TENANT_KEY_H
#define TENANT_KEY_H

#include "tenant/call.h"

/* What a set serves, in the arena: all its pairs, or those that the gate calls active when it has a group.
 * ERR_CORRUPT when they cannot be read, ERR_NOT_FOUND when there is none. */
enum err key_set_load(struct db *db, struct arena *a, int64_t key_set, struct tls_identity *out,
                      struct buf *why) MUST_CHECK;
/* One pair by its id, in the arena; errors as above. */
enum err key_pair_load(struct db *db, struct arena *a, int64_t pair_id, struct tls_pair *out,
                       struct buf *why) MUST_CHECK;
/* Appends the packed chain. */
void key_chain_pack(struct buf *out, const struct tls_pair *pair);

#endif
