/* What each authoritative server of a zone says by itself. */
#ifndef INSPECT_SERVERS_H
#define INSPECT_SERVERS_H

#include "inspect/facts.h"

enum { SERVERS_MAX = 16 };

struct servers_conf {
    const struct dns_source *source; /* for DS */
    const struct dns_source
        *unvalidated; /* for names and addresses of servers: also of a zone that is bogus */
    int64_t dns_ms, server_ms;
};

/* The closest zone at or above the name that has NS records; p NULL: not found. */
struct str servers_zone_of(struct arena *a, struct str name, const struct servers_conf *conf);
/* Fills out->ds, and out->servers without their sets: every address of every server. */
void servers_find(struct arena *a, const struct servers_conf *conf, struct facts_zone *out);
/* Asks one server all questions, one after the other, and adds what it says to the sets it has; after a
 * silence, an earlier one too, it is asked nothing. */
void servers_ask(struct arena *a, struct facts_server *s, const struct dns_question *questions, size_t n,
                 int64_t server_ms);

#endif
