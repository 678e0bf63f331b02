#include "tls/pair.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <limits.h>
#include <openssl/x509v3.h>

#include "tls/tls_priv.h"

uint64_t tls_pair_id(const struct tls_pair *pair)
{
    struct buf all = {0};
    uint8_t digest[32];
    for (size_t i = 0; i < pair->chain_n; i++)
        pack_str(&all, pair->chain_der[i]);
    pack_str(&all, pair->key_der);
    ENSURE(EVP_Digest(all.p, all.n, digest, NULL, EVP_sha256(), NULL) == 1);
    OPENSSL_cleanse(all.p, all.n);
    buf_release(&all);
    uint64_t id = get_u64(digest);
    return id ? id : 1;
}

static X509 *parse_certificate(struct str der)
{
    const unsigned char *p = (const unsigned char *)der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    if (x && p != (const unsigned char *)der.p + der.n) {
        X509_free(x);
        x = NULL;
    }
    return x;
}

static bool parse_into(struct tls_parsed *out, const struct tls_pair *pair, struct buf *why)
{
    out->chain = must_alloc(sk_X509_new_null());
    for (size_t i = 0; i < pair->chain_n; i++) {
        X509 *x = parse_certificate(pair->chain_der[i]);
        if (!x) {
            buf_set(why, "certificate %zu of the chain is not a DER certificate", i + 1);
            return false;
        }
        if (i == 0)
            out->leaf = x;
        else
            ENSURE(sk_X509_push(out->chain, x) > 0);
    }
    EVP_PKEY *public_key = out->leaf ? X509_get0_pubkey(out->leaf) : NULL;
    if (!public_key) {
        buf_set(why, "the chain has no certificate with a key that this program understands");
        return false;
    }
    /* Naming the type is three times faster than having it detected. */
    const unsigned char *p = (const unsigned char *)pair->key_der.p;
    out->key = d2i_PrivateKey(EVP_PKEY_get_base_id(public_key), NULL, &p, (long)pair->key_der.n);
    if (!out->key || EVP_PKEY_eq(public_key, out->key) != 1) {
        buf_set(why, "the private key does not belong to the certificate");
        return false;
    }
    return true;
}

struct tls_parsed *tls_parsed_new(const struct tls_pair *pair, struct buf *why)
{
    struct tls_parsed *p = must_alloc(calloc(1, sizeof *p));
    *p = (struct tls_parsed){.id = pair->id, .references = 1};
    ERR_clear_error();
    if (parse_into(p, pair, why))
        return p;
    ERR_clear_error();
    tls_parsed_free(p);
    return NULL;
}

void tls_parsed_free(struct tls_parsed *p)
{
    if (!p)
        return;
    X509_free(p->leaf);
    sk_X509_pop_free(p->chain, X509_free);
    EVP_PKEY_free(p->key);
    free(p);
}

/* PEM. */

static struct str take_der(struct arena *a, unsigned char *der, int n)
{
    ENSURE(n > 0);
    struct str s = arena_str(a, str_make((const char *)der, (size_t)n));
    OPENSSL_clear_free(der, (size_t)n);
    return s;
}

static struct str certificate_der(struct arena *a, const X509 *x)
{
    unsigned char *der = NULL;
    int n = i2d_X509(x, &der);
    return take_der(a, der, n);
}

static struct str key_der(struct arena *a, const EVP_PKEY *key)
{
    unsigned char *der = NULL;
    int n = i2d_PrivateKey(key, &der);
    return take_der(a, der, n);
}

/* Each certificate must be issued by the next. */
static enum err read_chain(struct arena *a, BIO *bio, struct tls_pair *out, struct buf *why)
{
    X509 *x, *before = NULL;
    enum err e = OK;
    while (!e && (x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        if (out->chain_n == TLS_CHAIN_MAX) {
            buf_set(why,
                    "the chain has more than %d certificates: leave out the root and what does not belong",
                    TLS_CHAIN_MAX);
            e = ERR_MALFORMED;
        } else if (before && X509_check_issued(x, before) != X509_V_OK) {
            buf_set(why,
                    "certificate %zu did not issue the one before it: put the server's own certificate "
                    "first, then "
                    "its issuer, and so on",
                    out->chain_n + 1);
            e = ERR_MALFORMED;
        } else {
            out->chain_der[out->chain_n++] = certificate_der(a, x);
        }
        X509_free(before);
        before = x;
    }
    X509_free(before);
    if (!e && !out->chain_n) {
        buf_set(why, "no PEM certificate found (looking for -----BEGIN CERTIFICATE-----)");
        e = ERR_MALFORMED;
    }
    ERR_clear_error();
    return e;
}

/* No passphrase: asking on a terminal is not for a daemon. */
/* NOLINTNEXTLINE(readability-non-const-parameter): a pem_password_cb */
static int no_passphrase(char *buffer, int size, int writing, void *arg)
{
    (void)buffer, (void)size, (void)writing, (void)arg;
    return -1;
}

static enum err read_key(struct arena *a, BIO *bio, struct tls_pair *out, struct buf *why)
{
    EVP_PKEY *key = PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL);
    ERR_clear_error();
    if (!key) {
        buf_set(
            why,
            "no unencrypted PEM private key found (remove a passphrase with: openssl pkey -in KEY -out NEW)");
        return ERR_MALFORMED;
    }
    out->key_der = key_der(a, key);
    EVP_PKEY_free(key);
    return OK;
}

