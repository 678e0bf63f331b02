/*
 * dns: names, questions, and answers with their security; the stub resolver.
 *
 * A codec of our own for the small subset that mail needs, strict: what does not follow the grammar is an
 * error and never a denial. Knows which answer is data, a denial or an error, and whether the resolver
 * vouches for it; does not know what mail makes of that (policy). Does not validate: a validating resolver
 * that cannot be spoofed does, and resolver_prove says whether there is one. Answers belong to the caller's
 * arena.
 */
#ifndef DNS_DNS_H
#define DNS_DNS_H

#include "dns/answer.h"
#include "dns/name.h"
#include "dns/resolver.h"

#endif
