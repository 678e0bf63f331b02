#include "dns/rrsig.h"

#include <openssl/core_names.h>
#include <openssl/ecdsa.h>
#include <openssl/evp.h>
#include <openssl/param_build.h>

#include "base/codec.h"
#include "dns/rdata.h"

enum {
    RSA_SHA256 = 8,
    RSA_SHA512 = 10,
    ECDSA_P256 = 13,
    ECDSA_P384 = 14,
    ED25519 = 15,
    ED448 = 16,
    KEY_IS_ZONE = 0x0100,
    KEY_IS_REVOKED = 0x0080,
    KEY_PROTOCOL = 3,
    KEY_HEADER = 4,
    RSA_OCTETS_MAX = 512,
    SIGNER_AT = 18, /* in the data of an RRSIG */
};

/* The one of all times with these low 32 bits that is nearest to now. */
static int64_t unfold(uint32_t time, int64_t now_s)
{
    return now_s + (int32_t)(time - (uint32_t)now_s);
}

bool dns_signature_read(struct arena *a, const struct dns_rr *rr, int64_t now_s, struct dns_signature *out)
{
    struct dns_reader r = rr->rdata, whole = rr->rdata;
    struct dns_name_text signer;
    out->owner = dns_name_keep(a, &rr->owner);
    out->rdata = arena_str(a, dns_read_bytes(&whole, whole.end - whole.at));
    out->covered = dns_read_u16(&r);
    out->algorithm = dns_read_u8(&r);
    out->labels = dns_read_u8(&r);
    out->original_ttl = dns_read_u32(&r);
    out->expiration = unfold(dns_read_u32(&r), now_s);
    out->inception = unfold(dns_read_u32(&r), now_s);
    out->key_tag = dns_read_u16(&r);
    dns_read_name(&r, &signer);
    out->signer = dns_name_keep(a, &signer);
    out->bytes = arena_str(a, dns_read_bytes(&r, r.end - r.at));
    return !r.bad;
}

uint16_t dns_key_tag(struct str dnskey)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < dnskey.n; i++)
        sum += (uint32_t)(uint8_t)dnskey.p[i] << (i & 1 ? 0 : 8);
    return (uint16_t)(sum + (sum >> 16));
}

static void add_name(struct buf *out, struct str name)
{
    struct dns_name_text text = {.n = name.n};
    if (name.n)
        memcpy(text.p, name.p, name.n);
    dns_write_name_text(out, &text);
}

static size_t count_labels(struct str name)
{
    size_t n = 0;
    while (name.n) {
        (void)str_cut(&name, '.');
        n++;
    }
    return n;
}

/* The owner as it was signed: of an expanded wildcard, the wildcard (RFC 4035 5.3.2). */
static bool add_owner(struct buf *out, const struct dns_signature *s)
{
    size_t labels = count_labels(s->owner);
    struct str name = s->owner;
    if (s->owner.n > DNS_NAME_TEXT || s->signer.n > DNS_NAME_TEXT || s->labels > labels)
        return false;
    bool is_wildcard_itself = str_starts(name, STR("*."));
    if (is_wildcard_itself || s->labels == labels) {
        add_name(out, name);
        return true;
    }
    for (size_t i = labels; i > s->labels; i--)
        (void)str_cut(&name, '.');
    buf_append(out, "\1*", 2);
    add_name(out, name);
    return true;
}

/* RFC 4034 3.1.8.1. */
static bool add_signed_data(struct buf *out, const struct dns_signature *s, const struct dns_raw *set,
                            size_t n)
{
    struct buf owner = {0};
    bool good = add_owner(&owner, s) && s->rdata.n >= SIGNER_AT;
    if (good) {
        buf_append(out, s->rdata.p, SIGNER_AT);
        add_name(out, s->signer);
    }
    for (size_t i = 0; good && i < n; i++) {
        if (i && str_equal(set[i].rdata, set[i - 1].rdata))
            continue;
        buf_add(out, buf_str(&owner));
        buf_add_u16(out, set[i].type);
        buf_add_u16(out, DNS_CLASS_IN);
        buf_add_u32(out, s->original_ttl);
        buf_add_u16(out, (uint16_t)set[i].rdata.n);
        buf_add(out, set[i].rdata);
    }
    buf_release(&owner);
    return good;
}

static EVP_PKEY *key_from(const char *type, OSSL_PARAM_BLD *build)
{
    EVP_PKEY *key = NULL;
    EVP_PKEY_CTX *ctx = EVP_PKEY_CTX_new_from_name(NULL, type, NULL);
    OSSL_PARAM *params = OSSL_PARAM_BLD_to_param(build);
    if (ctx && params && EVP_PKEY_fromdata_init(ctx) == 1)
        (void)EVP_PKEY_fromdata(ctx, &key, EVP_PKEY_PUBLIC_KEY, params);
    OSSL_PARAM_free(params);
    EVP_PKEY_CTX_free(ctx);
    return key;
}

/* RFC 6605 4. */
static EVP_PKEY *ecdsa_key(struct str bytes, const char *group, size_t size)
{
    uint8_t point[1 + 96] = {4}; /* uncompressed */
    if (bytes.n != 2 * size)
        return NULL;
    memcpy(point + 1, bytes.p, bytes.n);
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    EVP_PKEY *key = NULL;
    if (build && OSSL_PARAM_BLD_push_utf8_string(build, OSSL_PKEY_PARAM_GROUP_NAME, group, 0) == 1 &&
        OSSL_PARAM_BLD_push_octet_string(build, OSSL_PKEY_PARAM_PUB_KEY, point, 1 + bytes.n) == 1)
        key = key_from("EC", build);
    OSSL_PARAM_BLD_free(build);
    return key;
}

