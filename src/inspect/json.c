#include "inspect/inspect.h"

static json_t *text_of(struct str s)
{
    json_t *j = json_stringn(s.p ? s.p : "", s.n);
    return j ? j : json_string("?"); /* bytes of the network that are no UTF-8 */
}

static void set(json_t *object, const char *key, json_t *value)
{
    ENSURE(json_object_set_new(object, key, value) == 0);
}

static void append(json_t *array, json_t *value)
{
    ENSURE(json_array_append_new(array, value) == 0);
}

static void set_text(json_t *object, const char *key, const char *value)
{
    if (value)
        set(object, key, json_string(value));
}

static json_t *hex_of(const uint8_t *p, size_t n)
{
    struct buf b = {0};
    hex_append(&b, p, n);
    json_t *j = text_of(buf_str(&b));
    buf_release(&b);
    return j;
}

static json_t *tlsa_of(const struct tlsa *t)
{
    struct buf b = {0};
    dane_tlsa_format(&b, t);
    json_t *j = text_of(buf_str(&b));
    buf_release(&b);
    return j;
}

static const char *status_name(enum dns_status s)
{
    static const char *const names[] = {"data", "nodata", "nxdomain", "error"};
    return names[s];
}

static json_t *lookup_of(const struct policy_lookup *l)
{
    if (!l->asked)
        return json_null();
    const struct dns_answer *a = &l->answer;
    json_t *j = json_object();
    set(j, "name", text_of(a->qname));
    set_text(j, "type", dns_type_name(a->type));
    set_text(j, "status", status_name(a->status));
    if (a->status == DNS_ERROR) {
        set_text(j, "error", dns_error_name(a->error));
        if (a->ede_text.n)
            set(j, "error_text", text_of(a->ede_text));
    } else {
        set_text(j, "security", a->security == DNS_SECURE ? "secure" : "insecure");
        set(j, "ttl", json_integer(a->ttl));
    }
    if (a->ede != DNS_NO_EDE)
        set(j, "extended_error", json_integer(a->ede));
    if (dns_answer_is_alias(a))
        set(j, "expanded", text_of(a->expanded));
    return j;
}

static json_t *mx_of(const struct policy_plan *p)
{
    json_t *j = lookup_of(&p->mx);
    if (!p->mx.asked || p->mx.answer.status != DNS_DATA)
        return j;
    json_t *records = json_array();
    for (size_t i = 0; i < p->mx.answer.n; i++) {
        const struct dns_record *r = &p->mx.answer.records[i];
        json_t *one = json_object();
        set(one, "preference", json_integer(r->mx.preference));
        set(one, "host", r->mx.host.n ? text_of(r->mx.host) : json_string("."));
        append(records, one);
    }
    set(j, "records", records);
    return j;
}

static bool is_matched(const struct inspect_host *host, const struct tlsa *t)
{
    struct buf b = {0};
    bool matched = false;
    dane_tlsa_format(&b, t);
    for (size_t i = 0; i < host->probes; i++)
        matched = matched || str_equal(host->probe[i].matched, buf_str(&b));
    buf_release(&b);
    return matched;
}

static json_t *records_of(const struct inspect_host *host)
{
    json_t *list = json_array();
    for (size_t i = 0; i < host->policy->published.n; i++) {
        const struct tlsa *t = &host->policy->published.v[i];
        enum dane_tlsa_fault fault = dane_tlsa_fault(t);
        json_t *one = json_object();
        set(one, "record", tlsa_of(t));
        set(one, "usable", json_boolean(fault == DANE_TLSA_USABLE));
        if (fault != DANE_TLSA_USABLE)
            set_text(one, "why", dane_tlsa_fault_sentence(fault));
        set(one, "matched", json_boolean(is_matched(host, t)));
        append(list, one);
    }
    return list;
}

static json_t *reply_of(const struct smtp_reply *reply)
{
    json_t *j = json_object();
    set(j, "code", json_integer(reply->code));
    set(j, "text", text_of(reply->text));
    return j;
}

