#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/buf.h"
#include "zone/cover.h"

enum { RECORDS = 200, WALL_S = 1700000000 };

/* A zone on paper. */
struct zone {
    struct arena arena;
    struct cover cover;
    struct cover_host host[32];
    struct dns_raw record[RECORDS];
    size_t nhost, n;
    struct zone_server server[2];
    struct zone_evidence e;
};

static void zone_init(struct zone *z)
{
    *z = (struct zone){0};
    for (size_t i = 0; i < 2; i++) {
        z->server[i] =
            (struct zone_server){.name = i ? STR("b") : STR("a"), .state = ZONE_SERVER_GOOD, .serial = 7};
        assert_true(addr_parse(i ? STR("192.0.2.2:53") : STR("192.0.2.1:53"), 0, &z->server[i].addr));
    }
    z->e = (struct zone_evidence){
        .zone = STR("mx.example"), .security = DNS_SECURE, .n = 2, .servers = z->server};
}

static void zone_release(struct zone *z)
{
    cover_release(&z->cover);
    arena_release(&z->arena);
}

/* Labels come in their order. */
static void add_host(struct zone *z, const char *label, int64_t key_set, bool is_wanted)
{
    z->host[z->nhost++] = (struct cover_host){str_of(label), key_set, is_wanted};
}

static struct str owner_of(struct zone *z, const char *label)
{
    return arena_printf(&z->arena, "_25._tcp.%s.mx.example", label);
}

static void add_tlsa(struct zone *z, const char *label, char digest, uint32_t ttl)
{
    char octets[32];
    memset(octets, digest, sizeof octets);
    struct tlsa tlsa = {3, 1, 1, arena_str(&z->arena, str_make(octets, sizeof octets))};
    z->record[z->n++] = dns_raw_tlsa(&z->arena, owner_of(z, label), ttl, &tlsa);
}

/* Over records of a type; it ends so many seconds from now. */
static void add_signature(struct zone *z, const char *label, uint16_t covered, uint32_t seconds)
{
    struct buf b = {0};
    buf_add_u16(&b, covered);
    buf_add(&b, STR("\15\4\0\0\0\5")); /* algorithm, labels, TTL */
    buf_add_u16(&b, (uint16_t)((WALL_S + seconds) >> 16));
    buf_add_u16(&b, (uint16_t)(WALL_S + seconds));
    buf_add(&b, STR("\0\0\0\0\1\1\0signature"));
    z->record[z->n++] = (struct dns_raw){.owner = owner_of(z, label),
                                         .type = DNS_TYPE_RRSIG,
                                         .ttl = 5,
                                         .rdata = arena_str(&z->arena, buf_str(&b))};
    buf_release(&b);
}

/* A host with signed records of those digests. */
static void add_signed(struct zone *z, const char *label, const char *digests)
{
    for (const char *d = digests; *d; d++)
        add_tlsa(z, label, *d, 5);
    add_signature(z, label, DNS_TLSA, 5000);
}

/* The zone as it is, under that serial. */
static void read_back(struct zone *z, uint32_t serial)
{
    dns_raw_sort(z->record, z->n);
    cover_add(&z->cover, &(struct cover_reading){.zone = z->e.zone,
                                                 .serial = serial,
                                                 .wall_ms = INT64_C(1000) * WALL_S,
                                                 .host = z->host,
                                                 .nhost = z->nhost,
                                                 .record = z->record,
                                                 .n = z->n});
}

static void clear(struct zone *z)
{
    z->nhost = z->n = 0;
}

static const char *const LABELS[] = {"h0", "h1", "h2", "h3", "h4", "h5", "h6", "h7", "h8", "h9"};

static void ten_hosts(struct zone *z, const char *digests)
{
    for (size_t i = 0; i < 10; i++) {
        add_host(z, LABELS[i], 1, true);
        add_signed(z, LABELS[i], digests);
    }
}

/* The rows as text: name, answer, digests. */
static void expect(struct zone *z, int64_t key_set, const char *wanted)
{
    static const char *const ANSWERS[] = {"silent", "invalid", "secure"};
    struct gate_server *rows;
    struct buf text = {0};
    size_t n = cover_gate_servers(&z->arena, &z->cover, &z->e, key_set, &rows);
    for (size_t i = 0; i < n; i++) {
        buf_printf(&text, "%.*s: %s ", STR_ARG(rows[i].name), ANSWERS[rows[i].answer]);
        for (size_t r = 0; r < rows[i].nrecord; r++)
            buf_printf(&text, "%c", rows[i].record[r].usage ? rows[i].record[r].digest[0] : '?');
        buf_printf(&text, "\n");
    }
    assert_string_equal(buf_cstr(&text), wanted);
    buf_release(&text);
}

