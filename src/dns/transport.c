#include "dns/transport_priv.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/codec.h"
#include "base/die.h"
#include "base/file.h"

void udp_pool_init(struct udp_pool *p, const struct addr *to)
{
    *p = (struct udp_pool){.to = *to};
    ENSURE(pthread_mutex_init(&p->lock, NULL) == 0);
}

void udp_pool_release(struct udp_pool *p)
{
    while (p->n)
        file_close(&p->idle[--p->n]);
    (void)pthread_mutex_destroy(&p->lock);
}

int dns_socket(const struct addr *to, int type)
{
    int fd = socket(to->ss.ss_family, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -1;
    if (connect(fd, (const struct sockaddr *)&to->ss, to->n) < 0 && errno != EINPROGRESS) {
        int saved = errno;
        file_close(&fd);
        errno = saved;
    }
    return fd;
}

int udp_pool_take(struct udp_pool *p)
{
    int fd = -1;
    (void)pthread_mutex_lock(&p->lock);
    if (p->n)
        fd = p->idle[--p->n];
    (void)pthread_mutex_unlock(&p->lock);
    return fd >= 0 ? fd : dns_socket(&p->to, SOCK_DGRAM);
}

void udp_pool_give(struct udp_pool *p, int fd, bool clean)
{
    if (clean && addr_is_loopback(&p->to)) {
        (void)pthread_mutex_lock(&p->lock);
        if (p->n < UDP_POOL_MAX) {
            p->idle[p->n++] = fd;
            fd = -1;
        }
        (void)pthread_mutex_unlock(&p->lock);
    }
    file_close(&fd);
}

enum err dns_await(int fd, short events, deadline until)
{
    for (;;) {
        struct pollfd p = {.fd = fd, .events = events};
        int n = poll(&p, 1, deadline_poll_ms(until));
        if (n > 0)
            return OK;
        if (n == 0)
            return ERR_TIMEOUT;
        if (errno != EINTR)
            return ERR_SYSTEM;
    }
}

static enum err send_bytes(int fd, struct str bytes, deadline until)
{
    while (bytes.n) {
        ssize_t n = send(fd, bytes.p, bytes.n, MSG_NOSIGNAL);
        if (n >= 0) {
            bytes = str_from(bytes, (size_t)n);
            continue;
        }
        if (errno != EAGAIN && errno != EINTR)
            return ERR_SYSTEM;
        enum err e = dns_await(fd, POLLOUT, until);
        if (e != OK)
            return e;
    }
    return OK;
}

static enum err receive_bytes(int fd, size_t wanted, deadline until, struct buf *out)
{
    buf_clear(out);
    buf_reserve(out, wanted);
    while (out->n < wanted) {
        ssize_t n = recv(fd, out->p + out->n, wanted - out->n, 0);
        if (n > 0) {
            out->n += (size_t)n;
            continue;
        }
        if (n == 0)
            return ERR_CLOSED;
        if (errno != EAGAIN && errno != EINTR)
            return ERR_SYSTEM;
        enum err e = dns_await(fd, POLLIN, until);
        if (e != OK)
            return e;
    }
    return OK;
}

static enum err explain(const struct dns_tcp *c, enum err e, struct buf *why)
{
    char text[ADDR_TEXT];
    (void)addr_format(&c->to, text);
    if (e == ERR_SYSTEM)
        return err_system(why, "TCP to %s", text);
    if (e != OK)
        buf_set(why, "TCP to %s: %s", text, err_text(e));
    return e;
}

enum err tcp_open(struct dns_tcp *c, const struct addr *to, deadline until, struct buf *why)
{
    *c = (struct dns_tcp){.to = *to, .fd = dns_socket(to, SOCK_STREAM)};
    enum err e = c->fd < 0 ? ERR_SYSTEM : dns_await(c->fd, POLLOUT, until);
    int refused = 0;
    socklen_t n = sizeof refused;
    if (e == OK && getsockopt(c->fd, SOL_SOCKET, SO_ERROR, &refused, &n) == 0 && refused) {
        errno = refused;
        e = ERR_SYSTEM;
    }
    return explain(c, e, why);
}

void tcp_close(struct dns_tcp *c)
{
    file_close(&c->fd);
}

enum err tcp_send(struct dns_tcp *c, struct str message, deadline until, struct buf *why)
{
    struct buf framed = {0};
    buf_add_u16(&framed, (uint16_t)message.n);
    buf_add(&framed, message);
    enum err e = send_bytes(c->fd, buf_str(&framed), until);
    buf_release(&framed);
    return explain(c, e, why);
}

enum err tcp_receive(struct dns_tcp *c, deadline until, struct buf *out, struct buf *why)
{
    enum err e = receive_bytes(c->fd, 2, until, out);
    if (e == OK)
        e = receive_bytes(c->fd, get_u16(out->p), until, out);
    return explain(c, e, why);
}

enum err tcp_exchange(const struct addr *to, struct str message, deadline until, struct buf *answer,
                      struct buf *why)
{
    struct dns_tcp c;
    enum err e = tcp_open(&c, to, until, why);
    if (e == OK)
        e = tcp_send(&c, message, until, why);
    if (e == OK)
        e = tcp_receive(&c, until, answer, why);
    tcp_close(&c);
    return e;
}
