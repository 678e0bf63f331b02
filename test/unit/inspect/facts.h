/* Facts about a domain that is all right, for tests to spoil: example.net, whose MX host is in the zone
 * mx.example.com, with two servers each, an address in each family, an ECDSA key, and MTA-STS. */
#ifndef TEST_INSPECT_FACTS_H
#define TEST_INSPECT_FACTS_H

#include "base/base.h"
#include "inspect/domain.h"

enum { NOW_S = 1795000000 };
#define HOST "example-net.mx.example.com"
#define OWNER "_25._tcp." HOST

static const int64_t NOW = NOW_S * 1000LL;
static const int64_t DAY = 86400000;

static const char ACTIVE[] = "0123456789abcdef0123456789ABCDEF", NEXT[] = "fedcba9876543210FEDCBA9876543210";

static struct str decoded(struct arena *a, const char *text, bool (*decode)(struct buf *, struct str))
{
    struct buf b = {0};
    ENSURE(decode(&b, str_of(text)));
    struct str out = arena_str(a, buf_str(&b));
    buf_release(&b);
    return out;
}

/* Key and DS record of RFC 6605 6.1. */
static struct str a_dnskey(struct arena *a)
{
    struct str key =
        decoded(a, "GojIhhXUN/u4v54ZQqGSnyhWJwaubCvTmeexv7bR6edbkrSqQpF64cYbcB7wNcP+e+MAnLr+Wi9xMWyQLc8NAA==",
                base64_decode);
    struct buf b = {0};
    buf_append(&b, "\x01\x01\x03\x0d", 4);
    buf_add(&b, key);
    struct str out = arena_str(a, buf_str(&b));
    buf_release(&b);
    return out;
}

static struct str a_ds(struct arena *a)
{
    return decoded(a, "d9600d02b4c8c1fe2e7477127b27115656ad6256f424625bf5c1e2770ce6d6e37df61d17", hex_decode);
}

static struct dns_answer an_answer(struct arena *a, const char *name, enum dns_type type, size_t n)
{
    return (struct dns_answer){.type = type,
                               .qname = str_of(name),
                               .expanded = str_of(name),
                               .status = n ? DNS_DATA : DNS_NODATA,
                               .security = DNS_SECURE,
                               .ede = DNS_NO_EDE,
                               .ttl = 300,
                               .n = n,
                               .records = ARENA_ARRAY(a, struct dns_record, 8)};
}

static struct tlsa a_tlsa(const char *digest)
{
    return (struct tlsa){3, 1, 1, str_make(digest, 32)};
}

/* As the server has it: the same records, signed. */
static struct facts_set *a_set(struct arena *a, struct facts_server *s, const char *owner, uint16_t type,
                               const struct dns_answer *like)
{
    struct facts_set *set = &s->sets[s->n++];
    *set = (struct facts_set){.owner = str_of(owner),
                              .type = type,
                              .status = like->status,
                              .ttl = 300,
                              .records = ARENA_ARRAY(a, struct dns_record, 8),
                              .n = like->n,
                              .signatures = like->n > 0,
                              .inception_ms = NOW - DAY,
                              .expires_ms = NOW + 14 * DAY};
    if (like->n)
        memcpy(set->records, like->records, like->n * sizeof *like->records);
    return set;
}

static void a_zone(struct facts *f, struct facts_zone *z, const char *name)
{
    struct arena *a = f->arena;
    z->name = str_of(name);
    z->ds = an_answer(a, name, DNS_DS, 1);
    z->ds.records[0].opaque = a_ds(a);
    z->servers = ARENA_ARRAY(a, struct facts_server, 2);
    z->n = 2;
    struct dns_answer keys = an_answer(a, name, DNS_DNSKEY, 1), soa = an_answer(a, name, DNS_SOA, 1);
    struct dns_answer none = an_answer(a, name, DNS_A, 0);
    keys.records[0].opaque = a_dnskey(a);
    for (size_t i = 0; i < 2; i++) {
        struct facts_server *s = &z->servers[i];
        s->name = i ? STR("ns2.example") : STR("ns1.example");
        ENSURE(addr_parse(i ? STR("192.0.2.54") : STR("192.0.2.53"), 53, &s->at));
        s->has_serial = true;
        s->serial = 7;
        s->sets = ARENA_ARRAY(a, struct facts_set, 16);
        a_set(a, s, name, DNS_SOA, &soa);
        a_set(a, s, name, DNS_DNSKEY, &keys);
        a_set(a, s, name, DNS_TYPE_NSEC3PARAM, &none);
    }
}

static void a_dial(struct facts *f, const char *address)
{
    struct facts_dial *d = &f->dials[f->dial_count++];
    *d = (struct facts_dial){.asked = DIAL_ANY,
                             .end = DIAL_DONE,
                             .tls = {.protocol = "TLSv1.3", .has_peer_certificate = true},
                             .shown = DIAL_ECDSA,
                             .matched = ARENA_ARRAY(f->arena, bool, 16),
                             .is_named = true,
                             .is_trusted = true,
                             .not_after_ms = NOW + 30 * DAY,
                             .rcpt = 250};
    ENSURE(addr_parse(str_of(address), 25, &d->to));
    memcpy(d->tls.peer_spki_sha256, ACTIVE, 32);
    d->matched[0] = true;
}

