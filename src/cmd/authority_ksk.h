/* When the old key signing key of a zone of the private primary may go. Knot makes the new one, signs with
 * both and names the new one in CDS; it is told to go on only after the validating resolver has vouched for
 * the DS record at the parent, for the new key in the zone, and after that for the DS record's TTL and
 * authority_parent_delay. Until then the old key stays, for ever if need be. (Knot could ask a resolver
 * itself, but 3.2 takes an answer that is not authenticated.)
 *
 * All it knows is in memory: a restart begins the wait anew. */
#ifndef CMD_AUTHORITY_KSK_H
#define CMD_AUTHORITY_KSK_H

#include "cmd/knotc.h"

/* The DS records that the zone wants at its parent, as it says itself (CDS): "tag algorithm type digest", a
 * line each, appended. False without one, or when Knot does not answer. */
bool authority_ksk_wanted(struct knotc *k, const char *zone, struct buf *out);

/* Watches over all zones of the configuration; returns only when Knot does not answer any more. */
void authority_ksk_watch(struct knotc *k, const struct conf *conf);

#endif
