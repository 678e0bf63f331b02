#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/pem.h>
#include <unistd.h>

#include "dane/material.h"
#include "pki.h"

static struct identity ca, leaf;
static struct arena arena;
static char path[] = "/tmp/kedge-material-XXXXXX";

static int set_up(void **state)
{
    (void)state;
    int fd = mkstemp(path);
    file_close(&fd);
    ca = pki_make((struct spec){.subject = "CA", .ca = true});
    leaf = pki_make((struct spec){.subject = "mx", .by = &ca});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    (void)unlink(path);
    pki_free(&ca), pki_free(&leaf);
    arena_release(&arena);
    return 0;
}

/* Reads what `b` holds as a file. */
static enum err read_back(BIO *b, struct dane_material *out, struct buf *why)
{
    char *p;
    long n = BIO_get_mem_data(b, &p);
    assert_int_equal(file_replace(path, str_make(p, (size_t)n), 0600, NULL), OK);
    BIO_free(b);
    return dane_material_read(path, out, why);
}

static struct tlsa made(struct dane_material *m, int i, unsigned selector)
{
    struct tlsa t;
    assert_int_equal(
        dane_tlsa_make(sk_X509_value(m->certs, i), m->key, 3, (uint8_t)selector, 1, &arena, &t, NULL), OK);
    dane_material_release(m);
    return t;
}

static void certificates(void **state)
{
    (void)state;
    struct dane_material m;
    BIO *b = BIO_new(BIO_s_mem());
    (void)BIO_puts(b, "some words\n");
    assert_true(
        PEM_write_bio_PrivateKey(b, leaf.key, NULL, NULL, 0, NULL, NULL)); /* a key beside them is skipped */
    assert_true(PEM_write_bio_X509(b, leaf.cert) && PEM_write_bio_X509(b, ca.cert));
    assert_int_equal(read_back(b, &m, NULL), OK);
    assert_int_equal(sk_X509_num(m.certs), 2);
    assert_null(m.key);
    assert_true(str_equal(made(&m, 1, 0).data, pki_record(&arena, 3, 0, 1, ca.cert).data));
    b = BIO_new(BIO_s_mem());
    assert_true(i2d_X509_bio(b, leaf.cert));
    assert_int_equal(read_back(b, &m, NULL), OK);
    assert_true(str_equal(made(&m, 0, 1).data, pki_record(&arena, 3, 1, 1, leaf.cert).data));
}

static void keys(void **state)
{
    (void)state;
    struct str want = pki_record(&arena, 3, 1, 1, leaf.cert).data;
    for (int kind = 0; kind < 4; kind++) {
        struct dane_material m;
        BIO *b = BIO_new(BIO_s_mem());
        int written = kind == 0   ? PEM_write_bio_PrivateKey(b, leaf.key, NULL, NULL, 0, NULL, NULL)
                      : kind == 1 ? PEM_write_bio_PUBKEY(b, leaf.key)
                      : kind == 2 ? i2d_PrivateKey_bio(b, leaf.key)
                                  : i2d_PUBKEY_bio(b, leaf.key);
        assert_true(written);
        assert_int_equal(read_back(b, &m, NULL), OK);
        struct tlsa t;
        assert_int_equal(dane_tlsa_make(NULL, m.key, 3, 0, 1, &arena, &t, NULL), ERR_USAGE);
        assert_true(str_equal(made(&m, 0, 1).data, want));
    }
}

static void what_cannot_be_read(void **state)
{
    (void)state;
    struct dane_material m;
    struct buf why = {0};
    static const char *const bad[] = {"", "nothing",
                                      "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
                                      "-----BEGIN CERTIFICATE-----\nAAAA\n"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        BIO *b = BIO_new(BIO_s_mem());
        (void)BIO_puts(b, bad[i]);
        assert_int_equal(read_back(b, &m, &why), ERR_MALFORMED);
    }
    BIO *b = BIO_new(BIO_s_mem());
    assert_true(PEM_write_bio_PrivateKey(b, leaf.key, EVP_aes_128_cbc(), (const unsigned char *)"secret", 6,
                                         NULL, NULL));
    assert_int_equal(read_back(b, &m, &why), ERR_MALFORMED);
    assert_true(str_find(buf_str(&why), STR("passphrase")) != SIZE_MAX);
    assert_int_equal(dane_material_read("/nonexistent", &m, &why), ERR_NOT_FOUND);
    buf_release(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(certificates),
        cmocka_unit_test(keys),
        cmocka_unit_test(what_cannot_be_read),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
