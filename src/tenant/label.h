/* The label of a domain's MX host in an MX zone. Pure. */
#ifndef TENANT_LABEL_H
#define TENANT_LABEL_H

#include "base/base.h"

/* More are never needed: each has 40 bits of hash of its own. */
enum { MX_LABEL_TRIES = 6 };

/* domain: in the form of dns/name.h. Dots become hyphens ("acme.example" -> "acme-example"). One label, at
 * most 63 octets, letters, digits and hyphens only, no hyphen at an end, valid by IDNA. Other domains can
 * have the same label ("a.b-c", "a-b.c"): whoever comes second takes try 1, 2, ... whose labels end in some
 * of the domain's hash, as do those of names that are too long. In the arena. */
struct str mx_label(struct arena *a, struct str domain, unsigned attempt);

#endif
