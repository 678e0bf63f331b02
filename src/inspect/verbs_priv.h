/* The verbs of this module. */
#ifndef INSPECT_VERBS_PRIV_H
#define INSPECT_VERBS_PRIV_H

#include "inspect/world.h"
#include "tenant/call.h"

enum err verb_domain_status(struct call *c);
enum err verb_domain_codes(struct call *c);
enum err verb_domain_switch(struct call *c);

#endif
