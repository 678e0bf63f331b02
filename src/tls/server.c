#include "tls/server.h"

#include <openssl/err.h>

#include "tls/tls_priv.h"

enum { CACHE_MAX = 8192, FALLBACK_DAYS = 3650 };

struct tls_server {
    SSL_CTX *ctx;
    struct tls_server_conf conf;
    struct tls_tickets *tickets;
    struct arena arena; /* bytes of the fallback */
    struct tls_identity fallback;
    pthread_mutex_t lock;
    struct accepting *first, *last; /* handshakes under way, by their beginning */
    uint64_t marks;                 /* how many were set */
    struct lru parsed;              /* pair id -> struct tls_parsed, each with a reference of the map's */
};

/* One handshake under way: the SSL's app data, on the stack of tls_accept. */
struct accepting {
    struct tls_server *server;
    struct accepting *before, *behind;
    uint64_t mark; /* the last one when it began */
    struct arena arena;
    struct tls_identity identity;
    struct tls_parsed *used[TLS_PAIRS_MAX];
    size_t used_n;
    bool wants_certificate; /* the client's */
    char sni[256];
};

/* Parsed pairs. */

static void unref_locked(struct tls_parsed *p)
{
    if (--p->references == 0)
        tls_parsed_free(p);
}

static void drop_locked(void *parsed)
{
    unref_locked(parsed);
}

static struct str id_key(const uint64_t *id)
{
    return str_make((const char *)id, sizeof *id);
}

static struct tls_parsed *cached(struct tls_server *t, uint64_t id)
{
    (void)pthread_mutex_lock(&t->lock);
    struct tls_parsed *p = lru_get(&t->parsed, id_key(&id));
    if (p)
        p->references++;
    (void)pthread_mutex_unlock(&t->lock);
    return p;
}

/* NULL when the bytes are damaged: the other pairs of the identity serve then. */
static struct tls_parsed *parsed_of(struct tls_server *t, const struct tls_pair *pair)
{
    struct tls_parsed *p = cached(t, pair->id);
    struct buf why = {0};
    if (p)
        return p;
    p = tls_parsed_new(pair, &why);
    if (!p) {
        log_event(LOG_ERROR, "certificate-damaged", LOG_STR("why", buf_str(&why)));
        buf_release(&why);
        return NULL;
    }
    (void)pthread_mutex_lock(&t->lock);
    p->references++;
    lru_put(&t->parsed, id_key(&pair->id), p); /* two threads may have parsed the same */
    (void)pthread_mutex_unlock(&t->lock);
    return p;
}

/* Handshakes under way. */

static void begin(struct accepting *a)
{
    struct tls_server *t = a->server;
    (void)pthread_mutex_lock(&t->lock);
    a->mark = t->marks;
    a->before = t->last;
    *(t->last ? &t->last->behind : &t->first) = a;
    t->last = a;
    (void)pthread_mutex_unlock(&t->lock);
}

static void end(struct accepting *a)
{
    struct tls_server *t = a->server;
    (void)pthread_mutex_lock(&t->lock);
    *(a->before ? &a->before->behind : &t->first) = a->behind;
    *(a->behind ? &a->behind->before : &t->last) = a->before;
    for (size_t i = 0; i < a->used_n; i++)
        unref_locked(a->used[i]);
    (void)pthread_mutex_unlock(&t->lock);
    arena_release(&a->arena);
}

uint64_t tls_server_mark(struct tls_server *t)
{
    (void)pthread_mutex_lock(&t->lock);
    uint64_t mark = ++t->marks;
    (void)pthread_mutex_unlock(&t->lock);
    return mark;
}

bool tls_server_is_past(struct tls_server *t, uint64_t mark)
{
    (void)pthread_mutex_lock(&t->lock);
    bool past = !t->first || t->first->mark >= mark;
    (void)pthread_mutex_unlock(&t->lock);
    return past;
}

/* Callbacks of a handshake, in the order of their coming. */

/* RFC 6066 section 3: the host name of a server_name extension; empty when there is none that could be a
 * host. */
static struct str host_name(const unsigned char *p, size_t n)
{
    if (n < 5 || get_u16(p) != n - 2 || p[2] != TLSEXT_NAMETYPE_host_name || get_u16(p + 3) > n - 5)
        return STR_NONE;
    struct str name = str_make((const char *)p + 5, get_u16(p + 3));
    if (str_ends(name, STR(".")))
        name.n--;
    for (size_t i = 0; i < name.n; i++)
        if ((unsigned char)name.p[i] <= ' ' || (unsigned char)name.p[i] >= 127)
            return STR_NONE;
    return name;
}

