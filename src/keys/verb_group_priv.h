/* Key groups in the verbs that they share with keys by name. */
#ifndef KEYS_VERB_GROUP_PRIV_H
#define KEYS_VERB_GROUP_PRIV_H

#include "keys/store.h"

/* Arguments group, rsa, ta, certificate_pem, key_pem. */
enum err group_add(struct call *c, int64_t *key_set) MUST_CHECK;
/* Arguments rsa, no_rsa, ta, no_ta, next ("self-signed", "imported"). */
enum err group_set(struct call *c, const struct key_row *row) MUST_CHECK;
enum err group_describe(struct call *c, const struct key_row *row, json_t **out) MUST_CHECK;
/* ERR_REFUSED and a sentence while MX hosts need the set, and, unless the argument force is set, while
 * servers or caches may have its records; OK for other key sets. */
enum err group_is_free(struct call *c, int64_t key_set) MUST_CHECK;

#endif
