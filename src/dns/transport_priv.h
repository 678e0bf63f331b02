/* The ways to a server: connected UDP sockets (kept for reuse when they lead to the resolver), and messages
 * over TCP. */
#ifndef DNS_TRANSPORT_PRIV_H
#define DNS_TRANSPORT_PRIV_H

#include <pthread.h>

#include "base/clock.h"
#include "base/err.h"
#include "net/addr.h"

enum { UDP_POOL_MAX = 128 };

/* Only sockets to loopback are kept: elsewhere each question has a source port of its own. */
struct udp_pool {
    struct addr to;
    pthread_mutex_t lock;
    size_t n;
    int idle[UDP_POOL_MAX];
};

void udp_pool_init(struct udp_pool *p, const struct addr *to);
void udp_pool_release(struct udp_pool *p);
/* A connected, non-blocking socket, or -1 with errno. */
int udp_pool_take(struct udp_pool *p);
/* clean: nothing that was asked on it can still be answered. */
void udp_pool_give(struct udp_pool *p, int fd, bool clean);

/* A connected, non-blocking socket of this type, or -1 with errno. */
int dns_socket(const struct addr *to, int type);
/* Waits for these events of poll(2). ERR_TIMEOUT, ERR_SYSTEM. */
enum err dns_await(int fd, short events, deadline until) MUST_CHECK;

/* TCP, message by message, framed by their length. The sentences name the server. */
struct dns_tcp {
    struct addr to;
    int fd;
};
/* tcp_close accepts what tcp_open refused. */
enum err tcp_open(struct dns_tcp *c, const struct addr *to, deadline until, struct buf *why) MUST_CHECK;
void tcp_close(struct dns_tcp *c);
enum err tcp_send(struct dns_tcp *c, struct str message, deadline until, struct buf *why) MUST_CHECK;
/* Replaces what is in out. */
enum err tcp_receive(struct dns_tcp *c, deadline until, struct buf *out, struct buf *why) MUST_CHECK;

/* Sends one message and receives one into `answer`. */
enum err tcp_exchange(const struct addr *to, struct str message, deadline until, struct buf *answer,
                      struct buf *why) MUST_CHECK;

#endif
