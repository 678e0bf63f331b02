#include "dns/rdata.h"

struct str dns_name_keep(struct arena *a, const struct dns_name_text *name)
{
    return arena_str(a, str_make(name->p, name->n));
}

static struct str read_name(struct arena *a, struct dns_reader *r)
{
    struct dns_name_text name;
    dns_read_name(r, &name);
    return dns_name_keep(a, &name);
}

static struct str read_txt(struct arena *a, struct dns_reader *r)
{
    char *p = arena_alloc(a, r->end - r->at + 1);
    size_t n = 0;
    do {
        struct str part = dns_read_bytes(r, dns_read_u8(r));
        if (part.n)
            memcpy(p + n, part.p, part.n);
        n += part.n;
    } while (!r->bad && r->at < r->end);
    return str_make(p, n);
}

static void read_soa(struct arena *a, struct dns_reader *r, struct dns_record *out)
{
    out->soa.mname = read_name(a, r);
    out->soa.rname = read_name(a, r);
    out->soa.serial = dns_read_u32(r);
    out->soa.refresh = dns_read_u32(r);
    out->soa.retry = dns_read_u32(r);
    out->soa.expire = dns_read_u32(r);
    out->soa.minimum = dns_read_u32(r);
}

static struct str read_rest(struct arena *a, struct dns_reader *r)
{
    return arena_str(a, dns_read_bytes(r, r->end - r->at));
}

static void read_address(struct dns_reader *r, size_t octets, struct dns_record *out)
{
    struct str bytes = dns_read_bytes(r, octets);
    if (!r->bad && !addr_from_octets(bytes.p, bytes.n, 0, &out->addr))
        r->bad = true;
}

bool dns_rdata_parse(struct arena *a, const struct dns_rr *rr, struct dns_record *out)
{
    struct dns_reader r = rr->rdata;
    *out = (struct dns_record){.type = (enum dns_type)rr->type, .ttl = rr->ttl};
    switch (out->type) {
    case DNS_A:
        read_address(&r, 4, out);
        break;
    case DNS_AAAA:
        read_address(&r, 16, out);
        break;
    case DNS_NS:
    case DNS_CNAME:
        out->name = read_name(a, &r);
        break;
    case DNS_MX:
        out->mx.preference = dns_read_u16(&r);
        out->mx.host = read_name(a, &r);
        break;
    case DNS_TLSA:
        out->tlsa.usage = dns_read_u8(&r);
        out->tlsa.selector = dns_read_u8(&r);
        out->tlsa.mtype = dns_read_u8(&r);
        out->tlsa.data = read_rest(a, &r);
        break;
    case DNS_TXT:
        out->txt = read_txt(a, &r);
        break;
    case DNS_SOA:
        read_soa(a, &r, out);
        break;
    case DNS_DS:
    case DNS_DNSKEY:
        out->opaque = read_rest(a, &r);
        break;
    }
    return !r.bad && r.at == r.end;
}