static void expect_level(struct zone *z, const char *words)
{
    struct buf why = {0};
    bool level = cover_is_level(&z->cover, &z->e, 1, &why);
    if (!words && !level)
        fail_msg("it is not level: %s", buf_cstr(&why));
    if (words && (level || !strstr(buf_cstr(&why), words)))
        fail_msg("'%s' is not in: %s", words, why.n ? buf_cstr(&why) : "(nothing)");
    buf_release(&why);
}

static void all_hosts_of_a_version_are_one_row(void **state)
{
    (void)state;
    struct zone z;
    struct gate_server *rows;
    zone_init(&z);
    ten_hosts(&z, "on");
    read_back(&z, 7);
    expect(
        &z, 1,
        "hosts at 192.0.2.1:53 for mx.example: secure no\nhosts at 192.0.2.2:53 for mx.example: secure no\n");
    expect(&z, 2, "");
    expect_level(&z, NULL);
    assert_int_equal(cover_gate_servers(&z.arena, &z.cover, &z.e, 1, &rows), 2);
    assert_int_equal(rows[0].serial, 7);
    assert_int_equal(rows[0].ttl_ms, 5000);
    assert_int_equal(rows[0].expires_ms, INT64_C(1000) * (WALL_S + 5000));
    zone_release(&z);
}

