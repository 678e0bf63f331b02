/* zones: what many domains have in common is asked once, at the same time or one after the other, and again
 * when it is old. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>

#include "base/base.h"
#include "inspect/zones.h"

enum { AT_ONCE = 16 };

static atomic_int asked_ns;

/* A zone with one server that nobody is: whoever asks it gets no answer. */
static void ask(void *ctx, struct arena *a, const struct dns_question *q, size_t n, deadline until,
                struct dns_answer *out)
{
    for (size_t i = 0; i < n; i++) {
        out[i] = (struct dns_answer){.status = DNS_NODATA};
        if (q[i].type == DNS_AAAA || q[i].type == DNS_DS)
            continue;
        out[i].status = DNS_DATA;
        out[i].n = 1;
        out[i].records = ARENA_ARRAY(a, struct dns_record, 1);
        if (q[i].type == DNS_NS) {
            atomic_fetch_add(&asked_ns, 1);
            out[i].records[0].name = STR("ns.example");
        } else {
            ENSURE(addr_parse_ip(STR("127.99.99.99"), &out[i].records[0].addr));
        }
    }
}

static const struct dns_source source = {.ask = ask};

struct fixture {
    struct crew *crew;
    struct zones *zones;
};

static struct fixture begin(void)
{
    struct fixture f = {.crew = crew_new(1000)};
    atomic_store(&asked_ns, 0);
    f.zones = zones_new(f.crew, &(struct servers_conf){
                                    .source = &source, .unvalidated = &source, .dns_ms = 10, .server_ms = 1});
    return f;
}

static void end(struct fixture *f)
{
    zones_free(f->zones);
    crew_free(f->crew);
}

static void take_one(void *zones)
{
    struct arena a = {0};
    struct facts_zone copy;
    struct zone_met *m = zones_take(zones, STR("mx.example"));
    zones_copy(zones, m, &a, &copy);
    assert_true(str_equal(copy.name, STR("mx.example")));
    assert_int_equal(copy.n, 1);
    assert_true(copy.servers[0].is_silent);
    zones_give(zones, m);
    arena_release(&a);
}

static void whoever_comes_meanwhile_waits(void **state)
{
    struct fixture f = begin();
    for (int i = 0; i < AT_ONCE; i++)
        assert_int_equal(crew_start(f.crew, take_one, f.zones, NULL), OK);
    crew_free(f.crew); /* waits for them; servers are asked in threads of it */
    assert_int_equal(atomic_load(&asked_ns), 1);
    f.crew = NULL;
    end(&f);
}

static void old_knowledge_is_asked_again(void **state)
{
    struct fixture f = begin();
    clock_set_for_test(1795000000000);
    take_one(f.zones);
    clock_set_for_test(1795000000000 + ZONES_AGE_MS);
    take_one(f.zones);
    assert_int_equal(atomic_load(&asked_ns), 1);
    clock_set_for_test(1795000000000 + ZONES_AGE_MS + 1);
    take_one(f.zones);
    assert_int_equal(atomic_load(&asked_ns), 2);
    clock_set_for_test(0);
    end(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whoever_comes_meanwhile_waits),
        cmocka_unit_test(old_knowledge_is_asked_again),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
