/* Families ET and EK, as far as DNS tells: TLSA records on every server, and the keys they should be of. */
#include "dane/dane.h"
#include "dns/name.h"
#include "inspect/find_priv.h"

enum { TLSA_MANY = 8 };

/* SHA-256 and SHA-512 of nothing. */
static bool is_digest_of_nothing(const struct tlsa *t)
{
    static const char sha256[] = "\xe3\xb0\xc4\x42\x98\xfc\x1c\x14\x9a\xfb\xf4\xc8\x99\x6f\xb9\x24"
                                 "\x27\xae\x41\xe4\x64\x9b\x93\x4c\xa4\x95\x99\x1b\x78\x52\xb8\x55";
    static const char sha512[] = "\xcf\x83\xe1\x35\x7e\xef\xb8\xbd\xf1\x54\x28\x50\xd6\x6d\x80\x07";
    return (t->mtype == 1 && str_equal(t->data, str_make(sha256, sizeof sha256 - 1))) ||
           (t->mtype == 2 && str_starts(t->data, str_make(sha512, sizeof sha512 - 1)));
}

static struct str record_text(struct finder *x, const struct tlsa *t)
{
    struct buf b = {0};
    dane_tlsa_format(&b, t);
    struct str text =
        arena_printf(x->a, "%.*s%s", b.n > 38 ? 38 : (int)b.n, buf_cstr(&b), b.n > 38 ? "..." : "");
    buf_release(&b);
    return text;
}

static void find_in_record(struct finder *x, struct str owner, const struct tlsa *t)
{
    enum dane_tlsa_fault fault = dane_tlsa_fault(t);
    struct str text = record_text(x, t);
    if (is_digest_of_nothing(t))
        find_add(x, FIND_TLSA_EMPTY_DIGEST, owner, text);
    else if (fault != DANE_TLSA_USABLE)
        find_add(x, FIND_TLSA_UNUSABLE, owner,
                 arena_printf(x->a, "%.*s: %s", STR_ARG(text), dane_tlsa_fault_sentence(fault)));
}

static void find_in_answer(struct finder *x, struct str owner)
{
    const struct facts *f = x->f;
    const struct dns_answer *t = &f->tlsa;
    if (t->status == DNS_ERROR) {
        find_add(x, FIND_TLSA_BOGUS, owner,
                 arena_printf(x->a, "%s%s%.*s", dns_error_sentence(t->error), t->ede_text.n ? ": " : "",
                              STR_ARG(t->ede_text)));
    } else if (t->status == DNS_DATA && t->security != DNS_SECURE) {
        find_add(x, FIND_TLSA_INSECURE, owner, arena_printf(x->a, "%zu records", t->n));
    } else if (t->status != DNS_DATA && f->dane && t->qname.p) {
        find_add(x, FIND_TLSA_MISSING, owner,
                 t->status == DNS_NXDOMAIN ? STR("the name does not exist") : STR_NONE);
    }
    for (size_t i = 0; t->status == DNS_DATA && i < t->n; i++)
        find_in_record(x, owner, &t->records[i].tlsa);
    if (t->n > TLSA_MANY)
        find_add(x, FIND_TLSA_MANY, owner, arena_printf(x->a, "%zu records", t->n));
}

static bool holds(const struct facts_set *set, const struct tlsa *t)
{
    for (size_t i = 0; i < set->n; i++) {
        const struct tlsa *has = &set->records[i].tlsa;
        if (has->usage == t->usage && has->selector == t->selector && has->mtype == t->mtype &&
            str_equal(has->data, t->data))
            return true;
    }
    return false;
}

static bool same_records(const struct facts_set *a, const struct facts_set *b)
{
    bool same = a->n == b->n && str_equal(a->target, b->target);
    for (size_t i = 0; same && i < a->n; i++)
        same = holds(b, &a->records[i].tlsa);
    return same;
}

