/*
 * dane: from a TLSA RRset to a verdict on the chain that a server showed (RFC 6698, 7671, 7672).
 *
 * dane_usable drops what must not be used and applies digest agility; an empty result is a decision of its
 * own (TLS without authentication), so callers branch on it before a handshake. dane_prepare sets up a client
 * handshake; dane_judge looks at its result afterwards, so that a session can be ended politely. Live
 * sessions and chains from a file are judged by the same function. Knows nothing of DNS lookups: base domain
 * and reference names are policy's.
 */
#ifndef DANE_DANE_H
#define DANE_DANE_H

#include <openssl/ssl.h>

#include "dns/answer.h"

struct tlsa_set {
    struct tlsa *v;
    size_t n;
};

/* X(NAME, "name", "sentence") */
#define DANE_REASON_TABLE(X)                                                                                 \
    X(MATCH, "match", "a TLSA record matches")                                                               \
    X(NO_MATCH, "no-match", "no TLSA record matches the certificates shown")                                 \
    X(TA_NOT_IN_CHAIN, "ta-not-in-chain",                                                                    \
      "no certificate shown, other than the server's own, is the published trust anchor")                    \
    X(CHAIN_INVALID, "chain-invalid",                                                                        \
      "the certificates shown do not form a valid chain to the published trust anchor")                      \
    X(EXPIRED, "expired", "a certificate between the server and the published trust anchor has expired")     \
    X(NOT_YET_VALID, "not-yet-valid",                                                                        \
      "a certificate between the server and the published trust anchor is not valid yet")                    \
    X(HOST_MISMATCH, "host-mismatch",                                                                        \
      "the certificate chains to the published trust anchor but names none of the expected hosts")           \
    X(UNUSABLE, "unusable", "no TLSA record can be used")

enum dane_reason {
#define X(name, text, sentence) DANE_##name,
    DANE_REASON_TABLE(X)
#undef X
};

const char *dane_reason_name(enum dane_reason reason);
const char *dane_reason_sentence(enum dane_reason reason);

/* Why one record is not usable; DANE_TLSA_USABLE is 0. */
#define DANE_TLSA_FAULT_TABLE(X)                                                                             \
    X(USABLE, "usable")                                                                                      \
    X(USAGE, "the usage is not 2 or 3 (PKIX usages are not for SMTP, RFC 7672 3.1.3)")                       \
    X(SELECTOR, "the selector is not 0 or 1")                                                                \
    X(MTYPE, "the matching type is not 0, 1 or 2")                                                           \
    X(EMPTY, "it has no data")                                                                               \
    X(LENGTH, "the digest has the wrong length")                                                             \
    X(CERTIFICATE, "the data is not a certificate")                                                          \
    X(KEY, "the data is not a public key")

enum dane_tlsa_fault {
#define X(name, sentence) DANE_TLSA_##name,
    DANE_TLSA_FAULT_TABLE(X)
#undef X
};

enum dane_tlsa_fault dane_tlsa_fault(const struct tlsa *record);
const char *dane_tlsa_fault_sentence(enum dane_tlsa_fault fault);

/* The records of a TLSA answer; borrows their data. */
void dane_set_of_answer(const struct dns_answer *answer, struct arena *a, struct tlsa_set *out);
/* Usable records after digest agility (RFC 7671 9), in canonical order without duplicates; borrows the data.
 */
void dane_usable(const struct tlsa_set *in, struct arena *a, struct tlsa_set *usable);
/* SHA-256 over the set, whatever its order. */
void dane_set_fingerprint(const struct tlsa_set *set, uint8_t out[32]);

enum { DANE_TEXT = 256 };

struct dane_verdict {
    bool match;
    enum dane_reason reason;
    struct tlsa record; /* the one that matched; borrows from the set */
    int depth; /* of the certificate it matched, 0 is the server's own; -1 without a match. A bare key
                  (2 1 0): of the certificate that the key signed */
    bool has_leaf;
    uint8_t leaf_spki_sha256[32];
    char text[DANE_TEXT]; /* a sentence with details, for logs and evidence */
};

/* Who the server must be: for SNI the base domain, for usage 2 the base domain or one of the names. */
struct dane_identity {
    struct str base;
    const struct str *names; /* more reference names; may repeat the base domain */
    size_t n;
};

/* Before the handshake: SNI, TLS 1.2 at least, security level 1, and no failure on verification. */
enum err dane_prepare(SSL *ssl, const struct dane_identity *who, struct buf *why) MUST_CHECK;
/* After it. `usable` comes from dane_usable. */
void dane_judge(SSL *ssl, const struct tlsa_set *usable, const struct dane_identity *who,
                struct dane_verdict *out);
#define DANE_NOW INT64_MIN
/* The same for a chain: chain[0] is the server's own certificate. at: Unix time in seconds,
 * DANE_NOW for the clock's. */
void dane_judge_chain(STACK_OF(X509) * chain, const struct tlsa_set *usable, const struct dane_identity *who,
                      int64_t at, struct dane_verdict *out);

/* "3 1 1 0123..." both ways, in decimal or with the names of RFC 7218; the data may hold blanks, and be empty
 * when the blank before it is there. ERR_MALFORMED and a sentence when the text is not of that form; a record
 * of that form need not be usable. */
enum err dane_tlsa_parse(struct str text, struct arena *a, struct tlsa *out, struct buf *why) MUST_CHECK;
void dane_tlsa_format(struct buf *out, const struct tlsa *record);

#endif
