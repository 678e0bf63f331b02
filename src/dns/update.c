#include "dns/update.h"

#include "base/codec.h"
#include "dns/name.h"

enum { OPCODE_UPDATE = 5 << 11, FLAG_QR = 0x8000, OPCODE_MASK = 0x7800, CLASS_NONE = 254 };

enum err dns_change_check(const struct dns_change *change, struct str zone, struct buf *why)
{
    const struct dns_raw *r = &change->record;
    struct arena a = {0};
    struct buf wire = {0};
    struct dns_record typed;
    enum err e = ERR_MALFORMED;
    if (!dns_name_is_within(r->owner, zone))
        buf_set(why, "%.*s is not within the zone %.*s (NOTZONE)", STR_ARG(r->owner), STR_ARG(zone));
    else if (!dns_raw_write(&wire, r) || wire.n > DNS_RECORD_MAX)
        buf_set(why, "%.*s is not a domain name, or its data is too long", STR_ARG(r->owner));
    else if (dns_type_name((enum dns_type)r->type)[0] != '?' && !dns_raw_record(&a, r, &typed))
        buf_set(why, "the data of %.*s does not fit its type %s", STR_ARG(r->owner),
                dns_type_name((enum dns_type)r->type));
    else
        e = OK;
    buf_release(&wire);
    arena_release(&a);
    return e;
}

/* RFC 2136 2.5.1 and 2.5.4. */
static bool write_change(struct buf *out, const struct dns_change *change)
{
    struct dns_raw r = change->record;
    if (change->op == DNS_REMOVE)
        r.ttl = 0;
    if (!dns_raw_write(out, &r))
        return false;
    if (change->op == DNS_REMOVE)
        put_u16(out->p + out->n - r.rdata.n - 8, CLASS_NONE);
    return true;
}

size_t dns_update_write(struct buf *out, uint16_t id, struct str zone, const struct dns_change *changes,
                        size_t n, size_t limit)
{
    size_t start = out->n, taken = 0;
    buf_add_u16(out, id);
    buf_add_u16(out, OPCODE_UPDATE);
    buf_add_u16(out, 1);
    buf_add_u16(out, 0);
    buf_add_u32(out, 0); /* counts of the changes, below, and of additional records */
    if (!dns_write_name(out, zone))
        return 0;
    buf_add_u16(out, DNS_SOA);
    buf_add_u16(out, DNS_CLASS_IN);
    for (; taken < n && taken < UINT16_MAX; taken++) {
        size_t before = out->n;
        if (!write_change(out, &changes[taken]) || out->n - start > limit) {
            out->n = before;
            break;
        }
    }
    put_u16(out->p + start + 8, (uint16_t)taken);
    return taken;
}

bool dns_update_parse(struct str message, uint16_t id, enum dns_rcode *rcode)
{
    struct dns_reader r = {.message = (const uint8_t *)message.p, .end = message.n};
    unsigned got_id = dns_read_u16(&r), flags = dns_read_u16(&r);
    (void)dns_read_bytes(&r, DNS_HEADER_SIZE - 4);
    *rcode = (enum dns_rcode)(flags & 0xf);
    return !r.bad && got_id == id && (flags & FLAG_QR) && (flags & OPCODE_MASK) == OPCODE_UPDATE;
}