enum err tls_pair_from_pem(struct arena *a, struct str chain_pem, struct str key_pem, struct tls_pair *out,
                           struct buf *why)
{
    *out = (struct tls_pair){0};
    if (chain_pem.n > INT_MAX || key_pem.n > INT_MAX)
        return ERR_MALFORMED;
    BIO *chain = must_alloc(BIO_new_mem_buf(chain_pem.n ? chain_pem.p : "", (int)chain_pem.n));
    BIO *key = must_alloc(BIO_new_mem_buf(key_pem.n ? key_pem.p : "", (int)key_pem.n));
    enum err e = read_chain(a, chain, out, why);
    if (!e)
        e = read_key(a, key, out, why);
    if (!e) {
        out->id = tls_pair_id(out);
        struct tls_parsed *p = tls_parsed_new(out, why);
        e = p ? OK : ERR_MALFORMED;
        tls_parsed_free(p);
    }
    BIO_free(chain);
    BIO_free(key);
    return e;
}

/* Making. */

EVP_PKEY *tls_key_new(enum tls_key_type type)
{
    return must_alloc(type == TLS_KEY_P256 ? EVP_EC_gen("P-256") : EVP_RSA_gen(3072));
}

static void add_extension(X509 *x, X509V3_CTX *ctx, int nid, const char *value)
{
    X509_EXTENSION *e = must_alloc(X509V3_EXT_conf_nid(NULL, ctx, nid, value));
    ENSURE(X509_add_ext(x, e, -1) == 1);
    X509_EXTENSION_free(e);
}

static void add_dns_names(X509 *x, const struct str *names, size_t n)
{
    GENERAL_NAMES *all = must_alloc(GENERAL_NAMES_new());
    for (size_t i = 0; i < n; i++) {
        GENERAL_NAME *one = must_alloc(GENERAL_NAME_new());
        ASN1_IA5STRING *text = must_alloc(ASN1_IA5STRING_new());
        ENSURE(ASN1_STRING_set(text, names[i].p, (int)names[i].n) == 1);
        GENERAL_NAME_set0_value(one, GEN_DNS, text);
        ENSURE(sk_GENERAL_NAME_push(all, one) > 0);
    }
    ENSURE(X509_add1_ext_i2d(x, NID_subject_alt_name, all, 0, X509V3_ADD_DEFAULT) == 1);
    GENERAL_NAMES_free(all);
}

static X509 *self_signed(EVP_PKEY *key, const struct str *names, size_t n, int64_t now, int days)
{
    enum { COMMON_NAME_MAX = 64, HOUR = 3600, DAY = 24 * HOUR };
    X509 *x = must_alloc(X509_new());
    uint8_t serial[16];
    rand_bytes(serial, sizeof serial);
    serial[0] = (serial[0] & 0x7f) | 0x40; /* positive, full length */
    BIGNUM *number = must_alloc(BN_bin2bn(serial, sizeof serial, NULL));
    ENSURE(BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)));
    BN_free(number);
    ENSURE(X509_set_version(x, X509_VERSION_3) == 1 && X509_set_pubkey(x, key) == 1);
    ENSURE(ASN1_TIME_set(X509_getm_notBefore(x), (time_t)(now - HOUR)));
    ENSURE(ASN1_TIME_set(X509_getm_notAfter(x), (time_t)(now + (int64_t)days * DAY)));
    X509_NAME *subject = X509_get_subject_name(x);
    struct str cn = n && names[0].n <= COMMON_NAME_MAX ? names[0] : STR("self-signed");
    ENSURE(X509_NAME_add_entry_by_NID(subject, NID_commonName, MBSTRING_UTF8, (const unsigned char *)cn.p,
                                      (int)cn.n, -1, 0) == 1);
    ENSURE(X509_set_issuer_name(x, subject) == 1);
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, x, x, NULL, NULL, 0);
    if (n)
        add_dns_names(x, names, n);
    add_extension(x, &ctx, NID_basic_constraints, "critical,CA:FALSE");
    add_extension(x, &ctx, NID_subject_key_identifier, "hash");
    add_extension(x, &ctx, NID_ext_key_usage, "serverAuth,clientAuth");
    ENSURE(X509_sign(x, key, EVP_sha256()) > 0);
    return x;
}

void tls_pair_self_signed(struct arena *a, enum tls_key_type type, const struct str *names, size_t n,
                          int64_t now, int days, struct tls_pair *out)
{
    EVP_PKEY *key = tls_key_new(type);
    X509 *x = self_signed(key, names, n, now, days);
    *out = (struct tls_pair){.chain_der = {certificate_der(a, x)}, .chain_n = 1, .key_der = key_der(a, key)};
    out->id = tls_pair_id(out);
    X509_free(x);
    EVP_PKEY_free(key);
}
