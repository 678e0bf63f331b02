#include "net/listen.h"

#include <errno.h>
#include <unistd.h>

/* What an operator can do about a refused bind. */
static const char *advice(int error)
{
    switch (error) {
    case EADDRINUSE:
        return "; another program listens there (see: ss -ltnp), stop it or choose another address or port";
    case EADDRNOTAVAIL:
        return "; this machine does not have that address, check the listen option";
    case EACCES:
    case EPERM:
        return "; ports below 1024 need root or CAP_NET_BIND_SERVICE, or choose a higher port";
    case EAFNOSUPPORT:
        return "; this machine has no support for that address family, check the listen option";
    default:
        return "";
    }
}

static enum err refused(const struct addr *at, const char *what, struct buf *why)
{
    char text[ADDR_TEXT];
    int error = errno;
    enum err e = err_system(why, "cannot %s on %s", what, addr_format(at, text));
    if (why)
        buf_printf(why, "%s", advice(error));
    return e;
}

enum err net_listen(const struct addr *at, enum net_stack both, int *fd, struct buf *why)
{
    *fd = -1;
    int s = socket(at->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (s < 0)
        return refused(at, "open a socket", why);
    int on = 1, only = !(both == NET_DUAL_STACK && addr_is_any(at));
    const char *what = NULL;
    if (setsockopt(s, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on) < 0 ||
        (addr_is_v6(at) && setsockopt(s, IPPROTO_IPV6, IPV6_V6ONLY, &only, sizeof only) < 0))
        what = "set socket options";
    else if (bind(s, (const struct sockaddr *)&at->ss, at->n) < 0)
        what = "listen";
    else if (listen(s, SOMAXCONN) < 0)
        what = "listen";
    if (!what) {
        *fd = s;
        return OK;
    }
    enum err e = refused(at, what, why);
    (void)close(s);
    return e;
}

struct addr net_local_addr(int fd)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    if (getsockname(fd, (struct sockaddr *)&ss, &n) < 0)
        return (struct addr){0};
    return addr_from_sockaddr((struct sockaddr *)&ss, n);
}

struct addr net_peer_addr(int fd)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    if (getpeername(fd, (struct sockaddr *)&ss, &n) < 0)
        return (struct addr){0};
    return addr_from_sockaddr((struct sockaddr *)&ss, n);
}

enum err net_accept(int listener, int *fd, struct addr *peer, struct buf *why)
{
    struct sockaddr_storage ss;
    socklen_t n = sizeof ss;
    *fd = accept4(listener, (struct sockaddr *)&ss, &n, SOCK_NONBLOCK | SOCK_CLOEXEC);
    if (*fd >= 0) {
        *peer = addr_from_sockaddr((struct sockaddr *)&ss, n);
        return OK;
    }
    switch (errno) {
    case EAGAIN:
    case EINTR:
    case ECONNABORTED:
    case EPROTO: /* accept(2): errors of the new connection, to be treated as EAGAIN */
    case ENETDOWN:
    case EHOSTDOWN:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ENOPROTOOPT:
    case EOPNOTSUPP:
        return ERR_TIMEOUT;
    case EMFILE:
    case ENFILE:
    case ENOBUFS:
    case ENOMEM:
        (void)err_system(why, "cannot accept a connection");
        return ERR_FULL;
    default:
        return err_system(why, "cannot accept a connection");
    }
}
