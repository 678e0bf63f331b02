#include "dane/dane.h"

#include <openssl/err.h>
#include <openssl/sha.h>
#include <openssl/x509.h>

enum { FULL = 0, SHA2_256 = 1, SHA2_512 = 2 };

static bool is_certificate(struct str der)
{
    const unsigned char *p = (const unsigned char *)der.p;
    X509 *x = d2i_X509(NULL, &p, (long)der.n);
    bool whole = x && (const char *)p == der.p + der.n && X509_get0_pubkey(x);
    X509_free(x);
    ERR_clear_error();
    return whole;
}

static bool is_public_key(struct str der)
{
    const unsigned char *p = (const unsigned char *)der.p;
    EVP_PKEY *key = d2i_PUBKEY(NULL, &p, (long)der.n);
    bool whole = key && (const char *)p == der.p + der.n;
    EVP_PKEY_free(key);
    ERR_clear_error();
    return whole;
}

enum dane_tlsa_fault dane_tlsa_fault(const struct tlsa *record)
{
    if (record->usage != 2 && record->usage != 3)
        return DANE_TLSA_USAGE;
    if (record->selector > 1)
        return DANE_TLSA_SELECTOR;
    if (record->mtype > SHA2_512)
        return DANE_TLSA_MTYPE;
    if (record->data.n == 0)
        return DANE_TLSA_EMPTY;
    if (record->mtype != FULL)
        return record->data.n == (record->mtype == SHA2_256 ? 32 : 64) ? DANE_TLSA_USABLE : DANE_TLSA_LENGTH;
    if (record->selector == 0)
        return is_certificate(record->data) ? DANE_TLSA_USABLE : DANE_TLSA_CERTIFICATE;
    return is_public_key(record->data) ? DANE_TLSA_USABLE : DANE_TLSA_KEY;
}

void dane_set_of_answer(const struct dns_answer *answer, struct arena *a, struct tlsa_set *out)
{
    *out = (struct tlsa_set){.v = ARENA_ARRAY(a, struct tlsa, answer->n)};
    for (size_t i = 0; i < answer->n; i++)
        if (answer->records[i].type == DNS_TLSA)
            out->v[out->n++] = answer->records[i].tlsa;
}

/* Usage 3 before 2, the stronger digest before the weaker: what is cheap and strong to check comes first. */
static int compare(const void *left, const void *right)
{
    const struct tlsa *a = left, *b = right;
    if (a->usage != b->usage)
        return b->usage - a->usage;
    if (a->selector != b->selector)
        return b->selector - a->selector;
    if (a->mtype != b->mtype)
        return b->mtype - a->mtype;
    return str_compare(a->data, b->data);
}

static bool has_stronger_digest(const struct tlsa_set *set, const struct tlsa *than)
{
    for (size_t i = 0; i < set->n; i++)
        if (set->v[i].usage == than->usage && set->v[i].selector == than->selector &&
            set->v[i].mtype > than->mtype)
            return true;
    return false;
}

void dane_usable(const struct tlsa_set *in, struct arena *a, struct tlsa_set *usable)
{
    struct tlsa_set sound = {.v = ARENA_ARRAY(a, struct tlsa, in->n)};
    for (size_t i = 0; i < in->n; i++)
        if (dane_tlsa_fault(&in->v[i]) == DANE_TLSA_USABLE)
            sound.v[sound.n++] = in->v[i];
    if (sound.n)
        qsort(sound.v, sound.n, sizeof *sound.v, compare);
    *usable = (struct tlsa_set){.v = ARENA_ARRAY(a, struct tlsa, sound.n)};
    for (size_t i = 0; i < sound.n; i++) {
        const struct tlsa *t = &sound.v[i];
        bool twice = i && compare(t, t - 1) == 0;
        bool weak = t->mtype == SHA2_256 && has_stronger_digest(&sound, t);
        if (!twice && !weak)
            usable->v[usable->n++] = *t;
    }
}

void dane_set_fingerprint(const struct tlsa_set *set, uint8_t out[32])
{
    struct buf all = {0};
    struct tlsa *sorted = must_alloc(calloc(set->n + 1, sizeof *sorted));
    if (set->n) {
        memcpy(sorted, set->v, set->n * sizeof *sorted);
        qsort(sorted, set->n, sizeof *sorted, compare);
    }
    for (size_t i = 0; i < set->n; i++) {
        buf_add_char(&all, (char)sorted[i].usage);
        buf_add_char(&all, (char)sorted[i].selector);
        buf_add_char(&all, (char)sorted[i].mtype);
        pack_str(&all, sorted[i].data);
    }
    ENSURE(SHA256((const unsigned char *)buf_cstr(&all), all.n, out));
    free(sorted);
    buf_release(&all);
}
