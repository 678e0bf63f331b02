/* A domain in the middle of the switch, for tests to lead along. Included after cmocka. */
#ifndef TEST_INSPECT_LIFE_H
#define TEST_INSPECT_LIFE_H

#include "facts.h"
#include "inspect/switch.h"

#define UNUSED __attribute__((unused))
#define OLD_HOST "mail.old.example"

/* A domain in the middle of its life: what the world shows, and what the switch remembers. */
struct life {
    struct arena a;
    struct facts f;
    struct switch_memory m;
    struct switch_view v;
    struct switch_options o;
};

static void mx_is(struct life *l, uint32_t ttl, const char *records)
{
    l->f.mx.n = 0;
    l->f.mx.status = DNS_NODATA;
    for (struct str rest = str_of(records); rest.n;) {
        struct str one = str_cut(&rest, ','), word = str_word(&one);
        uint32_t preference;
        ENSURE(str_to_u32(word, &preference));
        struct str host = str_word(&one);
        add_mx(&l->f, (uint16_t)preference, arena_cstr(&l->a, str_equal(host, STR(".")) ? STR("") : host));
    }
    spread_mx(&l->f, ttl);
}

/* An unswitched domain with an allocated MX host that nothing shows yet. */
static void begin(struct life *l)
{
    *l = (struct life){0};
    make_facts(&l->f, &l->a);
    l->f.dnssec = l->f.dane = false;
    l->f.sts.state = STS_ABSENT;
    mx_is(l, 3600, "10 " OLD_HOST);
}

UNUSED static void publish_host(struct life *l, bool published)
{
    for (size_t i = 0; i < 2; i++) {
        the_set(&l->f.host_zone, i, DNS_A, HOST)->status = published ? DNS_DATA : DNS_NXDOMAIN;
        the_set(&l->f.host_zone, i, DNS_AAAA, HOST)->status = published ? DNS_DATA : DNS_NXDOMAIN;
    }
    l->f.a.status = l->f.aaaa.status = published ? DNS_DATA : DNS_NXDOMAIN;
}

UNUSED static void publish_tlsa(struct life *l, bool published)
{
    for (size_t i = 0; i < 2; i++)
        the_set(&l->f.host_zone, i, DNS_TLSA, OWNER)->status = published ? DNS_DATA : DNS_NODATA;
    l->f.tlsa.status = published ? DNS_DATA : DNS_NODATA;
}

UNUSED static void pass(struct life *l, int64_t seconds)
{
    l->f.now_ms += seconds * 1000;
}

static void look(struct life *l)
{
    switch_remember(&l->m, &l->f, switch_low(&l->o));
    switch_look(&l->m, &l->f, &l->o, &l->v);
}

#define EXPECT(l, at, whose)                                                                                 \
    do {                                                                                                     \
        look(l);                                                                                             \
        if ((l)->v.step != (at) || (l)->v.turn != (whose))                                                   \
            fail_msg("step %s, turn %s: %s", switch_step_name((l)->v.step), switch_turn_name((l)->v.turn),   \
                     (l)->v.say.p);                                                                          \
    } while (0)

UNUSED static void expect_record(const struct life *l, size_t i, const char *what, int priority,
                                 const char *value, uint32_t ttl)
{
    const struct switch_record *r = &l->v.record[i];
    assert_true(i < l->v.records);
    assert_string_equal(r->what, what);
    assert_int_equal(r->priority, priority);
    assert_true(str_equal(r->value, str_of(value)));
    assert_int_equal(r->ttl, ttl);
}

/* The old host is in it, the new one maybe. */
UNUSED static void a_policy_is(struct life *l, enum sts_mode mode, bool lists)
{
    l->f.sts.state = STS_VALID;
    l->f.sts.ttl = 600;
    l->f.sts.policy = (struct sts_policy){.mode = mode, .max_age = 86400, .n = 1, .mx = {STR(OLD_HOST)}};
    if (lists)
        l->f.sts.policy.mx[l->f.sts.policy.n++] = STR(HOST);
}

#endif
