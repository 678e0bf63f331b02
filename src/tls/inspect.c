#include <openssl/err.h>
#include <openssl/x509v3.h>

#include "tls/tls_priv.h"

static struct str name_text(struct arena *a, const X509_NAME *name)
{
    BIO *bio = must_alloc(BIO_new(BIO_s_mem()));
    (void)X509_NAME_print_ex(bio, name, 0, XN_FLAG_RFC2253);
    char *p = NULL;
    long n = BIO_get_mem_data(bio, &p);
    struct str text = arena_str(a, str_make(p, n > 0 ? (size_t)n : 0));
    BIO_free(bio);
    return text;
}

static struct str dns_names(struct arena *a, const X509 *x)
{
    struct buf text = {0};
    GENERAL_NAMES *names = X509_get_ext_d2i(x, NID_subject_alt_name, NULL, NULL);
    for (int i = 0; i < sk_GENERAL_NAME_num(names); i++) {
        int type;
        const ASN1_STRING *value = GENERAL_NAME_get0_value(sk_GENERAL_NAME_value(names, i), &type);
        if (type != GEN_DNS)
            continue;
        if (text.n)
            buf_add_char(&text, ' ');
        buf_append(&text, ASN1_STRING_get0_data(value), (size_t)ASN1_STRING_length(value));
    }
    GENERAL_NAMES_free(names);
    struct str out = arena_str(a, buf_str(&text));
    buf_release(&text);
    return out;
}

static int64_t unix_time(const ASN1_TIME *t)
{
    struct tm tm;
    return ASN1_TIME_to_tm(t, &tm) == 1 ? (int64_t)timegm(&tm) : 0;
}

enum err tls_pair_inspect(const struct tls_pair *pair, struct arena *a, struct tls_pair_facts *out,
                          struct buf *why)
{
    struct tls_info digests = {0};
    *out = (struct tls_pair_facts){0};
    struct tls_parsed *p = tls_parsed_new(pair, why);
    if (!p)
        return ERR_MALFORMED;
    tls_info_fill_peer(&digests, p->leaf);
    out->subject = name_text(a, X509_get_subject_name(p->leaf));
    out->issuer = name_text(a, X509_get_issuer_name(p->leaf));
    out->dns_names = dns_names(a, p->leaf);
    out->not_before = unix_time(X509_get0_notBefore(p->leaf));
    out->not_after = unix_time(X509_get0_notAfter(p->leaf));
    int type = EVP_PKEY_get_base_id(p->key);
    out->algorithm = type == EVP_PKEY_EC ? "EC" : type == EVP_PKEY_RSA ? "RSA" : "other";
    memcpy(out->sha256, digests.peer_sha256, sizeof out->sha256);
    memcpy(out->spki_sha256, digests.peer_spki_sha256, sizeof out->spki_sha256);
    out->has_issuer_key = sk_X509_num(p->chain) > 0;
    if (out->has_issuer_key) {
        tls_info_fill_peer(&digests, sk_X509_value(p->chain, 0));
        memcpy(out->issuer_spki_sha256, digests.peer_spki_sha256, sizeof out->issuer_spki_sha256);
    }
    tls_parsed_free(p);
    ERR_clear_error();
    return OK;
}
