/* Key sets with a group, as the gate knows them, in the database: rows of gate_key, bytes in key_pair, what
 * happened in key_event. Everything here runs inside a verb that holds the lock or in tenant_transact. */
#ifndef KEYS_STORE_H
#define KEYS_STORE_H

#include "keys/gate.h"
#include "tenant/key.h"

enum { KEY_GROUP_MAX = 20 };

/* A row of key_set with a group. Text lives in the arena. */
struct key_row {
    int64_t id;
    struct str group;
    bool is_default, keeps_next;
};
/* All of them, by id. */
enum err keys_rows(struct call *c, struct key_row **rows, size_t *n) MUST_CHECK;
/* By group, or by the number of the key set. ERR_NOT_FOUND without why. */
enum err keys_find(struct call *c, struct str text, struct key_row *row) MUST_CHECK;

/* ttl_ms is the largest of all zones; the gate's other times stay 0, its defaults. */
enum err keys_load(struct call *c, int64_t id, struct gate_set *set) MUST_CHECK;
/* All keys and the memory; events (may be NULL) into the timeline. Keys without an id get one; keys that have
 * left the set are forgotten, and what is secret of them is deleted. */
enum err keys_save(struct call *c, struct gate_set *set, const struct gate_out *events) MUST_CHECK;

/* A line of the timeline. */
enum err keys_event(struct call *c, int64_t set_id, int64_t key_id, const char *event,
                    struct str detail) MUST_CHECK;

/* Makes a set without keys. The group must be free: ERR_EXISTS and a sentence. */
enum err keys_add_set(struct call *c, struct str group, struct gate_set *set) MUST_CHECK;
/* The options wants, ta, keeps_next of the set. */
enum err keys_set_options(struct call *c, const struct gate_set *set) MUST_CHECK;

/* Keeps the pair's bytes, and describes it to the gate: everything but id and state. ERR_REFUSED for an
 * algorithm that the gate does not know. */
enum err keys_keep_pair(struct call *c, int64_t set_id, const struct tls_pair *pair, struct gate_key *out,
                        struct buf *why) MUST_CHECK;
/* A fresh key with a self-signed certificate for all MX zones' wildcards. */
enum err keys_make_pair(struct call *c, enum gate_algorithm algorithm, struct tls_pair *out) MUST_CHECK;

#endif
