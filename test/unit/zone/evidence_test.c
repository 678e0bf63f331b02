#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "zone/evidence.h"

static struct arena arena;

/* A zone with two servers that agree on one TLSA record. */
static void agreed(struct zone_evidence *e, struct zone_server servers[2], struct zone_rrset sets[2])
{
    static const char digest[35] = {3, 1, 1, 'd', 'i', 'g'};
    static struct dns_raw record = {.owner = {"_dane.g1.mx.example", 19}, .type = DNS_TLSA, .ttl = 60};
    record.rdata = str_make(digest, sizeof digest);
    static struct dns_question question = {{"_dane.g1.mx.example", 19}, DNS_TLSA};
    for (size_t i = 0; i < 2; i++) {
        sets[i] = (struct zone_rrset){
            .proof = ZONE_PROOF_VALID, .n = 1, .records = &record, .ttl = 60, .expires_ms = 5000};
        servers[i] = (struct zone_server){
            .name = i ? STR("b") : STR("a"), .state = ZONE_SERVER_GOOD, .serial = 7, .rrsets = &sets[i]};
        assert_true(addr_parse(i ? STR("192.0.2.2:53") : STR("192.0.2.1:53"), 0, &servers[i].addr));
    }
    *e = (struct zone_evidence){.zone = STR("mx.example"),
                                .nquestion = 1,
                                .questions = &question,
                                .security = DNS_SECURE,
                                .n = 2,
                                .servers = servers};
}

struct fixture {
    struct zone_evidence e;
    struct zone_server servers[2];
    struct zone_rrset sets[2];
    struct dns_raw other;
};

static void all_is_well(struct fixture *f)
{
    (void)f;
}
static void unknown(struct fixture *f)
{
    f->e.unknown = STR("the NS records of mx.example: no answer in time");
}
static void insecure(struct fixture *f)
{
    f->e.security = DNS_INSECURE;
}
static void no_servers(struct fixture *f)
{
    f->e.n = 0;
    f->e.unknown = STR("the NS records of mx.example: there is none");
}
static void silent(struct fixture *f)
{
    f->servers[1].state = ZONE_SERVER_SILENT;
    f->servers[1].why = STR("UDP: no answer");
}
static void all_silent(struct fixture *f)
{
    f->servers[0].state = f->servers[1].state = ZONE_SERVER_SILENT;
}
static void wrong(struct fixture *f)
{
    f->sets[0].proof = ZONE_PROOF_WRONG;
}
static void lags(struct fixture *f)
{
    f->servers[0].serial = 6;
    f->sets[0].n = 0;
}
static void differs(struct fixture *f)
{
    f->sets[1].n = 0;
}
static void other_data(struct fixture *f)
{
    static const char digest[35] = {3, 1, 1, 'o'};
    f->other = f->sets[0].records[0];
    f->other.rdata = str_make(digest, sizeof digest);
    f->sets[1].records = &f->other;
}
static void other_ttl(struct fixture *f)
{
    f->sets[1].ttl = 61;
}
static void wrapped(struct fixture *f)
{
    f->servers[0].serial = UINT32_MAX;
    f->servers[1].serial = 3;
    f->sets[0].n = 0;
}
/* It is ahead by what does not concern the question. */
static void ahead_elsewhere(struct fixture *f)
{
    f->servers[1].serial = 8;
}

