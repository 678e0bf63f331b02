/*
 * policy: from a recipient domain to an ordered list of hosts with what each must prove, and why; or to the
 * reason why there is none. Every row of the outbound truth table is here (plan, host), the reason codes
 * (reason), and the levels (level).
 *
 * Pure over the answers of a dns_source: no sockets, no clock, no globals; the same walk decides deliveries
 * and explains them (`kedge check`). Refuses to know the queue, connections and what a peer says: those are
 * deliver's. Memory of a plan is the caller's arena; input and source must outlive the plan.
 */
#ifndef POLICY_POLICY_H
#define POLICY_POLICY_H

#include "policy/level.h"
#include "policy/plan.h"
#include "policy/reason.h"

#endif
