/* One host: does DANE apply, to which base domain, and what must the host prove (RFC 7672 2.2). */
#include "policy/plan_priv.h"

#include <openssl/sha.h>

#include "dns/name.h"

static void put_out(struct policy_host *h, enum reason reason, enum level_cause cause,
                    const struct dns_answer *asked)
{
    h->state = POLICY_HOST_OUT;
    h->trouble = (struct policy_trouble){reason, cause, asked};
}

static void be_usable(struct policy_host *h, enum level level, enum level_cause cause)
{
    h->state = POLICY_HOST_USABLE;
    h->level = level;
    h->cause = cause;
    policy_fingerprint(h);
}

/* DANE does not apply to the host. */
static void without_dane(struct policy_plan *p, struct policy_host *h, enum level_cause cause,
                         const struct dns_answer *asked)
{
    if (p->in->mode == MODE_MANDATORY)
        put_out(h, REASON_DANE_REQUIRED, cause, asked);
    else
        be_usable(h, LEVEL_NONE, cause);
}

static void add_candidate(struct policy_host *h, struct str base)
{
    h->candidate[h->candidates++].base = base;
}

static const struct dns_answer *pick_address_answer(const struct policy_host *h)
{
    const struct dns_answer *a = &h->a.answer, *aaaa = &h->aaaa.answer;
    bool has_a = a->status == DNS_DATA, has_aaaa = aaaa->status == DNS_DATA;
    if (has_a && has_aaaa)
        return a->security == DNS_SECURE ? a : aaaa;
    return has_a ? a : aaaa;
}

/* Fills the candidates; false when the host was decided on the way. */
static bool find_candidates(struct policy_plan *p, struct policy_host *h, deadline until)
{
    const struct dns_answer *address = pick_address_answer(h);
    bool alias = dns_answer_is_alias(address);
    if (h->address_secure) {
        if (alias)
            add_candidate(h, address->expanded);
        add_candidate(h, h->name);
        return true;
    }
    if (!alias) { /* large unsigned hosters answer TLSA questions with SERVFAIL: do not ask */
        without_dane(p, h, CAUSE_ADDRESS_INSECURE, address);
        return false;
    }
    h->cname.asked = true;
    dns_source_ask(p->source, p->arena, h->name, DNS_CNAME, until, &h->cname.answer);
    if (h->cname.answer.status == DNS_ERROR) {
        put_out(h, policy_error_reason(&h->cname.answer, POLICY_STEP_ADDRESS), CAUSE_UNDECIDED,
                &h->cname.answer);
        return false;
    }
    if (h->cname.answer.status != DNS_DATA || h->cname.answer.security != DNS_SECURE) {
        without_dane(p, h, CAUSE_ALIAS_INSECURE, &h->cname.answer);
        return false;
    }
    add_candidate(h, h->name);
    return true;
}

static void add_name(struct policy_host *h, struct str name)
{
    for (size_t i = 0; i < h->name_count; i++)
        if (str_equal(h->names[i], name))
            return;
    h->names[h->name_count++] = name;
}

/* Reference names for usage 2 (RFC 7672 3.2.2). Without signed MX records nobody vouches that the domain
 * means this host, so its own name does not help. */
static void set_names(const struct policy_plan *p, struct policy_host *h)
{
    h->name_count = 0;
    add_name(h, h->base);
    switch (p->via) {
    case POLICY_VIA_MX:
        if (h->mx_insecure)
            break;
        add_name(h, p->in->domain);
        add_name(h, p->expanded);
        break;
    case POLICY_VIA_IMPLICIT:
        add_name(h, p->in->domain);
        break;
    case POLICY_VIA_ROUTE:
        add_name(h, h->name);
        break;
    case POLICY_VIA_LITERAL:
    case POLICY_VIA_MAILBOX:
        break;
    }
}

