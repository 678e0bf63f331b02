/* Shared inside tls/. */
#ifndef TLS_PRIV_H
#define TLS_PRIV_H

#include <openssl/ssl.h>

#include "net/stream.h"
#include "tls/info.h"
#include "tls/pair.h"

/* A pair as OpenSSL objects. */
struct tls_parsed {
    uint64_t id;
    int references; /* guarded by its owner's lock */
    X509 *leaf;
    STACK_OF(X509) * chain; /* behind the leaf; may be empty */
    EVP_PKEY *key;
};
/* NULL when the bytes are no pair; why says what. One reference. */
struct tls_parsed *tls_parsed_new(const struct tls_pair *pair, struct buf *why);
void tls_parsed_free(struct tls_parsed *p);

/* Options that both sides share: modes for small memory and non-blocking sockets, no compression, no
 * renegotiation. */
SSL_CTX *tls_context_new(const SSL_METHOD *method, struct buf *why);
/* Flushes, and refuses a stream that holds octets from before the handshake: somebody injected them. */
enum err tls_ready(struct stream *s, deadline until, struct buf *why);
/* Drives SSL_accept or SSL_connect to its end within the deadline. */
enum err tls_handshake(struct stream *s, SSL *ssl, int (*step)(SSL *), deadline until, struct buf *why);
/* Protocol, cipher, resumption and the peer's certificate. */
void tls_info_fill(struct tls_info *info, SSL *ssl);
/* The digests alone. */
void tls_info_fill_peer(struct tls_info *info, const X509 *cert);
/* "<what>: <OpenSSL's reason>", from its error queue. */
void tls_why(struct buf *why, const char *what);

/* Session tickets under keys that last an hour and are good for another one. */
struct tls_tickets;
struct tls_tickets *tls_tickets_new(SSL_CTX *ctx);
void tls_tickets_free(struct tls_tickets *t);

#endif
