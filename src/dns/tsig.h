/* Transaction signatures (RFC 8945): one shared key, one exchange. Pure but for the HMAC, which is OpenSSL's;
 * the time is an argument. */
#ifndef DNS_TSIG_H
#define DNS_TSIG_H

#include "base/err.h"
#include "base/str.h"

/* X(NAME, "name", OpenSSL digest) */
#define TSIG_ALGORITHM_TABLE(X)                                                                              \
    X(HMAC_SHA256, "hmac-sha256", "SHA256")                                                                  \
    X(HMAC_SHA384, "hmac-sha384", "SHA384")                                                                  \
    X(HMAC_SHA512, "hmac-sha512", "SHA512")

enum tsig_algorithm {
#define X(name, text, digest) TSIG_##name,
    TSIG_ALGORITHM_TABLE(X)
#undef X
};

const char *tsig_algorithm_name(enum tsig_algorithm algorithm);
/* "hmac-sha256", case does not count. */
bool tsig_algorithm_parse(struct str text, enum tsig_algorithm *out);

enum { TSIG_MAC_MAX = 64, TSIG_FUDGE_S = 300 };

struct tsig_key {
    struct str name; /* in the form of dns/name.h */
    enum tsig_algorithm algorithm;
    struct str secret; /* octets, not base64 */
};

/* What is wrong, ours to see (NONE .. FORGED) or the server's to say. X(NAME, "name") */
#define TSIG_ERROR_TABLE(X)                                                                                  \
    X(NONE, "none")           /* signed, and well */                                                         \
    X(UNSIGNED, "unsigned")   /* the answer, or the last of its messages, carries no signature */            \
    X(MALFORMED, "malformed") /* the signature record does not follow its grammar */                         \
    X(OTHER_KEY, "other-key") /* signed with another key or algorithm than asked with */                     \
    X(FORGED, "forged")       /* the signature is wrong: changed on the way, or a key with our key's name */ \
    X(LATE, "late")           /* signed well, at a time too far from ours */                                 \
    X(BADSIG, "badsig")       /* the server could not verify ours: another secret */                         \
    X(BADKEY, "badkey")       /* the server does not know the key (or not with this algorithm) */            \
    X(BADTIME, "badtime")     /* the server's clock and ours are too far apart */                            \
    X(BADTRUNC, "badtrunc")   /* the server does not take a signature of this length */

enum tsig_error {
#define X(name, text) TSIG_ERROR_##name,
    TSIG_ERROR_TABLE(X)
#undef X
};

const char *tsig_error_name(enum tsig_error error);

/* One exchange: a message signed and its answer, or the messages of a transfer, verified in turn. */
struct tsig {
    const struct tsig_key *key;     /* borrowed */
    struct evp_mac_ctx_st *running; /* the HMAC over what the next signature covers */
    unsigned unsigned_count;        /* messages since the last signature */
    bool is_later;                  /* an answer was seen: what follows is the rest of a transfer */
    int64_t their_time; /* of the last signature, or of a BADTIME answer, in seconds; 0 when unknown */
};

void tsig_init(struct tsig *t, const struct tsig_key *key);
void tsig_release(struct tsig *t);

/* Appends the TSIG record to a request without one and counts it in the header. */
void tsig_sign(struct tsig *t, struct buf *message, int64_t now_s);
/* Verifies the next message of the answer. *plain becomes the message without its TSIG record (the count in
 * the header stays: read no further than its end). An unsigned message inside a transfer is NONE while the
 * run of them is short; tsig_end says whether the last one was signed. */
enum tsig_error tsig_verify(struct tsig *t, struct str message, int64_t now_s, struct str *plain);
enum tsig_error tsig_end(const struct tsig *t);

/* Which key, what is wrong, what to do. now_s: our time. */
void tsig_error_sentence(const struct tsig *t, enum tsig_error error, int64_t now_s, struct buf *out);

#endif
