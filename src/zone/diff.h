/* From what a zone holds to what it should hold. Pure. */
#ifndef ZONE_DIFF_H
#define ZONE_DIFF_H

#include "dns/update.h"
#include "zone/desired.h"

struct zone_diff {
    /* In sending order: groups before the hosts that refer to them, and out after those. The changes of one
     * owner are neighbours and belong into one update: cut apart they could leave a moment without a record.
     */
    struct dns_change *change;
    size_t n, adds, removes;
    /* What we did not create and do not touch; without what a server makes itself (SOA, the zone's NS,
     * signatures, denials, keys). */
    struct dns_raw *foreign;
    size_t foreign_n;
    /* Desired, but a foreign record is in the way: a CNAME, or any beside which a CNAME is wanted. */
    struct dns_raw *blocked;
    size_t blocked_n;
};

/* desired: by zone_desired of the same spec; actual: sorted by dns_raw_sort. Records borrow from both. */
void zone_diff(struct arena *a, const struct zone_spec *s, const struct zone_records *desired,
               const struct zone_records *actual, struct zone_diff *out);

/* How many of the first n changes make a batch of at most `most`, without cutting an owner apart (an owner
 * with more than `most` changes is taken whole). */
size_t zone_diff_batch(const struct dns_change *change, size_t n, size_t most);

/* Leaves out the changes of owners that would get an alias to one of these names. Returns how many stay, in
 * their order. */
size_t zone_diff_hold(struct dns_change *change, size_t n, const struct str *missing, size_t missing_n);

#endif
