#include "dane/dane.h"
#include "dns/name.h"
#include "inspect/domain.h"
#include "tenant/call.h"

/* Bytes of the network that are no UTF-8 become "?". */
static json_t *text_of(struct str s)
{
    json_t *j = json_stringn(s.p ? s.p : "", s.n);
    return j ? j : json_string("?");
}

static void set(json_t *object, const char *key, json_t *value)
{
    ENSURE(json_object_set_new(object, key, value) == 0);
}

static void append(json_t *array, json_t *value)
{
    ENSURE(json_array_append_new(array, value) == 0);
}

static const char *security_of(const struct dns_answer *a)
{
    return a->status == DNS_ERROR      ? dns_error_name(a->error)
           : a->security == DNS_SECURE ? "secure"
                                       : "insecure";
}

static json_t *mx_of(const struct facts *f)
{
    const struct dns_answer *mx = facts_mx(f);
    json_t *list = json_array();
    for (size_t i = 0; mx->status == DNS_DATA && i < mx->n; i++) {
        struct str host = mx->records[i].mx.host;
        json_t *o = json_object();
        set(o, "priority", json_integer(mx->records[i].mx.preference));
        set(o, "host", text_of(host.n ? host : STR(".")));
        set(o, "kind",
            json_string(f->expected.n && str_equal(host, f->expected) ? "expected"
                        : facts_mx_is_legacy(f, i)                    ? "legacy"
                                                                      : "other"));
        append(list, o);
    }
    return list;
}

static json_t *expected_of(const struct facts *f)
{
    json_t *o = json_object();
    json_t *priorities = json_array();
    append(priorities, json_integer(0));
    append(priorities, json_integer(10));
    set(o, "host", text_of(f->expected));
    set(o, "priority", priorities);
    set(o, "zone", f->is_allocated ? text_of(f->mx_zone) : json_null());
    return o;
}

static json_t *servers_of(const struct facts_zone *z)
{
    json_t *list = json_array();
    for (size_t i = 0; i < z->n; i++) {
        char text[ADDR_TEXT];
        json_t *o = json_object();
        set(o, "name", text_of(z->servers[i].name));
        set(o, "address", json_string(addr_ip_format(&z->servers[i].at, text)));
        set(o, "serial", z->servers[i].has_serial ? json_integer(z->servers[i].serial) : json_null());
        if (z->servers[i].is_silent)
            set(o, "trouble", text_of(z->servers[i].trouble));
        append(list, o);
    }
    return list;
}

static json_t *zone_of(const struct facts_zone *z)
{
    if (!z->name.p)
        return json_null();
    json_t *o = json_object();
    set(o, "name", text_of(z->name));
    set(o, "ds", z->ds.status == DNS_ERROR ? json_null() : json_boolean(z->ds.status == DNS_DATA));
    set(o, "servers", servers_of(z));
    return o;
}

static json_t *tlsa_of(const struct facts *f)
{
    json_t *list = json_array();
    for (size_t i = 0; f->tlsa.status == DNS_DATA && i < f->tlsa.n; i++) {
        struct buf b = {0};
        dane_tlsa_format(&b, &f->tlsa.records[i].tlsa);
        append(list, text_of(buf_str(&b)));
        buf_release(&b);
    }
    return list;
}

static json_t *connection_of(const struct facts *f, const struct facts_dial *d)
{
    char text[ADDR_TEXT];
    json_t *o = json_object();
    set(o, "address", json_string(addr_ip_format(&d->to, text)));
    set(o, "result", json_string(dial_end_sentence(d->end)));
    if (d->end != DIAL_DONE) {
        set(o, "said", text_of(d->said));
        return o;
    }
    struct buf hex = {0};
    hex_append(&hex, d->tls.peer_spki_sha256, sizeof d->tls.peer_spki_sha256);
    set(o, "protocol", json_string(d->tls.protocol ? d->tls.protocol : ""));
    set(o, "algorithm", json_string(d->shown == DIAL_RSA ? "rsa" : "ecdsa"));
    set(o, "spki_sha256", json_string(buf_cstr(&hex)));
    set(o, "matched", facts_tlsa_usable(f) ? json_boolean(facts_dial_matches(f, d)) : json_null());
    set(o, "takes_mail", d->rcpt ? json_boolean(d->rcpt / 100 == 2) : json_null());
    buf_release(&hex);
    return o;
}

static json_t *connections_of(const struct facts *f)
{
    json_t *list = json_array();
    for (size_t i = 0; i < f->dial_count; i++)
        if (f->dials[i].asked == DIAL_ANY || f->dials[i].end != DIAL_HANDSHAKE)
            append(list, connection_of(f, &f->dials[i]));
    return list;
}

static json_t *sts_of(const struct sts_facts *s)
{
    json_t *o = json_object();
    set(o, "status", json_string(sts_state_name(s->state)));
    if (s->state == STS_VALID) {
        set(o, "mode", json_string(sts_mode_name(s->policy.mode)));
        set(o, "id", text_of(s->id));
        set(o, "max_age", json_integer(s->policy.max_age));
        json_t *mx = json_array();
        for (size_t i = 0; i < s->policy.n; i++)
            append(mx, text_of(s->policy.mx[i]));
        set(o, "mx", mx);
    }
    return o;
}

static json_t *finding_of(const struct inspect_finding *x)
{
    json_t *o = json_object();
    set(o, "code", json_string(x->code));
    set(o, "severity", json_string(inspect_severity_name(x->severity)));
    set(o, "subject", text_of(x->subject));
    set(o, "sentence", json_string(x->sentence));
    set(o, "evidence", text_of(x->detail));
    set(o, "fix", json_string(x->fix));
    return o;
}

json_t *domain_json(const struct facts *f, const struct domain_report *r)
{
    json_t *findings = json_array();
    for (size_t i = 0; i < r->findings; i++)
        append(findings, finding_of(&r->finding[i]));
    json_t *j = json_object();
    set(j, "domain", text_of(f->domain));
    set(j, "tenant", text_of(f->tenant));
    set(j, "state", json_string(domain_state_name(r->state)));
    set(j, "sentence", json_string(domain_state_sentence(r->state)));
    set(j, "dnssec", json_boolean(f->dnssec));
    set(j, "dane", json_boolean(f->dane));
    set(j, "expected_mx", expected_of(f));
    set(j, "actual_mx", mx_of(f));
    set(j, "mx_security", json_string(security_of(&f->mx)));
    set(j, "mx_ttl", json_integer(facts_mx_ttl(f)));
    set(j, "zone", zone_of(&f->zone));
    set(j, "mx_zone", zone_of(&f->host_zone));
    set(j, "tlsa", tlsa_of(f));
    set(j, "tlsa_security", json_string(security_of(&f->tlsa)));
    set(j, "connections", f->is_dialled ? connections_of(f) : json_null());
    set(j, "mta_sts", sts_of(&f->sts));
    set(j, "protected_at", json_time(f->protected_ms));
    set(j, "lost_at", json_time(f->lost_ms));
    set(j, "findings", findings);
    return j;
}