/* The host has a secure TLSA RRset at `base`. */
static void with_dane(struct policy_plan *p, struct policy_host *h, struct str base,
                      const struct dns_answer *tlsa)
{
    h->base = base;
    dane_set_of_answer(tlsa, p->arena, &h->published);
    dane_usable(&h->published, p->arena, &h->usable);
    set_names(p, h);
    if (h->usable.n == 0 && p->in->mode == MODE_MANDATORY)
        put_out(h, REASON_TLSA_UNUSABLE, CAUSE_TLSA_UNUSABLE, tlsa);
    else if (h->mx_insecure && p->in->insecure_mx == POLICY_INSECURE_MX_OPPORTUNISTIC)
        be_usable(h, LEVEL_NONE, CAUSE_MX_INSECURE);
    else if (h->usable.n == 0)
        be_usable(h, LEVEL_ENCRYPT, CAUSE_TLSA_UNUSABLE);
    else if (h->mx_insecure && p->in->insecure_mx == POLICY_INSECURE_MX_ENCRYPT)
        be_usable(h, LEVEL_ENCRYPT, CAUSE_MX_INSECURE);
    else
        be_usable(h, LEVEL_DANE, CAUSE_TLSA);
}

static void judge_tlsa(struct policy_plan *p, struct policy_host *h, deadline until)
{
    enum level_cause missing = CAUSE_NO_TLSA;
    const struct dns_answer *last = NULL;
    for (size_t i = 0; i < h->candidates; i++) {
        struct policy_candidate *c = &h->candidate[i];
        struct dns_answer *tlsa = &c->tlsa.answer;
        c->tlsa.asked = true;
        dns_source_ask(p->source, p->arena, dns_name_tlsa(p->arena, h->port, c->base), DNS_TLSA, until, tlsa);
        if (tlsa->status == DNS_ERROR) {
            put_out(h, policy_error_reason(tlsa, POLICY_STEP_TLSA), CAUSE_UNDECIDED, tlsa);
            return;
        }
        if (tlsa->status == DNS_DATA && tlsa->security == DNS_SECURE) {
            with_dane(p, h, c->base, tlsa);
            return;
        }
        if (tlsa->status == DNS_DATA)
            missing = CAUSE_TLSA_INSECURE;
        last = tlsa;
    }
    without_dane(p, h, missing, last);
}

static enum level mailbox_level(enum dir_tls tls)
{
    static const enum level levels[] = {
        [DIR_TLS_NONE] = LEVEL_NONE, [DIR_TLS_ENCRYPT] = LEVEL_ENCRYPT, [DIR_TLS_VERIFY] = LEVEL_VERIFY};
    return levels[tls];
}

void policy_resolve(struct policy_plan *p, size_t host, deadline until)
{
    ENSURE(host < p->nhost);
    struct policy_host *h = &p->host[host];
    if (h->state != POLICY_HOST_OPEN)
        return;
    h->mx_insecure = p->via == POLICY_VIA_MX && p->mx.answer.security != DNS_SECURE;
    if (p->via == POLICY_VIA_MAILBOX)
        be_usable(h, mailbox_level(p->in->tls), CAUSE_MAILBOX_HOST);
    else if (p->in->mode == MODE_OFF)
        be_usable(h, LEVEL_NONE, CAUSE_MODE_OFF);
    else if (!h->a.asked) /* an address, not a name */
        without_dane(p, h, CAUSE_LITERAL, NULL);
    else if (find_candidates(p, h, until))
        judge_tlsa(p, h, until);
}

void policy_fingerprint(struct policy_host *h)
{
    struct buf b = {0};
    pack_str(&b, h->name);
    pack_str(&b, h->base);
    buf_add_u16(&b, h->port);
    buf_add_char(&b, (char)h->level);
    bool names_count = false;
    if (h->level == LEVEL_DANE) {
        uint8_t set[32];
        dane_set_fingerprint(&h->usable, set);
        buf_append(&b, set, sizeof set);
        for (size_t i = 0; i < h->usable.n; i++)
            names_count |= h->usable.v[i].usage == 2;
    }
    for (size_t i = 0; names_count && i < h->name_count; i++)
        pack_str(&b, h->names[i]);
    SHA256((const uint8_t *)b.p, b.n, h->fingerprint);
    buf_release(&b);
}
