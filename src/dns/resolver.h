/* The stub resolver: asks one validating resolver over UDP with DO and reads AD, goes to TCP when an answer
 * is truncated, repeats questions that stay unanswered, keeps the caller's deadline. A SERVFAIL that nothing
 * explains is asked about: it is DNS_ERROR_BOGUS when the answer exists unvalidated and validation fails
 * again. A resolver that takes no questions is DNS_ERROR_UNREACHABLE. It validates nothing itself, so the way
 * to that resolver must not be open to forgery: resolver_address_check. Local host tables and search suffixes
 * are never used. Safe for any number of threads. */
#ifndef DNS_RESOLVER_H
#define DNS_RESOLVER_H

#include "dns/answer.h"

struct resolver;

struct resolver_conf {
    struct addr address;
    int timeout_ms; /* before a question is repeated; grows by half each time; 0: 2000 */
    int tries;      /* 0: 4 */
    bool unchecked; /* ask without validation (CD): for destinations whose mode is off; nothing is ever secure
                       then */
};

/* On loopback, or named as trusted by the operator. ERR_REFUSED and a sentence otherwise. Pure. */
enum err resolver_address_check(const struct addr *address, bool trusted, struct buf *why) MUST_CHECK;

struct resolver *resolver_new(const struct resolver_conf *conf);
void resolver_free(struct resolver *r);
/* Borrows r. */
struct dns_source resolver_source(struct resolver *r);

/* Never fails: failure is data (status DNS_ERROR). */
void resolver_ask(struct resolver *r, struct arena *a, struct str name, enum dns_type type, deadline until,
                  struct dns_answer *out);
/* All questions at the same time. */
void resolver_ask_many(struct resolver *r, struct arena *a, const struct dns_question *questions, size_t n,
                       deadline until, struct dns_answer *out);

/* Does the resolver validate? The secure name's SOA must come back authenticated (the root when empty), the
 * bogus name's (skipped when empty) must fail. ERR_REFUSED and a sentence when it does not. */
enum err resolver_prove(struct resolver *r, struct str secure_name, struct str bogus_name, deadline until,
                        struct buf *why) MUST_CHECK;

#endif
