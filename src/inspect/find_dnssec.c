/* Family ED: the zone of the domain and the zone of its MX host. */
#include <openssl/evp.h>

#include "dns/wire.h"
#include "inspect/find_priv.h"

enum {
    EXPIRES_SOON_MS = 72 * 3600 * 1000,
    DS_HEADER = 4,
    DNSKEY_HEADER = 4,
    ALGORITHM_RSASHA1 = 5,
    ALGORITHM_NSEC3RSASHA1 = 7,
};

static uint8_t octet(struct str s, size_t i)
{
    return i < s.n ? (uint8_t)s.p[i] : 0;
}

static const char *digest_of(uint8_t type)
{
    return type == 1 ? "SHA1" : type == 2 ? "SHA256" : type == 4 ? "SHA384" : NULL;
}

static bool algorithm_is_known(uint8_t algorithm)
{
    static const uint8_t known[] = {5, 7, 8, 10, 13, 14, 15, 16};
    return memchr(known, algorithm, sizeof known);
}

/* RFC 4034 appendix B. */
static uint16_t key_tag(struct str dnskey)
{
    uint32_t sum = 0;
    for (size_t i = 0; i < dnskey.n; i++)
        sum += i & 1 ? octet(dnskey, i) : (uint32_t)octet(dnskey, i) << 8;
    return (uint16_t)(sum + (sum >> 16));
}

/* Is it a DS record of this key (RFC 4034 5.1.4)? */
static bool vouches(struct str ds, struct str zone, struct str dnskey)
{
    const char *digest = digest_of(octet(ds, 3));
    if (ds.n <= DS_HEADER || dnskey.n <= DNSKEY_HEADER || !digest || octet(ds, 2) != octet(dnskey, 3) ||
        (octet(ds, 0) << 8 | octet(ds, 1)) != key_tag(dnskey))
        return false;
    struct buf b = {0};
    uint8_t made[EVP_MAX_MD_SIZE];
    unsigned n = 0;
    bool good = dns_write_name(&b, zone);
    buf_add(&b, dnskey);
    good = good && EVP_Digest(b.p, b.n, made, &n, EVP_get_digestbyname(digest), NULL) == 1 &&
           n == ds.n - DS_HEADER && memcmp(made, ds.p + DS_HEADER, n) == 0;
    buf_release(&b);
    return good;
}

static bool any_vouches(const struct facts_zone *z, const struct facts_set *keys)
{
    for (size_t i = 0; i < z->ds.n; i++)
        for (size_t k = 0; k < keys->n; k++)
            if (vouches(z->ds.records[i].opaque, z->name, keys->records[k].opaque))
                return true;
    return false;
}

static bool has_known_ds(const struct facts_zone *z)
{
    for (size_t i = 0; i < z->ds.n; i++)
        if (algorithm_is_known(octet(z->ds.records[i].opaque, 2)) &&
            digest_of(octet(z->ds.records[i].opaque, 3)))
            return true;
    return false;
}

static bool has_dnskey(const struct facts_zone *z)
{
    for (size_t i = 0; i < z->n; i++) {
        const struct facts_set *keys = facts_set(&z->servers[i], z->name, DNS_DNSKEY);
        if (keys && keys->status == DNS_DATA)
            return true;
    }
    return false;
}

static struct str ds_text(struct finder *x, const struct facts_zone *z)
{
    struct buf b = {0};
    for (size_t i = 0; i < z->ds.n; i++) {
        struct str ds = z->ds.records[i].opaque;
        buf_printf(&b, "%sDS %u %u %u", i ? ", " : "", octet(ds, 0) << 8 | octet(ds, 1), octet(ds, 2),
                   octet(ds, 3));
    }
    struct str text = arena_str(x->a, buf_str(&b));
    buf_release(&b);
    return text;
}

/* What the parent says against what the zone has. True: the zone is signed and vouched for. */
static bool find_chain(struct finder *x, const struct facts_zone *z)
{
    if (z->ds.status == DNS_NODATA || z->ds.status == DNS_NXDOMAIN) {
        find_add(x, has_dnskey(z) ? FIND_NO_DS : FIND_ZONE_UNSIGNED, z->name, STR_NONE);
        return false;
    }
    if (z->ds.status != DNS_DATA)
        return false;
    if (z->ds.security != DNS_SECURE) {
        find_add(x, FIND_ABOVE_UNSIGNED, z->name, ds_text(x, z));
        return false;
    }
    if (!has_known_ds(z)) {
        find_add(x, FIND_ALGORITHM_UNKNOWN, z->name, ds_text(x, z));
        return false;
    }
    struct str parent = ds_text(x, z);
    for (size_t i = 0; i < z->n; i++) {
        const struct facts_set *keys = facts_set(&z->servers[i], z->name, DNS_DNSKEY);
        if (!keys || keys->status == DNS_ERROR)
            continue;
        if (keys->status != DNS_DATA)
            find_add_server(x, FIND_NO_DNSKEY, z->name, &z->servers[i], "no DNSKEY; the parent says %.*s",
                            STR_ARG(parent));
        else if (!any_vouches(z, keys))
            find_add_server(x, FIND_DS_MISMATCH, z->name, &z->servers[i],
                            "%zu DNSKEY, the first with key tag %u; the parent says %.*s", keys->n,
                            key_tag(keys->records[0].opaque), STR_ARG(parent));
    }
    return true;
}

