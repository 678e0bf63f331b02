/*
 * keys: key sets and the rollover gate: which keys there are, which TLSA records they need, and when a key
 * may move from one state to the next (G1 to G5), decided by a pure function over evidence.
 *
 * Knows nothing of DNS messages and sockets: evidence comes in as data. Owns the rows of keys and of what
 * edges confirm in the database, and the board (keys/board.h), on which watchers and edges write what they
 * see.
 *
 * An edge says what it serves with the verb edge.confirm, every second when that has changed, else every 10
 * s:
 *   {"verb": "edge.confirm", "edge": NAME, "key_epoch": N, "serves": [{"key_set": ID, "pair": ID,
 *    "algorithm": "ecdsa", "spki_sha256": HEX, "issuer_spki_sha256": HEX or null}, ...]}
 * and what it saw when it dialled its own names with edge.probe:
 *   {"verb": "edge.probe", "edge": NAME, "probes": [{"name": NAME, "address": "192.0.2.1:25", "algorithm":
 *    "ecdsa", "good": true, "reason": ""}, ...]}
 */
#ifndef KEYS_KEYS_H
#define KEYS_KEYS_H

#include "keys/board.h"
#include "tenant/tenant.h"

/* key.* and edge.confirm, edge.probe; the context is a struct board. */
extern const struct tenant_verb keys_verbs[];
extern const size_t keys_verb_count;

#endif
