#include "zone/delegation.h"

#include "base/codec.h"
#include "dns/rrsig.h"

enum { HEAD = 4 /* tag, algorithm, type of digest */ };

size_t zone_ds_wanted(struct str zone, const struct dns_raw *records, size_t n, struct str *out)
{
    size_t found = 0;
    for (size_t i = 0; i < n; i++)
        if (records[i].type == DNS_TYPE_CDS && str_equal(records[i].owner, zone) &&
            records[i].rdata.n > HEAD && records[i].rdata.p[2] != 0)
            out[found++] = records[i].rdata;
    return found;
}

static void add(struct arena *a, struct zone_delegation *out, struct str rdata, bool is_there)
{
    for (size_t i = 0; i < out->n; i++)
        if (str_equal(out->ds[i].rdata, rdata)) {
            out->ds[i].is_there |= is_there;
            return;
        }
    out->ds[out->n++] =
        (struct zone_ds){.rdata = arena_str(a, rdata), .is_wanted = !is_there, .is_there = is_there};
}

static bool has_key(const struct dns_answer *keys, struct str ds)
{
    for (size_t i = 0; i < keys->n; i++)
        if (dns_key_tag(keys->records[i].opaque) == get_u16(ds.p))
            return true;
    return false;
}

/* The worst of it first. */
static enum zone_ds_sight see(struct arena *a, const struct zone_delegation *d, const struct dns_answer *ds,
                              const struct dns_answer *keys, struct str *why)
{
    if (ds->status == DNS_ERROR) {
        *why = arena_printf(a, "the DS records at the parent cannot be looked up: %s",
                            dns_error_sentence(ds->error));
        return ZONE_DS_UNKNOWN;
    }
    *why = ds->status == DNS_NXDOMAIN
               ? STR("the parent does not know the zone: enter its NS records there, and this DS record")
               : STR("the parent has no DS record for the zone");
    if (ds->status != DNS_DATA)
        return ZONE_DS_MISSING;
    *why = STR("the resolver does not vouch for the DS records at the parent: the parent is not signed");
    if (ds->security != DNS_SECURE)
        return ZONE_DS_MISSING;
    *why = STR("the parent has other DS records for the zone, but not this one");
    for (size_t i = 0; i < d->n; i++)
        if (d->ds[i].is_wanted && !d->ds[i].is_there)
            return ZONE_DS_MISSING;
    *why = STR("the DS record is at the parent, but the resolver does not vouch for the zone's keys");
    if (keys->status != DNS_DATA || keys->security != DNS_SECURE)
        return ZONE_DS_UNKNOWN;
    *why = STR("the DS record is at the parent, but its key is not seen in the zone yet");
    for (size_t i = 0; i < d->n; i++)
        if (d->ds[i].is_wanted && !has_key(keys, d->ds[i].rdata))
            return ZONE_DS_UNKNOWN;
    *why = STR_NONE;
    return ZONE_DS_SEEN;
}

void zone_delegation_judge(struct arena *a, const struct str *wanted, size_t n, const struct dns_answer *ds,
                           const struct dns_answer *keys, struct zone_delegation *out)
{
    *out = (struct zone_delegation){.ds = ARENA_ARRAY(a, struct zone_ds, n + ds->n + 1)};
    for (size_t i = 0; i < n; i++)
        add(a, out, wanted[i], false);
    for (size_t i = 0; i < ds->n; i++)
        if (ds->records[i].opaque.n > HEAD)
            add(a, out, ds->records[i].opaque, true);
    if (n)
        out->sight = see(a, out, ds, keys, &out->why);
}

bool zone_ds_may_go(const struct zone_delegation *d, const struct zone_ds *ds)
{
    return d->sight == ZONE_DS_SEEN && ds->is_there && !ds->is_wanted;
}

void zone_ds_text(struct buf *out, struct str rdata)
{
    const uint8_t *p = (const uint8_t *)rdata.p;
    buf_printf(out, "%u %u %u ", get_u16(p), p[2], p[3]);
    for (size_t i = HEAD; i < rdata.n; i++)
        buf_printf(out, "%02X", p[i]);
}

bool zone_ds_read(struct str text, struct buf *rdata)
{
    uint32_t tag, algorithm, type;
    if (!str_to_u32(str_word(&text), &tag) || !str_to_u32(str_word(&text), &algorithm) ||
        !str_to_u32(str_word(&text), &type) || tag > UINT16_MAX || algorithm > UINT8_MAX || type > UINT8_MAX)
        return false;
    const uint8_t head[HEAD] = {(uint8_t)(tag >> 8), (uint8_t)tag, (uint8_t)algorithm, (uint8_t)type};
    buf_clear(rdata);
    buf_append(rdata, head, sizeof head);
    struct str digest = str_word(&text);
    return digest.n && hex_decode(rdata, digest);
}
