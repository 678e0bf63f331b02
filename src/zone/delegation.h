/* The DS records of a zone: those that it wants at its parent, which are its CDS records (RFC 7344), and
 * those that the validating resolver finds there. Pure. */
#ifndef ZONE_DELEGATION_H
#define ZONE_DELEGATION_H

#include "dns/raw.h"

enum zone_ds_sight {
    ZONE_DS_NONE, /* the zone says nothing of what it wants */
    ZONE_DS_SEEN, /* all that is wanted is at the parent, and the zone's keys validate with theirs among them
                   */
    ZONE_DS_MISSING, /* one at least is not, or means nothing because the parent is not signed */
    ZONE_DS_UNKNOWN, /* it cannot be said now */
};

struct zone_ds {
    struct str rdata;
    bool is_wanted, is_there;
    int64_t since_ms; /* wall clock: wanted and missing since; 0 otherwise. Set by who keeps it. */
};

struct zone_delegation {
    enum zone_ds_sight sight;
    struct str why; /* a sentence; empty when it is seen */
    struct zone_ds *ds;
    size_t n;
};

/* The RDATA of the zone's CDS records, borrowed; "0 0 0 00" (no DS at all, RFC 8078) is none. `out` has room
 * for n. */
size_t zone_ds_wanted(struct str zone, const struct dns_raw *records, size_t n, struct str *out);
/* ds, keys: the resolver's answers for DS and DNSKEY of the zone. Memory is the arena's, data is copied. */
void zone_delegation_judge(struct arena *a, const struct str *wanted, size_t n, const struct dns_answer *ds,
                           const struct dns_answer *keys, struct zone_delegation *out);
/* Nobody needs it there: all that is wanted is seen, and this is not. */
bool zone_ds_may_go(const struct zone_delegation *d, const struct zone_ds *ds);

/* "52926 13 2 6E4D...", and back. */
void zone_ds_text(struct buf *out, struct str rdata);
bool zone_ds_read(struct str text, struct buf *rdata);

#endif
