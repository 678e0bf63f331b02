/* What an MX zone should hold: a pure function of what the database says.
 *
 *   <label>.<zone>            A, AAAA   of the zone's edge group
 *   _25._tcp.<label>.<zone>   CNAME     _dane.<group>.<zone>, when DANE is on (or the TLSA records)
 *   _dane.<group>.<zone>      TLSA      what the gate publishes, where a host of the zone or a cache needs it
 */
#ifndef ZONE_DESIRED_H
#define ZONE_DESIRED_H

#include "dns/raw.h"

/* A managed key set. */
struct zone_group {
    int64_t key_set_id;
    struct str label;
    const struct tlsa *published; /* by the gate; none: nothing refers to the group yet */
    size_t n;
    bool additions_only; /* the gate: records beside these stay where they are */
    bool no_start;       /* the gate: where there is no RRset it is not started yet */
};

struct zone_host {
    struct str label;
    bool is_gone; /* its records go; the label is still known as ours */
    bool dane;
    size_t group; /* index into groups; SIZE_MAX: none, so DANE is off */
};

struct zone_spec {
    struct str name;
    const struct addr *addresses; /* of the edge group */
    size_t address_n;
    uint32_t address_ttl, tlsa_ttl;
    bool tlsa_per_host;
    const struct zone_host *hosts; /* sorted by label */
    size_t host_n;
    const struct zone_group *groups; /* all there are; sorted by label */
    size_t group_n;
    const bool
        *lingers; /* one for each group: caches may still ask for its RRset (keep_linger.h); NULL: none */
};

struct zone_records {
    struct dns_raw *r; /* sorted by dns_raw_compare */
    size_t n;
};

/* Memory is the arena's. */
void zone_desired(struct arena *a, const struct zone_spec *s, struct zone_records *out);

/* Has the host TLSA records, or an alias to its group's? */
bool zone_host_has_dane(const struct zone_spec *s, const struct zone_host *h);

/* Whose is a name? */
enum zone_owner {
    ZONE_OTHER, /* not of our making */
    ZONE_HOST,
    ZONE_HOST_TLSA,
    ZONE_GROUP,
};
/* *at: index into hosts or groups (may be NULL). */
enum zone_owner zone_owner_of(const struct zone_spec *s, struct str name, size_t *at);

#endif