/* Of those that have records the one with the newest zone: what the others are measured by. */
static const struct facts_server *reference(const struct facts_zone *z, struct str owner)
{
    const struct facts_server *best = NULL;
    for (size_t i = 0; i < z->n; i++) {
        const struct facts_set *set = facts_set(&z->servers[i], owner, DNS_TLSA);
        if (set && set->status == DNS_DATA &&
            (!best ||
             (best->serial != z->servers[i].serial && (int32_t)(best->serial - z->servers[i].serial) < 0)))
            best = &z->servers[i];
    }
    return best;
}

static void find_on_server(struct finder *x, const struct facts_server *s, const struct facts_server *best,
                           struct str owner, struct str tcp)
{
    const struct facts_set *set = facts_set(s, owner, DNS_TLSA), *above = facts_set(s, tcp, DNS_TLSA);
    if (!set)
        return;
    if (set->status == DNS_ERROR) {
        find_add_server(x, FIND_TLSA_SERVER_FAILS, owner, s, "%.*s", STR_ARG(set->trouble));
        return;
    }
    if (set->status != DNS_DATA && best)
        find_add_server(x, FIND_TLSA_MISSING_THERE, owner, s, "%s",
                        set->status == DNS_NXDOMAIN ? "the name does not exist" : "no TLSA record");
    if (set->status == DNS_DATA && best && best != s &&
        !same_records(set, facts_set(best, owner, DNS_TLSA))) {
        struct str other = facts_server_text(x->a, best);
        find_add_server(x, FIND_TLSA_STALE, owner, s,
                        "%zu records with serial %u, others than %.*s with serial %u", set->n, s->serial,
                        STR_ARG(other), best->serial);
    }
    if (set->status == DNS_DATA && above && above->status == DNS_NXDOMAIN)
        find_add_server(x, FIND_TCP_NXDOMAIN, tcp, s, "NXDOMAIN");
}

static bool is_published(const struct dns_answer *tlsa, const uint8_t spki[32])
{
    for (size_t i = 0; i < tlsa->n; i++) {
        const struct tlsa *t = &tlsa->records[i].tlsa;
        if (t->usage == 3 && t->selector == 1 && t->mtype == 1 &&
            str_equal(t->data, str_make((const char *)spki, 32)))
            return true;
    }
    return false;
}

/* The database's keys against the records. */
static void find_in_keys(struct finder *x, struct str owner)
{
    const struct facts *f = x->f;
    bool active = false, next = false;
    for (size_t i = 0; i < f->key_count; i++) {
        const struct facts_key *k = &f->keys[i];
        active |= k->is_active;
        next |= k->is_next;
        if (k->is_active && f->tlsa.status == DNS_DATA && !is_published(&f->tlsa, k->spki)) {
            struct buf hex = {0};
            hex_append(&hex, k->spki, sizeof k->spki);
            find_add(x, FIND_TLSA_STALE, owner,
                     arena_printf(x->a, "no record 3 1 1 %.16s... of the active %s key", buf_cstr(&hex),
                                  k->is_rsa ? "RSA" : "ECDSA"));
            buf_release(&hex);
        }
    }
    if (f->dane && f->is_allocated && !active)
        find_add(x, FIND_NO_KEY, f->expected, STR_NONE);
    else if (f->dane && f->is_allocated && !next)
        find_add(x, FIND_NO_NEXT_KEY, f->expected, STR_NONE);
}

void find_tlsa(struct finder *x)
{
    const struct facts *f = x->f;
    struct str owner = dns_name_tlsa(x->a, f->port, f->expected);
    struct str tcp = arena_printf(x->a, "_tcp.%.*s", STR_ARG(f->expected));
    find_in_answer(x, owner);
    const struct facts_server *best = reference(&f->host_zone, owner);
    for (size_t i = 0; i < f->host_zone.n; i++)
        find_on_server(x, &f->host_zone.servers[i], best, owner, tcp);
    if (f->tlsa_at_domain.status == DNS_DATA && !str_equal(f->domain, f->expected))
        find_add(x, FIND_TLSA_AT_DOMAIN, f->tlsa_at_domain.qname,
                 record_text(x, &f->tlsa_at_domain.records[0].tlsa));
    find_in_keys(x, owner);
}
