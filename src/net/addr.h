/* IPv4 and IPv6 socket addresses. IPv4-mapped IPv6 addresses become IPv4 where they enter (parse, accept). */
#ifndef NET_ADDR_H
#define NET_ADDR_H

#include <netinet/in.h>
#include <sys/socket.h>

#include "base/base.h"

struct addr {
    struct sockaddr_storage ss;
    socklen_t n; /* 0: no address */
};

/* "[ipv6]:65535" and a NUL. */
enum { ADDR_TEXT = 64 };

/* "192.0.2.1", "192.0.2.1:25", "[2001:db8::1]", "[2001:db8::1]:25", "2001:db8::1". No names, no scope ids. */
bool addr_parse(struct str text, uint16_t default_port, struct addr *out);
/* An address without a port and without brackets; the port is 0. */
bool addr_parse_ip(struct str text, struct addr *out);
/* From network-order octets: 4 or 16 of them. */
bool addr_from_octets(const void *octets, size_t n, uint16_t port, struct addr *out);
/* From the kernel; mapped addresses become IPv4. Other families give n = 0. */
struct addr addr_from_sockaddr(const struct sockaddr *sa, socklen_t n);

/* "192.0.2.1:25", "[2001:db8::1]:25"; "-" when empty. Returns out. */
const char *addr_format(const struct addr *a, char out[ADDR_TEXT]);
/* "192.0.2.1", "2001:db8::1". */
const char *addr_ip_format(const struct addr *a, char out[ADDR_TEXT]);

bool addr_is_v4(const struct addr *a);
bool addr_is_v6(const struct addr *a);
/* 127.0.0.0/8 or ::1. */
bool addr_is_loopback(const struct addr *a);
/* 0.0.0.0 or ::. */
bool addr_is_any(const struct addr *a);
/* Same family and address; ports do not count. */
bool addr_equal_ip(const struct addr *a, const struct addr *b);
uint16_t addr_port(const struct addr *a);
void addr_set_port(struct addr *a, uint16_t port);
/* The 4 or 16 octets of the address in network order; borrows from a. */
struct str addr_octets(const struct addr *a);

#endif
