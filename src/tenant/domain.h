/* One accepted domain as the database has it, and as verbs show it. */
#ifndef TENANT_DOMAIN_H
#define TENANT_DOMAIN_H

#include "tenant/call.h"

struct domain_row {
    struct dir_domain d; /* mx_host: what its MX record should name; empty: the option hostname */
    bool dnssec;         /* it has an MX host in an MX zone */
    bool dane;           /* whose TLSA records are published */
    struct str wave;     /* the tag by which rollouts choose it; empty: none */
};

/* name: normalised, borrowed by the row. ERR_NOT_FOUND with a sentence. */
enum err domain_load(struct call *c, struct str name, struct domain_row *out) MUST_CHECK;
/* Inserts or replaces. */
enum err domain_write(struct call *c, const struct domain_row *row) MUST_CHECK;
/* Publishes TLSA records for its MX host, or none; *changed: false when that was so already. ERR_NOT_FOUND
 * and ERR_REFUSED are about the domain alone. */
enum err domain_set_dane(struct call *c, struct str name, bool on, bool *changed) MUST_CHECK;
json_t *domain_describe(struct call *c, const struct domain_row *row);

#endif