static json_t *probe_of(const struct inspect_probe *p)
{
    char text[ADDR_TEXT];
    bool good = p->outcome.blame == BLAME_NOBODY;
    json_t *j = json_object();
    set_text(j, "address", addr_format(&p->to, text));
    set(j, "ok", json_boolean(good));
    if (good) {
        set_text(j, "level", level_name(p->level));
    } else {
        set_text(j, "reason", reason_name(p->outcome.reason));
        set_text(j, "code", p->outcome.code);
        set(j, "text", text_of(p->outcome.text));
    }
    if (p->outcome.reply.code)
        set(j, "reply", reply_of(&p->outcome.reply));
    set_text(j, "tls", p->tls.protocol);
    set_text(j, "cipher", p->tls.cipher);
    if (p->tls.has_peer_certificate) {
        set(j, "certificate_sha256", hex_of(p->tls.peer_sha256, sizeof p->tls.peer_sha256));
        set(j, "key_sha256", hex_of(p->tls.peer_spki_sha256, sizeof p->tls.peer_spki_sha256));
    }
    if (p->matched.n) {
        set(j, "matched", text_of(p->matched));
        set(j, "depth", json_integer(p->depth));
    }
    set(j, "milliseconds", json_integer(p->took_ms));
    return j;
}

static void set_decision(json_t *j, const struct policy_host *h)
{
    if (h->state == POLICY_HOST_USABLE) {
        set_text(j, "level", level_name(h->level));
        set_text(j, "why", level_cause_name(h->cause));
        return;
    }
    struct buf detail = {0};
    policy_trouble_describe(&h->trouble, &detail);
    set_text(j, "reason", reason_name(h->trouble.reason));
    set(j, "detail", text_of(buf_str(&detail)));
    buf_release(&detail);
}

static json_t *host_of(const struct inspect_host *host)
{
    const struct policy_host *h = host->policy;
    char text[ADDR_TEXT];
    json_t *j = json_object(), *addresses = json_array(), *names = json_array(), *lookups = json_array();
    json_t *connections = json_array();
    set(j, "host", text_of(h->name));
    set(j, "preference", json_integer(h->preference));
    set(j, "usable", json_boolean(h->state == POLICY_HOST_USABLE));
    set_decision(j, h);
    for (size_t i = 0; i < h->naddr; i++)
        append(addresses, json_string(addr_ip_format(&h->addr[i], text)));
    set(j, "addresses", addresses);
    set_text(j, "address_security", h->address_secure ? "secure" : "insecure");
    if (h->base.n)
        set(j, "base", text_of(h->base));
    for (size_t i = 0; i < h->name_count; i++)
        append(names, text_of(h->names[i]));
    set(j, "names", names);
    enum { LOOKUPS = 5 };
    const struct policy_lookup *asked[LOOKUPS] = {&h->a, &h->aaaa, &h->cname, &h->candidate[0].tlsa,
                                                  &h->candidate[1].tlsa};
    for (size_t i = 0; i < LOOKUPS; i++)
        if (asked[i]->asked)
            append(lookups, lookup_of(asked[i]));
    set(j, "lookups", lookups);
    set(j, "tlsa", records_of(host));
    for (size_t i = 0; i < host->probes; i++)
        append(connections, probe_of(&host->probe[i]));
    set(j, "connections", connections);
    return j;
}

static json_t *finding_of(const struct inspect_finding *f)
{
    json_t *j = json_object();
    set_text(j, "severity", inspect_severity_name(f->severity));
    set_text(j, "code", f->code);
    set_text(j, "enhanced", f->enhanced);
    set(j, "subject", text_of(f->subject));
    set_text(j, "text", f->sentence);
    if (f->detail.n)
        set(j, "detail", text_of(f->detail));
    set_text(j, "fix", f->fix);
    return j;
}

json_t *inspect_json(const struct inspect_report *r)
{
    json_t *j = json_object(), *hosts = json_array(), *findings = json_array();
    set(j, "domain", text_of(r->domain));
    set_text(j, "mode", mode_name(r->input.mode));
    set_text(j, "verdict", inspect_verdict_name(r->verdict));
    set(j, "connected", json_boolean(r->connected));
    set(j, "level", r->chosen ? json_string(level_name(r->level)) : json_null());
    set(j, "host", r->chosen ? text_of(r->chosen->name) : json_null());
    if (r->plan.verdict != PLAN_GO)
        set_text(j, "reason", reason_name(r->plan.trouble.reason));
    set_text(j, "via", policy_via_name(r->plan.via));
    set(j, "mx", mx_of(&r->plan));
    for (size_t i = 0; i < r->plan.nhost; i++)
        append(hosts, host_of(&r->host[i]));
    set(j, "hosts", hosts);
    for (size_t i = 0; i < r->findings; i++)
        append(findings, finding_of(&r->finding[i]));
    set(j, "findings", findings);
    return j;
}
