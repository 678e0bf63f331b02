/* RDATA of the types that Kedge reads. Pure. */
#ifndef DNS_RDATA_H
#define DNS_RDATA_H

#include "dns/answer.h"
#include "dns/wire.h"

/* rr must have one of the types of dns_type. False when its data is shorter or longer than the type says. */
bool dns_rdata_parse(struct arena *a, const struct dns_rr *rr, struct dns_record *out);
/* Text of the network, kept. */
struct str dns_name_keep(struct arena *a, const struct dns_name_text *name);

#endif
