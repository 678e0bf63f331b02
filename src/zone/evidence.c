#include "zone/evidence.h"

#include <openssl/sha.h>

#include "base/die.h"

enum { DIGEST = SHA256_DIGEST_LENGTH };

static const struct {
    const char *name, *sentence;
} STATES[] =
    {
#define X(name, text, sentence) {text, sentence},
        ZONE_SERVER_TABLE(X)
#undef X
},
  PROOFS[] = {
#define X(name, text, sentence) {text, sentence},
      ZONE_PROOF_TABLE(X)
#undef X
};

const char *zone_server_state_name(enum zone_server_state state)
{
    ENSURE((size_t)state < sizeof STATES / sizeof *STATES);
    return STATES[state].name;
}

const char *zone_server_state_sentence(enum zone_server_state state)
{
    ENSURE((size_t)state < sizeof STATES / sizeof *STATES);
    return STATES[state].sentence;
}

const char *zone_proof_name(enum zone_proof proof)
{
    ENSURE((size_t)proof < sizeof PROOFS / sizeof *PROOFS);
    return PROOFS[proof].name;
}

const char *zone_proof_sentence(enum zone_proof proof)
{
    ENSURE((size_t)proof < sizeof PROOFS / sizeof *PROOFS);
    return PROOFS[proof].sentence;
}

void zone_evidence_release(struct zone_evidence *e)
{
    for (size_t i = 0; i < e->n; i++)
        arena_release(&e->servers[i].arena);
    arena_release(&e->arena);
    *e = (struct zone_evidence){0};
}

/* ---- signatures */

/* The records of one RRset, borrowed. */
struct set {
    const struct dns_raw *records;
    size_t n;
};

/* What proves answers. */
struct proving {
    const struct authority_answer *answer;
    const struct dns_answer *keys;
    int64_t wall_ms;
};

static enum zone_proof weigh(const struct proving *p, const struct dns_signature *s, struct set set)
{
    bool has_key = false, fits = false;
    for (size_t i = 0; i < p->keys->n && dns_answer_is_secure(p->keys) && !fits; i++) {
        struct str key = p->keys->records[i].opaque;
        has_key = has_key || dns_key_tag(key) == s->key_tag;
        fits = dns_signature_verify(s, set.records, set.n, key);
    }
    bool in_time = s->inception <= p->wall_ms / 1000 && s->expiration > p->wall_ms / 1000;
    if (fits)
        return in_time ? ZONE_PROOF_VALID : ZONE_PROOF_EXPIRED;
    return has_key ? ZONE_PROOF_WRONG : ZONE_PROOF_NO_KEY;
}

/* The best of the set's signatures counts, as for a validator; the one that ends first says until when. */
static enum zone_proof prove(const struct proving *p, struct set set, int64_t *expires_ms)
{
    enum zone_proof best = ZONE_PROOF_UNSIGNED;
    for (size_t i = 0; i < p->answer->signature_count; i++) {
        const struct dns_signature *s = &p->answer->signatures[i];
        if (s->covered != set.records->type || !str_equal(s->owner, set.records->owner) ||
            !str_equal(s->signer, p->keys->expanded))
            continue;
        enum zone_proof proof = weigh(p, s, set);
        if (proof == ZONE_PROOF_VALID && (!*expires_ms || s->expiration * 1000 < *expires_ms))
            *expires_ms = s->expiration * 1000;
        if (proof > best)
            best = proof;
    }
    return best;
}

/* The RRset that begins at records[at]. */
static struct set set_at(const struct dns_raw *records, size_t n, size_t at)
{
    struct set set = {records + at, 1};
    while (at + set.n < n && records[at + set.n].type == records[at].type &&
           str_equal(records[at + set.n].owner, records[at].owner))
        set.n++;
    return set;
}

static struct set find_set(const struct authority_answer *answer, struct str owner, uint16_t type)
{
    for (size_t i = 0; i < answer->n; i++)
        if (answer->records[i].type == type && str_equal(answer->records[i].owner, owner))
            return set_at(answer->records, answer->n, i);
    return (struct set){0};
}

