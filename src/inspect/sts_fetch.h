/* Fetching the policy of MTA-STS over https, with addresses of our resolver and without any proxy. */
#ifndef INSPECT_STS_FETCH_H
#define INSPECT_STS_FETCH_H

#include "inspect/sts.h"

struct sts_fetch_conf {
    const struct dns_source *source;
    const char *ca_file; /* "": the system's */
    int64_t dns_ms, http_ms;
};

/* Asks for the record, and when there is a good one for its policy. Texts in the arena. */
void sts_look(struct arena *a, struct str domain, const struct sts_fetch_conf *conf, struct sts_facts *out);

#endif
