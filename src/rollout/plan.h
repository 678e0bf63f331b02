/* How many domains go in which wave, and which of them. Pure. */
#ifndef ROLLOUT_PLAN_H
#define ROLLOUT_PLAN_H

#include "base/base.h"

enum { ROLLOUT_WAVES_MAX = 6 };

/* Domains that have moved when each wave is over: 1, 10, 100, 1 %, 10 %, all. Steps that would not move more
 * than the one before are left out. Returns the number of waves; 0 when there are no domains. */
size_t rollout_plan(size_t domains, size_t over[ROLLOUT_WAVES_MAX]);

/* Where a domain stands in the line of a rollout: spread by chance, so that the first ones are not all one
 * customer's, but always the same for one name. */
uint64_t rollout_rank(struct str rollout, struct str domain);

#endif
