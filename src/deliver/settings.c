#include "deliver/settings.h"

#include <ifaddrs.h>

#include "dns/name.h"

enum { ADDRESSES_MAX = 256 };

static void add_own(struct policy_self *self, struct addr *addresses, const struct addr *a)
{
    if (a->n && self->address_count < ADDRESSES_MAX)
        addresses[self->address_count++] = *a;
}

/* Every address of this machine, with the port. */
static void add_interfaces(struct policy_self *self, struct addr *addresses, uint16_t port)
{
    struct ifaddrs *all = NULL;
    if (getifaddrs(&all) != 0)
        return;
    for (const struct ifaddrs *i = all; i; i = i->ifa_next) {
        if (!i->ifa_addr)
            continue;
        struct addr a = addr_from_sockaddr(i->ifa_addr, sizeof(struct sockaddr_storage));
        if (a.n)
            addr_set_port(&a, port);
        add_own(self, addresses, &a);
    }
    freeifaddrs(all);
}

static void find_self(struct settings *s)
{
    struct addr *addresses = ARENA_ARRAY(&s->arena, struct addr, ADDRESSES_MAX);
    struct str *name = ARENA_NEW(&s->arena, struct str);
    *name = s->hello;
    s->self = (struct policy_self){.names = name, .name_count = 1, .addresses = addresses};
    for (size_t i = 0; i < s->conf->listen.n; i++) {
        struct addr a;
        if (!addr_parse(str_of(s->conf->listen.v[i]), 25, &a))
            continue; /* smtpd complains */
        if (addr_is_any(&a)) {
            s->self.listens_on_all = true;
            add_interfaces(&s->self, addresses, addr_port(&a));
        }
        add_own(&s->self, addresses, &a);
    }
}

enum tls_strength settings_strength_none(const struct conf *conf)
{
    static const enum tls_strength strengths[] = {
        [CONF_TLS_1_0] = TLS_STRENGTH_TLS_1_0,
        [CONF_TLS_1_1] = TLS_STRENGTH_TLS_1_1,
        [CONF_TLS_1_2] = TLS_STRENGTH_MODERN,
    };
    return strengths[conf->tls_min_version_none];
}

struct settings *settings_new(const struct conf *conf)
{
    static const enum policy_insecure_mx insecure_mx[] = {
        [CONF_INSECURE_MX_DANE] = POLICY_INSECURE_MX_DANE,
        [CONF_INSECURE_MX_ENCRYPT] = POLICY_INSECURE_MX_ENCRYPT,
        [CONF_INSECURE_MX_OPPORTUNISTIC] = POLICY_INSECURE_MX_OPPORTUNISTIC,
    };
    struct settings *s = must_alloc(calloc(1, sizeof *s));
    s->conf = conf;
    s->schedule = schedule_of(conf);
    s->insecure_mx = insecure_mx[conf->insecure_mx];
    s->strength_none = settings_strength_none(conf);
    if (dns_name_normalise(&s->arena, str_of(conf->hostname), &s->hello) != OK)
        s->hello = arena_lower(&s->arena, str_of(conf->hostname));
    for (size_t i = 0; i < conf->source_address.n; i++) {
        struct addr a;
        if (!addr_parse_ip(str_of(conf->source_address.v[i]), &a))
            continue;
        struct addr *slot = addr_is_v4(&a) ? &s->source4 : &s->source6;
        if (!slot->n)
            *slot = a;
    }
    find_self(s);
    return s;
}

void settings_free(struct settings *s)
{
    while (s) {
        struct settings *earlier = s->earlier;
        arena_release(&s->arena);
        free(s);
        s = earlier;
    }
}

const struct addr *settings_source(const struct settings *s, const struct addr *to)
{
    const struct addr *source = addr_is_v4(to) ? &s->source4 : &s->source6;
    return source->n ? source : NULL;
}
