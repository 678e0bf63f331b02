#include "net/prefix.h"

/* Zeroes the bits behind the prefix. */
static void mask(uint8_t *octets, size_t n, unsigned bits)
{
    for (size_t i = 0; i < n; i++) {
        unsigned keep = bits > i * 8 ? bits - (unsigned)i * 8 : 0;
        if (keep < 8)
            octets[i] &= (uint8_t)(0xff00U >> keep);
    }
}

struct net_prefix prefix_of(const struct addr *a, unsigned bits)
{
    struct net_prefix p = {0};
    uint8_t octets[16];
    struct str o = addr_octets(a);
    if (!o.n)
        return p;
    p.bits = bits > o.n * 8 ? (unsigned)o.n * 8 : bits;
    memcpy(octets, o.p, o.n);
    mask(octets, o.n, p.bits);
    (void)addr_from_octets(octets, o.n, 0, &p.addr);
    return p;
}

bool prefix_parse(struct str text, struct net_prefix *out)
{
    struct str rest = text, ip = str_cut(&rest, '/');
    struct addr a;
    *out = (struct net_prefix){0};
    if (!addr_parse_ip(ip, &a))
        return false;
    uint32_t bits, all = (uint32_t)addr_octets(&a).n * 8;
    if (!rest.p)
        bits = all;
    else if (rest.n > 3 || !str_to_u32(rest, &bits) || bits > all)
        return false;
    *out = prefix_of(&a, bits);
    if (addr_equal_ip(&out->addr, &a))
        return true;
    *out = (struct net_prefix){0};
    return false;
}

bool prefix_contains(const struct net_prefix *p, const struct addr *a)
{
    if (!p->addr.n || addr_octets(&p->addr).n != addr_octets(a).n)
        return false;
    struct net_prefix around = prefix_of(a, p->bits);
    return addr_equal_ip(&around.addr, &p->addr);
}

const char *prefix_format(const struct net_prefix *p, char out[ADDR_TEXT])
{
    char ip[ADDR_TEXT];
    (void)snprintf(out, ADDR_TEXT, "%.45s/%u", addr_ip_format(&p->addr, ip), p->bits);
    return out;
}
