/* The client's side of TLS. The handshake completes whatever the certificate is; it is judged afterwards, so
 * that the reason can be logged and the session ended politely. Thread-safe. */
#ifndef TLS_CLIENT_H
#define TLS_CLIENT_H

#include "net/stream.h"
#include "tls/info.h"

struct tls_client;

struct tls_client_conf {
    const char *ca_file; /* WebPKI roots, PEM; NULL: the system's; "" none */
};

enum err tls_client_new(const struct tls_client_conf *conf, struct tls_client **out,
                        struct buf *why) MUST_CHECK;
void tls_client_free(struct tls_client *t);

/* How weak a handshake may be. Versions before 1.2 need level 0 and are only for where clear text is the
 * alternative. */
enum tls_strength {
    TLS_STRENGTH_MODERN, /* TLS 1.2 and later, OpenSSL security level 1 (a TLSA record may vouch for RSA-1024)
                          */
    TLS_STRENGTH_TLS_1_1, /* TLS 1.1 and later, level 0 */
    TLS_STRENGTH_TLS_1_0, /* TLS 1.0 and later, level 0 */
};

struct tls_connect_args {
    struct str sni; /* A-labels, no trailing dot; empty: no SNI */
    enum tls_strength strength;
    /* dane/ or nobody: prepare runs before the handshake, judge after it, on the chain that the server sent.
     * The handshake itself verifies for webpki_name only. */
    enum err (*prepare)(void *ctx, SSL *ssl, struct buf *why); /* not OK: no handshake */
    void (*judge)(void *ctx, SSL *ssl);
    void *ctx;
    struct str
        webpki_name; /* not empty: verify against the roots for this name; result in info.webpki_error */
    /* Not empty: offer the session remembered under this key. The key is a fingerprint of everything that
     * judged that session (policy, TLSA set, names, host, address): see tls_remember. */
    struct str session_key;
};

/* As tls_accept. ERR_TLS: handshake failed, why has the library's reason. */
enum err tls_connect(struct stream *s, struct tls_client *t, const struct tls_connect_args *args,
                     deadline until, struct tls_info *out, struct buf *why) MUST_CHECK;

/* Keeps the stream's session for later connections under that key; call it when the dialog ends well (TLS 1.3
 * tickets come late) and only if the verdict was good. A resumed handshake sends no certificate: the verdict
 * of the remembered one holds, which is why the key must cover all that it rested on. */
void tls_remember(struct tls_client *t, struct stream *s, struct str session_key);

#endif
