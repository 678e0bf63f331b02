#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "inspect/edge_probe.h"

static char digest[32] = "0123456789abcdef0123456789abcde";

struct world {
    struct dns_record a, aaaa, tlsa[2];
    struct dns_answer answers[3];
};

static struct dns_answer answer(enum dns_type type, struct dns_record *r, size_t n)
{
    return (struct dns_answer){.type = type,
                               .qname = STR("mx.example"),
                               .expanded = STR("mx.example"),
                               .status = n ? DNS_DATA : DNS_NODATA,
                               .security = DNS_SECURE,
                               .ede = DNS_NO_EDE,
                               .n = n,
                               .records = r};
}

/* All is well: an address in each family, two TLSA records. */
static void make(struct world *w)
{
    *w = (struct world){0};
    w->tlsa[0].tlsa = w->tlsa[1].tlsa = (struct tlsa){3, 1, 1, str_make(digest, sizeof digest)};
    w->answers[0] = answer(DNS_A, &w->a, 1);
    w->answers[1] = answer(DNS_AAAA, &w->aaaa, 1);
    w->answers[2] = answer(DNS_TLSA, w->tlsa, 2);
}

static void none(struct world *w)
{
    (void)w;
}
static void only_v6(struct world *w)
{
    w->answers[0] = answer(DNS_A, NULL, 0);
}
static void no_address(struct world *w)
{
    only_v6(w);
    w->answers[1] = answer(DNS_AAAA, NULL, 0);
}
static void bogus_address(struct world *w)
{
    w->answers[1] = (struct dns_answer){.type = DNS_AAAA, .status = DNS_ERROR, .error = DNS_ERROR_BOGUS};
}
static void servfail(struct world *w)
{
    w->answers[2] = (struct dns_answer){.type = DNS_TLSA, .status = DNS_ERROR, .error = DNS_ERROR_SERVFAIL};
}
static void insecure(struct world *w)
{
    w->answers[2].security = DNS_INSECURE;
}
static void insecure_denial(struct world *w)
{
    only_v6(w);
    w->answers[0].security = DNS_INSECURE;
}
static void no_tlsa(struct world *w)
{
    w->answers[2] = answer(DNS_TLSA, NULL, 0);
    w->answers[2].status = DNS_NXDOMAIN;
}
static void useless(struct world *w)
{
    w->tlsa[0].tlsa.usage = 1;
    w->tlsa[1].tlsa.data.n = 3;
}
static void one_is_usable(struct world *w)
{
    w->tlsa[0].tlsa.usage = 1;
}

static void what_is_wrong_with_a_name(void **state)
{
    (void)state;
    static const struct {
        void (*spoil)(struct world *w);
        enum probe_kind kind;
        const char *says; /* NULL: nothing */
    } rows[] = {
        {none, PROBE_GOOD, NULL},
        {only_v6, PROBE_GOOD, NULL},
        {one_is_usable, PROBE_GOOD, NULL},
        {no_address, PROBE_AWAITED, "no address"},
        {bogus_address, PROBE_UNSEEN, "AAAA records: DNSSEC validation failed"},
        {servfail, PROBE_UNSEEN, "TLSA records: the name servers"},
        {insecure, PROBE_AWAITED, "TLSA records are not signed"},
        {insecure_denial, PROBE_AWAITED, "A records are not signed"},
        {no_tlsa, PROBE_AWAITED, "no TLSA records"},
        {useless, PROBE_AWAITED, "none of its TLSA records can be used"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {0};
        struct world w;
        make(&w);
        rows[i].spoil(&w);
        struct str said;
        enum probe_kind kind = edge_probe_judge_name(&a, &w.answers[0], &w.answers[1], &w.answers[2], &said);
        if (kind != rows[i].kind ||
            (rows[i].says ? str_find(said, str_of(rows[i].says)) == SIZE_MAX : said.n > 0))
            fail_msg("row %zu: %s, '%.*s'", i, probe_kind_name(kind), STR_ARG(said));
        arena_release(&a);
    }
}

static void what_is_wrong_with_an_address(void **state)
{
    (void)state;
    static const struct {
        enum dial_end end;
        enum dial_algorithm shown;
        bool matched[2];
        enum probe_kind kind;
        const char *says;
    } rows[] = {
        {DIAL_DONE, DIAL_ECDSA, {true, false}, PROBE_GOOD, NULL},
        {DIAL_DONE, DIAL_RSA, {false, true}, PROBE_GOOD, NULL},
        {DIAL_DONE,
         DIAL_ECDSA,
         {false, false},
         PROBE_BROKEN,
         "none of its 2 TLSA records matches the ECDSA certificate"},
        {DIAL_DONE, DIAL_RSA, {false, false}, PROBE_BROKEN, "matches the RSA certificate"},
        {DIAL_CONNECT, DIAL_ANY, {false, false}, PROBE_UNSEEN, "the connection fails: as the test says"},
        {DIAL_GREETING, DIAL_ANY, {false, false}, PROBE_UNSEEN, "the greeting is no welcome"},
        {DIAL_HELLO, DIAL_ANY, {false, false}, PROBE_UNSEEN, "EHLO is refused"},
        {DIAL_HANDSHAKE, DIAL_ANY, {false, false}, PROBE_BROKEN, "the TLS handshake fails"},
        {DIAL_STARTTLS, DIAL_ANY, {false, false}, PROBE_BROKEN, "STARTTLS is refused"},
        {DIAL_NO_STARTTLS, DIAL_ANY, {true, true}, PROBE_BROKEN, "STARTTLS is not offered"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {0};
        struct world w;
        make(&w);
        bool matched[] = {rows[i].matched[0], rows[i].matched[1]};
        struct facts_dial d = {
            .end = rows[i].end, .shown = rows[i].shown, .matched = matched, .said = STR("as the test says")};
        struct str said;
        enum probe_kind kind = edge_probe_judge(&a, &w.answers[2], &d, &said);
        if (kind != rows[i].kind ||
            (rows[i].says ? str_find(said, str_of(rows[i].says)) == SIZE_MAX : said.n > 0))
            fail_msg("row %zu: %s, '%.*s'", i, probe_kind_name(kind), STR_ARG(said));
        arena_release(&a);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_wrong_with_a_name),
                                       cmocka_unit_test(what_is_wrong_with_an_address)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
