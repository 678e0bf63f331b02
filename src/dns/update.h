/* DNS UPDATE (RFC 2136): changes as messages, and what the server said. Pure. */
#ifndef DNS_UPDATE_H
#define DNS_UPDATE_H

#include "dns/raw.h"
#include "dns/rcode.h"

enum dns_change_op {
    DNS_ADD,    /* the record; when it exists with another TTL, servers differ: remove it first. A CNAME
                   takes the place of another, and is ignored beside other records (RFC 2136 3.4.2.2) */
    DNS_REMOVE, /* exactly this record (its TTL does not count); nothing happens when it is not there */
};

struct dns_change {
    enum dns_change_op op;
    struct dns_raw record;
};

enum {
    DNS_UPDATE_MAX = 65535 - 1024,         /* leaves room for a TSIG record */
    DNS_RECORD_MAX = DNS_UPDATE_MAX - 512, /* of one record: it fits into an update of any zone */
};

/* Would any server take it? Within the zone (else it answers NOTZONE and drops the whole update), a name with
 * a wire form, RDATA that fits. ERR_MALFORMED and a sentence when not. */
enum err dns_change_check(const struct dns_change *change, struct str zone, struct buf *why) MUST_CHECK;

/* One update of the zone with as many of the n changes as fit into `limit` octets (at most DNS_UPDATE_MAX).
 * Returns how many; 0 when there are none, or the zone's name or the first change cannot be written. */
size_t dns_update_write(struct buf *out, uint16_t id, struct str zone, const struct dns_change *changes,
                        size_t n, size_t limit);

/* Judges a message as the answer to the update with this id. False when it is none. */
bool dns_update_parse(struct str message, uint16_t id, enum dns_rcode *rcode);

#endif
