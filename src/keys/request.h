/* What operators ask of the gate, carried out on the rows: each loads a set, tells the gate, saves. Inside a
 * verb that holds the lock or in tenant_transact. */
#ifndef KEYS_REQUEST_H
#define KEYS_REQUEST_H

#include "keys/store.h"

/* Hands a pair to the gate. key (may be NULL) becomes what the gate was told; its id is that of the known key
 * when the certificate only replaces another. `said` gets the gate's sentence. ERR_REFUSED with it in why. */
enum err request_stage(struct call *c, struct gate_set *set, const struct tls_pair *pair, enum gate_roll roll,
                       struct gate_key *key, struct buf *said) MUST_CHECK;
/* The same with a fresh self-signed pair. */
enum err request_new_key(struct call *c, struct gate_set *set, enum gate_algorithm algorithm,
                         enum gate_roll roll, struct gate_key *key, struct buf *said) MUST_CHECK;

#endif
