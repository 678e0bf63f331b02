/*
 * tenant: what an operator can say about tenants, accepted domains, recipients, relays, modes, routes and
 * keys. A verb takes JSON arguments, checks them (names normalised, references existing, keys fitting their
 * certificates), changes the database in one transaction that bumps the epoch, brings the directory and the
 * keystore up to date, and gives a JSON result: the thing or things it was about. Errors are sentences: what
 * is wrong, where, what to do next.
 *
 * Knows nothing of sockets and command lines: cmd wires verbs to both. Owns the database file, and is the
 * only writer of the directory and the keystore. Thread-safe: one call at a time.
 */
#ifndef TENANT_TENANT_H
#define TENANT_TENANT_H

#include <jansson.h>

#include "base/base.h"

struct tenant_store;

/* Opens data_directory/kedge.db, migrates it, and rewrites the directory and keystore where they differ. NULL
 * with why. */
struct tenant_store *tenant_open(const char *data_directory, const char *hostname, struct buf *why);
void tenant_close(struct tenant_store *t); /* accepts NULL */

struct tenant_verb {
    const char *name; /* "domain.add" */
    bool read_only;
};
/* All verbs, sorted by nothing in particular; static. */
const struct tenant_verb *tenant_verbs(size_t *count);

/* args: an object, borrowed. *result: a new reference, set on OK. ERR_USAGE for wrong arguments,
 * ERR_NOT_FOUND, ERR_EXISTS, ERR_REFUSED; the database's own errors otherwise. */
enum err tenant_call(struct tenant_store *t, const char *verb, json_t *args, json_t **result,
                     struct buf *why) MUST_CHECK;

#endif
