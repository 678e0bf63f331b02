/* A record as the wire has it, whatever its type: what an UPDATE carries and a zone transfer brings. Pure. */
#ifndef DNS_RAW_H
#define DNS_RAW_H

#include "dns/answer.h"
#include "dns/wire.h"

/* More types than the resolver's: what a signed zone holds besides. */
enum {
    DNS_TYPE_RRSIG = 46,
    DNS_TYPE_NSEC = 47,
    DNS_TYPE_NSEC3 = 50,
    DNS_TYPE_NSEC3PARAM = 51,
    DNS_TYPE_CDS = 59,
    DNS_TYPE_CDNSKEY = 60,
};

struct dns_raw {
    struct str owner; /* as in dns/answer.h; one with escapes cannot be written */
    uint16_t type;
    uint32_t ttl;
    struct str rdata; /* wire form, canonical: names inside neither compressed nor in upper case */
};

/* Builders; memory is the arena's. The owner is borrowed: it must live as long as the record. */
struct dns_raw dns_raw_addr(struct arena *a, struct str owner, uint32_t ttl, const struct addr *addr);
struct dns_raw dns_raw_tlsa(struct arena *a, struct str owner, uint32_t ttl, const struct tlsa *tlsa);
/* The target must be in the form of dns/name.h. */
struct dns_raw dns_raw_cname(struct arena *a, struct str owner, uint32_t ttl, struct str target);

/* By owner, type, RDATA; not by TTL. The order of bytes, not that of DNSSEC. */
int dns_raw_compare(const struct dns_raw *a, const struct dns_raw *b);
/* Sorts by that order. */
void dns_raw_sort(struct dns_raw *records, size_t n);

/* Appends one line of a zone file without its end: "owner. ttl IN TYPE data". Types that are not in
 * dns_type are in the form of RFC 3597. */
void dns_raw_text(struct buf *out, const struct dns_raw *r);
/* "TLSA", "RRSIG", "TYPE65280". */
void dns_raw_type_text(struct buf *out, uint16_t type);

/* The typed view. False when the type is not one of dns_type or the data does not fit it. */
bool dns_raw_record(struct arena *a, const struct dns_raw *r, struct dns_record *out);

/* What a message's record is, kept in the arena. False when the data does not fit its type. */
bool dns_raw_from_rr(struct arena *a, const struct dns_rr *rr, struct dns_raw *out);
/* Appends the record to a message, class IN. False (and nothing is written) when the owner has no wire form
 * or the data is too long. */
bool dns_raw_write(struct buf *out, const struct dns_raw *r);

#endif
