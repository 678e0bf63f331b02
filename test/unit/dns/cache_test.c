/* cache: what is kept, for how long, what is not, and that copies stand on their own. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/base.h"
#include "dns/cache.h"

/* A source that counts, and answers as it was told; the name's memory is clobbered after each question. */
struct script {
    struct dns_answer answer;
    unsigned asked;
    struct dns_cache *clear_while_asked;
};

static void ask(void *ctx, struct arena *a, const struct dns_question *q, size_t n, deadline until,
                struct dns_answer *out)
{
    struct script *s = ctx;
    (void)until;
    for (size_t i = 0; i < n; i++) {
        s->asked++;
        out[i] = s->answer;
        out[i].type = q[i].type;
        out[i].qname = out[i].expanded = arena_str(a, q[i].name);
    }
    if (s->clear_while_asked)
        dns_cache_clear(s->clear_while_asked);
}

struct bench {
    struct script script;
    struct dns_cache *cache;
    struct dns_source source;
    struct arena arena;
};

static const int64_t start = INT64_C(1700000000000);

static void begin(struct bench *b, size_t most)
{
    *b = (struct bench){.script.answer = {.status = DNS_DATA, .security = DNS_SECURE, .ttl = 1}};
    struct dns_source behind = {.ctx = &b->script, .ask = ask};
    b->cache = dns_cache_new(&behind, most);
    b->source = dns_cache_source(b->cache);
    clock_set_for_test(start);
}

static void end(struct bench *b)
{
    dns_cache_free(b->cache);
    arena_release(&b->arena);
    clock_set_for_test(0);
}

static struct dns_answer look(struct bench *b, const char *name, enum dns_type type)
{
    struct dns_answer out;
    dns_source_ask(&b->source, &b->arena, str_of(name), type, DEADLINE_NEVER, &out);
    return out;
}

static void asked_once_within_the_ttl(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, 100);
    (void)look(&b, "a.example", DNS_MX);
    clock_set_for_test(start + 999);
    struct dns_answer later = look(&b, "A.Example", DNS_MX);
    assert_int_equal(b.script.asked, 1);
    assert_int_equal(later.ttl, 1);
    assert_true(dns_answer_is_secure(&later));
    (void)look(&b, "a.example", DNS_A);  /* another type */
    (void)look(&b, "b.example", DNS_MX); /* another name */
    assert_int_equal(b.script.asked, 3);
    clock_set_for_test(start + 1000);
    (void)look(&b, "a.example", DNS_MX);
    assert_int_equal(b.script.asked, 4);
    end(&b);
}

static void never_longer_than_two_seconds(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, 100);
    b.script.answer.ttl = 86400;
    (void)look(&b, "a.example", DNS_MX);
    clock_set_for_test(start + 1999);
    assert_int_equal(look(&b, "a.example", DNS_MX).ttl, 86399);
    assert_int_equal(b.script.asked, 1);
    clock_set_for_test(start + 2000);
    (void)look(&b, "a.example", DNS_MX);
    assert_int_equal(b.script.asked, 2);
    end(&b);
}

static void denials_are_kept_and_failures_are_not(void **state)
{
    (void)state;
    static const struct {
        enum dns_status status;
        uint32_t ttl;
        unsigned asked;
    } rows[] = {
        {DNS_DATA, 30, 1}, {DNS_NODATA, 30, 1}, {DNS_NXDOMAIN, 30, 1}, {DNS_ERROR, 30, 2}, {DNS_DATA, 0, 2},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct bench b;
        begin(&b, 100);
        b.script.answer.status = rows[i].status;
        b.script.answer.ttl = rows[i].ttl;
        (void)look(&b, "a.example", DNS_TLSA);
        assert_int_equal(look(&b, "a.example", DNS_TLSA).status, rows[i].status);
        assert_int_equal(b.script.asked, rows[i].asked);
        end(&b);
    }
}

static void a_copy_stands_on_its_own(void **state)
{
    (void)state;
    struct bench b;
    char host[] = "mx.example", data[] = {1, 2, 3};
    struct dns_record mx = {.type = DNS_MX, .ttl = 30, .mx = {10, str_of(host)}};
    struct dns_record tlsa = {.type = DNS_TLSA, .ttl = 30, .tlsa = {3, 1, 1, str_make(data, 3)}};
    begin(&b, 100);
    b.script.answer.n = 1;
    b.script.answer.records = &mx;
    (void)look(&b, "a.example", DNS_MX);
    b.script.answer.records = &tlsa;
    (void)look(&b, "a.example", DNS_TLSA);
    memset(host, 'x', sizeof host - 1);
    memset(data, 9, sizeof data);
    arena_release(&b.arena);
    struct dns_answer kept = look(&b, "a.example", DNS_MX), other = look(&b, "a.example", DNS_TLSA);
    dns_cache_clear(b.cache); /* what was given out does not depend on the cache */
    assert_int_equal(kept.records[0].mx.preference, 10);
    assert_true(str_equal(kept.records[0].mx.host, STR("mx.example")));
    assert_int_equal(other.records[0].tlsa.usage, 3);
    assert_true(str_equal(other.records[0].tlsa.data, STR("\1\2\3")));
    end(&b);
}

static void cleared(void **state)
{
    (void)state;
    struct bench b;
    begin(&b, 100);
    (void)look(&b, "a.example", DNS_MX);
    dns_cache_clear(b.cache);
    b.script.clear_while_asked = b.cache; /* an answer that was under way is not to be believed either */
    (void)look(&b, "a.example", DNS_MX);
    b.script.clear_while_asked = NULL;
    (void)look(&b, "a.example", DNS_MX);
    assert_int_equal(b.script.asked, 3);
    (void)look(&b, "a.example", DNS_MX);
    assert_int_equal(b.script.asked, 3);
    end(&b);
}

static void bounded_and_many_at_once(void **state)
{
    (void)state;
    enum { ASKED = 150, MOST = 20 };
    struct bench b;
    struct dns_question q[ASKED];
    struct dns_answer out[ASKED];
    begin(&b, MOST);
    for (size_t i = 0; i < ASKED; i++)
        q[i] = (struct dns_question){arena_printf(&b.arena, "n%zu.example", i), DNS_A};
    b.source.ask(b.source.ctx, &b.arena, q, ASKED, DEADLINE_NEVER, out);
    for (size_t i = 0; i < ASKED; i++)
        assert_true(str_equal(out[i].qname, q[i].name));
    assert_int_equal(b.script.asked, ASKED);
    b.source.ask(b.source.ctx, &b.arena, q, ASKED, DEADLINE_NEVER, out);
    for (size_t i = 0; i < ASKED; i++)
        assert_true(str_equal(out[i].qname, q[i].name));
    assert_in_range(b.script.asked, 2 * ASKED - MOST, 2 * ASKED);
    end(&b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(asked_once_within_the_ttl),
        cmocka_unit_test(never_longer_than_two_seconds),
        cmocka_unit_test(denials_are_kept_and_failures_are_not),
        cmocka_unit_test(a_copy_stands_on_its_own),
        cmocka_unit_test(cleared),
        cmocka_unit_test(bounded_and_many_at_once),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
