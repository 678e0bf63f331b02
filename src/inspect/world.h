/* What the verbs of this module look through: a resolver, TLS, threads. */
#ifndef INSPECT_WORLD_H
#define INSPECT_WORLD_H

#include "conf/conf.h"
#include "dns/resolver.h"
#include "inspect/gather.h"
#include "tenant/tenant.h"

struct inspect_world {
    struct gather_conf gather;
    struct addr source4, source6;
    uint16_t port;
    /* owned */
    struct resolver *resolver, *unvalidated;
    struct dns_source sources[2];
    struct str proof_secure, proof_bogus;
    int64_t proof_ms;
    struct arena arena;
};

/* conf must outlive it. ERR_REFUSED for a resolver that is not to be trusted, ERR_TLS. */
enum err inspect_world_open(struct inspect_world *w, const struct conf *conf, struct buf *why) MUST_CHECK;
/* Waits for what is being looked at. Accepts one that was not opened. */
void inspect_world_close(struct inspect_world *w);
/* The resolver validates, now; else nothing that it says is worth telling. */
enum err inspect_world_prove(struct inspect_world *w, struct buf *why) MUST_CHECK;

/* domain.status, domain.switch; their context is a struct inspect_world. */
extern const struct tenant_verb inspect_verbs[];
extern const size_t inspect_verb_count;

#endif
