#include "inspect/inspect.h"

/* What others said must not move the operator's terminal. */
static void add_foreign(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++)
        buf_add_char(out, (unsigned char)text.p[i] < 0x20 || text.p[i] == 0x7f ? ' ' : text.p[i]);
}

static const char *security_word(const struct dns_answer *a)
{
    return a->security == DNS_SECURE ? "secure" : "not signed";
}

static void write_error(struct buf *out, const struct dns_answer *a)
{
    buf_printf(out, "lookup failed: %s", dns_error_sentence(a->error));
    if (a->ede != DNS_NO_EDE)
        buf_printf(out, " (extended error %u)", a->ede);
    if (a->ede_text.n) {
        buf_add(out, STR(": "));
        add_foreign(out, a->ede_text);
    }
    buf_add_char(out, '\n');
}

static void write_mx(const struct inspect_report *r, struct buf *out)
{
    const struct dns_answer *mx = &r->plan.mx.answer;
    if (!r->plan.mx.asked)
        return;
    buf_add(out, STR("MX records: "));
    if (mx->status == DNS_ERROR) {
        write_error(out, mx);
        return;
    }
    if (mx->status != DNS_DATA) {
        buf_printf(out, "none (%s); the domain itself is taken as its mail host\n",
                   mx->security == DNS_SECURE ? "proved by DNSSEC" : "not signed");
        return;
    }
    buf_printf(out, "%s\n", mx->security == DNS_SECURE ? "secure: signed and validated" : "not signed");
    if (dns_answer_is_alias(mx))
        buf_printf(out, "  the domain is an alias of %.*s\n", STR_ARG(mx->expanded));
    for (uint32_t least = 0, next; least <= UINT16_MAX; least = next) { /* best first */
        next = UINT16_MAX + 1;
        for (size_t i = 0; i < mx->n; i++) {
            const struct dns_record *record = &mx->records[i];
            if (record->mx.preference == least)
                buf_printf(out, "  %5u %.*s\n", least,
                           STR_ARG(record->mx.host.n ? record->mx.host : STR(". (takes no mail)")));
            else if (record->mx.preference > least && record->mx.preference < next)
                next = record->mx.preference;
        }
    }
}

static void write_addresses(const struct policy_host *h, struct buf *out)
{
    const struct policy_lookup *both[] = {&h->a, &h->aaaa};
    char text[ADDR_TEXT];
    for (size_t i = 0; i < 2; i++)
        if (both[i]->asked && both[i]->answer.status == DNS_ERROR) {
            buf_printf(out, "   %-9s ", dns_type_name(both[i]->answer.type));
            write_error(out, &both[i]->answer);
        }
    const struct dns_answer *alias = dns_answer_is_alias(&h->a.answer) ? &h->a.answer : &h->aaaa.answer;
    if (h->a.asked && dns_answer_is_alias(alias))
        buf_printf(out, "   alias     of %.*s\n", STR_ARG(alias->expanded));
    if (!h->naddr) {
        buf_add(out, STR("   addresses none\n"));
        return;
    }
    buf_add(out, STR("   addresses "));
    for (size_t i = 0; i < h->naddr; i++)
        buf_printf(out, "%s%s", i ? ", " : "", addr_ip_format(&h->addr[i], text));
    buf_printf(out, "%s\n", !h->a.asked ? "" : h->address_secure ? " (secure)" : " (not signed)");
}

static bool is_matched(const struct inspect_host *host, struct str record)
{
    for (size_t i = 0; i < host->probes; i++)
        if (str_equal(host->probe[i].matched, record))
            return true;
    return false;
}

static void write_records(const struct inspect_host *host, struct buf *out)
{
    for (size_t i = 0; i < host->policy->published.n; i++) {
        const struct tlsa *t = &host->policy->published.v[i];
        enum dane_tlsa_fault fault = dane_tlsa_fault(t);
        struct buf record = {0};
        dane_tlsa_format(&record, t);
        buf_printf(out, "             %.*s%s ", 38, buf_cstr(&record), record.n > 38 ? "..." : "");
        if (fault != DANE_TLSA_USABLE)
            buf_printf(out, "not usable: %s\n", dane_tlsa_fault_sentence(fault));
        else
            buf_printf(out, "usable%s\n", is_matched(host, buf_str(&record)) ? ", matched" : "");
        buf_release(&record);
    }
}

static void write_tlsa(const struct inspect_host *host, struct buf *out)
{
    const struct policy_host *h = host->policy;
    for (size_t i = 0; i < h->candidates; i++) {
        const struct policy_lookup *l = &h->candidate[i].tlsa;
        if (!l->asked)
            continue;
        buf_printf(out, "   TLSA      %.*s: ", STR_ARG(l->answer.qname));
        if (l->answer.status == DNS_ERROR)
            write_error(out, &l->answer);
        else if (l->answer.status == DNS_DATA)
            buf_printf(out, "%zu %s (%s)\n", l->answer.n, l->answer.n == 1 ? "record" : "records",
                       security_word(&l->answer));
        else
            buf_printf(out, "none (%s)\n", security_word(&l->answer));
    }
    write_records(host, out);
}

