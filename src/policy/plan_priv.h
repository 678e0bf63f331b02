/* Shared by the steps of the walk. */
#ifndef POLICY_PLAN_PRIV_H
#define POLICY_PLAN_PRIV_H

#include "policy/plan.h"

enum policy_step { POLICY_STEP_MX, POLICY_STEP_ADDRESS, POLICY_STEP_TLSA };

/* Which reason an answer with status DNS_ERROR is, at that step. */
enum reason policy_error_reason(const struct dns_answer *answer, enum policy_step step);

/* SHA-256 of all that a connection to this host had to prove: host, base domain, usable TLSA set, reference
 * names when a usage-2 record is usable, level. Equal fingerprints may share a connection. */
void policy_fingerprint(struct policy_host *h);

#endif
