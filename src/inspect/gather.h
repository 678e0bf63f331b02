/* Gathers the facts about an accepted domain: asks the resolver, every authoritative server, the MX host on
 * every address, and the web server of the MTA-STS policy. */
#ifndef INSPECT_GATHER_H
#define INSPECT_GATHER_H

#include "base/crew.h"
#include "inspect/facts.h"
#include "inspect/zones.h"
#include "tls/client.h"

struct gather_conf {
    const struct dns_source *source, *unvalidated; /* the latter asks with CD */
    struct tls_client *tls;                        /* NULL: no connections are made */
    const char *ca_file;                           /* for https */
    const struct addr *source4, *source6;          /* to connect from; NULL: the system chooses */
    struct str hello;
    struct crew *crew;   /* servers and connections of one domain are looked at at the same time */
    bool asks_sts;       /* servers are asked for the MTA-STS record, too: only its whole TTL needs that */
    struct zones *zones; /* what is known of zones already; NULL: all is asked anew */
    /* True: no server is asked and no connection made any more, for nobody wants the facts. NULL: never. */
    bool (*is_over)(void *ctx);
    void *over_ctx;
    int64_t dns_ms, server_ms, connect_ms, smtp_ms, http_ms;
};

/* f holds what the database wants, and an arena. Never fails: what could not be found out is a fact. */
void facts_gather(struct facts *f, const struct gather_conf *conf);
/* Frees what facts_gather took besides the arena. */
void facts_release(struct facts *f);

#endif
