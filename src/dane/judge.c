#include "dane/dane.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <pthread.h>

/* OpenSSL keeps TLSA records inside an SSL only, and an SSL needs a context. This one is made once, never
 * changed after, and holds no trust store: WebPKI roots play no part in DANE (RFC 7672 3.1.3). */
static SSL_CTX *judges;
static X509_STORE *no_roots;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void make_judges(void)
{
    judges = must_alloc(SSL_CTX_new(TLS_client_method()));
    no_roots = must_alloc(X509_STORE_new());
    ENSURE(SSL_CTX_dane_enable(judges) > 0);
    (void)SSL_CTX_dane_set_flags(judges, DANE_FLAG_NO_DANE_EE_NAMECHECKS);
}

/* One chain before the judge. */
struct bench {
    SSL *ssl; /* never connected: holds the records and the reference names */
    STACK_OF(X509) * chain;
    X509 *leaf;
    const struct tlsa_set *set;
    struct dane_verdict *out;
};

static const char *cstr(struct str s, char out[256])
{
    return str_copy(s, out, 256) ? out : "";
}

/* Security level 1: a key that a record vouches for may be RSA-1024. */
static void set_up(struct bench *b, const struct dane_identity *who)
{
    char name[256];
    (void)pthread_once(&once, make_judges);
    b->ssl = must_alloc(SSL_new(judges));
    SSL_set_security_level(b->ssl, 1);
    ENSURE(SSL_dane_enable(b->ssl, cstr(who->base, name)) > 0);
    SSL_set_hostflags(b->ssl, X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
    for (size_t i = 0; i < who->n; i++)
        if (who->names[i].n && !str_equal(who->names[i], who->base))
            ENSURE(SSL_add1_host(b->ssl, cstr(who->names[i], name)));
    for (size_t i = 0; i < b->set->n; i++) {
        const struct tlsa *t = &b->set->v[i];
        if (dane_tlsa_fault(t) == DANE_TLSA_USABLE)
            ENSURE(SSL_dane_tlsa_add(b->ssl, t->usage, t->selector, t->mtype, (const uint8_t *)t->data.p,
                                     t->data.n) >= 0);
    }
}

/* What libssl does at the end of a handshake, on our chain and our clock. Gives the error and its depth. */
static int verify(struct bench *b, int64_t at, int *depth)
{
    X509_STORE_CTX *ctx = must_alloc(X509_STORE_CTX_new());
    ENSURE(X509_STORE_CTX_init(ctx, no_roots, b->leaf, b->chain));
    ENSURE(X509_STORE_CTX_set_default(ctx, "ssl_server"));
    X509_VERIFY_PARAM *param = X509_STORE_CTX_get0_param(ctx);
    ENSURE(X509_VERIFY_PARAM_set1(param, SSL_get0_param(b->ssl)));
    X509_VERIFY_PARAM_set_auth_level(param, SSL_get_security_level(b->ssl));
    if (at != DANE_NOW)
        X509_VERIFY_PARAM_set_time(param, (time_t)at);
    X509_STORE_CTX_set0_dane(ctx, SSL_get0_dane(b->ssl));
    int good = X509_verify_cert(ctx), error = X509_STORE_CTX_get_error(ctx);
    if (good <= 0 && error == X509_V_OK)
        error = X509_V_ERR_UNSPECIFIED;
    *depth = X509_STORE_CTX_get_error_depth(ctx);
    X509_STORE_CTX_free(ctx);
    ERR_clear_error();
    SSL_set_verify_result(b->ssl, error);
    return error;
}

static struct buf selected(X509 *x, uint8_t selector)
{
    struct buf out = {0};
    unsigned char *der = NULL;
    int n = selector == 0 ? i2d_X509(x, &der) : i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    if (n > 0)
        buf_append(&out, der, (size_t)n);
    OPENSSL_free(der);
    ERR_clear_error();
    return out;
}

static bool record_matches(const struct tlsa *t, X509 *x)
{
    struct buf der = selected(x, t->selector);
    unsigned char digest[64];
    struct str have = buf_str(&der);
    if (t->mtype == 1)
        have = str_make((const char *)SHA256((unsigned char *)der.p, der.n, digest), 32);
    else if (t->mtype == 2)
        have = str_make((const char *)SHA512((unsigned char *)der.p, der.n, digest), 64);
    bool same = str_equal(have, t->data);
    buf_release(&der);
    return same;
}

/* Some record of usage 2 names a certificate that was shown, other than the leaf. */
static bool anchor_was_shown(const struct bench *b)
{
    for (size_t r = 0; r < b->set->n; r++)
        for (int i = 1; b->set->v[r].usage == 2 && i < sk_X509_num(b->chain); i++)
            if (record_matches(&b->set->v[r], sk_X509_value(b->chain, i)))
                return true;
    return false;
}

static bool has_usage(const struct tlsa_set *set, uint8_t usage)
{
    for (size_t i = 0; i < set->n; i++)
        if (set->v[i].usage == usage)
            return true;
    return false;
}

static enum dane_reason reason_of(const struct bench *b, int error)
{
    switch (error) {
    case X509_V_OK:
        return DANE_MATCH;
    case X509_V_ERR_CERT_HAS_EXPIRED:
        return DANE_EXPIRED;
    case X509_V_ERR_CERT_NOT_YET_VALID:
        return DANE_NOT_YET_VALID;
    case X509_V_ERR_HOSTNAME_MISMATCH:
        return DANE_HOST_MISMATCH;
    case X509_V_ERR_DANE_NO_MATCH:
        if (anchor_was_shown(b))
            return DANE_CHAIN_INVALID;
        return has_usage(b->set, 3) ? DANE_NO_MATCH : DANE_TA_NOT_IN_CHAIN;
    default:
        return DANE_CHAIN_INVALID;
    }
}

static void fail(struct dane_verdict *out, enum dane_reason reason, const char *detail, int depth)
{
    out->match = false;
    out->reason = reason;
    out->depth = -1;
    if (detail)
        (void)snprintf(out->text, sizeof out->text, "%s: %s (certificate %d)", dane_reason_sentence(reason),
                       detail, depth);
    else
        (void)snprintf(out->text, sizeof out->text, "%s", dane_reason_sentence(reason));
}

/* The record of our set that OpenSSL says it matched. */
static const struct tlsa *matched_record(const struct bench *b, int *depth)
{
    uint8_t usage, selector, mtype;
    const unsigned char *data;
    size_t n;
    *depth = SSL_get0_dane_tlsa(b->ssl, &usage, &selector, &mtype, &data, &n);
    for (size_t i = 0; *depth >= 0 && i < b->set->n; i++) {
        const struct tlsa *t = &b->set->v[i];
        if (t->usage == usage && t->selector == selector && t->mtype == mtype &&
            str_equal(t->data, str_make((const char *)data, n)))
            return t;
    }
    return NULL;
}

static void accept_match(const struct bench *b)
{
    int depth;
    const struct tlsa *t = matched_record(b, &depth);
    /* OpenSSL lets a bare key (2 1 0) vouch for the very certificate that carries it: that is usage 3's job.
     */
    if (!t || (t->usage == 2 && depth == 0 && record_matches(t, b->leaf))) {
        fail(b->out, has_usage(b->set, 3) ? DANE_NO_MATCH : DANE_TA_NOT_IN_CHAIN, NULL, 0);
        return;
    }
    b->out->match = true;
    b->out->reason = DANE_MATCH;
    b->out->record = *t;
    b->out->depth = depth;
    (void)snprintf(b->out->text, sizeof b->out->text, "record %u %u %u matches %s (certificate %d)", t->usage,
                   t->selector, t->mtype,
                   depth == 0 && t->usage == 3 ? "the server's own certificate" : "the trust anchor", depth);
}

static void note_leaf(const struct bench *b)
{
    struct buf spki = selected(b->leaf, 1);
    b->out->has_leaf = spki.n > 0 && SHA256((unsigned char *)spki.p, spki.n, b->out->leaf_spki_sha256);
    buf_release(&spki);
}

void dane_judge_chain(STACK_OF(X509) * chain, const struct tlsa_set *usable, const struct dane_identity *who,
                      int64_t at, struct dane_verdict *out)
{
    *out = (struct dane_verdict){.depth = -1};
    struct bench b = {
        .chain = chain, .leaf = chain ? sk_X509_value(chain, 0) : NULL, .set = usable, .out = out};
    if (b.leaf)
        note_leaf(&b);
    if (usable->n == 0) {
        fail(out, DANE_UNUSABLE, NULL, 0);
        return;
    }
    if (!b.leaf) {
        fail(out, DANE_NO_MATCH, "the server showed none", 0);
        return;
    }
    int depth;
    set_up(&b, who);
    int error = verify(&b, at, &depth);
    enum dane_reason reason = reason_of(&b, error);
    if (reason == DANE_MATCH)
        accept_match(&b);
    else
        fail(out, reason, error == X509_V_ERR_DANE_NO_MATCH ? NULL : X509_verify_cert_error_string(error),
             depth);
    SSL_free(b.ssl);
}

enum err dane_prepare(SSL *ssl, const struct dane_identity *who, struct buf *why)
{
    char name[256];
    (void)cstr(who->base, name);
    SSL_set_verify(ssl, SSL_VERIFY_NONE, NULL);
    SSL_set_security_level(ssl, 1);
    if (!SSL_set_min_proto_version(ssl, TLS1_2_VERSION) || !SSL_set_tlsext_host_name(ssl, name)) {
        buf_set(why, "OpenSSL takes no server name %.*s", STR_ARG(who->base));
        ERR_clear_error();
        return ERR_TLS;
    }
    return OK;
}

void dane_judge(SSL *ssl, const struct tlsa_set *usable, const struct dane_identity *who,
                struct dane_verdict *out)
{
    dane_judge_chain(SSL_get_peer_cert_chain(ssl), usable, who, DANE_NOW, out);
}
