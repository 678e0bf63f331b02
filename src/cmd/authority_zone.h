/* Making the zones of the private primary, with knotc: what DNS UPDATE cannot do, because it takes a zone
 * that is there. */
#ifndef CMD_AUTHORITY_ZONE_H
#define CMD_AUTHORITY_ZONE_H

#include "conf/conf.h"

/* Waits until the private primary answers, makes the zones that it does not have yet, gives all of them the
 * NS records of the option authority_server, and logs the DS records that the parents need. Returns an exit
 * code. */
int authority_zones_make(const struct conf *conf);

#endif
