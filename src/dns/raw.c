#include "dns/raw.h"

#include <stdlib.h>

#include "base/codec.h"
#include "dns/rdata.h"

struct dns_raw dns_raw_addr(struct arena *a, struct str owner, uint32_t ttl, const struct addr *addr)
{
    return (struct dns_raw){.owner = owner,
                            .type = addr_is_v4(addr) ? DNS_A : DNS_AAAA,
                            .ttl = ttl,
                            .rdata = arena_str(a, addr_octets(addr))};
}

struct dns_raw dns_raw_tlsa(struct arena *a, struct str owner, uint32_t ttl, const struct tlsa *tlsa)
{
    char *p = arena_alloc(a, 3 + tlsa->data.n);
    p[0] = (char)tlsa->usage;
    p[1] = (char)tlsa->selector;
    p[2] = (char)tlsa->mtype;
    if (tlsa->data.n)
        memcpy(p + 3, tlsa->data.p, tlsa->data.n);
    return (struct dns_raw){
        .owner = owner, .type = DNS_TLSA, .ttl = ttl, .rdata = str_make(p, 3 + tlsa->data.n)};
}

struct dns_raw dns_raw_cname(struct arena *a, struct str owner, uint32_t ttl, struct str target)
{
    struct buf wire = {0};
    ENSURE(dns_write_name(&wire, target));
    struct dns_raw r = {.owner = owner, .type = DNS_CNAME, .ttl = ttl, .rdata = arena_str(a, buf_str(&wire))};
    buf_release(&wire);
    return r;
}

int dns_raw_compare(const struct dns_raw *a, const struct dns_raw *b)
{
    int order = str_compare(a->owner, b->owner);
    if (order == 0)
        order = (a->type > b->type) - (a->type < b->type);
    return order ? order : str_compare(a->rdata, b->rdata);
}

static int compare_elements(const void *a, const void *b)
{
    return dns_raw_compare(a, b);
}

void dns_raw_sort(struct dns_raw *records, size_t n)
{
    if (n)
        qsort(records, n, sizeof *records, compare_elements);
}

bool dns_raw_record(struct arena *a, const struct dns_raw *r, struct dns_record *out)
{
    struct dns_rr rr = {.type = r->type,
                        .class = DNS_CLASS_IN,
                        .ttl = r->ttl,
                        .rdata = {.message = (const uint8_t *)r->rdata.p, .end = r->rdata.n}};
    return dns_type_name((enum dns_type)r->type)[0] != '?' && dns_rdata_parse(a, &rr, out);
}

/* Where names are inside the data of the types of RFC 4034 6.2, which old servers may compress and which
 * compare without case: a digit is so many octets, 's' a counted string, 'n' a name, '+' the rest. */
static const struct {
    uint16_t type;
    const char *shape;
} SHAPES[] = {
    {DNS_NS, "n"}, {3, "n"},   {4, "n"},      {DNS_CNAME, "n"}, {DNS_SOA, "nn+"}, {7, "n"},   {8, "n"},
    {9, "n"},      {12, "n"},  {14, "nn"},    {DNS_MX, "2n"},   {17, "nn"},       {18, "2n"}, {21, "2n"},
    {26, "2nn"},   {33, "6n"}, {35, "4sssn"}, {36, "2n"},       {39, "n"},
};

static const char *shape_of(uint16_t type)
{
    for (size_t i = 0; i < sizeof SHAPES / sizeof *SHAPES; i++)
        if (SHAPES[i].type == type)
            return SHAPES[i].shape;
    return "+";
}

static void copy_part(struct dns_reader *r, char shape, struct buf *out)
{
    struct dns_name_text name;
    switch (shape) {
    case 'n':
        dns_read_name(r, &name);
        dns_write_name_text(out, &name);
        break;
    case 's': {
        uint8_t n = dns_read_u8(r);
        buf_add_char(out, (char)n);
        buf_add(out, dns_read_bytes(r, n));
        break;
    }
    case '+':
        buf_add(out, dns_read_bytes(r, r->end - r->at));
        break;
    default:
        buf_add(out, dns_read_bytes(r, (size_t)(shape - '0')));
    }
}

bool dns_raw_from_rr(struct arena *a, const struct dns_rr *rr, struct dns_raw *out)
{
    struct dns_reader r = rr->rdata;
    struct buf rdata = {0};
    for (const char *shape = shape_of(rr->type); *shape; shape++)
        copy_part(&r, *shape, &rdata);
    bool good = !r.bad && r.at == r.end;
    *out = (struct dns_raw){.type = rr->type, .ttl = rr->ttl > INT32_MAX ? 0 : rr->ttl}; /* RFC 2181 8 */
    if (good) {
        out->owner = dns_name_keep(a, &rr->owner);
        out->rdata = arena_str(a, buf_str(&rdata));
    }
    buf_release(&rdata);
    return good;
}

