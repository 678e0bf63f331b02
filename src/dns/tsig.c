#include "dns/tsig.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "base/codec.h"
#include "base/die.h"
#include "dns/wire.h"

enum {
    TYPE_TSIG = 250,
    CLASS_ANY = 255,
    UNSIGNED_MAX = 99, /* RFC 8945 5.3.1 */
    CODE_BADSIG = 16,
    CODE_BADKEY = 17,
    CODE_BADTIME = 18,
    CODE_BADTRUNC = 22,
};

static const struct {
    const char *name, *digest;
} ALGORITHMS[] = {
#define X(name, text, digest) {text, digest},
    TSIG_ALGORITHM_TABLE(X)
#undef X
};

enum { ALGORITHM_COUNT = sizeof ALGORITHMS / sizeof *ALGORITHMS };

const char *tsig_algorithm_name(enum tsig_algorithm algorithm)
{
    ENSURE((size_t)algorithm < ALGORITHM_COUNT);
    return ALGORITHMS[algorithm].name;
}

bool tsig_algorithm_parse(struct str text, enum tsig_algorithm *out)
{
    for (size_t i = 0; i < ALGORITHM_COUNT; i++) {
        if (!str_equal_nocase(text, str_of(ALGORITHMS[i].name)))
            continue;
        *out = (enum tsig_algorithm)i;
        return true;
    }
    return false;
}

const char *tsig_error_name(enum tsig_error error)
{
    static const char *const NAMES[] = {
#define X(name, text) text,
        TSIG_ERROR_TABLE(X)
#undef X
    };
    ENSURE((size_t)error < sizeof NAMES / sizeof *NAMES);
    return NAMES[error];
}

/* Starts over, with the MAC of the signed message before as the first thing that the next one covers. */
static void restart(struct tsig *t, struct str mac_before)
{
    OSSL_PARAM params[] = {
        OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST,
                                         (char *)(uintptr_t)ALGORITHMS[t->key->algorithm].digest, 0),
        OSSL_PARAM_construct_end()};
    ENSURE(EVP_MAC_init(t->running, (const unsigned char *)t->key->secret.p, t->key->secret.n, params) == 1);
    if (mac_before.n) {
        uint8_t length[2];
        put_u16(length, (uint16_t)mac_before.n);
        ENSURE(EVP_MAC_update(t->running, length, sizeof length) == 1);
        ENSURE(EVP_MAC_update(t->running, (const unsigned char *)mac_before.p, mac_before.n) == 1);
    }
}

static void cover(struct tsig *t, struct str bytes)
{
    ENSURE(EVP_MAC_update(t->running, (const unsigned char *)bytes.p, bytes.n) == 1);
}

static size_t finish(struct tsig *t, uint8_t mac[TSIG_MAC_MAX])
{
    size_t n = 0;
    ENSURE(EVP_MAC_final(t->running, mac, &n, TSIG_MAC_MAX) == 1);
    return n;
}

void tsig_init(struct tsig *t, const struct tsig_key *key)
{
    EVP_MAC *hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
    ENSURE(hmac && key->secret.n);
    *t = (struct tsig){.key = key, .running = EVP_MAC_CTX_new(hmac)};
    EVP_MAC_free(hmac);
    ENSURE(t->running);
    restart(t, STR_NONE);
}

void tsig_release(struct tsig *t)
{
    EVP_MAC_CTX_free(t->running);
    *t = (struct tsig){0};
}

/* What a TSIG record says. */
struct record {
    struct dns_name_text key, algorithm;
    uint64_t time;
    uint16_t fudge, id, error;
    struct str mac, other;
};

static void add_u48(struct buf *out, uint64_t v)
{
    buf_add_u16(out, (uint16_t)(v >> 32));
    buf_add_u32(out, (uint32_t)v);
}

static void add_timers(struct buf *out, uint64_t time, uint16_t fudge)
{
    add_u48(out, time);
    buf_add_u16(out, fudge);
}

/* RFC 8945 4.3.3; names are in lower case already. */
static void cover_variables(struct tsig *t, uint64_t time, uint16_t fudge, uint16_t error, struct str other)
{
    struct buf b = {0};
    ENSURE(dns_write_name(&b, t->key->name));
    buf_add_u16(&b, CLASS_ANY);
    buf_add_u32(&b, 0);
    ENSURE(dns_write_name(&b, str_of(tsig_algorithm_name(t->key->algorithm))));
    add_timers(&b, time, fudge);
    buf_add_u16(&b, error);
    buf_add_u16(&b, (uint16_t)other.n);
    buf_add(&b, other);
    cover(t, buf_str(&b));
    buf_release(&b);
}

