#include <errno.h>
#include <openssl/err.h>
#include <openssl/x509.h>
#include <poll.h>

#include "tls/tls_priv.h"

void tls_why(struct buf *why, const char *what)
{
    unsigned long code = ERR_peek_error();
    const char *reason = code ? ERR_reason_error_string(code) : NULL;
    buf_set(why, "%s: %s", what, reason ? reason : "no reason given");
}

SSL_CTX *tls_context_new(const SSL_METHOD *method, struct buf *why)
{
    ERR_clear_error();
    SSL_CTX *ctx = SSL_CTX_new(method);
    if (!ctx) {
        tls_why(why, "OpenSSL gives no context");
        return NULL;
    }
    (void)SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS | SSL_MODE_ENABLE_PARTIAL_WRITE |
                                    SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER | SSL_MODE_AUTO_RETRY);
    (void)SSL_CTX_set_options(ctx, SSL_OP_NO_COMPRESSION | SSL_OP_NO_RENEGOTIATION);
    SSL_CTX_set_read_ahead(ctx, 1); /* a record in one system call instead of two */
    (void)SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    return ctx;
}

enum err tls_ready(struct stream *s, deadline until, struct buf *why)
{
    enum err e = stream_flush(s, until);
    if (!e && (s->ssl || stream_buffered(s)))
        e = stream_fail(s, ERR_REFUSED, "octets came before the TLS handshake");
    if (e)
        buf_set(why, "%s", stream_why(s));
    return e;
}

static enum err handshake_failed(struct stream *s, int error, struct buf *why)
{
    static const char closed[] = "connection closed by the peer during the TLS handshake";
    unsigned long code = ERR_peek_error();
    if (error == SSL_ERROR_SYSCALL || error == SSL_ERROR_ZERO_RETURN ||
        ERR_GET_REASON(code) == SSL_R_UNEXPECTED_EOF_WHILE_READING) {
        buf_set(why, "%s", closed);
        return stream_fail(s, ERR_CLOSED, closed);
    }
    tls_why(why, "TLS handshake failed");
    return stream_fail(s, ERR_TLS, "TLS handshake failed");
}

enum err tls_handshake(struct stream *s, SSL *ssl, int (*step)(SSL *), deadline until, struct buf *why)
{
    for (;;) {
        ERR_clear_error();
        int r = step(ssl);
        if (r == 1)
            return OK;
        int error = SSL_get_error(ssl, r);
        if (error != SSL_ERROR_WANT_READ && error != SSL_ERROR_WANT_WRITE)
            return handshake_failed(s, error, why);
        enum err e = stream_wait_fd(s, error == SSL_ERROR_WANT_READ ? POLLIN : POLLOUT, until);
        if (e) {
            buf_set(why, "%s", e == ERR_TIMEOUT ? "timed out in the TLS handshake" : stream_why(s));
            return stream_fail(s, e, "timed out in the TLS handshake");
        }
    }
}

void tls_info_fill_peer(struct tls_info *info, const X509 *cert)
{
    unsigned n = sizeof info->peer_sha256;
    unsigned char *spki = NULL;
    int spki_n = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &spki);
    info->has_peer_certificate =
        X509_digest(cert, EVP_sha256(), info->peer_sha256, &n) == 1 && spki_n > 0 &&
        EVP_Digest(spki, (size_t)spki_n, info->peer_spki_sha256, NULL, EVP_sha256(), NULL) == 1;
    OPENSSL_free(spki);
}

void tls_info_fill(struct tls_info *info, SSL *ssl)
{
    info->protocol = SSL_get_version(ssl);
    info->cipher = SSL_get_cipher_name(ssl);
    info->cipher_bits = (unsigned)SSL_get_cipher_bits(ssl, NULL);
    info->is_resumed = SSL_session_reused(ssl) == 1;
    const X509 *cert = SSL_get0_peer_certificate(ssl);
    if (cert)
        tls_info_fill_peer(info, cert);
}

void tls_info_describe(const struct tls_info *info, struct buf *out)
{
    buf_printf(out, "%s with cipher %s (%u/%u bits)", info->protocol ? info->protocol : "no TLS",
               info->cipher ? info->cipher : "none", info->cipher_bits, info->cipher_bits);
}
