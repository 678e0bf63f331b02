#include "net/addr.h"

#include <arpa/inet.h>

static const struct sockaddr_in *v4(const struct addr *a)
{
    return (const struct sockaddr_in *)&a->ss;
}

static const struct sockaddr_in6 *v6(const struct addr *a)
{
    return (const struct sockaddr_in6 *)&a->ss;
}

bool addr_from_octets(const void *octets, size_t n, uint16_t port, struct addr *out)
{
    *out = (struct addr){0};
    static const uint8_t mapped[12] = {[10] = 0xff, [11] = 0xff};
    if (n == 16 && memcmp(octets, mapped, sizeof mapped) == 0)
        return addr_from_octets((const uint8_t *)octets + 12, 4, port, out);
    if (n == 4) {
        struct sockaddr_in *to = (struct sockaddr_in *)&out->ss;
        to->sin_family = AF_INET;
        to->sin_port = htons(port);
        memcpy(&to->sin_addr, octets, 4);
        out->n = sizeof *to;
        return true;
    }
    if (n == 16) {
        struct sockaddr_in6 *to = (struct sockaddr_in6 *)&out->ss;
        to->sin6_family = AF_INET6;
        to->sin6_port = htons(port);
        memcpy(&to->sin6_addr, octets, 16);
        out->n = sizeof *to;
        return true;
    }
    return false;
}

struct addr addr_from_sockaddr(const struct sockaddr *sa, socklen_t n)
{
    struct addr a = {.n = n};
    if (n > sizeof a.ss)
        return (struct addr){0};
    memcpy(&a.ss, sa, n);
    struct addr out = {0};
    if (sa->sa_family == AF_INET && n >= sizeof(struct sockaddr_in))
        (void)addr_from_octets(&v4(&a)->sin_addr, 4, ntohs(v4(&a)->sin_port), &out);
    else if (sa->sa_family == AF_INET6 && n >= sizeof(struct sockaddr_in6)) {
        (void)addr_from_octets(&v6(&a)->sin6_addr, 16, ntohs(v6(&a)->sin6_port), &out);
        if (addr_is_v6(&out)) /* link-local addresses need their scope */
            ((struct sockaddr_in6 *)&out.ss)->sin6_scope_id = v6(&a)->sin6_scope_id;
    }
    return out;
}

bool addr_parse_ip(struct str text, struct addr *out)
{
    char copy[INET6_ADDRSTRLEN];
    uint8_t octets[16];
    *out = (struct addr){0};
    if (str_find_char(text, '\0') != SIZE_MAX || !str_copy(text, copy, sizeof copy))
        return false;
    if (inet_pton(AF_INET, copy, octets) == 1)
        return addr_from_octets(octets, 4, 0, out);
    return inet_pton(AF_INET6, copy, octets) == 1 && addr_from_octets(octets, 16, 0, out);
}

static bool parse_port(struct str text, uint16_t *port)
{
    uint32_t v;
    if (text.n > 5 || !str_to_u32(text, &v) || v > UINT16_MAX)
        return false;
    *port = (uint16_t)v;
    return true;
}

bool addr_parse(struct str text, uint16_t default_port, struct addr *out)
{
    uint16_t port = default_port;
    struct str ip = text;
    *out = (struct addr){0};
    size_t first = str_find_char(text, ':'), last = str_rfind_char(text, ':');
    if (text.n && text.p[0] == '[') {
        size_t close = str_find_char(text, ']');
        if (close == SIZE_MAX)
            return false;
        ip = str_sub(text, 1, close - 1);
        struct str behind = str_from(text, close + 1);
        if (behind.n && (behind.p[0] != ':' || !parse_port(str_from(behind, 1), &port)))
            return false;
        if (str_find_char(ip, ':') == SIZE_MAX)
            return false; /* brackets are for IPv6 */
    } else if (first != SIZE_MAX && first == last) {
        if (!parse_port(str_from(text, first + 1), &port))
            return false;
        ip = str_sub(text, 0, first);
    }
    if (!addr_parse_ip(ip, out))
        return false;
    addr_set_port(out, port);
    return true;
}

const char *addr_ip_format(const struct addr *a, char out[ADDR_TEXT])
{
    const void *octets = addr_is_v4(a) ? (const void *)&v4(a)->sin_addr : (const void *)&v6(a)->sin6_addr;
    if (!a->n || !inet_ntop(a->ss.ss_family, octets, out, ADDR_TEXT))
        (void)snprintf(out, ADDR_TEXT, "-");
    return out;
}

const char *addr_format(const struct addr *a, char out[ADDR_TEXT])
{
    char ip[ADDR_TEXT];
    if (!a->n)
        return addr_ip_format(a, out);
    (void)addr_ip_format(a, ip);
    (void)snprintf(out, ADDR_TEXT, addr_is_v6(a) ? "[%.45s]:%u" : "%.45s:%u", ip, addr_port(a));
    return out;
}

bool addr_is_v4(const struct addr *a)
{
    return a->n && a->ss.ss_family == AF_INET;
}

bool addr_is_v6(const struct addr *a)
{
    return a->n && a->ss.ss_family == AF_INET6;
}

bool addr_is_loopback(const struct addr *a)
{
    if (addr_is_v6(a))
        return IN6_IS_ADDR_LOOPBACK(&v6(a)->sin6_addr);
    return addr_is_v4(a) && ntohl(v4(a)->sin_addr.s_addr) >> 24 == 127;
}

bool addr_is_any(const struct addr *a)
{
    if (addr_is_v6(a))
        return IN6_IS_ADDR_UNSPECIFIED(&v6(a)->sin6_addr);
    return addr_is_v4(a) && v4(a)->sin_addr.s_addr == 0;
}

bool addr_equal_ip(const struct addr *a, const struct addr *b)
{
    return a->n && b->n && str_equal(addr_octets(a), addr_octets(b));
}

uint16_t addr_port(const struct addr *a)
{
    if (addr_is_v6(a))
        return ntohs(v6(a)->sin6_port);
    return addr_is_v4(a) ? ntohs(v4(a)->sin_port) : 0;
}

void addr_set_port(struct addr *a, uint16_t port)
{
    if (addr_is_v6(a))
        ((struct sockaddr_in6 *)&a->ss)->sin6_port = htons(port);
    else if (addr_is_v4(a))
        ((struct sockaddr_in *)&a->ss)->sin_port = htons(port);
}

struct str addr_octets(const struct addr *a)
{
    if (addr_is_v6(a))
        return str_make((const char *)&v6(a)->sin6_addr, 16);
    return addr_is_v4(a) ? str_make((const char *)&v4(a)->sin_addr, 4) : STR_NONE;
}
