#include "cmd/authority_rows.h"

#include "cmd/authority_secret.h"
#include "net/addr.h"

#define EDGE_GROUP "default" /* where edges register */

static enum err call(struct tenant_store *tenants, const char *verb, json_t *args, struct buf *why)
{
    json_t *result = NULL;
    enum err e = tenant_call(tenants, &(struct tenant_request){.verb = verb, .args = args}, &result, why);
    json_decref(result);
    json_decref(args);
    return e;
}

static enum err add_group(const struct conf *conf, struct tenant_store *tenants, struct buf *why)
{
    json_t *args = json_object(), *addresses = json_array();
    for (size_t i = 0; i < conf->authority_edge_address.n; i++)
        json_array_append_new(addresses, json_string(conf->authority_edge_address.v[i]));
    json_object_set_new(args, "edge_group", json_string(EDGE_GROUP));
    json_object_set_new(args, "address", addresses);
    return call(tenants, "edge.group.add", args, why);
}

static bool is_configured(const struct conf *conf, const char *text)
{
    struct addr one, other;
    for (size_t i = 0; i < conf->authority_edge_address.n; i++)
        if (addr_parse(str_of(text), 25, &one) &&
            addr_parse(str_of(conf->authority_edge_address.v[i]), 25, &other) && addr_equal_ip(&one, &other))
            return true;
    return false;
}

/* Somebody may have added them by command, so they stay; a machine that is gone would go on getting mail. */
static enum err tell_others(const struct conf *conf, struct tenant_store *tenants, struct buf *why)
{
    json_t *result = NULL, *args = json_object(), *address;
    size_t i;
    json_object_set_new(args, "edge_group", json_string(EDGE_GROUP));
    enum err e =
        tenant_call(tenants, &(struct tenant_request){.verb = "edge.group.show", .args = args}, &result, why);
    json_array_foreach(json_object_get(result, "addresses"), i, address)
    {
        const char *text = json_string_value(address);
        if (!is_configured(conf, text))
            log_event(LOG_WARN, "edge-address-not-configured", LOG_TEXT("address", text),
                      LOG_TEXT("text", "MX hosts have this address, and option authority_edge_address has "
                                       "not; to take it out: kedge edge-group set " EDGE_GROUP
                                       " --no-address ADDRESS"));
    }
    json_decref(result);
    json_decref(args);
    return e;
}

static bool has_zone(struct tenant_store *tenants, const char *zone)
{
    json_t *args = json_object();
    json_object_set_new(args, "zone", json_string(zone));
    return !call(tenants, "zone.show", args, NULL);
}

/* What the operator chose for a zone that is there, its edge group and TTLs, stays. */
static enum err add_zone(const struct conf *conf, const char *zone, const char *tsig,
                         struct tenant_store *tenants, struct buf *why)
{
    bool is_new = !has_zone(tenants, zone);
    json_t *args = json_object();
    json_object_set_new(args, "zone", json_string(zone));
    json_object_set_new(args, "primary", json_string(conf->authority_address));
    json_object_set_new(args, "tsig", json_string(tsig));
    if (is_new)
        json_object_set_new(args, "edge_group", json_string(EDGE_GROUP));
    enum err e = call(tenants, is_new ? "zone.add" : "zone.set", args, why);
    if (!e)
        log_event(LOG_INFO, "authority-zone", LOG_TEXT("zone", zone),
                  LOG_TEXT("primary", conf->authority_address), LOG_TEXT("is", is_new ? "new" : "known"));
    return e;
}

enum err authority_rows(const struct conf *conf, struct tenant_store *tenants, struct buf *why)
{
    struct buf tsig = {0};
    if (!conf->authority_private)
        return OK;
    buf_set(&tsig, AUTHORITY_KEY_ALGORITHM ":" AUTHORITY_KEY_NAME ":");
    enum err e = authority_secret(conf, &tsig, why);
    if (!e)
        e = add_group(conf, tenants, why);
    if (!e)
        e = tell_others(conf, tenants, why);
    for (size_t i = 0; !e && i < conf->authority_zone.n; i++)
        e = add_zone(conf, conf->authority_zone.v[i], buf_cstr(&tsig), tenants, why);
    buf_release(&tsig);
    return e;
}
