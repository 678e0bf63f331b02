#include "tls/client.h"

#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls/tls_priv.h"

enum { SESSIONS_MAX = 2048 };

struct tls_client {
    SSL_CTX *ctx;
    pthread_mutex_t lock;
    struct lru sessions; /* caller's key -> SSL_SESSION */
};

/* Chains cost time to verify: only when somebody looks at the result. */
static int verify_when_asked(X509_STORE_CTX *store, void *arg)
{
    SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
    const struct tls_connect_args *args = SSL_get_app_data(ssl);
    (void)arg;
    if (args && args->webpki_name.n)
        return X509_verify_cert(store) == 1;
    X509_STORE_CTX_set_error(store, X509_V_ERR_APPLICATION_VERIFICATION);
    return 0;
}

static enum err load_roots(SSL_CTX *ctx, const char *ca_file, struct buf *why)
{
    if (ca_file && !*ca_file)
        return OK;
    if (ca_file ? SSL_CTX_load_verify_file(ctx, ca_file) == 1 : SSL_CTX_set_default_verify_paths(ctx) == 1)
        return OK;
    buf_set(why, "cannot read certificates from %s (check ca_file)",
            ca_file ? ca_file : "the system's store");
    return ERR_TLS;
}

static void drop_session(void *session)
{
    SSL_SESSION_free(session);
}

enum err tls_client_new(const struct tls_client_conf *conf, struct tls_client **out, struct buf *why)
{
    *out = NULL;
    SSL_CTX *ctx = tls_context_new(TLS_client_method(), why);
    if (!ctx)
        return ERR_TLS;
    enum err e = load_roots(ctx, conf->ca_file, why);
    if (e) {
        SSL_CTX_free(ctx);
        return e;
    }
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    SSL_CTX_set_cert_verify_callback(ctx, verify_when_asked, NULL);
    struct tls_client *t = must_alloc(calloc(1, sizeof *t));
    t->ctx = ctx;
    (void)pthread_mutex_init(&t->lock, NULL);
    lru_init(&t->sessions, SESSIONS_MAX, drop_session);
    *out = t;
    return OK;
}

/* Sessions. */

void tls_client_free(struct tls_client *t)
{
    if (!t)
        return;
    lru_release(&t->sessions);
    (void)pthread_mutex_destroy(&t->lock);
    SSL_CTX_free(t->ctx);
    free(t);
}

void tls_remember(struct tls_client *t, struct stream *s, struct str session_key)
{
    SSL_SESSION *session = s->ssl && session_key.n ? SSL_get1_session(s->ssl) : NULL;
    if (!session || !SSL_SESSION_is_resumable(session)) {
        SSL_SESSION_free(session);
        return;
    }
    (void)pthread_mutex_lock(&t->lock);
    lru_put(&t->sessions, session_key, session);
    (void)pthread_mutex_unlock(&t->lock);
}

/* A ticket is used once (RFC 8446 C.4). */
static void offer_session(struct tls_client *t, SSL *ssl, struct str session_key)
{
    if (!session_key.n)
        return;
    (void)pthread_mutex_lock(&t->lock);
    SSL_SESSION *session = lru_take(&t->sessions, session_key);
    (void)pthread_mutex_unlock(&t->lock);
    if (session)
        (void)SSL_set_session(ssl, session);
    SSL_SESSION_free(session);
}

/* Connecting. */

static bool set_name(SSL *ssl, struct str name, char *text, size_t size, struct buf *why)
{
    if (!name.n)
        return true;
    if (str_copy(name, text, size) && str_find_char(name, '\0') == SIZE_MAX &&
        SSL_set_tlsext_host_name(ssl, text) == 1)
        return true;
    buf_set(why, "'%.*s' cannot be a TLS server name", STR_ARG(name));
    return false;
}

static enum err configure(SSL *ssl, const struct tls_connect_args *args, struct tls_info *out,
                          struct buf *why)
{
    static const struct {
        int oldest, security_level;
    } strengths[] = {
        [TLS_STRENGTH_MODERN] = {TLS1_2_VERSION, 1},
        [TLS_STRENGTH_TLS_1_1] = {TLS1_1_VERSION, 0},
        [TLS_STRENGTH_TLS_1_0] = {TLS1_VERSION, 0},
    };
    char name[256];
    SSL_set_security_level(ssl, strengths[args->strength].security_level);
    if (SSL_set_min_proto_version(ssl, strengths[args->strength].oldest) != 1 ||
        !set_name(ssl, args->sni, out->sni, sizeof out->sni, why))
        return ERR_TLS;
    if (args->webpki_name.n &&
        (!str_copy(args->webpki_name, name, sizeof name) || SSL_set1_host(ssl, name) != 1)) {
        buf_set(why, "'%.*s' cannot be verified as a host name", STR_ARG(args->webpki_name));
        return ERR_TLS;
    }
    return args->prepare ? args->prepare(args->ctx, ssl, why) : OK;
}

enum err tls_connect(struct stream *s, struct tls_client *t, const struct tls_connect_args *args,
                     deadline until, struct tls_info *out, struct buf *why)
{
    *out = (struct tls_info){0};
    enum err e = tls_ready(s, until, why);
    if (e)
        return e;
    SSL *ssl = must_alloc(SSL_new(t->ctx));
    ENSURE(SSL_set_fd(ssl, s->fd) == 1 && SSL_set_app_data(ssl, (void *)(uintptr_t)args) == 1);
    ERR_clear_error();
    e = configure(ssl, args, out, why);
    if (!e) {
        offer_session(t, ssl, args->session_key);
        e = tls_handshake(s, ssl, SSL_connect, until, why);
    } else {
        (void)stream_fail(s, e, "TLS could not be set up");
    }
    if (e) {
        SSL_free(ssl);
        return e;
    }
    tls_info_fill(out, ssl);
    if (args->webpki_name.n)
        out->webpki_error = SSL_get_verify_result(ssl);
    if (args->judge)
        args->judge(args->ctx, ssl);
    ENSURE(SSL_set_app_data(ssl, NULL) == 1);
    stream_set_tls(s, ssl);
    return OK;
}
