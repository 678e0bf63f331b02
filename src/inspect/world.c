#include "inspect/world.h"

#include "dns/name.h"

enum {
    LINGER_MS = 10000,
    DNS_MS = 20000,
    SERVER_MS = 4000,
    CONNECT_MS = 10000,
    SMTP_MS = 20000,
    HTTP_MS = 20000
};

static void take_sources(struct inspect_world *w, const struct conf *conf)
{
    for (size_t i = 0; i < conf->source_address.n; i++) {
        struct addr a;
        if (!addr_parse_ip(str_of(conf->source_address.v[i]), &a))
            continue;
        struct addr *of_family = addr_is_v6(&a) ? &w->source6 : &w->source4;
        if (!of_family->n)
            *of_family = a;
    }
}

enum err inspect_world_open(struct inspect_world *w, const struct conf *conf, struct buf *why)
{
    *w = (struct inspect_world){.port = (uint16_t)conf->smtp_port, .proof_ms = conf->resolver_timeout};
    struct addr at;
    ENSURE(addr_parse(str_of(conf->resolver), 53, &at));
    enum err e = resolver_address_check(&at, conf->resolver_trusted, why);
    if (!e && (dns_name_normalise(&w->arena, str_of(conf->resolver_proof_secure), &w->proof_secure) ||
               dns_name_normalise(&w->arena, str_of(conf->resolver_proof_bogus), &w->proof_bogus)))
        w->proof_secure = w->proof_bogus = STR(""); /* an empty option: not asked */
    w->gather = (struct gather_conf){.ca_file = conf->ca_file,
                                     .hello = str_of(conf->hostname),
                                     .dns_ms = DNS_MS,
                                     .server_ms = SERVER_MS,
                                     .connect_ms = CONNECT_MS,
                                     .smtp_ms = SMTP_MS,
                                     .http_ms = HTTP_MS};
    if (!e)
        e = tls_client_new(&(struct tls_client_conf){.ca_file = conf->ca_file}, &w->gather.tls, why);
    if (e)
        return e;
    take_sources(w, conf);
    w->gather.source4 = w->source4.n ? &w->source4 : NULL;
    w->gather.source6 = w->source6.n ? &w->source6 : NULL;
    w->resolver = resolver_new(&(struct resolver_conf){.address = at});
    w->unvalidated = resolver_new(&(struct resolver_conf){.address = at, .unchecked = true});
    w->sources[0] = resolver_source(w->resolver);
    w->sources[1] = resolver_source(w->unvalidated);
    w->gather.source = &w->sources[0];
    w->gather.unvalidated = &w->sources[1];
    w->gather.crew = crew_new(LINGER_MS);
    return OK;
}

void inspect_world_close(struct inspect_world *w)
{
    crew_free(w->gather.crew);
    if (w->gather.tls)
        tls_client_free(w->gather.tls);
    if (w->resolver)
        resolver_free(w->resolver);
    if (w->unvalidated)
        resolver_free(w->unvalidated);
    arena_release(&w->arena);
    *w = (struct inspect_world){0};
}

enum err inspect_world_prove(struct inspect_world *w, struct buf *why)
{
    struct buf reason = {0};
    enum err e =
        resolver_prove(w->resolver, w->proof_secure, w->proof_bogus, deadline_in(w->proof_ms), &reason);
    if (e)
        buf_set(why, "nothing can be said about domains without a resolver that can be relied on: %s",
                buf_cstr(&reason));
    buf_release(&reason);
    return e;
}
