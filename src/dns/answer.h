/* What DNS said, with its security. A failure is data, not an error of ours: policy decides on it. */
#ifndef DNS_ANSWER_H
#define DNS_ANSWER_H

#include "base/arena.h"
#include "base/clock.h"
#include "base/err.h"
#include "net/addr.h"

#define DNS_TYPE_TABLE(X)                                                                                    \
    X(A, 1)                                                                                                  \
    X(NS, 2) X(CNAME, 5) X(SOA, 6) X(MX, 15) X(TXT, 16) X(AAAA, 28) X(DS, 43) X(DNSKEY, 48) X(TLSA, 52)

enum dns_type {
#define X(name, number) DNS_##name = number,
    DNS_TYPE_TABLE(X)
#undef X
};

/* "TLSA"; "TYPE65280" has no name here and gives "?". */
const char *dns_type_name(enum dns_type type);

/* Four kinds of denial and data are status x security; DNS_ERROR has no security at all. */
enum dns_status { DNS_DATA, DNS_NODATA, DNS_NXDOMAIN, DNS_ERROR };
/* Meaningful unless status is DNS_ERROR. DNS_INSECURE is 0: what nobody set is not secure. */
enum dns_security { DNS_INSECURE, DNS_SECURE };

/* X(NAME, "name", "sentence") */
#define DNS_ERROR_TABLE(X)                                                                                   \
    X(NONE, "none", "no error")                                                                              \
    X(SERVFAIL, "servfail", "the name servers of the domain fail (SERVFAIL)")                                \
    X(BOGUS, "bogus", "DNSSEC validation failed")                                                            \
    X(TIMEOUT, "timeout", "no answer in time")                                                               \
    X(UNREACHABLE, "unreachable", "our own resolver cannot be reached")                                      \
    X(REFUSED, "refused", "the question was refused (REFUSED)")                                              \
    X(NOTIMP, "notimp", "the question is not implemented there (NOTIMP)")                                    \
    X(FORMERR, "formerr", "the question was called malformed (FORMERR)")                                     \
    X(MALFORMED, "malformed", "the answer is malformed")                                                     \
    X(ALIAS_LOOP, "alias-loop", "the aliases run in a circle or are too many")                               \
    X(OTHER, "other", "an answer code that means failure")

enum dns_error {
#define X(name, text, sentence) DNS_ERROR_##name,
    DNS_ERROR_TABLE(X)
#undef X
};

const char *dns_error_name(enum dns_error error);
const char *dns_error_sentence(enum dns_error error);

/* One TLSA record, as published. */
struct tlsa {
    uint8_t usage, selector, mtype;
    struct str data;
};

/* Names are in the form of dns/name.h; a name from the network that has no such form (blanks, dots inside a
 * label) is escaped as in zone files and then is no host name. The root is the empty name. */
struct dns_record {
    enum dns_type type;
    uint32_t ttl;
    union {
        struct addr addr; /* A, AAAA; port 0 */
        struct {
            uint16_t preference;
            struct str host;
        } mx;
        struct tlsa tlsa;
        struct str name; /* CNAME, NS */
        struct str txt;  /* the strings of the record, joined */
        struct {
            struct str mname, rname;
            uint32_t serial, refresh, retry, expire, minimum;
        } soa;
        struct str opaque; /* DS, DNSKEY: RDATA as it came */
    };
};

enum { DNS_ALIAS_MAX = 10, DNS_NO_EDE = 0xffff };

struct dns_answer {
    enum dns_type type; /* what was asked */
    struct str qname;   /* what was asked */
    enum dns_status status;
    enum dns_security security; /* of the whole answer, every alias on the way included */
    enum dns_error error;       /* DNS_ERROR_NONE unless status is DNS_ERROR */
    uint16_t ede;               /* extended error code (RFC 8914), DNS_NO_EDE without one */
    struct str ede_text;        /* what the resolver, or we, have to add; may be empty */
    struct str expanded;        /* the end of the alias chain; equals qname without one */
    uint32_t ttl;               /* smallest of the records and aliases used; of the denial's SOA */
    size_t n;                   /* records of the type asked, at the expanded name */
    struct dns_record *records;
};

static inline bool dns_answer_is_secure(const struct dns_answer *a)
{
    return a->status != DNS_ERROR && a->security == DNS_SECURE;
}

static inline bool dns_answer_is_alias(const struct dns_answer *a)
{
    return !str_equal(a->qname, a->expanded);
}

struct dns_question {
    struct str name;
    enum dns_type type;
};

/* Where answers come from: the resolver, or a script in tests. ask() answers all n questions (at the same
 * time when it can) into out[0..n-1] before the deadline; memory of the answers is the arena's. */
struct dns_source {
    void *ctx;
    void (*ask)(void *ctx, struct arena *a, const struct dns_question *questions, size_t n, deadline until,
                struct dns_answer *out);
};

static inline void dns_source_ask(const struct dns_source *s, struct arena *a, struct str name,
                                  enum dns_type type, deadline until, struct dns_answer *out)
{
    struct dns_question q = {name, type};
    s->ask(s->ctx, a, &q, 1, until, out);
}

#endif
