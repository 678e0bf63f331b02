#include "directory/directory.h"

#include "directory/directory_priv.h"
#include "directory/write.h"

/* Address space, not memory or disk: some hundred million records. */
static const size_t MAP_SIZE = (size_t)64 << 30;

static struct directory *directory_open_mode(const char *path, enum store_mode mode, struct buf *why)
{
    struct store *s = store_open(path, mode, MAP_SIZE, why);
    if (!s)
        return NULL;
    struct directory *d = must_alloc(calloc(1, sizeof *d));
    d->store = s;
    return d;
}

struct directory *directory_open(const char *path, struct buf *why)
{
    return directory_open_mode(path, STORE_READ, why);
}

struct directory *directory_open_writable(const char *path, struct buf *why)
{
    return directory_open_mode(path, STORE_WRITE, why);
}

void directory_close(struct directory *d)
{
    if (!d)
        return;
    store_close(d->store);
    free(d);
}

enum err directory_begin(struct directory *d, struct directory_view *v, struct buf *why)
{
    *v = (struct directory_view){.directory = d};
    return store_begin(d->store, &v->reader, why);
}

void directory_end(struct directory_view *v)
{
    if (v->reader)
        store_end(v->directory->store, v->reader);
    v->reader = NULL;
}

uint64_t directory_epoch(const struct directory_view *v)
{
    return store_get_u64(v->reader, STR("E"));
}

bool directory_source_is(const struct directory_view *v, struct str source)
{
    struct str is;
    return store_get(v->reader, STR("S"), &is) && str_equal(is, source);
}

static bool damaged(const char *table, struct str key)
{
    log_event(LOG_ERROR, "directory-damaged", LOG_TEXT("table", table), LOG_STR("key", key));
    return false;
}

bool directory_tenant(const struct directory_view *v, struct arena *a, uint64_t id, struct dir_tenant *out)
{
    struct store_key key;
    key_tenant(&key, id);
    struct str name;
    *out = (struct dir_tenant){0};
    if (!store_get(v->reader, store_key_str(&key), &name))
        return false;
    *out = (struct dir_tenant){.id = id, .name = arena_str(a, name)};
    return true;
}

bool directory_tenant_by_name(const struct directory_view *v, struct arena *a, struct str name,
                              struct dir_tenant *out)
{
    struct store_key key;
    key_tenant_name(&key, name);
    return directory_tenant(v, a, store_get_u64(v->reader, store_key_str(&key)), out);
}

/* The record without the tenant's name. */
static bool domain_unpack(struct str record, struct dir_domain *out)
{
    struct unpack u = {.rest = record};
    out->tenant_id = unpack_u64(&u);
    unsigned protocol = unpack_u8(&u), tls = unpack_u8(&u), recipients = unpack_u8(&u);
    out->port = unpack_u16(&u);
    out->host = unpack_str(&u);
    out->mx_host = unpack_str(&u);
    out->protocol = (enum dir_protocol)protocol;
    out->tls = (enum dir_tls)tls;
    out->recipients = (enum dir_recipients)recipients;
    return !u.bad && protocol <= DIR_LMTP && tls <= DIR_TLS_VERIFY && recipients <= DIR_RECIPIENTS_ASK;
}

bool directory_domain(const struct directory_view *v, struct arena *a, struct str domain,
                      struct dir_domain *out)
{
    struct store_key key;
    key_domain(&key, domain);
    struct str record;
    *out = (struct dir_domain){0};
    if (!store_get(v->reader, store_key_str(&key), &record))
        return false;
    struct dir_tenant tenant;
    if (!domain_unpack(record, out) || !directory_tenant(v, a, out->tenant_id, &tenant))
        return damaged("domain", domain);
    out->domain = arena_str(a, domain);
    out->tenant = tenant.name;
    out->host = arena_str(a, out->host);
    out->mx_host = arena_str(a, out->mx_host);
    return true;
}

bool directory_recipient(const struct directory_view *v, struct str domain, struct str local_part)
{
    struct store_key key;
    key_recipient(&key, domain, local_part);
    struct str ignored;
    return store_get(v->reader, store_key_str(&key), &ignored);
}

bool directory_relay_by_address(const struct directory_view *v, struct arena *a, const struct addr *peer,
                                struct dir_tenant *out)
{
    struct addr unmapped = addr_from_sockaddr((const struct sockaddr *)&peer->ss, peer->n);
    *out = (struct dir_tenant){0};
    if (unmapped.n == 0)
        return false;
    struct store_key key;
    key_lengths(&key, &unmapped);
    struct str lengths;
    if (!store_get(v->reader, store_key_str(&key), &lengths))
        return false;
    for (size_t i = 0; i < lengths.n; i++) {
        key_network(&key, &unmapped, (uint8_t)lengths.p[i]);
        uint64_t tenant = store_get_u64(v->reader, store_key_str(&key));
        if (tenant)
            return directory_tenant(v, a, tenant, out);
    }
    return false;
}

