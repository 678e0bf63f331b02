#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/codec.h"
#include "dns/message.h"
#include "dns/wire.h"

enum { QR = 0x8000, TC = 0x0200, AD = 0x0020, ID = 0x1234, TTL = 300 };

/* A message under construction; sections are counted as records are added. */
struct draft {
    struct buf b;
};

static void count(struct draft *d, size_t section)
{
    put_u16(d->b.p + 4 + 2 * section, (uint16_t)(get_u16(d->b.p + 4 + 2 * section) + 1));
}

static void start(struct draft *d, unsigned flags, const char *qname, unsigned type)
{
    buf_clear(&d->b);
    buf_add_u16(&d->b, ID);
    buf_add_u16(&d->b, (uint16_t)(QR | flags));
    buf_add_u64(&d->b, 0);
    assert_true(dns_write_name(&d->b, str_of(qname)));
    buf_add_u16(&d->b, (uint16_t)type);
    buf_add_u16(&d->b, DNS_CLASS_IN);
    count(d, 0);
}

static void record(struct draft *d, size_t section, const char *owner, unsigned type, uint32_t ttl,
                   struct str rdata)
{
    assert_true(dns_write_name(&d->b, str_of(owner)));
    buf_add_u16(&d->b, (uint16_t)type);
    buf_add_u16(&d->b, type == DNS_TYPE_OPT ? DNS_EDNS_SIZE : DNS_CLASS_IN);
    buf_add_u32(&d->b, ttl);
    buf_add_u16(&d->b, (uint16_t)rdata.n);
    buf_add(&d->b, rdata);
    count(d, section);
}

static void answer(struct draft *d, const char *owner, unsigned type, struct str rdata)
{
    record(d, 1, owner, type, TTL, rdata);
}

static void alias(struct draft *d, const char *owner, const char *target)
{
    struct buf rdata = {0};
    assert_true(dns_write_name(&rdata, str_of(target)));
    answer(d, owner, DNS_CNAME, buf_str(&rdata));
    buf_release(&rdata);
}

static void mx(struct draft *d, const char *owner, unsigned preference, const char *host)
{
    struct buf rdata = {0};
    buf_add_u16(&rdata, (uint16_t)preference);
    assert_true(dns_write_name(&rdata, str_of(host)));
    answer(d, owner, DNS_MX, buf_str(&rdata));
    buf_release(&rdata);
}

static void soa(struct draft *d, uint32_t ttl, uint32_t minimum)
{
    struct buf rdata = {0};
    assert_true(dns_write_name(&rdata, STR("ns.example")) && dns_write_name(&rdata, STR("root.example")));
    for (uint32_t v = 1; v <= 4; v++)
        buf_add_u32(&rdata, v);
    buf_add_u32(&rdata, minimum);
    record(d, 2, "example", DNS_SOA, ttl, buf_str(&rdata));
    buf_release(&rdata);
}

static void ede(struct draft *d, unsigned code, const char *text)
{
    struct buf rdata = {0};
    buf_add_u16(&rdata, 15);
    buf_add_u16(&rdata, (uint16_t)(2 + strlen(text)));
    buf_add_u16(&rdata, (uint16_t)code);
    buf_add(&rdata, str_of(text));
    record(d, 3, "", DNS_TYPE_OPT, 0, buf_str(&rdata));
    buf_release(&rdata);
}

static struct arena arena;

static struct dns_answer parse(struct draft *d, const char *qname, enum dns_type type)
{
    struct dns_question q = {str_of(qname), type};
    struct dns_answer out;
    assert_int_equal(dns_answer_parse(&arena, buf_str(&d->b), ID, &q, &out), DNS_PARSED);
    return out;
}

static int release(void **state)
{
    (void)state;
    arena_release(&arena);
    return 0;
}

