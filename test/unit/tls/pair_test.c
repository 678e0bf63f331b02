#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include "tls/pair.h"

static struct str from_bio(struct arena *a, BIO *bio)
{
    char *p;
    long n = BIO_get_mem_data(bio, &p);
    struct str s = arena_str(a, str_make(p, (size_t)n));
    BIO_free(bio);
    return s;
}

static struct str certificate_pem(struct arena *a, const struct tls_pair *pair)
{
    const unsigned char *p = (const unsigned char *)pair->chain_der[0].p;
    X509 *x = d2i_X509(NULL, &p, (long)pair->chain_der[0].n);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_X509(bio, x), 1);
    X509_free(x);
    return from_bio(a, bio);
}

static struct str key_pem(struct arena *a, const struct tls_pair *pair, const char *passphrase)
{
    const unsigned char *p = (const unsigned char *)pair->key_der.p;
    EVP_PKEY *key = d2i_AutoPrivateKey(NULL, &p, (long)pair->key_der.n);
    BIO *bio = BIO_new(BIO_s_mem());
    assert_int_equal(PEM_write_bio_PrivateKey(bio, key, passphrase ? EVP_aes_128_cbc() : NULL, NULL, 0, NULL,
                                              (void *)(uintptr_t)passphrase),
                     1);
    EVP_PKEY_free(key);
    return from_bio(a, bio);
}

static void facts_of_what_we_make(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf why = {0};
    const struct str names[] = {STR("mx.example"), STR("*.k1.example")};
    const int64_t now = 1800000000;
    for (int type = TLS_KEY_P256; type <= TLS_KEY_RSA3072; type++) {
        struct tls_pair pair, other;
        struct tls_pair_facts f;
        tls_pair_self_signed(&a, (enum tls_key_type)type, names, 2, now, 90, &pair);
        assert_int_equal(tls_pair_inspect(&pair, &a, &f, &why), OK);
        assert_true(str_equal(f.subject, STR("CN=mx.example")) && str_equal(f.issuer, f.subject));
        assert_true(str_equal(f.dns_names, STR("mx.example *.k1.example")));
        assert_true(f.not_before == now - 3600 && f.not_after == now + 90 * 86400);
        assert_string_equal(f.algorithm, type == TLS_KEY_P256 ? "EC" : "RSA");
        assert_true(pair.id != 0 && pair.id == tls_pair_id(&pair));
        tls_pair_self_signed(&a, (enum tls_key_type)type, names, 2, now, 90, &other);
        assert_true(other.id != pair.id);
    }
    arena_release(&a);
}

static void pem_in(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf why = {0};
    struct tls_pair ec, rsa, got;
    const struct str name = STR("mx.example");
    tls_pair_self_signed(&a, TLS_KEY_P256, &name, 1, 1800000000, 90, &ec);
    tls_pair_self_signed(&a, TLS_KEY_RSA3072, &name, 1, 1800000000, 90, &rsa);
    const struct tls_pair *pairs[] = {&ec, &rsa};
    for (int i = 0; i < 2; i++) {
        struct str chain = certificate_pem(&a, pairs[i]), key = key_pem(&a, pairs[i], NULL);
        assert_int_equal(tls_pair_from_pem(&a, chain, key, &got, &why), OK);
        assert_true(got.id == pairs[i]->id); /* PKCS#8 in PEM became the same bytes */
        struct str both = arena_printf(&a, "key first\n%.*s%.*s", STR_ARG(key), STR_ARG(chain));
        assert_int_equal(tls_pair_from_pem(&a, both, both, &got, &why), OK); /* one file with both */
        assert_true(got.id == pairs[i]->id && got.chain_n == 1);
    }
    struct str chain = certificate_pem(&a, &ec), key = key_pem(&a, &ec, NULL);
    struct str twice = arena_printf(&a, "%.*s%.*s", STR_ARG(certificate_pem(&a, &rsa)), STR_ARG(chain));
    struct {
        struct str chain, key;
        const char *why;
    } rows[] = {
        {STR(""), key, "no PEM certificate"},
        {STR("rubbish"), key, "no PEM certificate"},
        {chain, STR(""), "private key"},
        {chain, key_pem(&a, &ec, "secret"), "passphrase"},
        {chain, key_pem(&a, &rsa, NULL), "does not belong"},
        {twice, key_pem(&a, &rsa, NULL), "did not issue"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(tls_pair_from_pem(&a, rows[i].chain, rows[i].key, &got, &why), ERR_MALFORMED);
        if (str_find(buf_str(&why), str_of(rows[i].why)) == SIZE_MAX)
            fail_msg("row %zu: %s", i, buf_cstr(&why));
    }
    buf_release(&why);
    arena_release(&a);
}

static void damaged_bytes(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf why = {0};
    struct tls_pair pair, bad;
    struct tls_pair_facts f;
    const struct str name = STR("mx.example");
    tls_pair_self_signed(&a, TLS_KEY_P256, &name, 1, 1800000000, 90, &pair);
    bad = pair;
    bad.chain_der[0].n--;
    assert_int_equal(tls_pair_inspect(&bad, &a, &f, &why), ERR_MALFORMED);
    bad = pair;
    bad.chain_n = 0;
    assert_int_equal(tls_pair_inspect(&bad, &a, &f, &why), ERR_MALFORMED);
    bad = pair;
    bad.key_der.n /= 2;
    assert_int_equal(tls_pair_inspect(&bad, &a, &f, &why), ERR_MALFORMED);
    assert_true(why.n > 0);
    buf_release(&why);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(facts_of_what_we_make),
        cmocka_unit_test(pem_in),
        cmocka_unit_test(damaged_bytes),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
