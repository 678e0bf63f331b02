/* What an authoritative server says about its zone: answers with their signatures, and transfers. Pure. */
#ifndef DNS_ZONE_MESSAGE_H
#define DNS_ZONE_MESSAGE_H

#include "dns/message.h"
#include "dns/raw.h"
#include "dns/rcode.h"
#include "dns/rrsig.h"

struct authority_answer {
    enum dns_rcode rcode;
    bool is_authoritative; /* AA */
    size_t n;              /* of the answer section, RRSIGs aside, sorted */
    struct dns_raw *records;
    size_t proof_count; /* of the authority section, RRSIGs aside, sorted: why there is none */
    struct dns_raw *proof;
    size_t signature_count; /* of both */
    struct dns_signature *signatures;
    bool has_serial; /* of the SOA in the answer or the authority section */
    uint32_t serial;
};

/* Judges a message as the answer of a server to a question asked with this id; now_s unfolds the times of
 * signatures, which wrap (RFC 4034 3.1.5). DNS_PARSED with ERR_MALFORMED in *e when it does not follow the
 * grammar. */
enum dns_parsed authority_answer_parse(struct arena *a, struct str message, uint16_t id,
                                       const struct dns_question *question, int64_t now_s, enum err *e,
                                       struct authority_answer *out);

/* A zone as it comes in. */
typedef void authority_each(void *ctx, const struct dns_raw *record);

struct dns_transfer {
    struct str zone;
    uint16_t id;
    authority_each *each;
    void *ctx;
    bool has_begun;
    uint32_t serial; /* of the SOA that began it */
    enum dns_rcode rcode;
};

enum dns_transfer_step {
    DNS_TRANSFER_MORE,
    DNS_TRANSFER_OVER,    /* the second SOA came: the zone is whole */
    DNS_TRANSFER_REFUSED, /* rcode says why */
    DNS_TRANSFER_BROKEN,
};

bool dns_transfer_write(struct buf *out, uint16_t id, struct str zone);
/* The next message, its TSIG record cut off. Each record within the zone goes to each(), the last SOA does
 * not; names and data live during the call. */
enum dns_transfer_step dns_transfer_feed(struct dns_transfer *t, struct str message);

#endif
