/* The PROXY protocol, version 2 (haproxy's proxy-protocol.txt): what a load balancer writes before the first
 * byte of a connection. Pure. */
#ifndef NET_PROXY_H
#define NET_PROXY_H

#include "net/addr.h"

enum proxy_result {
    PROXY_MORE, /* so far so good: need more bytes */
    PROXY_BAD,  /* not a header of version 2, or one that lies about its length: close */
    PROXY_OK,
};

struct proxy_header {
    bool is_local; /* LOCAL command, or a family that is not TCP over IP: keep the socket's own addresses */
    struct addr source; /* n = 0 when is_local */
    struct addr destination;
    size_t length; /* octets of the header: consume that many */
};

/* A header is at most 16 + PROXY_BODY_MAX octets; a longer one is PROXY_BAD. */
enum { PROXY_FIXED = 16, PROXY_BODY_MAX = 4096 };

enum proxy_result proxy_parse(const void *bytes, size_t n, struct proxy_header *out);

#endif
