/* What desired.h needs, read from the database. */
#ifndef ZONE_LOAD_H
#define ZONE_LOAD_H

#include "dns/tsig.h"
#include "tenant/call.h"
#include "zone/desired.h"

/* A row of the table zone. */
struct zone_row {
    int64_t id;
    struct str name;
    struct addr primary; /* with its port */
    struct tsig_key key; /* no name: updates are not signed */
    struct str edge_group;
    int64_t capacity;
    uint32_t tlsa_ttl, address_ttl;
    bool tlsa_per_host, is_open;
    int64_t hosts_version; /* another one: its MX hosts changed */
};

/* All zones by name, in the arena. ERR_CORRUPT when a row makes no sense. */
enum err zone_load_rows(struct call *c, struct arena *a, struct zone_row **out, size_t *n) MUST_CHECK;

/* What the zone should hold, but for its hosts. groups: all managed key sets, sorted by label, borrowed like
 * the row. */
enum err zone_load_spec(struct call *c, struct arena *a, const struct zone_row *row,
                        const struct zone_group *groups, size_t group_n, struct zone_spec *out) MUST_CHECK;
/* The hosts. */
enum err zone_load_hosts(struct call *c, struct arena *a, const struct zone_row *row,
                         struct zone_spec *out) MUST_CHECK;

#endif