static void everywhere(void **state)
{
    (void)state;
    static const struct {
        void (*spoil)(struct fixture *f);
        const char *words; /* NULL: nothing is wrong */
    } rows[] = {
        {all_is_well, NULL},
        {ahead_elsewhere, NULL},
        {unknown, "the NS records of mx.example"},
        {insecure, "DS record"},
        {no_servers, "there is none"},
        {silent, "b (192.0.2.2:53) does not answer: UDP: no answer"},
        {all_silent, "a (192.0.2.1:53) does not answer"},
        {wrong, "a (192.0.2.1:53) answers what does not validate: its signature does not fit"},
        {lags, "a (192.0.2.1:53) lags"},
        {differs, "differs from the other servers"},
        {other_data, "differs from the other servers"},
        {other_ttl, "differs from the other servers"},
        {wrapped, "a (192.0.2.1:53) lags"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        struct buf why = {0};
        agreed(&f.e, f.servers, f.sets);
        rows[i].spoil(&f);
        assert_int_equal(zone_is_everywhere(&f.e, 0, &why), rows[i].words == NULL);
        if (rows[i].words)
            assert_non_null(strstr(buf_cstr(&why), rows[i].words));
        else
            assert_int_equal(why.n, 0);
        buf_release(&why);
    }
}

static void rows_for_the_gate(void **state)
{
    (void)state;
    struct fixture f;
    struct gate_server *rows;
    agreed(&f.e, f.servers, f.sets);
    assert_int_equal(zone_gate_servers(&arena, &f.e, 0, &rows), 2);
    assert_true(str_equal(rows[0].name, STR("192.0.2.1:53 for mx.example")));
    assert_int_equal(rows[0].answer, GATE_ANSWER_SECURE);
    assert_int_equal(rows[0].serial, 7);
    assert_int_equal(rows[0].ttl_ms, 60000);
    assert_int_equal(rows[0].expires_ms, 5000);
    assert_int_equal(rows[0].nrecord, 1);
    assert_int_equal(rows[0].record[0].usage, 3);
    assert_memory_equal(rows[0].record[0].digest, "dig", 3);
    silent(&f);
    wrong(&f);
    unknown(&f);
    assert_int_equal(zone_gate_servers(&arena, &f.e, 0, &rows), 3);
    assert_int_equal(rows[0].answer, GATE_ANSWER_INVALID);
    assert_int_equal(rows[1].answer, GATE_ANSWER_SILENT);
    assert_int_equal(rows[1].nrecord, 0);
    assert_true(str_equal(rows[2].name, STR("the servers of mx.example")));
    assert_int_equal(rows[2].answer, GATE_ANSWER_SILENT);
    arena_release(&arena);
}

/* Nobody can say that a server's answer is wrong who has no keys to check it with. */
static void blame_without_keys(void **state)
{
    (void)state;
    struct fixture f;
    struct gate_server *rows;
    agreed(&f.e, f.servers, f.sets);
    insecure(&f);
    wrong(&f);
    f.sets[1].proof = ZONE_PROOF_NO_KEY;
    assert_int_equal(zone_gate_servers(&arena, &f.e, 0, &rows), 2);
    for (size_t i = 0; i < 2; i++) {
        assert_int_equal(rows[i].answer, GATE_ANSWER_INVALID);
        assert_int_equal(rows[i].nrecord, 1);
        assert_true(str_equal(rows[i].name, STR("the keys of mx.example, through the resolver")));
    }
    arena_release(&arena);
}

/* When does an address without a route count for nothing? Only by the operator's word, for its family, while
 * another address of the same name answers. */
static void addresses_without_a_route(void **state)
{
    (void)state;
    static const struct {
        enum zone_family unreachable;
        const char *other, *name; /* address and name of the server without a route; the good one is "a" */
        enum zone_server_state state, good;
        bool left_out;
    } rows[] = {
        {ZONE_FAMILY_NONE, "[2001:db8::1]:53", "a", ZONE_SERVER_NO_ROUTE, ZONE_SERVER_GOOD, false},
        {ZONE_FAMILY_IPV6, "[2001:db8::1]:53", "a", ZONE_SERVER_NO_ROUTE, ZONE_SERVER_GOOD, true},
        {ZONE_FAMILY_IPV4, "[2001:db8::1]:53", "a", ZONE_SERVER_NO_ROUTE, ZONE_SERVER_GOOD, false},
        {ZONE_FAMILY_IPV4, "192.0.2.9:53", "a", ZONE_SERVER_NO_ROUTE, ZONE_SERVER_GOOD, true},
        {ZONE_FAMILY_IPV6, "192.0.2.9:53", "a", ZONE_SERVER_NO_ROUTE, ZONE_SERVER_GOOD, false},
        /* it has a route and is silent: that is the server's silence */
        {ZONE_FAMILY_IPV6, "[2001:db8::1]:53", "a", ZONE_SERVER_SILENT, ZONE_SERVER_GOOD, false},
        {ZONE_FAMILY_IPV6, "[2001:db8::1]:53", "a", ZONE_SERVER_REFUSING, ZONE_SERVER_GOOD, false},
        /* nothing of that name answers */
        {ZONE_FAMILY_IPV6, "[2001:db8::1]:53", "b", ZONE_SERVER_NO_ROUTE, ZONE_SERVER_GOOD, false},
        {ZONE_FAMILY_IPV6, "[2001:db8::1]:53", "a", ZONE_SERVER_NO_ROUTE, ZONE_SERVER_SILENT, false},
        {ZONE_FAMILY_IPV6, "[2001:db8::1]:53", "a", ZONE_SERVER_NO_ROUTE, ZONE_SERVER_LAME, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct fixture f;
        struct buf why = {0};
        struct gate_server *gate;
        agreed(&f.e, f.servers, f.sets);
        f.e.unreachable = rows[i].unreachable;
        f.servers[0].state = rows[i].good;
        f.servers[1].name = str_of(rows[i].name);
        f.servers[1].state = rows[i].state;
        assert_true(addr_parse(str_of(rows[i].other), 0, &f.servers[1].addr));
        bool good = rows[i].left_out && rows[i].good == ZONE_SERVER_GOOD;
        if (zone_server_is_left_out(&f.e, &f.servers[1]) != rows[i].left_out ||
            zone_is_everywhere(&f.e, 0, &why) != good ||
            zone_gate_servers(&arena, &f.e, 0, &gate) != (rows[i].left_out ? 1 : 2))
            fail_msg("row %zu: left out is not %d", i, rows[i].left_out);
        if (!rows[i].left_out)
            assert_int_equal(gate[1].answer, GATE_ANSWER_SILENT);
        buf_release(&why);
        arena_release(&arena);
    }
}

/* An alias where the RRset should be, and digests of another length, are records that the gate does not know.
 */
static void odd_records(void **state)
{
    (void)state;
    struct fixture f;
    struct gate_server *rows;
    agreed(&f.e, f.servers, f.sets);
    f.other = dns_raw_cname(&arena, f.sets[0].records[0].owner, 60, STR("elsewhere.example"));
    f.sets[0].records = &f.other;
    struct tlsa full = {3, 1, 2, STR("0123456789012345678901234567890123456789012345678901234567890123")};
    struct dns_raw sha512 = dns_raw_tlsa(&arena, STR("_dane.g1.mx.example"), 60, &full);
    f.sets[1].records = &sha512;
    assert_int_equal(zone_gate_servers(&arena, &f.e, 0, &rows), 2);
    assert_int_equal(rows[0].record[0].usage + rows[0].record[0].mtype, 0);
    assert_int_equal(rows[1].record[0].mtype, 2);
    assert_memory_not_equal(rows[1].record[0].digest, full.data.p, 32);
    arena_release(&arena);
}

/* What proves nothing. Signatures that fit are tested with real servers and other people's signatures. */
static void proofs(void **state)
{
    (void)state;
    struct dns_question q = {STR("_dane.g1.mx.example"), DNS_TLSA};
    struct tlsa tlsa = {3, 1, 1, STR("01234567890123456789012345678901")};
    struct dns_raw record = dns_raw_tlsa(&arena, q.name, 60, &tlsa);
    struct dns_signature signature = {.owner = q.name,
                                      .covered = DNS_TLSA,
                                      .algorithm = 13,
                                      .labels = 4,
                                      .key_tag = 1,
                                      .signer = STR("mx.example")};
    struct dns_record key = {.type = DNS_DNSKEY, .opaque = STR("\1\0\3\15xxxx")};
    struct dns_answer keys = {
        .type = DNS_DNSKEY, .expanded = STR("mx.example"), .security = DNS_SECURE, .n = 1, .records = &key};
    struct authority_answer answer = {
        .is_authoritative = true, .n = 1, .records = &record, .signatures = &signature};
    struct zone_rrset set;
    zone_rrset_judge(&answer, &q, &keys, 0, &set);
    assert_int_equal(set.proof, ZONE_PROOF_UNSIGNED);
    assert_int_equal(set.n, 1);
    assert_int_equal(set.ttl, 60);
    answer.signature_count = 1;
    zone_rrset_judge(&answer, &q, &keys, 0, &set);
    assert_int_equal(set.proof, ZONE_PROOF_NO_KEY);
    signature.key_tag = dns_key_tag(key.opaque);
    zone_rrset_judge(&answer, &q, &keys, 0, &set);
    assert_int_equal(set.proof, ZONE_PROOF_WRONG);
    keys.security = DNS_INSECURE; /* nobody vouches for the key */
    zone_rrset_judge(&answer, &q, &keys, 0, &set);
    assert_int_equal(set.proof, ZONE_PROOF_NO_KEY);
    signature.signer = STR("example"); /* not the zone itself */
    zone_rrset_judge(&answer, &q, &keys, 0, &set);
    assert_int_equal(set.proof, ZONE_PROOF_UNSIGNED);
    answer = (struct authority_answer){.is_authoritative = true};
    zone_rrset_judge(&answer, &q, &keys, 0, &set);
    assert_int_equal(set.proof, ZONE_PROOF_UNSIGNED);
    assert_int_equal(set.n, 0);
    arena_release(&arena);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(everywhere),         cmocka_unit_test(rows_for_the_gate),
        cmocka_unit_test(blame_without_keys), cmocka_unit_test(addresses_without_a_route),
        cmocka_unit_test(odd_records),        cmocka_unit_test(proofs),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