/* Nothing there: SOA and the records that deny must be there, and each be signed. That they deny this very
 * name is not looked at: what is missing is never good news for the gate. */
static enum zone_proof prove_denial(const struct proving *p, int64_t *expires_ms)
{
    enum zone_proof worst = ZONE_PROOF_VALID;
    bool has_soa = false, has_denial = false;
    size_t n = p->answer->proof_count;
    for (size_t i = 0; i < n;) {
        struct set set = set_at(p->answer->proof, n, i);
        has_soa = has_soa || set.records->type == DNS_SOA;
        has_denial = has_denial || set.records->type == DNS_TYPE_NSEC || set.records->type == DNS_TYPE_NSEC3;
        enum zone_proof proof = prove(p, set, expires_ms);
        if (proof < worst)
            worst = proof;
        i += set.n;
    }
    return has_soa && has_denial ? worst : ZONE_PROOF_UNSIGNED;
}

void zone_rrset_judge(const struct authority_answer *answer, const struct dns_question *question,
                      const struct dns_answer *keys, int64_t wall_ms, struct zone_rrset *out)
{
    struct proving p = {.answer = answer, .keys = keys, .wall_ms = wall_ms};
    struct set set = find_set(answer, question->name, (uint16_t)question->type);
    if (set.n == 0)
        set = find_set(answer, question->name, DNS_CNAME);
    *out = (struct zone_rrset){.rcode = answer->rcode, .n = set.n};
    out->records = set.n ? &answer->records[set.records - answer->records] : NULL;
    for (size_t i = 0; i < set.n; i++)
        if (set.records[i].ttl > out->ttl)
            out->ttl = set.records[i].ttl;
    out->proof = set.n ? prove(&p, set, &out->expires_ms) : prove_denial(&p, &out->expires_ms);
}

/* ---- what follows */

/* Serial numbers wrap (RFC 1982). */
static bool is_newer(uint32_t a, uint32_t b)
{
    return (int32_t)(a - b) > 0;
}

static bool is_of_family(const struct addr *a, enum zone_family family)
{
    return (family == ZONE_FAMILY_IPV4 && addr_is_v4(a)) || (family == ZONE_FAMILY_IPV6 && addr_is_v6(a));
}

bool zone_server_is_left_out(const struct zone_evidence *e, const struct zone_server *s)
{
    if (s->state != ZONE_SERVER_NO_ROUTE || !is_of_family(&s->addr, e->unreachable))
        return false;
    for (size_t i = 0; i < e->n; i++)
        if (e->servers[i].state == ZONE_SERVER_GOOD && str_equal(e->servers[i].name, s->name))
            return true;
    return false;
}

bool zone_server_lags(const struct zone_evidence *e, const struct zone_server *s)
{
    for (size_t i = 0; s->state == ZONE_SERVER_GOOD && i < e->n; i++)
        if (e->servers[i].state == ZONE_SERVER_GOOD && is_newer(e->servers[i].serial, s->serial))
            return true;
    return false;
}

static bool is_same_set(const struct zone_rrset *a, const struct zone_rrset *b)
{
    if (a->n != b->n || a->ttl != b->ttl)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (dns_raw_compare(&a->records[i], &b->records[i]) != 0)
            return false;
    return true;
}

static void add_line(struct buf *why, const struct zone_server *s, const char *what, struct str more)
{
    char text[ADDR_TEXT];
    buf_printf(why, "%.*s (%s) %s%s%.*s\n", STR_ARG(s->name), addr_format(&s->addr, text), what,
               more.n ? ": " : "", STR_ARG(more));
}

/* The newest version that a server shows, to compare the others with. */
static const struct zone_server *newest(const struct zone_evidence *e)
{
    const struct zone_server *best = NULL;
    for (size_t i = 0; i < e->n; i++)
        if (e->servers[i].state == ZONE_SERVER_GOOD &&
            (!best || is_newer(e->servers[i].serial, best->serial)))
            best = &e->servers[i];
    return best;
}