static void data(void **state)
{
    (void)state;
    struct draft d = {0};
    start(&d, AD, "example", DNS_MX);
    mx(&d, "example", 10, "mx1.example");
    mx(&d, "example", 20, "");
    struct dns_answer out = parse(&d, "example", DNS_MX);
    assert_int_equal(out.status, DNS_DATA);
    assert_int_equal(out.security, DNS_SECURE);
    assert_int_equal(out.error, DNS_ERROR_NONE);
    assert_int_equal(out.n, 2);
    assert_int_equal(out.ttl, TTL);
    assert_int_equal(out.records[0].mx.preference, 10);
    assert_true(str_equal(out.records[0].mx.host, STR("mx1.example")));
    assert_int_equal(out.records[1].mx.host.n, 0);
    assert_false(dns_answer_is_alias(&out));
    buf_release(&d.b);
}

static void without_ad_it_is_insecure(void **state)
{
    (void)state;
    struct draft d = {0};
    start(&d, 0, "example", DNS_A);
    answer(&d, "example", DNS_A, STR("\x7f\0\0\1"));
    struct dns_answer out = parse(&d, "example", DNS_A);
    assert_int_equal(out.status, DNS_DATA);
    assert_int_equal(out.security, DNS_INSECURE);
    assert_true(addr_is_loopback(&out.records[0].addr));
    buf_release(&d.b);
}

static void denials(void **state)
{
    (void)state;
    struct draft d = {0};
    start(&d, AD, "example", DNS_TLSA);
    soa(&d, 600, 60);
    struct dns_answer out = parse(&d, "example", DNS_TLSA);
    assert_int_equal(out.status, DNS_NODATA);
    assert_int_equal(out.security, DNS_SECURE);
    assert_int_equal(out.ttl, 60);
    start(&d, 3, "example", DNS_TLSA);
    soa(&d, 30, 60);
    out = parse(&d, "example", DNS_TLSA);
    assert_int_equal(out.status, DNS_NXDOMAIN);
    assert_int_equal(out.security, DNS_INSECURE);
    assert_int_equal(out.ttl, 30);
    buf_release(&d.b);
}

static void failures(void **state)
{
    (void)state;
    static const struct {
        unsigned rcode;
        int ede;
        enum dns_error want;
    } rows[] = {
        {1, -1, DNS_ERROR_FORMERR}, {2, -1, DNS_ERROR_SERVFAIL}, {4, -1, DNS_ERROR_NOTIMP},
        {5, -1, DNS_ERROR_REFUSED}, {9, -1, DNS_ERROR_OTHER},    {2, 22, DNS_ERROR_SERVFAIL},
        {2, 6, DNS_ERROR_BOGUS},    {2, 7, DNS_ERROR_BOGUS},     {2, 9, DNS_ERROR_BOGUS},
        {2, 12, DNS_ERROR_BOGUS},   {2, 13, DNS_ERROR_SERVFAIL}, {0, 6, DNS_ERROR_BOGUS},
        {3, 7, DNS_ERROR_BOGUS},    {5, 18, DNS_ERROR_REFUSED},
    };
    struct draft d = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        start(&d, rows[i].rcode, "example", DNS_A);
        if (rows[i].rcode == 0)
            answer(&d, "example", DNS_A, STR("\x7f\0\0\1"));
        if (rows[i].ede >= 0)
            ede(&d, (unsigned)rows[i].ede, "said so");
        struct dns_answer out = parse(&d, "example", DNS_A);
        assert_int_equal(out.status, DNS_ERROR);
        assert_int_equal(out.error, rows[i].want);
        assert_int_equal(out.n, 0);
        assert_false(dns_answer_is_secure(&out));
        assert_int_equal(out.ede, rows[i].ede < 0 ? DNS_NO_EDE : rows[i].ede);
        assert_true(rows[i].ede < 0 || str_equal(out.ede_text, STR("said so")));
    }
    /* An unsupported algorithm (EDE 1) makes an answer insecure, not bogus. */
    start(&d, 0, "example", DNS_A);
    answer(&d, "example", DNS_A, STR("\x7f\0\0\1"));
    ede(&d, 1, "");
    struct dns_answer out = parse(&d, "example", DNS_A);
    assert_int_equal(out.status, DNS_DATA);
    assert_int_equal(out.security, DNS_INSECURE);
    /* The code's upper bits are in OPT: 16 is BADVERS, not NOERROR. */
    start(&d, AD, "example", DNS_A);
    record(&d, 3, "", DNS_TYPE_OPT, 0x01000000, STR(""));
    out = parse(&d, "example", DNS_A);
    assert_int_equal(out.error, DNS_ERROR_OTHER);
    buf_release(&d.b);
}

