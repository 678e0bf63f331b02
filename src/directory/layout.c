#include "directory/directory_priv.h"

void key_tenant(struct store_key *k, uint64_t id)
{
    store_key_start(k, 't');
    store_key_add_u64(k, id);
}

void key_tenant_name(struct store_key *k, struct str name)
{
    store_key_start(k, 'u');
    store_key_add(k, name);
}

void key_domain(struct store_key *k, struct str domain)
{
    store_key_start(k, 'd');
    store_key_add(k, domain);
}

void key_recipient(struct store_key *k, struct str domain, struct str local_part)
{
    store_key_start(k, 'r');
    store_key_add(k, domain);
    store_key_add(k, str_make("", 1)); /* NUL: in no domain */
    store_key_add_lower(k, local_part);
}

void key_sender(struct store_key *k, uint64_t tenant_id, struct str domain)
{
    store_key_start(k, 's');
    store_key_add_u64(k, tenant_id);
    store_key_add(k, domain);
}

static char family_of(const struct addr *a)
{
    return addr_is_v4(a) ? '4' : '6';
}

void key_network(struct store_key *k, const struct addr *a, unsigned bits)
{
    struct net_prefix p = prefix_of(a, bits);
    const char head[] = {family_of(a), (char)bits};
    store_key_start(k, 'p');
    store_key_add(k, str_make(head, sizeof head));
    store_key_add(k, addr_octets(&p.addr));
}

void key_lengths(struct store_key *k, const struct addr *a)
{
    const char family = family_of(a);
    store_key_start(k, 'L');
    store_key_add(k, str_make(&family, 1));
}

void key_length(struct store_key *k, const struct addr *a, unsigned bits)
{
    const char head[] = {family_of(a), (char)bits};
    store_key_start(k, 'l');
    store_key_add(k, str_make(head, sizeof head));
}

void key_certificate(struct store_key *k, const uint8_t sha256[32])
{
    store_key_start(k, 'c');
    store_key_add(k, str_make((const char *)sha256, 32));
}

void key_rule(struct store_key *k, char table, uint64_t tenant_id, struct str pattern)
{
    store_key_start(k, table);
    store_key_add_u64(k, tenant_id);
    store_key_add(k, pattern);
}
