#include "net/proxy.h"

enum { COMMAND_LOCAL = 0x20, COMMAND_PROXY = 0x21, TCP_OVER_IPV4 = 0x11, TCP_OVER_IPV6 = 0x21 };

static const uint8_t signature[12] = {'\r', '\n', '\r', '\n', 0, '\r', '\n', 'Q', 'U', 'I', 'T', '\n'};

/* Unspecified, or stream and datagram over IPv4, IPv6 and Unix sockets: what version 2 knows. */
static bool is_known_family(uint8_t family)
{
    return family == 0 || (family >> 4 >= 1 && family >> 4 <= 3 && (family & 15) >= 1 && (family & 15) <= 2);
}

/* Source and destination addresses of n octets each, then the ports. */
static void addresses(const uint8_t *body, size_t n, struct proxy_header *out)
{
    (void)addr_from_octets(body, n, get_u16(body + 2 * n), &out->source);
    (void)addr_from_octets(body + n, n, get_u16(body + 2 * n + 2), &out->destination);
}

enum proxy_result proxy_parse(const void *bytes, size_t n, struct proxy_header *out)
{
    const uint8_t *p = bytes;
    *out = (struct proxy_header){0};
    if (n && memcmp(p, signature, n < sizeof signature ? n : sizeof signature) != 0)
        return PROXY_BAD;
    if (n < PROXY_FIXED)
        return PROXY_MORE;
    uint8_t command = p[12], family = p[13];
    size_t body = get_u16(p + 14);
    if ((command != COMMAND_LOCAL && command != COMMAND_PROXY) || !is_known_family(family) ||
        body > PROXY_BODY_MAX)
        return PROXY_BAD;
    size_t wanted = family == TCP_OVER_IPV4 ? 12 : family == TCP_OVER_IPV6 ? 36 : 0;
    if (command == COMMAND_PROXY && body < wanted)
        return PROXY_BAD;
    if (n < PROXY_FIXED + body)
        return PROXY_MORE;
    out->length = PROXY_FIXED + body;
    out->is_local = command == COMMAND_LOCAL || wanted == 0;
    if (!out->is_local)
        addresses(p + PROXY_FIXED, wanted == 12 ? 4 : 16, out);
    return PROXY_OK;
}
