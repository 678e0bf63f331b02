/* Answers kept for two seconds (less when their TTL is shorter) in front of another source. A burst of
 * messages to a domain asks the same four questions for each, and every one costs a way to the resolver and
 * back; the resolver has the real cache, and whoever changes a record need not wait for us. Failures are
 * never kept. Thread-safe. */
#ifndef DNS_CACHE_H
#define DNS_CACHE_H

#include "dns/answer.h"

struct dns_cache;

/* `behind` answers what is not here; its ctx must live as long. At most about `most` answers are kept. */
struct dns_cache *dns_cache_new(const struct dns_source *behind, size_t most);
void dns_cache_free(struct dns_cache *c); /* accepts NULL */
/* Borrows c. */
struct dns_source dns_cache_source(struct dns_cache *c);
/* Forgets everything: somebody wants to know how things are now, or what was said is not to be believed. */
void dns_cache_clear(struct dns_cache *c);

#endif
