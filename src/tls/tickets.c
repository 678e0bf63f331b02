#include <openssl/core_names.h>
#include <openssl/err.h>

#include "tls/tls_priv.h"

enum { NAME = 16, CIPHER_KEY = 32, MAC_KEY = 32, KEYS = 2 };
static const int64_t lifetime_ms = 3600 * 1000;

struct key {
    uint8_t name[NAME], cipher[CIPHER_KEY], mac[MAC_KEY];
    int64_t born;
};

/* key[0] writes tickets, key[1] still reads those of the hour before. */
struct tls_tickets {
    pthread_mutex_t lock;
    struct key key[KEYS];
    EVP_CIPHER *cipher; /* fetched once: fetching costs more than using it */
};

static void new_key(struct key *k)
{
    rand_bytes(k, offsetof(struct key, born));
    k->born = clock_mono();
}

/* The key to write with, after a rotation when it is due; two at once when nobody wrote for that long. */
static struct key current(struct tls_tickets *t)
{
    (void)pthread_mutex_lock(&t->lock);
    int64_t age = clock_mono() - t->key[0].born;
    if (age >= lifetime_ms) {
        t->key[1] = t->key[0];
        new_key(&t->key[0]);
        if (age >= 2 * lifetime_ms)
            new_key(&t->key[1]);
    }
    struct key k = t->key[0];
    (void)pthread_mutex_unlock(&t->lock);
    return k;
}

/* False: a key of long ago, or of another process. */
static bool find(struct tls_tickets *t, const unsigned char *name, struct key *out, bool *is_current)
{
    bool found = false;
    (void)current(t); /* what is too old goes first */
    (void)pthread_mutex_lock(&t->lock);
    for (int i = 0; i < KEYS && !found; i++) {
        found = memcmp(t->key[i].name, name, NAME) == 0;
        *out = t->key[i];
        *is_current = i == 0;
    }
    (void)pthread_mutex_unlock(&t->lock);
    return found;
}

static bool set_mac_key(EVP_MAC_CTX *mac, struct key *k)
{
    char digest[] = "SHA256";
    OSSL_PARAM params[] = {OSSL_PARAM_construct_octet_string(OSSL_MAC_PARAM_KEY, k->mac, MAC_KEY),
                           OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0),
                           OSSL_PARAM_construct_end()};
    return EVP_MAC_CTX_set_params(mac, params) == 1;
}

/* As SSL_CTX_set_tlsext_ticket_key_evp_cb wants it: -1 error, 0 unknown key, 1 good, 2 good but renew. */
static int ticket_key(SSL *ssl, unsigned char *name, unsigned char *iv, EVP_CIPHER_CTX *cipher,
                      EVP_MAC_CTX *mac, int encrypt)
{
    struct tls_tickets *t = SSL_CTX_get_ex_data(SSL_get_SSL_CTX(ssl), 0);
    struct key k;
    bool is_current = true;
    int result = -1;
    if (encrypt) {
        k = current(t);
        memcpy(name, k.name, NAME);
        rand_bytes(iv, (size_t)EVP_CIPHER_get_iv_length(t->cipher));
        if (EVP_EncryptInit_ex2(cipher, t->cipher, k.cipher, iv, NULL) == 1 && set_mac_key(mac, &k))
            result = 1;
    } else if (!find(t, name, &k, &is_current)) {
        result = 0;
    } else if (EVP_DecryptInit_ex2(cipher, t->cipher, k.cipher, iv, NULL) == 1 && set_mac_key(mac, &k)) {
        result = is_current ? 1 : 2;
    }
    OPENSSL_cleanse(&k, sizeof k);
    return result;
}

struct tls_tickets *tls_tickets_new(SSL_CTX *ctx)
{
    struct tls_tickets *t = must_alloc(calloc(1, sizeof *t));
    (void)pthread_mutex_init(&t->lock, NULL);
    t->cipher = must_alloc(EVP_CIPHER_fetch(NULL, "AES-256-CBC", NULL));
    new_key(&t->key[0]);
    new_key(&t->key[1]);
    ENSURE(SSL_CTX_set_ex_data(ctx, 0, t) == 1); /* index 0 is SSL_CTX_set_app_data's */
    ENSURE(SSL_CTX_set_tlsext_ticket_key_evp_cb(ctx, ticket_key) == 1);
    (void)SSL_CTX_set_timeout(ctx, lifetime_ms / 1000);
    return t;
}

void tls_tickets_free(struct tls_tickets *t)
{
    if (!t)
        return;
    EVP_CIPHER_free(t->cipher);
    (void)pthread_mutex_destroy(&t->lock);
    OPENSSL_cleanse(t->key, sizeof t->key);
    free(t);
}