static void aliases(void **state)
{
    (void)state;
    struct draft d = {0};
    start(&d, AD, "a.example", DNS_A);
    alias(&d, "c.example", "d.example"); /* order does not matter */
    alias(&d, "a.example", "B.example");
    alias(&d, "b.example", "c.example");
    answer(&d, "d.example", DNS_A, STR("\x7f\0\0\1"));
    answer(&d, "evil.example", DNS_A, STR("\x7f\0\0\2")); /* nobody asked */
    struct dns_answer out = parse(&d, "a.example", DNS_A);
    assert_int_equal(out.status, DNS_DATA);
    assert_int_equal(out.n, 1);
    assert_true(str_equal(out.expanded, STR("d.example")));
    assert_true(str_equal(out.qname, STR("a.example")));
    assert_true(dns_answer_is_alias(&out));

    start(&d, AD | 3, "a.example", DNS_A);
    alias(&d, "a.example", "b.example");
    out = parse(&d, "a.example", DNS_A);
    assert_int_equal(out.status, DNS_NXDOMAIN);
    assert_true(str_equal(out.expanded, STR("b.example")));

    start(&d, AD, "a.example", DNS_CNAME); /* asked for the alias itself */
    alias(&d, "a.example", "b.example");
    out = parse(&d, "a.example", DNS_CNAME);
    assert_int_equal(out.status, DNS_DATA);
    assert_true(str_equal(out.records[0].name, STR("b.example")));
    assert_false(dns_answer_is_alias(&out));

    start(&d, AD, "a.example", DNS_A); /* two targets */
    alias(&d, "a.example", "b.example");
    alias(&d, "a.example", "c.example");
    out = parse(&d, "a.example", DNS_A);
    assert_int_equal(out.error, DNS_ERROR_MALFORMED);

    start(&d, AD | 3, "a.example", DNS_A); /* data that does not exist */
    answer(&d, "a.example", DNS_A, STR("\x7f\0\0\1"));
    out = parse(&d, "a.example", DNS_A);
    assert_int_equal(out.error, DNS_ERROR_MALFORMED);
    buf_release(&d.b);
}

static void alias_chains_are_bounded(void **state)
{
    (void)state;
    struct draft d = {0};
    for (int length = DNS_ALIAS_MAX; length <= DNS_ALIAS_MAX + 1; length++) {
        start(&d, AD, "n0.example", DNS_A);
        for (int i = 0; i < length; i++) {
            char from[32], to[32];
            (void)snprintf(from, sizeof from, "n%d.example", i);
            (void)snprintf(to, sizeof to, "n%d.example", i + 1);
            alias(&d, from, to);
        }
        struct dns_answer out = parse(&d, "n0.example", DNS_A);
        assert_int_equal(out.status, length == DNS_ALIAS_MAX ? DNS_NODATA : DNS_ERROR);
        assert_int_equal(out.error, length == DNS_ALIAS_MAX ? DNS_ERROR_NONE : DNS_ERROR_ALIAS_LOOP);
    }
    start(&d, AD, "a.example", DNS_A);
    alias(&d, "a.example", "b.example");
    alias(&d, "b.example", "a.example");
    assert_int_equal(parse(&d, "a.example", DNS_A).error, DNS_ERROR_ALIAS_LOOP);
    buf_release(&d.b);
}