/* RFC 3110 2. */
static EVP_PKEY *rsa_key(struct str bytes)
{
    struct dns_reader r = {.message = (const uint8_t *)bytes.p, .end = bytes.n};
    size_t n = dns_read_u8(&r);
    if (n == 0)
        n = dns_read_u16(&r);
    struct str exponent = dns_read_bytes(&r, n);
    struct str modulus = dns_read_bytes(&r, r.end - r.at);
    if (r.bad || exponent.n == 0 || exponent.n > 8 || modulus.n == 0 || modulus.n > RSA_OCTETS_MAX)
        return NULL;
    OSSL_PARAM_BLD *build = OSSL_PARAM_BLD_new();
    BIGNUM *e = BN_bin2bn((const uint8_t *)exponent.p, (int)exponent.n, NULL);
    BIGNUM *m = BN_bin2bn((const uint8_t *)modulus.p, (int)modulus.n, NULL);
    EVP_PKEY *key = NULL;
    if (build && e && m && OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_N, m) == 1 &&
        OSSL_PARAM_BLD_push_BN(build, OSSL_PKEY_PARAM_RSA_E, e) == 1)
        key = key_from("RSA", build);
    BN_free(m);
    BN_free(e);
    OSSL_PARAM_BLD_free(build);
    return key;
}

static EVP_PKEY *edwards_key(struct str bytes, int type)
{
    return EVP_PKEY_new_raw_public_key(type, NULL, (const uint8_t *)bytes.p, bytes.n);
}

static EVP_PKEY *public_key(uint8_t algorithm, struct str bytes)
{
    switch (algorithm) {
    case RSA_SHA256:
    case RSA_SHA512:
        return rsa_key(bytes);
    case ECDSA_P256:
        return ecdsa_key(bytes, "P-256", 32);
    case ECDSA_P384:
        return ecdsa_key(bytes, "P-384", 48);
    case ED25519:
        return edwards_key(bytes, EVP_PKEY_ED25519);
    case ED448:
        return edwards_key(bytes, EVP_PKEY_ED448);
    default:
        return NULL;
    }
}

static const EVP_MD *digest_of(uint8_t algorithm)
{
    switch (algorithm) {
    case RSA_SHA256:
    case ECDSA_P256:
        return EVP_sha256();
    case ECDSA_P384:
        return EVP_sha384();
    case RSA_SHA512:
        return EVP_sha512();
    default:
        return NULL; /* part of the algorithm */
    }
}

/* OpenSSL wants DER, DNS has the two numbers side by side. */
static bool ecdsa_to_der(struct str bytes, struct buf *out)
{
    size_t half = bytes.n / 2;
    const uint8_t *p = (const uint8_t *)bytes.p;
    ECDSA_SIG *pair = ECDSA_SIG_new();
    BIGNUM *r = BN_bin2bn(p, (int)half, NULL), *s = BN_bin2bn(p + half, (int)half, NULL);
    uint8_t *der = NULL;
    int n = 0;
    if (pair && r && s && bytes.n % 2 == 0 && ECDSA_SIG_set0(pair, r, s) == 1) {
        r = s = NULL; /* the pair's now */
        n = i2d_ECDSA_SIG(pair, &der);
    }
    if (n > 0)
        buf_append(out, der, (size_t)n);
    OPENSSL_free(der);
    BN_free(r);
    BN_free(s);
    ECDSA_SIG_free(pair);
    return n > 0;
}

static bool is_made_by(const struct dns_signature *s, struct str data, struct str dnskey)
{
    struct buf der = {0};
    struct str bytes = s->bytes;
    EVP_MD_CTX *ctx = EVP_MD_CTX_new();
    EVP_PKEY *key = public_key(s->algorithm, str_from(dnskey, KEY_HEADER));
    bool good = ctx && key;
    if (good && (s->algorithm == ECDSA_P256 || s->algorithm == ECDSA_P384)) {
        good = ecdsa_to_der(s->bytes, &der);
        bytes = buf_str(&der);
    }
    good = good && EVP_DigestVerifyInit(ctx, NULL, digest_of(s->algorithm), NULL, key) == 1 &&
           EVP_DigestVerify(ctx, (const uint8_t *)bytes.p, bytes.n, (const uint8_t *)data.p, data.n) == 1;
    EVP_PKEY_free(key);
    EVP_MD_CTX_free(ctx);
    buf_release(&der);
    return good;
}

bool dns_signature_verify(const struct dns_signature *s, const struct dns_raw *set, size_t n,
                          struct str dnskey)
{
    if (dnskey.n <= KEY_HEADER)
        return false;
    unsigned flags = get_u16(dnskey.p);
    const uint8_t *key = (const uint8_t *)dnskey.p;
    if (!(flags & KEY_IS_ZONE) || (flags & KEY_IS_REVOKED) || key[2] != KEY_PROTOCOL ||
        key[3] != s->algorithm || dns_key_tag(dnskey) != s->key_tag)
        return false;
    struct buf data = {0};
    bool good = add_signed_data(&data, s, set, n) && is_made_by(s, buf_str(&data), dnskey);
    buf_release(&data);
    return good;
}
