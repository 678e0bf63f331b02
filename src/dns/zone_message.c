#include "dns/zone_message.h"

#include "base/codec.h"
#include "dns/name.h"
#include "dns/rdata.h"

enum {
    FLAG_QR = 0x8000,
    FLAG_OPCODE = 0x7800,
    FLAG_AA = 0x0400,
    FLAG_TC = 0x0200,
    TYPE_AXFR = 252,
};

struct header {
    uint16_t id, flags;
    unsigned questions, answers, authority, additional;
};

static void read_header(struct dns_reader *r, struct header *h)
{
    h->id = dns_read_u16(r);
    h->flags = dns_read_u16(r);
    h->questions = dns_read_u16(r);
    h->answers = dns_read_u16(r);
    h->authority = dns_read_u16(r);
    h->additional = dns_read_u16(r);
}

static bool is_answer(const struct dns_reader *r, const struct header *h, uint16_t id)
{
    return !r->bad && h->id == id && (h->flags & FLAG_QR) && !(h->flags & FLAG_OPCODE);
}

static bool is_question(struct dns_reader *r, struct str name, unsigned type)
{
    struct dns_name_text text;
    dns_read_name(r, &text);
    unsigned got_type = dns_read_u16(r), class = dns_read_u16(r);
    return !r->bad && got_type == type && class == DNS_CLASS_IN && str_equal(str_make(text.p, text.n), name);
}

/* Answer and authority sections; the arrays of out have room for all of their records. */
static bool read_sections(struct arena *a, struct dns_reader *r, const struct header *h, int64_t now_s,
                          struct authority_answer *out)
{
    for (unsigned i = 0; i < h->answers + h->authority; i++) {
        struct dns_rr rr;
        if (!dns_read_rr(r, &rr))
            return false;
        struct dns_record soa;
        if (rr.class != DNS_CLASS_IN)
            continue;
        if (rr.type == DNS_SOA) {
            if (!dns_rdata_parse(a, &rr, &soa))
                return false;
            out->has_serial = true;
            out->serial = soa.soa.serial;
        }
        if (rr.type == DNS_TYPE_RRSIG) {
            if (!dns_signature_read(a, &rr, now_s, &out->signatures[out->signature_count++]))
                return false;
            continue;
        }
        struct dns_raw *to = i < h->answers ? &out->records[out->n++] : &out->proof[out->proof_count++];
        if (!dns_raw_from_rr(a, &rr, to))
            return false;
    }
    return true;
}

static bool read_additional(struct dns_reader *r, unsigned count, struct authority_answer *out)
{
    for (unsigned i = 0; i < count; i++) {
        struct dns_rr rr;
        if (!dns_read_rr(r, &rr))
            return false;
        if (rr.type == DNS_TYPE_OPT)
            out->rcode |= (rr.ttl >> 24) << 4;
    }
    return r->at == r->end;
}

/* As in message.c: only an error may come back without its question. */
static bool is_our_question(struct dns_reader *r, const struct header *h, const struct dns_question *q)
{
    unsigned rcode = h->flags & 0xf;
    if (h->questions == 0)
        return rcode != DNS_RCODE_NOERROR && rcode != DNS_RCODE_NXDOMAIN;
    return h->questions == 1 && is_question(r, q->name, q->type);
}

enum dns_parsed authority_answer_parse(struct arena *a, struct str message, uint16_t id,
                                       const struct dns_question *question, int64_t now_s, enum err *e,
                                       struct authority_answer *out)
{
    struct dns_reader r = {.message = (const uint8_t *)message.p, .end = message.n};
    struct header h;
    read_header(&r, &h);
    if (!is_answer(&r, &h, id) || !is_our_question(&r, &h, question))
        return DNS_NOT_OURS;
    if (h.flags & FLAG_TC)
        return DNS_TRUNCATED;
    *out = (struct authority_answer){.rcode = h.flags & 0xf, .is_authoritative = h.flags & FLAG_AA};
    /* A record has eleven octets at least: no more memory than the message pays for. */
    size_t most = h.answers + h.authority < message.n / 11 ? h.answers + h.authority : message.n / 11 + 1;
    out->records = ARENA_ARRAY(a, struct dns_raw, most);
    out->proof = ARENA_ARRAY(a, struct dns_raw, most);
    out->signatures = ARENA_ARRAY(a, struct dns_signature, most);
    bool good = read_sections(a, &r, &h, now_s, out) && read_additional(&r, h.additional, out);
    dns_raw_sort(out->records, out->n);
    dns_raw_sort(out->proof, out->proof_count);
    *e = good ? OK : ERR_MALFORMED;
    return DNS_PARSED;
}

bool dns_transfer_write(struct buf *out, uint16_t id, struct str zone)
{
    buf_add_u16(out, id);
    buf_add_u16(out, 0);
    buf_add_u16(out, 1);
    buf_add_u16(out, 0);
    buf_add_u32(out, 0);
    if (!dns_write_name(out, zone))
        return false;
    buf_add_u16(out, TYPE_AXFR);
    buf_add_u16(out, DNS_CLASS_IN);
    return true;
}

/* RFC 5936 2.2: SOA first, SOA last. */
static enum dns_transfer_step take(struct dns_transfer *t, struct arena *a, const struct dns_rr *rr)
{
    struct dns_raw record;
    struct dns_record soa;
    if (rr->class != DNS_CLASS_IN || !dns_raw_from_rr(a, rr, &record))
        return DNS_TRANSFER_BROKEN;
    bool is_soa = record.type == DNS_SOA;
    if (is_soa && (!str_equal(record.owner, t->zone) || !dns_raw_record(a, &record, &soa)))
        return DNS_TRANSFER_BROKEN;
    if (!is_soa && !t->has_begun)
        return DNS_TRANSFER_BROKEN;
    if (is_soa && t->has_begun)
        return soa.soa.serial == t->serial ? DNS_TRANSFER_OVER : DNS_TRANSFER_BROKEN;
    if (is_soa)
        t->serial = soa.soa.serial;
    t->has_begun = true;
    if (dns_name_is_within(record.owner, t->zone))
        t->each(t->ctx, &record);
    return DNS_TRANSFER_MORE;
}

enum dns_transfer_step dns_transfer_feed(struct dns_transfer *t, struct str message)
{
    struct dns_reader r = {.message = (const uint8_t *)message.p, .end = message.n};
    struct header h;
    read_header(&r, &h);
    t->rcode = (enum dns_rcode)(h.flags & 0xf);
    if (!is_answer(&r, &h, t->id) || (h.flags & FLAG_TC) || h.questions > 1)
        return DNS_TRANSFER_BROKEN;
    if (t->rcode != DNS_RCODE_NOERROR)
        return DNS_TRANSFER_REFUSED;
    if (h.questions == 1 && !is_question(&r, t->zone, TYPE_AXFR))
        return DNS_TRANSFER_BROKEN;
    enum dns_transfer_step step = DNS_TRANSFER_MORE;
    struct arena a = {0};
    for (unsigned i = 0; i < h.answers && step == DNS_TRANSFER_MORE; i++) {
        struct dns_rr rr;
        step = dns_read_rr(&r, &rr) ? take(t, &a, &rr) : DNS_TRANSFER_BROKEN;
        if (step == DNS_TRANSFER_OVER && i + 1 < h.answers)
            step = DNS_TRANSFER_BROKEN;
        arena_release(&a);
    }
    return step;
}
