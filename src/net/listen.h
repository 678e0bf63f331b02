/* Listening TCP sockets. */
#ifndef NET_LISTEN_H
#define NET_LISTEN_H

#include "net/addr.h"

/* Non-blocking, SO_REUSEADDR; IPv6 sockets take IPv6 only, except that "[::]" serves IPv4 too when both is
 * NET_DUAL_STACK. why names the address and what to do. */
enum net_stack { NET_ONE_FAMILY, NET_DUAL_STACK };
enum err net_listen(const struct addr *at, enum net_stack both, int *fd, struct buf *why) MUST_CHECK;
/* The address a socket is bound to: tests listen on port 0. */
struct addr net_local_addr(int fd);
struct addr net_peer_addr(int fd);
/* Takes one connection: non-blocking, close-on-exec. ERR_TIMEOUT when none waits any more (EAGAIN, or the
 * peer went away), ERR_FULL when descriptors or memory are short (wait a little), ERR_SYSTEM otherwise. */
enum err net_accept(int listener, int *fd, struct addr *peer, struct buf *why) MUST_CHECK;

#endif
