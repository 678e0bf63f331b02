/* Zones that were met, as a run over many domains has them in common: who serves each, and what every server
 * says about the zone itself (SOA, DNSKEY, NSEC3PARAM). Thousands of domains have their MX hosts in one zone:
 * it is asked once in ZONES_AGE_MS, and so is a server that does not answer. Thread-safe; whoever wants a
 * zone that is being looked at waits for it. */
#ifndef INSPECT_ZONES_H
#define INSPECT_ZONES_H

#include "base/crew.h"
#include "inspect/servers.h"

enum { ZONES_AGE_MS = 30000, ZONES_MOST = 4096 };

struct zones;
struct zone_met;

/* Crew and sources must outlive it: servers are asked at the same time. */
struct zones *zones_new(struct crew *crew, const struct servers_conf *conf);
void zones_free(struct zones *z); /* accepts NULL; nothing may be taken */

/* Never NULL; give it back. */
struct zone_met *zones_take(struct zones *z, struct str name);
void zones_give(struct zones *z, struct zone_met *m);
/* A copy, the servers' array in the arena; what they said is borrowed until zones_give. */
void zones_copy(struct zones *z, struct zone_met *m, struct arena *a, struct facts_zone *out);
/* A server of a copy is silent: the next copies have it so. */
void zones_silent(struct zones *z, struct zone_met *m, const struct facts_server *s);

#endif
