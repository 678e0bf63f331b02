/* Whether a domain has an MX host in a signed zone, and whether TLSA records are published for it. */
#include "tenant/allocate.h"
#include "tenant/bulk.h"
#include "tenant/domain.h"
#include "tenant/verbs_priv.h"

static enum err load(struct call *c, struct str text, struct domain_row *row)
{
    struct str name;
    enum err e = name_normal(c, text, &name);
    return e ? e : domain_load(c, name, row);
}

/* Writes what is different, and shows what is. until_ms: when records go; 0: none do. */
static enum err finish(struct call *c, const struct domain_row *row, bool changed, int64_t until_ms)
{
    enum err e = changed ? domain_write(c, row) : OK;
    if (e || !c->result)
        return e;
    json_t *o = domain_describe(c, row);
    if (until_ms)
        json_object_set_new(o, "mx_host_until", json_time(until_ms));
    json_array_append_new(c->result, o);
    return OK;
}

/* A zone that is named must be the one that the host is in. */
static enum err check_zone(struct call *c, const struct domain_row *row)
{
    struct mx_host h;
    if (!row->dnssec || !arg_has(c, "zone"))
        return OK;
    enum err e = mx_host_of(c, row->d.domain, &h);
    if (e || str_equal(h.zone, arg_text(c, "zone")))
        return e;
    buf_set(c->why,
            "'%.*s' has its MX host in zone %.*s; to move it: kedge domain dnssec disable, then enable with "
            "--zone",
            STR_ARG(row->d.domain), STR_ARG(h.zone));
    return ERR_REFUSED;
}

static enum err dnssec_enable(struct call *c, struct str text, bool *changed)
{
    struct domain_row row;
    struct mx_host host;
    enum err e = load(c, text, &row);
    if (!e)
        e = check_zone(c, &row);
    if (e)
        return e;
    *changed = !row.dnssec;
    if (*changed) {
        e = mx_host_allocate(c, row.d.domain, (int64_t)row.d.tenant_id, arg_text(c, "zone"), &host);
        row.dnssec = true;
        row.d.mx_host = host.name;
    }
    return e ? e : finish(c, &row, *changed, 0);
}

static enum err dnssec_disable(struct call *c, struct str text, bool *changed)
{
    struct domain_row row;
    int64_t until_ms = 0;
    enum err e = load(c, text, &row);
    if (e)
        return e;
    if (row.dane) {
        buf_set(c->why, "DANE is on for '%.*s'; first: kedge domain dane disable %.*s", STR_ARG(row.d.domain),
                STR_ARG(row.d.domain));
        return ERR_REFUSED;
    }
    *changed = row.dnssec;
    if (*changed) {
        e = mx_host_leave(c, row.d.domain, &until_ms);
        row.dnssec = false;
        row.d.mx_host = STR_NONE;
    }
    return e ? e : finish(c, &row, *changed, until_ms);
}

static enum err set_dane(struct call *c, struct domain_row *row, bool on, bool *changed)
{
    struct mx_host host;
    *changed = row->dane != on;
    enum err e = *changed ? mx_host_of(c, row->d.domain, &host) : OK;
    if (!e && *changed)
        e = mx_host_set_dane(c, &host, on);
    row->dane = on;
    return e ? e : finish(c, row, *changed, 0);
}

static enum err dane_enable(struct call *c, struct str text, bool *changed)
{
    struct domain_row row;
    enum err e = load(c, text, &row);
    if (e)
        return e;
    if (!row.dnssec) {
        buf_set(c->why, "'%.*s' has no MX host in a signed zone yet; first: kedge domain dnssec enable %.*s",
                STR_ARG(row.d.domain), STR_ARG(row.d.domain));
        return ERR_REFUSED;
    }
    return set_dane(c, &row, true, changed);
}

static enum err dane_disable(struct call *c, struct str text, bool *changed)
{
    struct domain_row row;
    enum err e = load(c, text, &row);
    return e ? e : set_dane(c, &row, false, changed);
}

enum err domain_set_dane(struct call *c, struct str name, bool on, bool *changed)
{
    return on ? dane_enable(c, name, changed) : dane_disable(c, name, changed);
}

enum err verb_domain_dnssec_enable(struct call *c)
{
    return bulk_run(c, BULK_SELECTED, dnssec_enable);
}

enum err verb_domain_dnssec_disable(struct call *c)
{
    return bulk_run(c, BULK_SELECTED, dnssec_disable);
}

enum err verb_domain_dane_enable(struct call *c)
{
    return bulk_run(c, BULK_SELECTED, dane_enable);
}

enum err verb_domain_dane_disable(struct call *c)
{
    return bulk_run(c, BULK_SELECTED, dane_disable);
}