static bool shows(const struct zone_evidence *e, const struct zone_server *s, size_t question,
                  struct buf *why)
{
    const struct zone_server *reference = newest(e);
    const struct zone_rrset *set = &s->rrsets[question];
    if (s->state != ZONE_SERVER_GOOD) {
        add_line(why, s, zone_server_state_sentence(s->state), s->why);
        return false;
    }
    if (set->proof != ZONE_PROOF_VALID) {
        add_line(why, s, "answers what does not validate", str_of(zone_proof_sentence(set->proof)));
        return false;
    }
    ENSURE(reference); /* this server at least is good */
    if (!is_same_set(set, &reference->rrsets[question])) {
        add_line(why, s,
                 zone_server_lags(e, s) ? "lags: it has an older version of the zone"
                                        : "differs from the other servers",
                 STR_NONE);
        return false;
    }
    return true;
}

bool zone_is_everywhere(const struct zone_evidence *e, size_t question, struct buf *why)
{
    ENSURE(question < e->nquestion);
    bool good = e->unknown.n == 0 && e->n > 0 && e->security == DNS_SECURE;
    if (e->unknown.n)
        buf_printf(why, "%.*s\n", STR_ARG(e->unknown));
    else if (e->security != DNS_SECURE)
        buf_printf(why,
                   "the resolver does not vouch for the keys of %.*s: is its DS record in the parent zone?\n",
                   STR_ARG(e->zone));
    for (size_t i = 0; i < e->n; i++)
        if (!zone_server_is_left_out(e, &e->servers[i]) && !shows(e, &e->servers[i], question, why))
            good = false;
    return good;
}

/* ---- the gate's rows */

void zone_gate_record(const struct dns_raw *raw, struct gate_record *out)
{
    const uint8_t *p = (const uint8_t *)raw->rdata.p;
    *out = (struct gate_record){0};
    if (raw->type != DNS_TLSA || raw->rdata.n < 3)
        return; /* an alias in its place: a record that the gate does not know */
    out->usage = p[0];
    out->selector = p[1];
    out->mtype = p[2];
    if (raw->rdata.n == 3 + DIGEST)
        memcpy(out->digest, p + 3, DIGEST);
    else
        (void)SHA256(p + 3, raw->rdata.n - 3, out->digest); /* not ours either, but still told apart */
}

void zone_gate_server(struct arena *a, const struct zone_evidence *e, const struct zone_server *s,
                      size_t question, struct gate_server *out)
{
    char text[ADDR_TEXT];
    *out = (struct gate_server){
        .name = arena_printf(a, "%s for %.*s", addr_format(&s->addr, text), STR_ARG(e->zone)),
        .serial = s->serial};
    if (s->state != ZONE_SERVER_GOOD)
        return;
    const struct zone_rrset *set = &s->rrsets[question];
    out->answer = set->proof == ZONE_PROOF_VALID ? GATE_ANSWER_SECURE : GATE_ANSWER_INVALID;
    if (out->answer == GATE_ANSWER_INVALID && e->security != DNS_SECURE) /* no keys to blame a server with */
        out->name = arena_printf(a, "the keys of %.*s, through the resolver", STR_ARG(e->zone));
    out->ttl_ms = (int64_t)set->ttl * 1000;
    out->expires_ms = set->n ? set->expires_ms : 0;
    struct gate_record *records = ARENA_ARRAY(a, struct gate_record, set->n + 1);
    for (size_t i = 0; i < set->n; i++)
        zone_gate_record(&set->records[i], &records[i]);
    out->record = records;
    out->nrecord = set->n;
}

size_t zone_gate_servers(struct arena *a, const struct zone_evidence *e, size_t question,
                         struct gate_server **out)
{
    ENSURE(question < e->nquestion);
    size_t n = 0;
    *out = ARENA_ARRAY(a, struct gate_server, e->n + 1);
    for (size_t i = 0; i < e->n; i++)
        if (!zone_server_is_left_out(e, &e->servers[i]))
            zone_gate_server(a, e, &e->servers[i], question, &(*out)[n++]);
    if (e->unknown.n || e->n == 0)
        (*out)[n++] = (struct gate_server){.name = arena_printf(a, "the servers of %.*s", STR_ARG(e->zone)),
                                           .answer = GATE_ANSWER_SILENT};
    return n;
}
