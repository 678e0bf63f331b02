/*
 * net: addresses, prefixes, listening sockets, byte streams with deadlines, the PROXY protocol header.
 *
 * Knows sockets and how to read and write an SSL session that somebody gave it (stream_set_tls); knows
 * nothing of certificates, names, DNS or SMTP. A stream owns its fd and its SSL. Nothing here keeps global
 * state. Every call that can wait takes a deadline; one stream belongs to one thread. Programs ignore or
 * block SIGPIPE.
 */
#ifndef NET_NET_H
#define NET_NET_H

#include "net/addr.h"
#include "net/listen.h"
#include "net/prefix.h"
#include "net/proxy.h"
#include "net/stream.h"

#endif
