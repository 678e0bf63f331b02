/* The ways to the resolver: connected UDP sockets that are kept for reuse, and one question over TCP. */
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

/* Sends one message and receives one into `answer`. */
enum err tcp_exchange(const struct addr *to, struct str message, deadline until, struct buf *answer,
                      struct buf *why) MUST_CHECK;

#endif