/* One host in the middle, of each kind of trouble. */
static void one_that_differs_has_a_row_with_its_name(void **state)
{
    (void)state;
    static const struct {
        const char *digests, *row, *words;
    } rows[] = {
        {"o", "_25._tcp.h5.mx.example at 192.0.2.1:53: secure o\n", "h5.mx.example has other TLSA records"},
        {"onx", "_25._tcp.h5.mx.example at 192.0.2.1:53: secure nox\n",
         "h5.mx.example has other TLSA records"},
        {"", "_25._tcp.h5.mx.example at 192.0.2.1:53: secure \n",
         "h5.mx.example has lost the TLSA records in serial 7"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct zone z;
        struct buf wanted = {0};
        zone_init(&z);
        z.e.n = 1;
        ten_hosts(&z, "on");
        read_back(&z, 6);
        clear(&z);
        for (size_t h = 0; h < 10; h++) {
            add_host(&z, LABELS[h], 1, true);
            add_signed(&z, LABELS[h], h == 5 ? rows[i].digests : "on");
        }
        if (!*rows[i].digests)
            z.n--; /* no signature either */
        read_back(&z, 7);
        buf_printf(&wanted, "hosts at 192.0.2.1:53 for mx.example: secure no\n%s", rows[i].row);
        expect(&z, 1, buf_cstr(&wanted));
        expect_level(&z, rows[i].words);
        buf_release(&wanted);
        zone_release(&z);
    }
}

/* A host whose records never were there is on its way; one that shall have none may lose them. */
static void hosts_that_come_and_go_hold_nobody(void **state)
{
    (void)state;
    struct zone z;
    zone_init(&z);
    z.e.n = 1;
    ten_hosts(&z, "on");
    add_host(&z, "later", 1, true); /* not in the zone yet */
    read_back(&z, 7);
    expect(&z, 1, "hosts at 192.0.2.1:53 for mx.example: secure no\n");
    clear(&z);
    for (size_t h = 0; h < 10; h++) {
        add_host(&z, LABELS[h], 1, h != 5);
        if (h != 5)
            add_signed(&z, LABELS[h], "on");
    }
    read_back(&z, 7);
    expect(&z, 1, "hosts at 192.0.2.1:53 for mx.example: secure no\n");
    add_signed(&z, "h5", "o"); /* nobody wants them, and they are there */
    read_back(&z, 7);
    expect(&z, 1,
           "hosts at 192.0.2.1:53 for mx.example: secure no\n_25._tcp.h5.mx.example at 192.0.2.1:53: secure "
           "o\n");
    zone_release(&z);
}

static void servers_have_the_version_of_their_serial(void **state)
{
    (void)state;
    struct zone z;
    zone_init(&z);
    ten_hosts(&z, "o");
    read_back(&z, 6);
    clear(&z);
    ten_hosts(&z, "on");
    read_back(&z, 7);
    z.server[1].serial = 6;
    expect(
        &z, 1,
        "hosts at 192.0.2.1:53 for mx.example: secure no\nhosts at 192.0.2.2:53 for mx.example: secure o\n");
    z.server[1].serial = 8;
    expect(&z, 1,
           "hosts at 192.0.2.1:53 for mx.example: secure no\n192.0.2.2:53 for mx.example, whose serial 8 was "
           "not "
           "read from the primary: silent \n");
    expect_level(&z, "b (192.0.2.2:53) shows serial 8, which was not read");
    z.server[1].state = ZONE_SERVER_SILENT; /* its rows are those of the questions */
    expect(&z, 1, "hosts at 192.0.2.1:53 for mx.example: secure no\n");
    for (uint32_t serial = 100; serial < 100 + COVER_VERSIONS - 1; serial++)
        read_back(&z, serial);
    assert_non_null(cover_find(&z.cover, 7));
    assert_null(cover_find(&z.cover, 6));
    read_back(&z, 7); /* read once more: the newest now, and there once */
    assert_int_equal(z.cover.version[0].serial, 7);
    assert_int_equal(z.cover.n, COVER_VERSIONS);
    zone_release(&z);
}

static void key_sets_are_told_apart(void **state)
{
    (void)state;
    struct zone z;
    zone_init(&z);
    z.e.n = 1;
    for (size_t h = 0; h < 10; h++) {
        add_host(&z, LABELS[h], h < 4 ? 1 : 2, true);
        add_signed(&z, LABELS[h], h < 4 ? "on" : "ab");
    }
    add_signed(&z, "stranger", "x"); /* no host of ours */
    read_back(&z, 7);
    expect(&z, 1, "hosts at 192.0.2.1:53 for mx.example: secure no\n");
    expect(&z, 2, "hosts at 192.0.2.1:53 for mx.example: secure ab\n");
    zone_release(&z);
}

/* More than can be told apart: nothing counts. */
static void too_many_kinds_are_silence(void **state)
{
    (void)state;
    static const char *const MANY[] = {"a", "b", "c", "d", "e", "f", "g", "h", "i",
                                       "j", "k", "l", "m", "n", "o", "p", "q"};
    struct zone z;
    zone_init(&z);
    z.e.n = 1;
    for (size_t i = 0; i < sizeof MANY / sizeof *MANY; i++) {
        add_host(&z, MANY[i], 1, true);
        add_signed(&z, MANY[i], MANY[i]);
    }
    read_back(&z, 7);
    expect(&z, 1, "192.0.2.1:53 for mx.example, where hosts differ too much (serial 7): silent \n");
    expect_level(&z, "more than 16 kinds");
    zone_release(&z);
}

/* An alias to a group of ours is asked for elsewhere; any other one is something that the gate does not know.
 */
static void aliases(void **state)
{
    (void)state;
    struct zone z;
    zone_init(&z);
    z.e.n = 1;
    ten_hosts(&z, "on");
    add_host(&z, "p", 1, true);
    z.record[z.n++] = dns_raw_cname(&z.arena, owner_of(&z, "p"), 5, STR("_dane.g1.mx.example"));
    read_back(&z, 7);
    expect(&z, 1, "hosts at 192.0.2.1:53 for mx.example: secure no\n");
    z.record[z.n++] = dns_raw_cname(&z.arena, owner_of(&z, "p"), 5, STR("_dane.g1.elsewhere.example"));
    read_back(&z, 7);
    expect(
        &z, 1,
        "hosts at 192.0.2.1:53 for mx.example: secure no\n_25._tcp.p.mx.example at 192.0.2.1:53: secure ?\n");
    zone_release(&z);
}

static void signatures_that_end_or_lack_are_the_kinds(void **state)
{
    (void)state;
    struct zone z;
    struct gate_server *rows;
    zone_init(&z);
    z.e.n = 1;
    ten_hosts(&z, "on");
    add_signature(&z, "h3", DNS_TLSA, 70);
    add_signature(&z, "h4", DNS_CNAME, 7); /* not over our records */
    read_back(&z, 7);
    assert_int_equal(cover_gate_servers(&z.arena, &z.cover, &z.e, 1, &rows), 1);
    assert_int_equal(rows[0].expires_ms, INT64_C(1000) * (WALL_S + 70));
    add_host(&z, "q", 1, true);
    add_tlsa(&z, "q", 'o', 60);
    add_tlsa(&z, "q", 'n', 60);
    read_back(&z, 7);
    assert_int_equal(cover_gate_servers(&z.arena, &z.cover, &z.e, 1, &rows), 1);
    assert_int_equal(rows[0].expires_ms, 0);
    assert_int_equal(rows[0].ttl_ms, 60000);
    zone_release(&z);
}

static void a_sample_against_the_version(void **state)
{
    (void)state;
    static const struct {
        const char *digests;
        enum zone_server_state state;
        enum zone_proof proof;
        uint32_t serial;
        enum cover_word word;
    } rows[] = {
        {"on", ZONE_SERVER_GOOD, ZONE_PROOF_VALID, 7, COVER_AGREES},
        {"o", ZONE_SERVER_GOOD, ZONE_PROOF_VALID, 7, COVER_DIFFERS},
        {"", ZONE_SERVER_GOOD, ZONE_PROOF_VALID, 7, COVER_DIFFERS},
        {"ox", ZONE_SERVER_GOOD, ZONE_PROOF_VALID, 7, COVER_DIFFERS},
        {"on", ZONE_SERVER_GOOD, ZONE_PROOF_WRONG, 7, COVER_DIFFERS},
        {"on", ZONE_SERVER_GOOD, ZONE_PROOF_NONE, 7, COVER_UNKNOWN},
        {"o", ZONE_SERVER_GOOD, ZONE_PROOF_VALID, 6, COVER_UNKNOWN},
        {"o", ZONE_SERVER_SILENT, ZONE_PROOF_VALID, 7, COVER_UNKNOWN},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct zone z, shown;
        zone_init(&z);
        zone_init(&shown);
        ten_hosts(&z, "on");
        read_back(&z, 7);
        for (const char *d = rows[i].digests; *d; d++)
            add_tlsa(&shown, "h5", *d, 5);
        dns_raw_sort(shown.record, shown.n);
        struct zone_rrset set = {.proof = rows[i].proof, .n = shown.n, .records = shown.record};
        z.server[0].state = rows[i].state;
        z.server[0].serial = rows[i].serial;
        z.server[0].rrsets = &set;
        const struct cover_known *host = cover_host(&z.cover, STR("h5"));
        assert_non_null(host);
        if (cover_compare(&z.cover, &z.server[0], 0, host) != rows[i].word)
            fail_msg("row %zu is not %d", i, (int)rows[i].word);
        assert_null(cover_host(&z.cover, STR("h55")));
        zone_release(&z);
        zone_release(&shown);
    }
}

/* Hosts that had records of their own and are aliases now have lost nothing; without the alias they are new.
 */
static void hosts_that_become_aliases_have_lost_nothing(void **state)
{
    (void)state;
    struct zone z;
    zone_init(&z);
    z.e.n = 1;
    ten_hosts(&z, "on");
    read_back(&z, 6);
    clear(&z);
    for (size_t h = 0; h < 10; h++) {
        add_host(&z, LABELS[h], 1, true);
        z.record[z.n++] = dns_raw_cname(&z.arena, owner_of(&z, LABELS[h]), 5, STR("_dane.g1.mx.example"));
    }
    read_back(&z, 7);
    expect(&z, 1, "");
    expect_level(&z, NULL);
    z.n = 0;
    read_back(&z, 7);
    expect(&z, 1, "");
    zone_release(&z);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_hosts_of_a_version_are_one_row),
        cmocka_unit_test(one_that_differs_has_a_row_with_its_name),
        cmocka_unit_test(hosts_that_come_and_go_hold_nobody),
        cmocka_unit_test(servers_have_the_version_of_their_serial),
        cmocka_unit_test(key_sets_are_told_apart),
        cmocka_unit_test(too_many_kinds_are_silence),
        cmocka_unit_test(aliases),
        cmocka_unit_test(hosts_that_become_aliases_have_lost_nothing),
        cmocka_unit_test(signatures_that_end_or_lack_are_the_kinds),
        cmocka_unit_test(a_sample_against_the_version),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
