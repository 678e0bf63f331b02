/* How long the RRset of a group stays when hosts do not refer to it any more. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/clock.h"
#include "zone/keep_linger.h"

static const struct tlsa published[] = {{3, 1, 1, {"\x11", 1}}};

/* A step of a zone with host a in group g1 or g2: what it has and when, which groups linger. */
struct step {
    bool per_host, no_dane;
    size_t group;
    const char *aliases; /* groups by their digit */
    const char *rrsets;
    uint32_t ttl; /* of all records */
    int64_t now_ms;
    const char *lingers;
    int64_t next_ms; /* 0: never */
};

static struct str name_of(struct arena *a, char digit)
{
    return arena_printf(a, "_dane.g%c.mx.example", digit);
}

static void take(struct keep_lingers *all, const struct step *step, size_t at)
{
    struct arena a = {0};
    static const struct zone_group groups[] = {
        {.key_set_id = 71, .label = {"g1", 2}, .published = published, .n = 1},
        {.key_set_id = 72, .label = {"g2", 2}, .published = published, .n = 1}};
    struct zone_host host = {.label = STR("a"), .dane = !step->no_dane, .group = step->group};
    struct zone_spec s = {.name = STR("mx.example"),
                          .tlsa_ttl = 60,
                          .tlsa_per_host = step->per_host,
                          .hosts = &host,
                          .host_n = 1,
                          .groups = groups,
                          .group_n = 2};
    struct zone_records actual = {.r = ARENA_ARRAY(&a, struct dns_raw, 4)}, desired;
    for (const char *p = step->rrsets; *p; p++)
        actual.r[actual.n++] = dns_raw_tlsa(&a, name_of(&a, *p), step->ttl, &published[0]);
    for (const char *p = step->aliases; *p; p++)
        actual.r[actual.n++] = dns_raw_cname(&a, STR("_25._tcp.a.mx.example"), step->ttl, name_of(&a, *p));
    int64_t next = keep_linger_follow(all, &a, &s, &actual, step->now_ms);
    char lingers[3] = "";
    for (size_t g = 0; g < 2; g++)
        if (s.lingers[g])
            lingers[strlen(lingers)] = (char)('1' + g);
    if (strcmp(lingers, step->lingers) != 0)
        fail_msg("step %zu: '%s' lingers", at, lingers);
    if (next != (step->next_ms ? step->next_ms : DEADLINE_NEVER))
        fail_msg("step %zu: next is %lld", at, (long long)next);
    zone_desired(&a, &s, &desired);
    for (size_t i = 0; i < desired.n && *lingers; i++)
        if (str_equal(desired.r[i].owner, name_of(&a, *lingers)))
            *lingers = 0;
    assert_string_equal(lingers, ""); /* it is wanted in the zone */
    arena_release(&a);
}

#define STORY(...)                                                                                           \
    do {                                                                                                     \
        static const struct step steps[] = {__VA_ARGS__};                                                    \
        struct keep_lingers all = {0};                                                                       \
        for (size_t i = 0; i < sizeof steps / sizeof *steps; i++) {                                          \
            struct keep_lingers copy = keep_linger_copy(&all);                                               \
            take(&copy, &steps[i], i);                                                                       \
            take(&all, &steps[i], i);                                                                        \
            keep_linger_release(&copy);                                                                      \
        }                                                                                                    \
        keep_linger_release(&all);                                                                           \
    } while (0)

static void hosts_get_records_of_their_own(void **state)
{
    (void)state;
    STORY({false, false, 0, "1", "1", 60, 1000, "", 0}, {true, false, 0, "1", "1", 60, 2000, "1", 122000},
          {true, false, 0, "", "1", 60, 3000, "1", 122000},
          {true, false, 0, "", "1", 60, 121999, "1", 122000}, {true, false, 0, "", "1", 60, 122000, "", 0},
          {true, false, 0, "", "", 60, 123000, "", 0});
}

/* A doubt keeps the alias: the time begins when it is seen last. */
static void while_there_is_an_alias_the_time_does_not_run(void **state)
{
    (void)state;
    STORY({true, false, 0, "1", "1", 60, 2000, "1", 122000},
          {true, false, 0, "1", "1", 60, 500000, "1", 620000},
          {true, false, 0, "", "1", 60, 619999, "1", 620000}, {true, false, 0, "", "1", 60, 620000, "", 0});
}

static void a_host_moves_to_another_group(void **state)
{
    (void)state;
    STORY(
        {false, false, 1, "1", "12", 60, 0, "1", 120000}, {false, false, 1, "2", "12", 60, 1000, "1", 120000},
        {false, false, 0, "2", "12", 60, 2000, "2", 122000}, /* and back */
        {false, false, 0, "1", "12", 60, 3000, "2", 122000}, {false, false, 0, "1", "12", 60, 130000, "", 0});
}

/* The TTL that caches have counts. */
static void the_largest_ttl_counts(void **state)
{
    (void)state;
    STORY({true, false, 0, "1", "1", 600, 0, "1", 1200000},
          {true, false, 0, "", "1", 60, 1000, "1", 1200000});
    STORY({true, false, 0, "1", "1", 1, 0, "1", 120000}); /* ours may be out there, too */
}

/* Without a memory it begins with the first look. */
static void after_a_restart_it_stays_longer(void **state)
{
    (void)state;
    STORY({true, false, 0, "", "1", 60, 5000, "1", 125000}, {true, false, 0, "", "1", 60, 6000, "1", 125000});
}

static void without_dane_nothing_lingers(void **state)
{
    (void)state;
    STORY({true, false, 0, "", "1", 60, 0, "1", 120000}, {true, true, 0, "1", "1", 60, 0, "", 0},
          {false, true, 0, "1", "1", 60, 0, "", 0});
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(hosts_get_records_of_their_own),
        cmocka_unit_test(while_there_is_an_alias_the_time_does_not_run),
        cmocka_unit_test(a_host_moves_to_another_group),
        cmocka_unit_test(the_largest_ttl_counts),
        cmocka_unit_test(after_a_restart_it_stays_longer),
        cmocka_unit_test(without_dane_nothing_lingers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