bool directory_relay_by_certificate(const struct directory_view *v, struct arena *a, const uint8_t sha256[32],
                                    struct dir_tenant *out)
{
    struct store_key key;
    key_certificate(&key, sha256);
    return directory_tenant(v, a, store_get_u64(v->reader, store_key_str(&key)), out);
}

bool directory_has_certificates(const struct directory_view *v)
{
    struct str key, value;
    return store_seek(v->reader, STR("c"), STR("c"), &key, &value);
}

bool directory_tenant_may_send_as(const struct directory_view *v, uint64_t tenant_id, struct str domain)
{
    struct store_key key;
    struct str record;
    key_domain(&key, domain);
    struct dir_domain accepted;
    if (store_get(v->reader, store_key_str(&key), &record) && domain_unpack(record, &accepted) &&
        accepted.tenant_id == tenant_id)
        return true;
    key_sender(&key, tenant_id, domain);
    return store_get(v->reader, store_key_str(&key), &record);
}

struct rule {
    struct str record;
    uint64_t tenant_id;
    struct str pattern;
};

static bool rule_try(const struct directory_view *v, char table, struct rule *r)
{
    struct store_key key;
    key_rule(&key, table, r->tenant_id, r->pattern);
    return store_get(v->reader, store_key_str(&key), &r->record);
}

/* The most specific rule of a tenant (0: of all) for a domain: exact, nearest parent, "*". */
static bool rule_find_for(const struct directory_view *v, char table, uint64_t tenant_id, struct str domain,
                          struct rule *r)
{
    *r = (struct rule){.tenant_id = tenant_id, .pattern = domain};
    if (rule_try(v, table, r))
        return true;
    for (size_t dot; (dot = str_find_char(domain, '.')) != SIZE_MAX;) {
        r->pattern = str_from(domain, dot);
        if (rule_try(v, table, r))
            return true;
        domain = str_from(domain, dot + 1);
    }
    r->pattern = STR("*");
    return rule_try(v, table, r);
}

static bool rule_find(const struct directory_view *v, char table, uint64_t tenant_id, struct str domain,
                      struct rule *r)
{
    return (tenant_id && rule_find_for(v, table, tenant_id, domain, r)) ||
           rule_find_for(v, table, 0, domain, r);
}

static struct str rule_text(const struct directory_view *v, struct arena *a, const struct rule *r)
{
    struct dir_tenant tenant = {.name = STR("*")};
    if (r->tenant_id && !directory_tenant(v, a, r->tenant_id, &tenant))
        tenant.name = STR("?");
    return arena_printf(a, "tenant=%.*s domain=%.*s", STR_ARG(tenant.name), STR_ARG(r->pattern));
}

void directory_mode(const struct directory_view *v, struct arena *a, uint64_t tenant_id,
                    struct str remote_domain, struct dir_mode *out)
{
    *out = (struct dir_mode){.mode = MODE_OPPORTUNISTIC, .rule = STR("default")};
    struct rule r;
    if (!rule_find(v, 'm', tenant_id, remote_domain, &r))
        return;
    struct unpack u = {.rest = r.record};
    unsigned mode = unpack_u8(&u);
    int64_t expires = (int64_t)unpack_u64(&u);
    out->rule = rule_text(v, a, &r);
    if (u.bad || mode > MODE_OFF) {
        /* A rule was set and cannot be read: the strict reading cannot leak mail. */
        (void)damaged("mode", out->rule);
        out->mode = MODE_MANDATORY;
        return;
    }
    out->expires_ms = expires;
    out->lapsed = expires && expires <= clock_wall();
    if (!out->lapsed)
        out->mode = (enum mode)mode;
}

bool directory_route(const struct directory_view *v, struct arena *a, uint64_t tenant_id,
                     struct str remote_domain, struct dir_route *out)
{
    *out = (struct dir_route){0};
    struct rule r;
    if (!rule_find(v, 'o', tenant_id, remote_domain, &r))
        return false;
    struct unpack u = {.rest = r.record};
    uint16_t port = unpack_u16(&u);
    struct str host = unpack_str(&u);
    if (u.bad)
        return damaged("route", r.pattern);
    *out = (struct dir_route){.host = arena_str(a, host), .port = port, .rule = rule_text(v, a, &r)};
    return true;
}
