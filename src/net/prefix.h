/* Address prefixes: "192.0.2.0/24", "2001:db8::/32", or a single address. */
#ifndef NET_PREFIX_H
#define NET_PREFIX_H

#include "net/addr.h"

struct net_prefix {
    struct addr addr; /* bits behind the prefix are 0 */
    unsigned bits;
};

/* Refuses bits set behind the prefix ("192.0.2.1/24"): most likely a mistake of the operator. */
bool prefix_parse(struct str text, struct net_prefix *out);
bool prefix_contains(const struct net_prefix *p, const struct addr *a);
/* The prefix of that length around an address: how limits per network count (24 for IPv4, 48 for IPv6). */
struct net_prefix prefix_of(const struct addr *a, unsigned bits);
/* "192.0.2.0/24". */
const char *prefix_format(const struct net_prefix *p, char out[ADDR_TEXT]);

#endif
