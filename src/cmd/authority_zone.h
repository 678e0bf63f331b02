/* The zones of the private primary, made and tended with knotc: what DNS UPDATE cannot do, because it takes a
 * zone that is there. */
#ifndef CMD_AUTHORITY_ZONE_H
#define CMD_AUTHORITY_ZONE_H

#include "conf/conf.h"

/* Waits until the private primary answers, makes the zones that it does not have yet, gives all of them the
 * NS records of the option authority_server, logs the DS records that the parents need, and then watches over
 * the key signing keys (authority_ksk.h). Returns an exit code when it cannot. */
int authority_zones_tend(const struct conf *conf);

#endif
