/* A certificate chain and its private key as DER bytes: how they are stored and handed around. */
#ifndef TLS_PAIR_H
#define TLS_PAIR_H

#include <openssl/types.h>

#include "base/base.h"

enum { TLS_CHAIN_MAX = 8, TLS_PAIRS_MAX = 4 };

struct tls_pair {
    uint64_t id; /* names these very bytes: tls_pair_id. The server caches parsed pairs by it */
    struct str chain_der[TLS_CHAIN_MAX]; /* leaf first */
    size_t chain_n;
    struct str key_der; /* as i2d_PrivateKey writes it (SEC1 / PKCS#1), or PKCS#8 */
};

/* All that may be served under one name: the pairs differ in algorithm (ECDSA, RSA). */
struct tls_identity {
    uint64_t key_set; /* session tickets are good within one key set only */
    bool is_managed;  /* its keys go through the rollover gate */
    struct tls_pair pair[TLS_PAIRS_MAX];
    size_t n;
};

/* From the SHA-256 over chain and key; never 0. */
uint64_t tls_pair_id(const struct tls_pair *pair);

/* Reads PEM: certificates leaf first (leading ones out of order are refused), one unencrypted key. Checks
 * that the key belongs to the leaf. Bytes live in the arena; sets the id. why says what is wrong and what to
 * do. */
enum err tls_pair_from_pem(struct arena *a, struct str chain_pem, struct str key_pem, struct tls_pair *out,
                           struct buf *why) MUST_CHECK;

enum tls_key_type { TLS_KEY_P256, TLS_KEY_RSA3072 };
/* A new key. NULL never: the library failing here is a broken machine. */
EVP_PKEY *tls_key_new(enum tls_key_type type);
/* A fresh key with a self-signed certificate for these DNS names (the first is the subject), valid from an
 * hour before `now` (Unix seconds) for `days`. */
void tls_pair_self_signed(struct arena *a, enum tls_key_type type, const struct str *names, size_t n,
                          int64_t now, int days, struct tls_pair *out);

/* Facts about the leaf, for listings. Text lives in the arena. */
struct tls_pair_facts {
    struct str subject, issuer;
    struct str dns_names;          /* blank-separated */
    int64_t not_before, not_after; /* Unix seconds */
    const char *algorithm;         /* "EC", "RSA", ... */
    uint8_t sha256[32], spki_sha256[32];
    bool has_issuer_key; /* the chain has the certificate that issued the leaf */
    uint8_t issuer_spki_sha256[32];
};
enum err tls_pair_inspect(const struct tls_pair *pair, struct arena *a, struct tls_pair_facts *out,
                          struct buf *why) MUST_CHECK;

#endif