static void rdata_of_the_wrong_size(void **state)
{
    (void)state;
    static const struct {
        enum dns_type type;
        struct str rdata;
    } rows[] = {
        {DNS_MX, {"", 0}},          {DNS_MX, {"\0", 1}},         {DNS_MX, {"\0\12", 2}},
        {DNS_MX, {"\0\12\0\0", 4}}, {DNS_MX, {"\0\12\3mx", 5}},  {DNS_A, {"\1\2\3", 3}},
        {DNS_A, {"\1\2\3\4\5", 5}}, {DNS_AAAA, {"\1\2\3\4", 4}}, {DNS_TLSA, {"\3\1", 2}},
        {DNS_TXT, {"", 0}},         {DNS_TXT, {"\5abc", 4}},     {DNS_SOA, {"\0\0\0", 3}},
        {DNS_NS, {"", 0}},          {DNS_MX, {"\0\12\xc0", 3}},
    };
    struct draft d = {0};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        start(&d, AD, "example", rows[i].type);
        answer(&d, "example", rows[i].type, rows[i].rdata);
        assert_int_equal(parse(&d, "example", rows[i].type).error, DNS_ERROR_MALFORMED);
        /* What follows must not be read as part of it. */
        answer(&d, "example", rows[i].type, STR("\0\12\2mx\0"));
        assert_int_equal(parse(&d, "example", rows[i].type).error, DNS_ERROR_MALFORMED);
    }
    buf_release(&d.b);
}

static void good_rdata(void **state)
{
    (void)state;
    struct draft d = {0};
    start(&d, AD, "example", DNS_TLSA);
    answer(&d, "example", DNS_TLSA, STR("\3\1\1"));
    answer(&d, "example", DNS_TLSA, STR("\3\1\2xyz"));
    struct dns_answer out = parse(&d, "example", DNS_TLSA);
    assert_int_equal(out.n, 2);
    assert_int_equal(out.records[0].tlsa.data.n, 0);
    assert_int_equal(out.records[1].tlsa.mtype, 2);
    assert_true(str_equal(out.records[1].tlsa.data, STR("xyz")));
    start(&d, AD, "example", DNS_TXT);
    answer(&d, "example", DNS_TXT, STR("\3abc\0\2de"));
    out = parse(&d, "example", DNS_TXT);
    assert_true(str_equal(out.records[0].txt, STR("abcde")));
    start(&d, AD, "example", DNS_DS);
    answer(&d, "example", DNS_DS, STR("opaque"));
    out = parse(&d, "example", DNS_DS);
    assert_true(str_equal(out.records[0].opaque, STR("opaque")));
    start(&d, AD, "example", DNS_MX); /* strange octets become escapes, and no dots */
    answer(&d, "example", DNS_MX, STR("\0\1\4a.b \0"));
    out = parse(&d, "example", DNS_MX);
    assert_true(str_equal(out.records[0].mx.host, STR("a\\046b\\032")));
    buf_release(&d.b);
}

static void answers_to_others(void **state)
{
    (void)state;
    struct draft d = {0};
    struct dns_question q = {STR("example"), DNS_A};
    struct dns_answer out;
    start(&d, AD, "other.example", DNS_A);
    assert_int_equal(dns_answer_parse(&arena, buf_str(&d.b), ID, &q, &out), DNS_NOT_OURS);
    start(&d, AD, "example", DNS_AAAA);
    assert_int_equal(dns_answer_parse(&arena, buf_str(&d.b), ID, &q, &out), DNS_NOT_OURS);
    start(&d, AD, "example", DNS_A);
    assert_int_equal(dns_answer_parse(&arena, buf_str(&d.b), ID + 1, &q, &out), DNS_NOT_OURS);
    put_u16(d.b.p + 2, AD); /* a question, not an answer */
    assert_int_equal(dns_answer_parse(&arena, buf_str(&d.b), ID, &q, &out), DNS_NOT_OURS);
    start(&d, TC, "example", DNS_A);
    assert_int_equal(dns_answer_parse(&arena, buf_str(&d.b), ID, &q, &out), DNS_TRUNCATED);
    assert_int_equal(dns_answer_parse(&arena, STR("\x12\x34"), ID, &q, &out), DNS_NOT_OURS);
    start(&d, AD, "eXAMPLE", DNS_A);
    assert_int_equal(dns_answer_parse(&arena, buf_str(&d.b), ID, &q, &out), DNS_PARSED);
    buf_release(&d.b);
}

