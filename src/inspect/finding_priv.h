/* Turns what a report holds into findings. */
#ifndef INSPECT_FINDING_PRIV_H
#define INSPECT_FINDING_PRIV_H

#include "inspect/inspect.h"

/* Call it when plan, probes and verdict are complete. */
void inspect_find(struct inspect_report *r);

#endif
