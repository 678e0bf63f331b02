/* Certificates made for a test. */
#ifndef TEST_UNIT_DANE_PKI_H
#define TEST_UNIT_DANE_PKI_H

#include <openssl/ec.h>
#include <openssl/rsa.h>
#include <openssl/sha.h>
#include <openssl/x509v3.h>

#include "base/base.h"
#include "dane/dane.h"

enum { DAY = 86400 };

struct identity {
    EVP_PKEY *key;
    X509 *cert;
};

struct spec {
    const char *subject;        /* CN; NULL: empty subject */
    const char *names;          /* subjectAltName as OpenSSL writes it, "DNS:a,DNS:b"; NULL: none */
    const struct identity *by;  /* issuer; NULL: itself */
    const struct identity *key; /* its key instead of a new one */
    bool ca;
    unsigned rsa_bits;    /* 0: P-256 */
    int from_day, to_day; /* relative to PKI_NOW; both 0: -1 to 90 */
    const char *eku;
};

/* 2026-06-15; tests judge at this time unless they say otherwise. */
static const int64_t PKI_NOW = 1781481600;

static inline void pki_extension(X509 *x, X509 *issuer, int nid, const char *value)
{
    X509V3_CTX ctx;
    X509V3_set_ctx(&ctx, issuer, x, NULL, NULL, 0);
    X509_EXTENSION *e = must_alloc(X509V3_EXT_conf_nid(NULL, &ctx, nid, value));
    ENSURE(X509_add_ext(x, e, -1));
    X509_EXTENSION_free(e);
}

static inline struct identity pki_make(struct spec s)
{
    static long serial = 0;
    struct identity id = {.cert = must_alloc(X509_new())};
    if (s.key)
        id.key = s.key->key, EVP_PKEY_up_ref(id.key);
    else
        id.key = must_alloc(s.rsa_bits ? EVP_RSA_gen(s.rsa_bits) : EVP_EC_gen("P-256"));
    time_t now = (time_t)PKI_NOW;
    bool usual = s.from_day == 0 && s.to_day == 0;
    X509 *issuer = s.by ? s.by->cert : id.cert;
    ENSURE(X509_set_version(id.cert, 2) && ASN1_INTEGER_set(X509_get_serialNumber(id.cert), ++serial));
    ENSURE(X509_time_adj_ex(X509_getm_notBefore(id.cert), usual ? -1 : s.from_day, 0, &now));
    ENSURE(X509_time_adj_ex(X509_getm_notAfter(id.cert), usual ? 90 : s.to_day, 0, &now));
    if (s.subject)
        ENSURE(X509_NAME_add_entry_by_txt(X509_get_subject_name(id.cert), "CN", MBSTRING_UTF8,
                                          (const unsigned char *)s.subject, -1, -1, 0));
    ENSURE(X509_set_issuer_name(id.cert, X509_get_subject_name(issuer)) && X509_set_pubkey(id.cert, id.key));
    pki_extension(id.cert, issuer, NID_subject_key_identifier, "hash");
    if (s.by)
        pki_extension(id.cert, issuer, NID_authority_key_identifier, "keyid:always");
    if (s.ca)
        pki_extension(id.cert, issuer, NID_basic_constraints, "critical,CA:TRUE");
    if (s.names)
        pki_extension(id.cert, issuer, NID_subject_alt_name, s.names);
    if (s.eku)
        pki_extension(id.cert, issuer, NID_ext_key_usage, s.eku);
    ENSURE(X509_sign(id.cert, s.by ? s.by->key : id.key, EVP_sha256()) > 0);
    return id;
}

static inline void pki_free(struct identity *id)
{
    X509_free(id->cert);
    EVP_PKEY_free(id->key);
    *id = (struct identity){0};
}

/* The record of a certificate; also with a usage, selector or matching type that does not exist. */
static inline struct tlsa pki_record(struct arena *a, unsigned usage, unsigned selector, unsigned mtype,
                                     X509 *x)
{
    unsigned char *der = NULL, digest[64];
    int n = selector == 1 ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der) : i2d_X509(x, &der);
    ENSURE(n > 0);
    struct str data = str_make((char *)der, (size_t)n);
    if (mtype == 1)
        data = str_make((char *)SHA256(der, (size_t)n, digest), 32);
    else if (mtype == 2)
        data = str_make((char *)SHA512(der, (size_t)n, digest), 64);
    struct tlsa t = {(uint8_t)usage, (uint8_t)selector, (uint8_t)mtype, arena_str(a, data)};
    OPENSSL_free(der);
    return t;
}

/* Usable records of the set against the certificates, up to a NULL. */
static inline struct dane_verdict pki_judge(struct arena *a, const struct tlsa *records, size_t n,
                                            X509 *const *certs, const struct dane_identity *who, int64_t at)
{
    struct tlsa_set usable;
    struct dane_verdict verdict;
    STACK_OF(X509) *chain = must_alloc(sk_X509_new_null());
    struct tlsa *copy = ARENA_ARRAY(a, struct tlsa, n);
    if (n)
        memcpy(copy, records, n * sizeof *copy);
    for (; *certs; certs++)
        ENSURE(sk_X509_push(chain, *certs));
    dane_usable(&(struct tlsa_set){copy, n}, a, &usable);
    dane_judge_chain(chain, &usable, who, at, &verdict);
    sk_X509_free(chain);
    return verdict;
}

#endif
