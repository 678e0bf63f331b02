/* What the verbs zone.add and zone.set take, read and checked. */
#ifndef TENANT_ZONE_ARGS_H
#define TENANT_ZONE_ARGS_H

#include "tenant/call.h"

struct zone_args {
    struct str name;
    struct str primary;                                /* "192.0.2.1:53" */
    struct str tsig_name, tsig_algorithm, tsig_secret; /* secret: octets; all empty: unsigned */
    struct str edge_group;
    int64_t capacity, tlsa_ttl, address_ttl; /* TTLs in seconds */
    bool tlsa_per_host, is_open;
};

/* Takes over into out what the arguments say. ERR_USAGE, ERR_NOT_FOUND (edge group). */
enum err zone_args_read(struct call *c, struct zone_args *out) MUST_CHECK;

/* "NAME:ALGORITHM:SECRET" or "ALGORITHM:NAME:SECRET", the secret in base64. Pure but for the arena. */
enum err zone_tsig_parse(struct arena *a, struct str text, struct zone_args *out, struct buf *why) MUST_CHECK;

#endif
