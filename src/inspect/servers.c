#include "inspect/servers.h"

#include "dns/authority.h"
#include "inspect/route.h"

enum { DNS_PORT = 53, MS = 1000 };

static struct str parent_of(struct str name)
{
    size_t dot = str_find_char(name, '.');
    return dot == SIZE_MAX ? STR_NONE : str_from(name, dot + 1);
}

struct str servers_zone_of(struct arena *a, struct str name, const struct servers_conf *conf)
{
    while (name.n) {
        struct dns_answer ns;
        dns_source_ask(conf->unvalidated, a, name, DNS_NS, deadline_in(conf->dns_ms), &ns);
        if (ns.status == DNS_ERROR)
            break;
        if (ns.status == DNS_DATA && !dns_answer_is_alias(&ns))
            return arena_str(a, name);
        name = parent_of(name);
    }
    return STR_NONE;
}

static void add_server(struct facts_zone *z, struct str name, const struct addr *at)
{
    for (size_t i = 0; i < z->n; i++)
        if (addr_equal_ip(&z->servers[i].at, at))
            return;
    if (z->n == SERVERS_MAX || !route_exists(at))
        return;
    struct facts_server *s = &z->servers[z->n++];
    *s = (struct facts_server){.name = name, .at = *at};
    addr_set_port(&s->at, DNS_PORT);
}

void servers_find(struct arena *a, const struct servers_conf *conf, struct facts_zone *out)
{
    struct dns_answer ns;
    dns_source_ask(conf->source, a, out->name, DNS_DS, deadline_in(conf->dns_ms), &out->ds);
    dns_source_ask(conf->unvalidated, a, out->name, DNS_NS, deadline_in(conf->dns_ms), &ns);
    size_t names = ns.n < SERVERS_MAX ? ns.n : SERVERS_MAX;
    struct dns_question *questions = ARENA_ARRAY(a, struct dns_question, 2 * names + 1);
    struct dns_answer *answers = ARENA_ARRAY(a, struct dns_answer, 2 * names + 1);
    for (size_t i = 0; i < names; i++) {
        questions[2 * i] = (struct dns_question){ns.records[i].name, DNS_A};
        questions[2 * i + 1] = (struct dns_question){ns.records[i].name, DNS_AAAA};
    }
    if (names)
        conf->unvalidated->ask(conf->unvalidated->ctx, a, questions, 2 * names, deadline_in(conf->dns_ms),
                               answers);
    out->servers = ARENA_ARRAY(a, struct facts_server, SERVERS_MAX);
    for (size_t i = 0; i < 2 * names; i++)
        for (size_t k = 0; answers[i].status == DNS_DATA && k < answers[i].n; k++)
            add_server(out, questions[i].name, &answers[i].records[k].addr);
}

static void note_signatures(const struct authority_answer *answer, struct facts_set *set, uint16_t covered,
                            struct str owner)
{
    for (size_t i = 0; i < answer->signature_count; i++) {
        const struct dns_signature *s = &answer->signatures[i];
        if (s->covered != covered || !str_equal(s->owner, owner))
            continue;
        set->signatures++;
        set->inception_ms = s->inception * MS > set->inception_ms ? s->inception * MS : set->inception_ms;
        if (!set->expires_ms || s->expiration * MS < set->expires_ms)
            set->expires_ms = s->expiration * MS;
    }
}

/* Records of the type, at the owner or at the end of one alias. */
static void note_records(struct arena *a, const struct authority_answer *answer, struct facts_set *set)
{
    struct str at = set->owner;
    bool aliased = false;
    for (size_t i = 0; i < answer->n; i++) {
        struct dns_record alias;
        if (answer->records[i].type != DNS_CNAME || set->type == DNS_CNAME ||
            !str_equal(answer->records[i].owner, at) || !dns_raw_record(a, &answer->records[i], &alias))
            continue;
        aliased = true;
        set->ttl = answer->records[i].ttl;
        set->target = at = alias.name;
        break;
    }
    set->records = ARENA_ARRAY(a, struct dns_record, answer->n + 1);
    for (size_t i = 0; i < answer->n; i++) {
        const struct dns_raw *r = &answer->records[i];
        struct dns_record *record = &set->records[set->n];
        if (r->type != set->type || !str_equal(r->owner, at))
            continue;
        if (!dns_raw_record(a, r, record))
            *record =
                (struct dns_record){.ttl = r->ttl, .opaque = r->rdata}; /* types the resolver does not know */
        set->n++;
        if (!aliased && r->ttl > set->ttl)
            set->ttl = r->ttl;
    }
    note_signatures(answer, set, set->type, at);
}

static void ask_one(struct arena *a, struct facts_server *s, const struct dns_question *q, int64_t server_ms)
{
    struct facts_set *set = &s->sets[s->n];
    struct authority_answer answer;
    struct authority server = {.addr = s->at};
    struct buf why = {0};
    *set = (struct facts_set){.owner = q->name, .type = (uint16_t)q->type};
    enum err e = authority_ask(&server, a, q, deadline_in(server_ms), &answer, &why);
    if (e) {
        s->is_silent = true;
        s->trouble = arena_str(a, why.n ? buf_str(&why) : str_of(err_text(e)));
    } else if ((answer.rcode != DNS_RCODE_NOERROR && answer.rcode != DNS_RCODE_NXDOMAIN) ||
               !answer.is_authoritative) {
        bool good = answer.rcode == DNS_RCODE_NOERROR || answer.rcode == DNS_RCODE_NXDOMAIN;
        set->status = DNS_ERROR;
        set->trouble =
            good ? STR("the server is not authoritative for the zone")
                 : arena_printf(a, "%s (%s)", dns_rcode_name(answer.rcode), dns_rcode_sentence(answer.rcode));
        s->n++;
    } else {
        note_records(a, &answer, set);
        set->status = set->n ? DNS_DATA : answer.rcode == DNS_RCODE_NXDOMAIN ? DNS_NXDOMAIN : DNS_NODATA;
        if (answer.has_serial && q->type == DNS_SOA) {
            s->has_serial = true;
            s->serial = answer.serial;
        }
        s->n++;
    }
    buf_release(&why);
}

void servers_ask(struct arena *a, struct facts_server *s, const struct dns_question *questions, size_t n,
                 int64_t server_ms)
{
    struct facts_set *sets = ARENA_ARRAY(a, struct facts_set, s->n + n);
    if (s->n)
        memcpy(sets, s->sets, s->n * sizeof *sets);
    s->sets = sets;
    for (size_t i = 0; i < n && !s->is_silent; i++)
        ask_one(a, s, &questions[i], server_ms);
}
