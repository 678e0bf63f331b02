/* MX hosts: which name in which MX zone an accepted domain's MX record points to. A zone is one of many
 * partitions, chosen when a host is allocated and recorded. States of a row of mx_host:
 *
 *   live         published
 *   leaving      its domain is gone or no longer uses it; published until until_ms, two TTLs later
 *   quarantined  published no more; the label is never given to another tenant
 */
#ifndef TENANT_ALLOCATE_H
#define TENANT_ALLOCATE_H

#include "tenant/call.h"

struct mx_host {
    int64_t zone_id;
    struct str zone, label;
    struct str name;    /* label.zone */
    int64_t key_set_id; /* managed key set that is served for it; 0: the default */
    bool dane;
};

/* The domain's live MX host. ERR_NOT_FOUND without why when it has none. */
enum err mx_host_of(struct call *c, struct str domain, struct mx_host *out) MUST_CHECK;

/* A host for a domain that has none that is live: the one it had before where that is still there, else a new
 * one in the named zone, or (zone empty) in the emptiest that is open. ERR_REFUSED with why when no zone
 * takes one. */
enum err mx_host_allocate(struct call *c, struct str domain, int64_t tenant, struct str zone,
                          struct mx_host *out) MUST_CHECK;

/* Which of so many managed key sets, by id, a host with this label gets when it has none. Pure. */
size_t mx_host_choose_key_set(struct str label, size_t count);
/* ERR_REFUSED when DANE is asked for and there is no managed key set. */
enum err mx_host_set_dane(struct call *c, struct mx_host *h, bool dane) MUST_CHECK;

/* The live host, if there is one, begins to leave. *until_ms: when its records go; 0: there was none. */
enum err mx_host_leave(struct call *c, struct str domain, int64_t *until_ms) MUST_CHECK;
/* The same for all hosts of a tenant. */
enum err mx_host_leave_tenant(struct call *c, int64_t tenant) MUST_CHECK;
/* The domain moves to another tenant, and its MX host with it. */
enum err mx_host_move(struct call *c, struct str domain, int64_t tenant) MUST_CHECK;

/* Quarantines hosts whose time to leave is over (in a transaction that writes; for the keeper, each round).
 */
enum err mx_host_expire(struct call *c, int64_t now_ms, int64_t *count) MUST_CHECK;

#endif
