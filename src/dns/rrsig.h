/* Signatures over records (RFC 4034 3): what a server that is asked directly says is checked with the zone's
 * keys, as a validating resolver vouches for them. No chain of trust is built here. Pure; the arithmetic is
 * OpenSSL's. */
#ifndef DNS_RRSIG_H
#define DNS_RRSIG_H

#include "dns/raw.h"

/* One RRSIG. Times in seconds since 1970. */
struct dns_signature {
    struct str owner;
    struct str rdata; /* as it came; what follows is in it */
    uint16_t covered, key_tag;
    uint8_t algorithm, labels;
    uint32_t original_ttl;
    int64_t inception, expiration;
    struct str signer;
    struct str bytes;
};

/* Kept in the arena. now_s unfolds the times, which wrap (RFC 4034 3.1.5). False when it is malformed. */
bool dns_signature_read(struct arena *a, const struct dns_rr *rr, int64_t now_s, struct dns_signature *out);

/* RFC 4034 appendix B. */
uint16_t dns_key_tag(struct str dnskey);
/* Was the signature over these n >= 1 records, one RRset sorted by dns_raw_compare, made with this key (RDATA
 * of a DNSKEY)? False too when the algorithm is none of 8, 10, 13, 14, 15, 16. Its times are not looked at.
 */
bool dns_signature_verify(const struct dns_signature *s, const struct dns_raw *set, size_t n,
                          struct str dnskey);

#endif