static void write_tls(const struct inspect_probe *p, struct buf *out)
{
    if (!p->tls.protocol) {
        buf_add(out, STR("clear text"));
        return;
    }
    tls_info_describe(&p->tls, out);
}

static void write_probe(const struct inspect_probe *p, struct buf *out)
{
    char text[ADDR_TEXT];
    buf_printf(out, "   connected %s: ", addr_format(&p->to, text));
    if (p->outcome.blame == BLAME_NOBODY) {
        write_tls(p, out);
        if (p->matched.n)
            buf_printf(out, ", authenticated by %.38s... (certificate %d)", p->matched.p, p->depth);
        else if (p->tls.protocol)
            buf_add(out, STR(", not authenticated"));
    } else {
        buf_printf(out, "%s (%s): %s", reason_name(p->outcome.reason), p->outcome.code,
                   reason_row(p->outcome.reason)->sentence);
        if (p->outcome.text.n) {
            buf_add(out, STR(": "));
            add_foreign(out, p->outcome.text);
        }
        if (p->tls.has_peer_certificate) {
            buf_add(out, STR("\n             the server's key has SHA-256 "));
            hex_append(out, p->tls.peer_spki_sha256, sizeof p->tls.peer_spki_sha256);
        }
    }
    buf_add_char(out, '\n');
}

static void write_host(const struct inspect_host *host, size_t number, struct buf *out)
{
    const struct policy_host *h = host->policy;
    buf_printf(out, "\n%zu. %.*s, preference %u: ", number, STR_ARG(h->name), h->preference);
    if (h->state == POLICY_HOST_USABLE)
        buf_printf(out, "level %s\n   why       %s: %s\n", level_name(h->level),
                   level_cause_sentence(h->cause), level_sentence(h->level));
    else
        buf_printf(out, "not used, %s\n   why       %s\n", reason_name(h->trouble.reason),
                   reason_row(h->trouble.reason)->sentence);
    write_addresses(h, out);
    write_tlsa(host, out);
    if (h->level == LEVEL_DANE && h->state == POLICY_HOST_USABLE) {
        buf_printf(out, "   names     ");
        for (size_t i = 0; i < h->name_count; i++)
            buf_printf(out, "%s%.*s", i ? ", " : "", STR_ARG(h->names[i]));
        buf_add(out, STR(" (for records of usage 2)\n"));
    }
    for (size_t i = 0; i < host->probes; i++)
        write_probe(&host->probe[i], out);
}

static void write_findings(const struct inspect_report *r, struct buf *out)
{
    if (r->findings == 0) {
        buf_add(out, STR("\nFindings: none\n"));
        return;
    }
    buf_add(out, STR("\nFindings\n"));
    for (size_t i = 0; i < r->findings; i++) {
        const struct inspect_finding *f = &r->finding[i];
        buf_printf(out, "  %-8s %s", inspect_severity_name(f->severity), f->code);
        if (f->enhanced)
            buf_printf(out, " (%s)", f->enhanced);
        buf_printf(out, ": %.*s: %s%s", STR_ARG(f->subject), f->sentence, f->detail.n ? ": " : "");
        add_foreign(out, f->detail);
        buf_add_char(out, '\n');
        if (f->fix)
            buf_printf(out, "           fix: %s\n", f->fix);
    }
}

static const char *what_it_means(const struct inspect_report *r)
{
    if (r->level != LEVEL_NONE || !r->by)
        return level_sentence(r->level);
    return r->by->tls.protocol ? "over TLS, but nobody knows with whom" : "in clear text";
}

static void write_verdict(const struct inspect_report *r, struct buf *out)
{
    buf_printf(out, "\nVerdict: mail for %.*s ", STR_ARG(r->domain));
    switch (r->verdict) {
    case INSPECT_DELIVERED:
        buf_printf(out, "%s delivered to %.*s with level %s (%s).\n",
                   r->connected ? "would be" : "would, as far as DNS tells, be", STR_ARG(r->chosen->name),
                   level_name(r->level), what_it_means(r));
        break;
    case INSPECT_DEFERRED:
        buf_add(out, STR("would wait in the queue, and be returned when its lifetime is over.\n"));
        break;
    case INSPECT_BOUNCED:
        buf_add(out, STR("would be returned to its sender at once.\n"));
        break;
    }
}

void inspect_text(const struct inspect_report *r, struct buf *out)
{
    buf_printf(out, "%.*s (mode %s)\n", STR_ARG(r->domain), mode_name(r->input.mode));
    write_mx(r, out);
    for (size_t i = 0; i < r->plan.nhost; i++)
        write_host(&r->host[i], i + 1, out);
    write_findings(r, out);
    write_verdict(r, out);
}
