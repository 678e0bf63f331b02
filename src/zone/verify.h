/* Asking every authoritative server of a zone directly, at every address, and a validating resolver: the
 * evidence for the gate and for people. */
#ifndef ZONE_VERIFY_H
#define ZONE_VERIFY_H

#include "base/crew.h"
#include "dns/authority.h"
#include "zone/evidence.h"

struct zone_watch {
    struct str zone;
    struct addr primary; /* n = 0: only the NS set is asked */
    const struct dns_question *questions;
    size_t nquestion;
    size_t nsample; /* the last so many are samples: left out where they would take half of the time */
    enum zone_family unreachable;
};

/* Asks the resolver for the zone, then for its servers, then all servers at the same time in jobs of the
 * crew; each of the three may take timeout_ms. Never fails: what could not be found out is evidence. out is
 * initialised here, released by the caller. */
void zone_observe(const struct dns_source *resolver, struct crew *crew, const struct zone_watch *watch,
                  int64_t timeout_ms, struct zone_evidence *out);

#endif