void tsig_sign(struct tsig *t, struct buf *message, int64_t now_s)
{
    uint8_t mac[TSIG_MAC_MAX];
    cover(t, buf_str(message));
    cover_variables(t, (uint64_t)now_s, TSIG_FUDGE_S, 0, STR_NONE);
    struct str signature = str_make((const char *)mac, finish(t, mac));
    uint16_t id = get_u16(message->p);
    ENSURE(dns_write_name(message, t->key->name));
    buf_add_u16(message, TYPE_TSIG);
    buf_add_u16(message, CLASS_ANY);
    buf_add_u32(message, 0);
    size_t length_at = message->n;
    buf_add_u16(message, 0);
    ENSURE(dns_write_name(message, str_of(tsig_algorithm_name(t->key->algorithm))));
    add_timers(message, (uint64_t)now_s, TSIG_FUDGE_S);
    buf_add_u16(message, (uint16_t)signature.n);
    buf_add(message, signature);
    buf_add_u16(message, id);
    buf_add_u32(message, 0); /* error, length of other data */
    put_u16(message->p + length_at, (uint16_t)(message->n - length_at - 2));
    put_u16(message->p + 10, (uint16_t)(get_u16(message->p + 10) + 1));
    restart(t, signature);
}

static uint64_t read_u48(struct dns_reader *r)
{
    uint64_t high = dns_read_u16(r);
    return high << 32 | dns_read_u32(r);
}

static bool read_record(const struct dns_rr *rr, struct record *out)
{
    struct dns_reader r = rr->rdata;
    out->key = rr->owner;
    dns_read_name(&r, &out->algorithm);
    out->time = read_u48(&r);
    out->fudge = dns_read_u16(&r);
    out->mac = dns_read_bytes(&r, dns_read_u16(&r));
    out->id = dns_read_u16(&r);
    out->error = dns_read_u16(&r);
    out->other = dns_read_bytes(&r, dns_read_u16(&r));
    return !r.bad && r.at == r.end && rr->class == CLASS_ANY && rr->ttl == 0;
}

enum found { FOUND, FOUND_NONE, FOUND_BROKEN };

/* The TSIG record is the last of the additional section, or there is none. *start: where it begins. */
static enum found find_record(struct str message, struct record *out, size_t *start)
{
    struct dns_reader r = {.message = (const uint8_t *)message.p, .end = message.n};
    (void)dns_read_u32(&r);
    unsigned questions = dns_read_u16(&r);
    unsigned records = dns_read_u16(&r);
    records += dns_read_u16(&r);
    unsigned additional = dns_read_u16(&r);
    for (unsigned i = 0; i < questions && !r.bad; i++) {
        struct dns_name_text name;
        dns_read_name(&r, &name);
        (void)dns_read_u32(&r);
    }
    enum found found = FOUND_NONE;
    for (unsigned i = 0; i < records + additional; i++) {
        struct dns_rr rr;
        *start = r.at;
        if (!dns_read_rr(&r, &rr))
            return FOUND_BROKEN;
        if (rr.type != TYPE_TSIG)
            continue;
        if (i + 1 < records + additional || additional == 0 || !read_record(&rr, out))
            return FOUND_BROKEN;
        found = FOUND;
    }
    return r.bad || r.at != r.end ? FOUND_BROKEN : found;
}

static bool is_name(const struct dns_name_text *name, struct str expected)
{
    return str_equal(str_make(name->p, name->n), expected);
}

/* As it was before the record was added: the count without it, the id that was signed. */
static void cover_message(struct tsig *t, struct str message, uint16_t id)
{
    char header[DNS_HEADER_SIZE];
    memcpy(header, message.p, sizeof header);
    put_u16(header, id);
    put_u16(header + 10, (uint16_t)(get_u16(header + 10) - 1));
    cover(t, str_make(header, sizeof header));
    cover(t, str_from(message, sizeof header));
}

/* RFC 8945 5.3.1: an answer covers all fields; what follows it covers the timers only. */
static enum tsig_error check_mac(struct tsig *t, const struct record *s, struct str message)
{
    uint8_t mac[TSIG_MAC_MAX];
    cover_message(t, message, s->id);
    if (!t->is_later) {
        cover_variables(t, s->time, s->fudge, s->error, s->other);
    } else {
        struct buf timers = {0};
        add_timers(&timers, s->time, s->fudge);
        cover(t, buf_str(&timers));
        buf_release(&timers);
    }
    size_t n = finish(t, mac);
    restart(t, s->mac);
    if (s->mac.n != n || CRYPTO_memcmp(mac, s->mac.p, n) != 0)
        return TSIG_ERROR_FORGED;
    return TSIG_ERROR_NONE;
}

