/* Is there a way from this machine to an address? No packet is sent. */
#ifndef INSPECT_ROUTE_H
#define INSPECT_ROUTE_H

#include "net/addr.h"

/* False when the system knows none: nothing can be said about what is there. */
bool route_exists(const struct addr *to);

#endif
