/* Verbs over many domains: named one by one in a transaction that holds for all or none, or out of a file, of
 * a tenant, or all there are, in portions: control answers others in between, what fails is left out and told
 * of, and progress is shown. For verbs of the kind VERB_FREE. */
#ifndef TENANT_BULK_H
#define TENANT_BULK_H

#include "tenant/call.h"

/* One domain, as it was written by the caller. Appends what it is now to c->result when that is not NULL.
 * *changed: false when all was so already. */
typedef enum err (*bulk_one)(struct call *c, struct str text, bool *changed);

enum bulk_selection {
    BULK_NAMED,    /* arguments "domain" (a list), "file" (lines; "#" begins a comment) */
    BULK_SELECTED, /* these, and "all" or "tenant" */
};

/* A page of accepted domains by name, those behind `after` and of `tenant` (empty: of all), to each(). The
 * names are borrowed. For use within tenant_transact. */
enum err bulk_page(struct call *c, struct str tenant, struct str after, size_t most,
                   void (*each)(void *ctx, struct str name), void *ctx) MUST_CHECK;

/* Result: for "domain" an array of domains, else {"changed": n, "unchanged": n, "failed": n, "failures":
 * [{"domain": ..., "error": ...}, ...]}, of failures the first hundred. Progress: {"done": n, "failed": n}.
 */
enum err bulk_run(struct call *c, enum bulk_selection selection, bulk_one one) MUST_CHECK;

#endif