static enum tsig_error check_time(struct tsig *t, const struct record *s, int64_t now_s)
{
    t->their_time = (int64_t)s->time;
    if (s->error == CODE_BADTIME) {
        struct dns_reader other = {.message = (const uint8_t *)s->other.p, .end = s->other.n};
        int64_t time = (int64_t)read_u48(&other);
        if (!other.bad)
            t->their_time = time;
        return TSIG_ERROR_BADTIME;
    }
    int64_t apart = t->their_time - now_s;
    return apart > s->fudge || apart < -(int64_t)s->fudge ? TSIG_ERROR_LATE : TSIG_ERROR_NONE;
}

enum tsig_error tsig_verify(struct tsig *t, struct str message, int64_t now_s, struct str *plain)
{
    struct record s;
    size_t start = 0;
    *plain = message;
    enum found found = find_record(message, &s, &start);
    if (found == FOUND_BROKEN)
        return TSIG_ERROR_MALFORMED;
    if (found == FOUND_NONE) {
        if (!t->is_later || ++t->unsigned_count > UNSIGNED_MAX)
            return TSIG_ERROR_UNSIGNED;
        cover(t, message);
        return TSIG_ERROR_NONE;
    }
    plain->n = start;
    if (s.error == CODE_BADKEY)
        return TSIG_ERROR_BADKEY; /* it cannot be signed, nor can the next */
    if (s.error == CODE_BADSIG)
        return TSIG_ERROR_BADSIG;
    if (!is_name(&s.key, t->key->name) ||
        !is_name(&s.algorithm, str_of(tsig_algorithm_name(t->key->algorithm))))
        return TSIG_ERROR_OTHER_KEY;
    enum tsig_error e = check_mac(t, &s, *plain);
    t->is_later = true;
    t->unsigned_count = 0;
    if (e == TSIG_ERROR_NONE && s.error == CODE_BADTRUNC)
        return TSIG_ERROR_BADTRUNC;
    return e == TSIG_ERROR_NONE ? check_time(t, &s, now_s) : e;
}

enum tsig_error tsig_end(const struct tsig *t)
{
    return t->is_later && t->unsigned_count == 0 ? TSIG_ERROR_NONE : TSIG_ERROR_UNSIGNED;
}

static void clock_sentence(const struct tsig *t, int64_t now_s, struct buf *out)
{
    int64_t apart = t->their_time - now_s;
    buf_set(out,
            "the server's clock is %lld seconds %s ours, more than TSIG allows: set both clocks, let NTP or "
            "chrony keep them",
            (long long)(apart < 0 ? -apart : apart), apart < 0 ? "behind" : "ahead of");
}

void tsig_error_sentence(const struct tsig *t, enum tsig_error error, int64_t now_s, struct buf *out)
{
    struct str name = t->key->name;
    const char *algorithm = tsig_algorithm_name(t->key->algorithm);
    switch (error) {
    case TSIG_ERROR_NONE:
        buf_set(out, "signed with the TSIG key %.*s", STR_ARG(name));
        return;
    case TSIG_ERROR_UNSIGNED:
        buf_set(out, "the server's answer is not signed with the TSIG key %.*s, so anybody may have sent it",
                STR_ARG(name));
        return;
    case TSIG_ERROR_MALFORMED:
        buf_set(out, "the server's answer has a malformed TSIG signature");
        return;
    case TSIG_ERROR_OTHER_KEY:
        buf_set(out, "the server's answer is signed with another key than the TSIG key %.*s (%s)",
                STR_ARG(name), algorithm);
        return;
    case TSIG_ERROR_FORGED:
        buf_set(out,
                "the server's answer is wrongly signed: it was changed on the way, or the server has another "
                "secret for the TSIG key %.*s",
                STR_ARG(name));
        return;
    case TSIG_ERROR_BADSIG:
        buf_set(out,
                "the server has another secret for the TSIG key %.*s (BADSIG): copy the secret from one side "
                "to the other",
                STR_ARG(name));
        return;
    case TSIG_ERROR_BADKEY:
        buf_set(
            out,
            "the server does not know the TSIG key %.*s with %s (BADKEY): add it there under exactly this "
            "name and algorithm, or use a key that the server has",
            STR_ARG(name), algorithm);
        return;
    case TSIG_ERROR_BADTRUNC:
        buf_set(out, "the server does not take signatures of this length for the TSIG key %.*s (BADTRUNC)",
                STR_ARG(name));
        return;
    case TSIG_ERROR_LATE:
    case TSIG_ERROR_BADTIME:
        clock_sentence(t, now_s, out);
        return;
    }
}
