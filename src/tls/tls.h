/*
 * tls: OpenSSL contexts and handshakes on a net stream; certificates chosen by SNI; pairs of certificate and
 * key as stored bytes.
 *
 * Knows how to make, read and identify pairs, and which protocols, ciphers and groups are good enough. Knows
 * no DANE (dane/ hooks in with prepare and judge), no files of the directory, no policy: who may see which
 * pair is a function pointer. The stream owns the SSL after a handshake; server and client own their contexts
 * and caches and are shared by all threads.
 */
#ifndef TLS_TLS_H
#define TLS_TLS_H

#include "tls/client.h"
#include "tls/info.h"
#include "tls/pair.h"
#include "tls/server.h"

#endif