/* Every prefix of a good message is malformed or not ours, and so is one with a byte too many. */
static void cut_messages(void **state)
{
    (void)state;
    struct draft d = {0};
    start(&d, AD, "example", DNS_MX);
    mx(&d, "example", 10, "mx1.example");
    ede(&d, 0, "text");
    struct dns_question q = {STR("example"), DNS_MX};
    struct dns_answer out;
    for (size_t n = 0; n < d.b.n; n++) {
        char *copy = must_alloc(malloc(n + 1)); /* so that ASan sees an over-read */
        memcpy(copy, d.b.p, n);
        enum dns_parsed p = dns_answer_parse(&arena, str_make(copy, n), ID, &q, &out);
        assert_true(p == DNS_NOT_OURS || (p == DNS_PARSED && out.error == DNS_ERROR_MALFORMED));
        free(copy);
    }
    buf_add_char(&d.b, 0);
    assert_int_equal(parse(&d, "example", DNS_MX).error, DNS_ERROR_MALFORMED);
    buf_release(&d.b);
}

static void compression(void **state)
{
    (void)state;
    struct draft d = {0};
    start(&d, AD, "example", DNS_MX);
    buf_add(&d.b, STR("\xc0\x0c\0\x0f\0\1\0\0\0\1\0\7\0\12\2mx\xc0\x0c"));
    put_u16(d.b.p + 6, 1);
    struct dns_answer out = parse(&d, "example", DNS_MX);
    assert_true(str_equal(out.records[0].mx.host, STR("mx.example")));
    static const char *const bad[] = {"\xc0\x15", "\xc0\xff", "\xff\xff", "\x80\x0c", "\x40\x0c"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) { /* itself, forwards, beyond, reserved kinds */
        start(&d, AD, "example", DNS_MX);
        assert_int_equal(d.b.n, 0x19);
        buf_append(&d.b, bad[i], 2);
        if (i == 0)
            d.b.p[d.b.n - 1] = 0x19;
        buf_add(&d.b, STR("\0\x0f\0\1\0\0\0\1\0\3\0\12\0"));
        put_u16(d.b.p + 6, 1);
        assert_int_equal(parse(&d, "example", DNS_MX).error, DNS_ERROR_MALFORMED);
    }
    buf_release(&d.b);
}

static void questions(void **state)
{
    (void)state;
    struct buf b = {0};
    struct dns_question q = {STR("mx.example"), DNS_TLSA};
    assert_true(dns_query_write(&b, 0x0102, &q, DNS_VALIDATED));
    static const char want[] =
        "\1\2\1\x20\0\1\0\0\0\0\0\1\2mx\7example\0\0\x34\0\1\0\0\x29\4\xd0\0\0\x80\0\0\0";
    assert_int_equal(b.n, sizeof want - 1);
    assert_memory_equal(b.p, want, b.n);
    buf_clear(&b);
    assert_true(dns_query_write(&b, 1, &q, DNS_CHECKING_DISABLED));
    assert_int_equal(get_u16(b.p + 2), 0x0130);
    static const char *const bad[] = {"a..b", ".a", "a.", "a\\046b"};
    for (size_t i = 0; i < sizeof bad / sizeof *bad; i++) {
        q.name = str_of(bad[i]);
        assert_false(dns_query_write(&b, 1, &q, DNS_VALIDATED));
    }
    buf_release(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(data),
        cmocka_unit_test(without_ad_it_is_insecure),
        cmocka_unit_test(denials),
        cmocka_unit_test(failures),
        cmocka_unit_test(aliases),
        cmocka_unit_test(alias_chains_are_bounded),
        cmocka_unit_test(rdata_of_the_wrong_size),
        cmocka_unit_test(good_rdata),
        cmocka_unit_test(answers_to_others),
        cmocka_unit_test(cut_messages),
        cmocka_unit_test(compression),
        cmocka_unit_test(questions),
    };
    return cmocka_run_group_tests(tests, NULL, release);
}