static void find_signature(struct finder *x, const struct facts_server *s, const struct facts_set *set)
{
    char when[CLOCK_TEXT];
    struct buf type = {0};
    dns_raw_type_text(&type, set->type);
    if (!set->signatures) {
        find_add_server(x, FIND_RRSIG_MISSING, set->owner, s, "%s without RRSIG", buf_cstr(&type));
    } else if (set->expires_ms <= x->f->now_ms) {
        clock_iso(set->expires_ms, when);
        find_add_server(x, FIND_RRSIG_EXPIRED, set->owner, s, "RRSIG of %s expired at %.19sZ",
                        buf_cstr(&type), when);
    } else if (set->inception_ms > x->f->now_ms) {
        clock_iso(set->inception_ms, when);
        find_add_server(x, FIND_RRSIG_EARLY, set->owner, s, "RRSIG of %s is valid from %.19sZ on",
                        buf_cstr(&type), when);
    } else if (set->expires_ms - x->f->now_ms < EXPIRES_SOON_MS) {
        clock_iso(set->expires_ms, when);
        find_add_server(x, FIND_RRSIG_EXPIRES, set->owner, s, "RRSIG of %s expires at %.19sZ",
                        buf_cstr(&type), when);
    }
    buf_release(&type);
}

/* Serial numbers run in a circle (RFC 1982). */
static bool serial_is_older(uint32_t a, uint32_t b)
{
    return a != b && (int32_t)(a - b) < 0;
}

static const struct facts_server *newest(const struct facts_zone *z)
{
    const struct facts_server *best = NULL;
    for (size_t i = 0; i < z->n; i++)
        if (z->servers[i].has_serial && (!best || serial_is_older(best->serial, z->servers[i].serial)))
            best = &z->servers[i];
    return best;
}

static void find_servers(struct finder *x, const struct facts_zone *z)
{
    const struct facts_server *best = newest(z);
    for (size_t i = 0; i < z->n; i++) {
        const struct facts_server *s = &z->servers[i];
        if (s->is_silent) {
            find_add_server(x, FIND_SERVER_SILENT, z->name, s, "%.*s", STR_ARG(s->trouble));
        } else if (best && s->has_serial && serial_is_older(s->serial, best->serial)) {
            struct str other = facts_server_text(x->a, best);
            find_add_server(x, FIND_SERVER_LAGS, z->name, s, "serial %u; %.*s has %u", s->serial,
                            STR_ARG(other), best->serial);
        }
    }
}

static bool key_is_sha1(struct str dnskey)
{
    return octet(dnskey, 3) == ALGORITHM_RSASHA1 || octet(dnskey, 3) == ALGORITHM_NSEC3RSASHA1;
}

static void find_sha1(struct finder *x, const struct facts_zone *z)
{
    size_t weak = 0;
    for (size_t i = 0; i < z->ds.n; i++)
        weak += octet(z->ds.records[i].opaque, 3) == 1;
    if (weak && weak == z->ds.n) {
        find_add(x, FIND_SHA1, z->name, arena_printf(x->a, "the parent says %.*s", STR_ARG(ds_text(x, z))));
        return;
    }
    for (size_t i = 0; i < z->n; i++) {
        const struct facts_set *keys = facts_set(&z->servers[i], z->name, DNS_DNSKEY);
        for (size_t k = 0; keys && k < keys->n; k++)
            if (key_is_sha1(keys->records[k].opaque)) {
                find_add_server(x, FIND_SHA1, z->name, &z->servers[i], "DNSKEY of algorithm %u",
                                octet(keys->records[k].opaque, 3));
                return;
            }
    }
}

/* RDATA of NSEC3PARAM: algorithm, flags, iterations (RFC 5155 4.2). */
static void find_iterations(struct finder *x, const struct facts_zone *z)
{
    for (size_t i = 0; i < z->n; i++) {
        const struct facts_set *set = facts_set(&z->servers[i], z->name, DNS_TYPE_NSEC3PARAM);
        if (!set || set->status != DNS_DATA || set->records[0].opaque.n < 4)
            continue;
        unsigned iterations = get_u16(set->records[0].opaque.p + 2);
        if (!iterations)
            continue;
        find_add_server(x, FIND_NSEC3_ITERATIONS, z->name, &z->servers[i], "NSEC3PARAM with %u iterations",
                        iterations);
        return;
    }
}

/* The MTA-STS record may be an alias to the zone of somebody who need not sign: it rests on TLS. */
static bool is_of_zone(const struct facts_set *set)
{
    return set->type != DNS_TXT || !set->target.n;
}

static void find_zone(struct finder *x, const struct facts_zone *z)
{
    if (!z->name.p)
        return;
    bool is_signed = find_chain(x, z);
    for (size_t i = 0; is_signed && i < z->n; i++)
        for (size_t k = 0; k < z->servers[i].n; k++)
            if (z->servers[i].sets[k].status == DNS_DATA && z->servers[i].sets[k].n &&
                is_of_zone(&z->servers[i].sets[k]))
                find_signature(x, &z->servers[i], &z->servers[i].sets[k]);
    find_servers(x, z);
    find_sha1(x, z);
    find_iterations(x, z);
}

void find_dnssec(struct finder *x)
{
    const struct facts *f = x->f;
    if (f->mx.status == DNS_ERROR && f->mx.error == DNS_ERROR_BOGUS)
        find_add(x, FIND_BOGUS, f->domain,
                 f->mx.ede_text.n ? f->mx.ede_text : str_of(dns_error_sentence(f->mx.error)));
    else if (f->mx.status == DNS_ERROR)
        find_add(x, FIND_LOOKUP_FAILED, f->domain,
                 arena_printf(x->a, "MX: %s%s%.*s", dns_error_sentence(f->mx.error),
                              f->mx.ede_text.n ? ": " : "", STR_ARG(f->mx.ede_text)));
    find_zone(x, &f->zone);
    if (!str_equal(f->zone.name, f->host_zone.name))
        find_zone(x, &f->host_zone);
}
