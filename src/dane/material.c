#include "dane/material.h"

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/sha.h>

enum { FILE_MAX = 1 << 20 };

static const unsigned char *octets(struct str s)
{
    return (const unsigned char *)s.p;
}

/* True for a private key that is in the file but locked. */
static int no_passphrase(char *out, int size, int writing, void *asked)
{
    (void)writing;
    if (size > 0)
        out[0] = '\0';
    *(bool *)asked = true;
    return -1;
}

static enum err add_certificate(struct dane_material *m, struct str der, struct buf *why)
{
    const unsigned char *p = octets(der);
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    if (!x || p != octets(der) + der.n) {
        X509_free(x);
        buf_set(why, "a certificate in it is damaged");
        return ERR_MALFORMED;
    }
    ENSURE(sk_X509_push(m->certs, x));
    return OK;
}

static enum err read_pem_certificates(BIO *in, struct dane_material *m, struct buf *why)
{
    char *name = NULL, *header = NULL;
    unsigned char *der = NULL;
    long n = 0;
    enum err e = OK;
    while (e == OK && PEM_read_bio(in, &name, &header, &der, &n)) {
        if (strcmp(name, PEM_STRING_X509) == 0 || strcmp(name, PEM_STRING_X509_OLD) == 0)
            e = add_certificate(m, str_make((char *)der, (size_t)n), why);
        OPENSSL_free(name);
        OPENSSL_free(header);
        OPENSSL_free(der);
    }
    if (e == OK && ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
        buf_set(why, "its PEM is damaged");
        e = ERR_MALFORMED;
    }
    ERR_clear_error();
    return e;
}

static enum err read_pem_key(struct str text, struct dane_material *m, struct buf *why)
{
    bool locked = false;
    BIO *in = must_alloc(BIO_new_mem_buf(text.p, (int)text.n));
    m->key = PEM_read_bio_PrivateKey(in, NULL, no_passphrase, &locked);
    if (!m->key && !locked) {
        (void)BIO_reset(in);
        m->key = PEM_read_bio_PUBKEY(in, NULL, NULL, NULL);
    }
    BIO_free(in);
    ERR_clear_error();
    if (m->key)
        return OK;
    buf_set(why, locked ? "its key is locked with a passphrase; give the certificate or the public key"
                        : "it holds no certificate and no key");
    return ERR_MALFORMED;
}

static enum err read_der(struct str der, struct dane_material *m, struct buf *why)
{
    if (add_certificate(m, der, NULL) == OK) {
        ERR_clear_error();
        return OK;
    }
    const unsigned char *p = octets(der);
    m->key = d2i_AutoPrivateKey(NULL, &p, (long)der.n);
    if (!m->key) {
        p = octets(der);
        m->key = d2i_PUBKEY(NULL, &p, (long)der.n);
    }
    ERR_clear_error();
    if (m->key && p == octets(der) + der.n)
        return OK;
    buf_set(why, "it holds no certificate and no key, in PEM or DER");
    return ERR_MALFORMED;
}

static enum err parse(struct str file, struct dane_material *m, struct buf *why)
{
    if (str_find(file, STR("-----BEGIN ")) == SIZE_MAX)
        return read_der(file, m, why);
    BIO *in = must_alloc(BIO_new_mem_buf(file.p, (int)file.n));
    enum err e = read_pem_certificates(in, m, why);
    BIO_free(in);
    if (e == OK && sk_X509_num(m->certs) == 0)
        e = read_pem_key(file, m, why);
    return e;
}

enum err dane_material_read(const char *path, struct dane_material *out, struct buf *why)
{
    struct buf file = {0}, what = {0};
    *out = (struct dane_material){.certs = must_alloc(sk_X509_new_null())};
    enum err e = file_read(path, FILE_MAX, &file, why);
    if (e == OK) {
        e = parse(buf_str(&file), out, &what);
        if (e != OK)
            buf_set(why, "%s: %s", path, buf_cstr(&what));
    }
    if (file.p)
        OPENSSL_cleanse(file.p, file.n); /* it may have been a private key */
    buf_release(&file);
    buf_release(&what);
    if (e != OK)
        dane_material_release(out);
    return e;
}

void dane_material_release(struct dane_material *m)
{
    sk_X509_pop_free(m->certs, X509_free);
    EVP_PKEY_free(m->key);
    *m = (struct dane_material){0};
}

enum err dane_tlsa_make(X509 *cert, EVP_PKEY *key, uint8_t usage, uint8_t selector, uint8_t mtype,
                        struct arena *a, struct tlsa *out, struct buf *why)
{
    unsigned char *der = NULL, digest[64];
    int n = -1;
    if (selector == 0 && cert)
        n = i2d_X509(cert, &der);
    else if (selector == 1)
        n = cert ? i2d_X509_PUBKEY(X509_get_X509_PUBKEY(cert), &der) : i2d_PUBKEY(key, &der);
    ERR_clear_error();
    if (n <= 0) {
        buf_set(why, selector == 0 && !cert ? "selector 0 is of a certificate, and this is a key"
                                            : "this cannot be written as DER");
        return ERR_USAGE;
    }
    struct str data = str_make((char *)der, (size_t)n);
    if (mtype == 1)
        data = str_make((char *)SHA256(der, (size_t)n, digest), 32);
    else if (mtype == 2)
        data = str_make((char *)SHA512(der, (size_t)n, digest), 64);
    *out = (struct tlsa){usage, selector, mtype, arena_str(a, data)};
    OPENSSL_free(der);
    return OK;
}
