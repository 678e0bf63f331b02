/* Addresses of hosts, always before TLSA (RFC 7672 2.2.2), and which of the hosts is ourselves. */
#include "policy/plan_priv.h"

static void set_literal(struct policy_plan *p, struct policy_host *h, const struct addr *addr)
{
    h->addr = ARENA_NEW(p->arena, struct addr);
    *h->addr = *addr;
    addr_set_port(h->addr, h->port);
    h->naddr = 1;
}

static void take_addresses(struct policy_host *h, const struct dns_answer *answer)
{
    if (answer->status != DNS_DATA)
        return;
    h->address_secure |= answer->security == DNS_SECURE;
    for (size_t i = 0; i < answer->n; i++) {
        h->addr[h->naddr] = answer->records[i].addr;
        addr_set_port(&h->addr[h->naddr++], h->port);
    }
}

/* One family may fail as long as the other answers: a broken AAAA must not block IPv4. */
static void judge_addresses(struct policy_plan *p, struct policy_host *h)
{
    const struct dns_answer *a = &h->a.answer, *aaaa = &h->aaaa.answer;
    h->addr = ARENA_ARRAY(p->arena, struct addr, a->n + aaaa->n + 1);
    take_addresses(h, aaaa);
    take_addresses(h, a);
    if (h->naddr)
        return;
    h->state = POLICY_HOST_OUT;
    const struct dns_answer *failed = a->status == DNS_ERROR ? a : aaaa->status == DNS_ERROR ? aaaa : NULL;
    h->trouble = failed ? (struct policy_trouble){.reason = policy_error_reason(failed, POLICY_STEP_ADDRESS),
                                                  .asked = failed}
                        : (struct policy_trouble){.reason = REASON_NO_ADDRESS, .asked = a};
}

static bool address_is_self(const struct policy_self *self, const struct addr *addr)
{
    for (size_t i = 0; i < self->address_count; i++) {
        const struct addr *own = &self->addresses[i];
        if (addr_port(own) != addr_port(addr))
            continue;
        if (addr_equal_ip(own, addr) || addr_is_any(addr) || (self->listens_on_all && addr_is_loopback(addr)))
            return true;
    }
    return false;
}

static bool host_is_self(const struct policy_self *self, const struct policy_host *h)
{
    for (size_t i = 0; i < self->name_count; i++)
        if (str_equal(self->names[i], h->name) ||
            (h->a.asked && str_equal(self->names[i], h->a.answer.expanded)))
            return true;
    for (size_t i = 0; i < h->naddr; i++)
        if (address_is_self(self, &h->addr[i]))
            return true;
    return false;
}

/* We are in the list: we, and all that is no better than us, are not for us to try (RFC 5321 5.1). */
static void drop_self(struct policy_plan *p)
{
    if (!p->in->self)
        return;
    uint32_t own = UINT32_MAX;
    for (size_t i = 0; i < p->nhost; i++)
        if (p->host[i].preference < own && host_is_self(p->in->self, &p->host[i]))
            own = p->host[i].preference;
    if (own == UINT32_MAX)
        return;
    p->we_are_mx = true;
    size_t n = 0;
    while (n < p->nhost && p->host[n].preference < own)
        n++;
    p->nhost = n;
    if (n > 0)
        return;
    p->verdict = PLAN_BOUNCE;
    p->trouble =
        (struct policy_trouble){.reason = REASON_MAIL_LOOP, .asked = p->mx.asked ? &p->mx.answer : NULL};
}

/* Of all hosts at once; hosts without one are OUT. */
static void ask_for_all(struct policy_plan *p, deadline until)
{
    struct dns_question question[2 * POLICY_HOSTS_MAX];
    struct dns_answer *answer = ARENA_ARRAY(p->arena, struct dns_answer, 2 * p->nhost + 1);
    size_t n = 0;
    for (size_t i = 0; i < p->nhost; i++) {
        struct policy_host *h = &p->host[i];
        struct addr literal;
        if (addr_parse_ip(h->name, &literal)) {
            set_literal(p, h, &literal);
            continue;
        }
        question[n++] = (struct dns_question){h->name, DNS_AAAA};
        question[n++] = (struct dns_question){h->name, DNS_A};
    }
    if (n == 0)
        return;
    p->source->ask(p->source->ctx, p->arena, question, n, until, answer);
    n = 0;
    for (size_t i = 0; i < p->nhost; i++) {
        struct policy_host *h = &p->host[i];
        if (h->naddr)
            continue;
        h->aaaa = (struct policy_lookup){true, answer[n++]};
        h->a = (struct policy_lookup){true, answer[n++]};
        judge_addresses(p, h);
    }
}

void policy_find_addresses(struct policy_plan *p, deadline until)
{
    if (p->verdict != PLAN_GO)
        return;
    ask_for_all(p, until);
    if (p->in->via != POLICY_VIA_MAILBOX) /* a mailbox host may well share our machine */
        drop_self(p);
}