bool dns_raw_write(struct buf *out, const struct dns_raw *r)
{
    if (r->rdata.n > UINT16_MAX || !dns_write_name(out, r->owner))
        return false;
    buf_add_u16(out, r->type);
    buf_add_u16(out, DNS_CLASS_IN);
    buf_add_u32(out, r->ttl);
    buf_add_u16(out, (uint16_t)r->rdata.n);
    buf_add(out, r->rdata);
    return true;
}

void dns_raw_type_text(struct buf *out, uint16_t type)
{
    static const struct {
        uint16_t type;
        const char *name;
    } MORE[] = {{DNS_TYPE_RRSIG, "RRSIG"},           {DNS_TYPE_NSEC, "NSEC"}, {DNS_TYPE_NSEC3, "NSEC3"},
                {DNS_TYPE_NSEC3PARAM, "NSEC3PARAM"}, {DNS_TYPE_CDS, "CDS"},   {DNS_TYPE_CDNSKEY, "CDNSKEY"}};
    const char *name = dns_type_name((enum dns_type)type);
    for (size_t i = 0; i < sizeof MORE / sizeof *MORE; i++)
        if (MORE[i].type == type)
            name = MORE[i].name;
    if (name[0] == '?')
        buf_printf(out, "TYPE%u", type);
    else
        buf_printf(out, "%s", name);
}

static void opaque_text(struct buf *out, struct str rdata)
{
    buf_printf(out, "\\# %zu ", rdata.n);
    hex_append(out, rdata.p, rdata.n);
}

static void txt_text(struct buf *out, struct str rdata)
{
    for (size_t i = 0; i < rdata.n;) {
        size_t end = i + 1 + (uint8_t)rdata.p[i];
        buf_printf(out, "%s\"", i ? " " : "");
        for (i++; i < end; i++) {
            unsigned c = (uint8_t)rdata.p[i];
            if (c < ' ' || c > '~' || c == '"' || c == '\\')
                buf_printf(out, "\\%03u", c);
            else
                buf_add_char(out, (char)c);
        }
        buf_add_char(out, '"');
    }
}

static void soa_text(struct buf *out, const struct dns_record *d)
{
    buf_printf(out, "%.*s. %.*s. %u %u %u %u %u", STR_ARG(d->soa.mname), STR_ARG(d->soa.rname), d->soa.serial,
               d->soa.refresh, d->soa.retry, d->soa.expire, d->soa.minimum);
}

static void data_text(struct buf *out, const struct dns_raw *r, const struct dns_record *d)
{
    char text[ADDR_TEXT];
    const uint8_t *p = (const uint8_t *)r->rdata.p;
    switch (d->type) {
    case DNS_A:
    case DNS_AAAA:
        buf_printf(out, "%s", addr_ip_format(&d->addr, text));
        break;
    case DNS_NS:
    case DNS_CNAME:
        buf_printf(out, "%.*s.", STR_ARG(d->name));
        break;
    case DNS_MX:
        buf_printf(out, "%u %.*s.", d->mx.preference, STR_ARG(d->mx.host));
        break;
    case DNS_TLSA:
        buf_printf(out, "%u %u %u ", d->tlsa.usage, d->tlsa.selector, d->tlsa.mtype);
        hex_append(out, d->tlsa.data.p, d->tlsa.data.n);
        break;
    case DNS_TXT:
        txt_text(out, r->rdata);
        break;
    case DNS_SOA:
        soa_text(out, d);
        break;
    case DNS_DS:
        buf_printf(out, "%u %u %u ", get_u16(p), p[2], p[3]);
        hex_append(out, p + 4, r->rdata.n - 4);
        break;
    case DNS_DNSKEY:
        buf_printf(out, "%u %u %u ", get_u16(p), p[2], p[3]);
        base64_append(out, p + 4, r->rdata.n - 4);
        break;
    }
}

void dns_raw_text(struct buf *out, const struct dns_raw *r)
{
    struct arena a = {0};
    struct dns_record d;
    buf_printf(out, "%.*s. %u IN ", STR_ARG(r->owner), r->ttl);
    dns_raw_type_text(out, r->type);
    buf_add_char(out, ' ');
    bool has_fields = (r->type != DNS_DS && r->type != DNS_DNSKEY) || r->rdata.n > 4;
    if (has_fields && dns_raw_record(&a, r, &d))
        data_text(out, r, &d);
    else
        opaque_text(out, r->rdata);
    arena_release(&a);
}