static bool look_up(struct accepting *a, struct str sni)
{
    const struct tls_server_conf *conf = &a->server->conf;
    a->identity = (struct tls_identity){0};
    return conf->lookup && conf->lookup(conf->ctx, sni, &a->arena, &a->identity) && a->identity.n;
}

/* Before tickets are read, so that they can be compared with what this name would be served now. */
/* NOLINTNEXTLINE(readability-non-const-parameter): a SSL_client_hello_cb_fn */
static int on_client_hello(SSL *ssl, int *alert, void *arg)
{
    struct accepting *a = SSL_get_app_data(ssl);
    const unsigned char *p;
    size_t n;
    (void)alert, (void)arg;
    if (SSL_client_hello_get0_ext(ssl, TLSEXT_TYPE_server_name, &p, &n) == 1) {
        struct str name = arena_lower(&a->arena, host_name(p, n));
        (void)str_copy(name, a->sni, sizeof a->sni);
    }
    struct str sni = str_of(a->sni);
    if ((!sni.n || !look_up(a, sni)) && !look_up(a, STR("")))
        a->identity = a->server->fallback;
    return SSL_CLIENT_HELLO_SUCCESS;
}

/* Only for full handshakes. */
static int on_certificate(SSL *ssl, void *arg)
{
    struct accepting *a = SSL_get_app_data(ssl);
    (void)arg;
    for (int attempt = 0; attempt < 2 && !a->used_n; attempt++) {
        const struct tls_identity *from = attempt ? &a->server->fallback : &a->identity;
        for (size_t i = 0; i < from->n; i++) {
            struct tls_parsed *p = parsed_of(a->server, &from->pair[i]);
            if (!p)
                continue;
            a->used[a->used_n++] = p;
            (void)SSL_use_cert_and_key(ssl, p->leaf, p->key, p->chain, 1);
        }
    }
    return 1;
}

enum { TICKET_BINDING = 8 * (TLS_PAIRS_MAX + 3) };

/* A ticket is good for one name (hence one tenant), and for the very keys that the name is served with: after
 * a rollover a full handshake shows the new one. Where certificates of clients begin to matter, sessions that
 * were never asked for one end. */
static void ticket_binding(SSL *ssl, uint8_t out[TICKET_BINDING])
{
    const struct accepting *a = SSL_get_app_data(ssl);
    memset(out, 0, TICKET_BINDING);
    if (!a)
        return;
    put_u64(out, a->identity.key_set);
    put_u64(out + 8, map_hash(str_of(a->sni)));
    put_u64(out + 16, a->wants_certificate);
    for (size_t i = 0; i < a->identity.n; i++)
        put_u64(out + 24 + 8 * i, a->identity.pair[i].id);
}

static int on_ticket_written(SSL *ssl, void *arg)
{
    uint8_t binding[TICKET_BINDING];
    (void)arg;
    ticket_binding(ssl, binding);
    return SSL_SESSION_set1_ticket_appdata(SSL_get_session(ssl), binding, sizeof binding);
}

static SSL_TICKET_RETURN on_ticket_read(SSL *ssl, SSL_SESSION *session, const unsigned char *name,
                                        size_t name_n, SSL_TICKET_STATUS status, void *arg)
{
    uint8_t binding[TICKET_BINDING];
    void *data;
    size_t n;
    (void)name, (void)name_n, (void)arg;
    if (status != SSL_TICKET_SUCCESS && status != SSL_TICKET_SUCCESS_RENEW)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    ticket_binding(ssl, binding);
    if (SSL_SESSION_get0_ticket_appdata(session, &data, &n) != 1 || n != sizeof binding ||
        memcmp(data, binding, sizeof binding) != 0)
        return SSL_TICKET_RETURN_IGNORE_RENEW;
    return status == SSL_TICKET_SUCCESS ? SSL_TICKET_RETURN_USE : SSL_TICKET_RETURN_USE_RENEW;
}

/* A client certificate is a fingerprint to us; the handshake proved the possession of its key. */
static int accept_any_certificate(X509_STORE_CTX *ctx, void *arg)
{
    (void)arg;
    X509_STORE_CTX_set_error(ctx, X509_V_OK);
    return 1;
}

/* The server itself. */

