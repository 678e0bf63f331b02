/* DNS messages as bytes (RFC 1035 4.1): bounded reading with a sticky error, and writing. Pure. */
#ifndef DNS_WIRE_H
#define DNS_WIRE_H

#include "base/arena.h"
#include "base/buf.h"

enum {
    DNS_HEADER_SIZE = 12,
    DNS_NAME_TEXT = 4 * 255, /* a name of the wire, every octet escaped */
    DNS_CLASS_IN = 1,
    DNS_TYPE_OPT = 41,
};

/* After the first failure `bad` is set, values are zero and names empty. `at` never passes `end`. */
struct dns_reader {
    const uint8_t *message; /* compression pointers count from here */
    size_t at, end;
    bool bad;
};

struct dns_name_text {
    char p[DNS_NAME_TEXT];
    size_t n;
};

uint8_t dns_read_u8(struct dns_reader *r);
uint16_t dns_read_u16(struct dns_reader *r);
uint32_t dns_read_u32(struct dns_reader *r);
struct str dns_read_bytes(struct dns_reader *r, size_t n);
/* Follows compression strictly backwards, so it ends; at most 255 octets. Text as in dns/answer.h. */
void dns_read_name(struct dns_reader *r, struct dns_name_text *out);

/* One resource record; rdata is a reader over its data alone, for which `message` is still the whole. */
struct dns_rr {
    struct dns_name_text owner;
    uint16_t type, class;
    uint32_t ttl;
    struct dns_reader rdata;
};
/* False (and r->bad) when the bytes are no record. */
bool dns_read_rr(struct dns_reader *r, struct dns_rr *out);

/* A name in the form of dns/name.h, uncompressed. False when it has another form. */
bool dns_write_name(struct buf *out, struct str name);
/* A name of the network back to octets, uncompressed, in lower case, whatever is inside its labels. */
void dns_write_name_text(struct buf *out, const struct dns_name_text *name);

#endif