static void add_mx(struct facts *f, uint16_t preference, const char *host)
{
    f->mx.status = DNS_DATA;
    f->mx.records[f->mx.n++].mx = (typeof(f->mx.records->mx)){preference, str_of(host)};
    f->other_a[f->mx.n - 1] = f->other_aaaa[f->mx.n - 1] = (struct dns_answer){.status = DNS_NODATA};
}

/* The servers' MX sets follow the resolver's. */
static void spread_mx(struct facts *f, uint32_t ttl)
{
    f->mx.ttl = ttl;
    for (size_t i = 0; i < f->zone.n; i++) {
        struct facts_server *s = &f->zone.servers[i];
        size_t at = 0;
        while (at < s->n && s->sets[at].type != DNS_MX)
            at++;
        if (at < s->n)
            s->n--;
        a_set(f->arena, s, "example.net", DNS_MX, &f->mx)->ttl = ttl;
    }
}

static void make_facts(struct facts *f, struct arena *a)
{
    *f = (struct facts){.arena = a,
                        .domain = STR("example.net"),
                        .tenant = STR("acme"),
                        .now_ms = NOW,
                        .port = 25,
                        .dnssec = true,
                        .dane = true,
                        .expected = STR(HOST),
                        .is_allocated = true,
                        .mx_zone = STR("mx.example.com"),
                        .hostname = STR("mail.provider.example"),
                        .is_dialled = true};
    f->edges = ARENA_ARRAY(a, struct addr, 2);
    f->edge_count = 1;
    ENSURE(addr_parse_ip(STR("192.0.2.25"), &f->edges[0]));
    f->keys = ARENA_ARRAY(a, struct facts_key, 4);
    f->key_count = 2;
    f->keys[0].is_active = true;
    memcpy(f->keys[0].spki, ACTIVE, 32);
    f->keys[1].is_next = true;
    memcpy(f->keys[1].spki, NEXT, 32);
    f->other_a = ARENA_ARRAY(a, struct dns_answer, 8);
    f->other_aaaa = ARENA_ARRAY(a, struct dns_answer, 8);
    f->mx = an_answer(a, "example.net", DNS_MX, 0);
    f->cname = an_answer(a, "example.net", DNS_CNAME, 0);
    f->tlsa_at_domain = an_answer(a, "_25._tcp.example.net", DNS_TLSA, 0);
    f->a = an_answer(a, HOST, DNS_A, 1);
    f->a.records[0].addr = f->edges[0];
    f->aaaa = an_answer(a, HOST, DNS_AAAA, 1);
    ENSURE(addr_parse_ip(STR("2001:db8::25"), &f->aaaa.records[0].addr));
    f->tlsa = an_answer(a, OWNER, DNS_TLSA, 2);
    f->tlsa.records[0].tlsa = a_tlsa(ACTIVE);
    f->tlsa.records[1].tlsa = a_tlsa(NEXT);
    a_zone(f, &f->zone, "example.net");
    a_zone(f, &f->host_zone, "mx.example.com");
    f->host_zone.ds.status = DNS_ERROR; /* the key of the RFC is for the other name: not asked */
    struct dns_answer none = an_answer(a, "_tcp." HOST, DNS_TLSA, 0);
    for (size_t i = 0; i < 2; i++) {
        a_set(a, &f->host_zone.servers[i], HOST, DNS_A, &f->a);
        a_set(a, &f->host_zone.servers[i], HOST, DNS_AAAA, &f->aaaa);
        a_set(a, &f->host_zone.servers[i], OWNER, DNS_TLSA, &f->tlsa);
        a_set(a, &f->host_zone.servers[i], "_tcp." HOST, DNS_TLSA, &none);
    }
    add_mx(f, 10, HOST);
    spread_mx(f, 300);
    f->dials = ARENA_ARRAY(a, struct facts_dial, 8);
    a_dial(f, "[2001:db8::25]");
    a_dial(f, "192.0.2.25");
    f->sts.state = STS_VALID;
    f->sts.policy.mode = STS_ENFORCE;
    f->sts.policy.mx[f->sts.policy.n++] = STR(HOST);
}

/* The set of one of the two servers of the MX host's zone, or of the domain's. */
__attribute__((unused)) static struct facts_set *the_set(struct facts_zone *z, size_t server, uint16_t type,
                                                         const char *owner)
{
    for (size_t i = 0; i < z->servers[server].n; i++)
        if (z->servers[server].sets[i].type == type &&
            str_equal(z->servers[server].sets[i].owner, str_of(owner)))
            return &z->servers[server].sets[i];
    ENSURE(!"no such set");
    return NULL;
}

#endif