static enum err configure(SSL_CTX *ctx, struct buf *why)
{
    static const unsigned char id[] = "kedge";
    char groups[] = "X25519:P-256:P-384:X448:P-521"; /* the macro that takes it casts const away */
    SSL_CTX_set_security_level(ctx, 2);
    (void)SSL_CTX_set_options(ctx, SSL_OP_CIPHER_SERVER_PREFERENCE | SSL_OP_PRIORITIZE_CHACHA);
    if (SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION) != 1 ||
        SSL_CTX_set_max_proto_version(ctx, 0) != 1 ||
        SSL_CTX_set_cipher_list(ctx, "ECDHE+AESGCM:ECDHE+CHACHA20") != 1 ||
        SSL_CTX_set1_groups_list(ctx, groups) != 1 ||
        SSL_CTX_set_session_id_context(ctx, id, sizeof id) != 1 || SSL_CTX_set_num_tickets(ctx, 1) != 1) {
        tls_why(why, "OpenSSL refuses the server's options");
        return ERR_TLS;
    }
    (void)SSL_CTX_set_max_early_data(ctx, 0);
    SSL_CTX_set_client_hello_cb(ctx, on_client_hello, NULL);
    SSL_CTX_set_cert_cb(ctx, on_certificate, NULL);
    ENSURE(SSL_CTX_set_session_ticket_cb(ctx, on_ticket_written, on_ticket_read, NULL) == 1);
    SSL_CTX_set_cert_verify_callback(ctx, accept_any_certificate, NULL);
    return OK;
}

enum err tls_server_new(const struct tls_server_conf *conf, struct tls_server **out, struct buf *why)
{
    *out = NULL;
    SSL_CTX *ctx = tls_context_new(TLS_server_method(), why);
    if (!ctx)
        return ERR_TLS;
    enum err e = configure(ctx, why);
    if (e) {
        SSL_CTX_free(ctx);
        return e;
    }
    struct tls_server *t = must_alloc(calloc(1, sizeof *t));
    *t = (struct tls_server){.ctx = ctx, .conf = *conf, .fallback.n = 1};
    t->conf.fallback_name = arena_str(&t->arena, conf->fallback_name);
    (void)pthread_mutex_init(&t->lock, NULL);
    lru_init(&t->parsed, CACHE_MAX, drop_locked);
    t->tickets = tls_tickets_new(ctx);
    tls_pair_self_signed(&t->arena, TLS_KEY_P256, &t->conf.fallback_name, t->conf.fallback_name.n ? 1 : 0,
                         clock_wall() / 1000, FALLBACK_DAYS, &t->fallback.pair[0]);
    *out = t;
    return OK;
}

void tls_server_free(struct tls_server *t)
{
    if (!t)
        return;
    SSL_CTX_free(t->ctx);
    tls_tickets_free(t->tickets);
    lru_release(&t->parsed);
    (void)pthread_mutex_destroy(&t->lock);
    arena_release(&t->arena);
    free(t);
}

static void describe(const struct accepting *a, SSL *ssl, struct tls_info *out)
{
    tls_info_fill(out, ssl);
    out->key_set = a->identity.key_set;
    for (size_t i = 0; i < a->used_n && !out->is_resumed; i++)
        if (a->used[i]->leaf == SSL_get_certificate(ssl))
            out->pair_id = a->used[i]->id;
}

/* RFC 8446 section 6.2: what clients say to a certificate that they do not want. Who dislikes the protocol or
 * the ciphers says something else. */
static bool is_certificate_alert(unsigned long code)
{
    switch (ERR_GET_REASON(code)) {
    case SSL_R_SSLV3_ALERT_BAD_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_UNSUPPORTED_CERTIFICATE:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_REVOKED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_EXPIRED:
    case SSL_R_SSLV3_ALERT_CERTIFICATE_UNKNOWN:
    case SSL_R_TLSV1_ALERT_UNKNOWN_CA:
    case SSL_R_TLSV1_ALERT_ACCESS_DENIED:
        return true;
    default:
        return false;
    }
}

enum err tls_accept(struct stream *s, struct tls_server *t, deadline until, struct tls_info *out,
                    struct buf *why)
{
    const struct tls_server_conf *conf = &t->conf;
    struct accepting a = {.server = t,
                          .wants_certificate = conf->wants_certificate && conf->wants_certificate(conf->ctx)};
    *out = (struct tls_info){0};
    enum err e = tls_ready(s, until, why);
    if (e)
        return e;
    SSL *ssl = must_alloc(SSL_new(t->ctx));
    ENSURE(SSL_set_fd(ssl, s->fd) == 1 && SSL_set_app_data(ssl, &a) == 1);
    if (a.wants_certificate)
        SSL_set_verify(ssl, SSL_VERIFY_PEER, NULL);
    begin(&a);
    e = tls_handshake(s, ssl, SSL_accept, until, why);
    memcpy(out->sni, a.sni, sizeof out->sni);
    if (e) {
        out->is_refused = e == ERR_TLS && is_certificate_alert(ERR_peek_error());
        SSL_free(ssl);
    } else {
        describe(&a, ssl, out);
        ENSURE(SSL_set_app_data(ssl, NULL) == 1);
        stream_set_tls(s, ssl);
    }
    end(&a);
    return e;
}
