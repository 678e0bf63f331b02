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
struct call; /* tenant/call.h: what a verb works with */

#define VERB_KIND_TABLE(X)                                                                                   \
    X(VERB_READ)      /* has the database for itself; anybody may call it */                                 \
    X(VERB_WRITE)     /* the same, in one transaction; root and the daemon's user may call it */             \
    X(VERB_FREE)      /* without the database's lock, so that it may wait and use the network */             \
    X(VERB_FREE_READ) /* the same for verbs that change nothing; anybody may call it */
enum verb_kind {
#define X(name) name,
    VERB_KIND_TABLE(X)
#undef X
};

struct tenant_verb {
    const char *name; /* "domain.add" */
    enum verb_kind kind;
    enum err (*run)(struct call *c);
};

/* The verbs of a module above this one. */
struct tenant_verb_table {
    const struct tenant_verb *verbs;
    size_t count;
    void *context; /* becomes call.context of its verbs; borrowed */
};

struct tenant_args {
    const char *data_directory, *hostname;
    const struct tenant_verb_table *tables; /* besides the verbs of this module; borrowed until close */
    size_t table_count;
    /* Called after each verb that may have changed something, without a lock; must return at once. May be
     * NULL. */
    void (*changed)(void *ctx);
    void *changed_ctx;
};

/* Opens data_directory/kedge.db, migrates it, and rewrites the directory and keystore where they differ. NULL
 * with why. */
struct tenant_store *tenant_open(const struct tenant_args *args, struct buf *why);
void tenant_close(struct tenant_store *t); /* accepts NULL */

/* From now on what takes long ends early: verbs over many domains, with ERR_CLOSED and a sentence that says
 * how far they came. Does not wait for them. */
void tenant_stop(struct tenant_store *t);
bool tenant_is_stopping(const struct tenant_store *t);

/* All verbs, sorted by nothing in particular; borrowed until close. */
const struct tenant_verb *tenant_verbs(const struct tenant_store *t, size_t *count);

struct tenant_request {
    const char *verb;
    json_t *args; /* an object, borrowed */
    /* Owns line; false when nobody hears it any more. NULL: nobody is interested. */
    bool (*progress)(void *ctx, json_t *line);
    void *progress_ctx;
};
/* *result: a new reference, set on OK. ERR_USAGE for wrong arguments, ERR_NOT_FOUND, ERR_EXISTS, ERR_REFUSED;
 * the database's own errors otherwise. */
enum err tenant_call(struct tenant_store *t, const struct tenant_request *request, json_t **result,
                     struct buf *why) MUST_CHECK;

#endif
