/* Runs of the publisher for one zone, against a primary that is a thread of the test. */
#include "../keys/fixture.h"

#include "primary.h"
#include "zone/keep_json.h"

static const struct str ZONE = {"mx.example", 10};

/* A zone of two domains, its keeper, which runs when it is told to, and two primaries. */
struct scene {
    struct fixture *f;
    struct keeper *k;
    struct keep_zone *z;
    struct primary old, new;
};

static enum err look(struct call *c, void *ctx)
{
    struct scene *s = ctx;
    struct key_row *rows;
    size_t n;
    enum err e = keys_rows(c, &rows, &n);
    for (size_t i = 0; !e && i < n; i++) {
        struct board_view view = {.stepped_ms = 1, .out.may_start = true};
        view.out.record[view.out.nrecord++] = (struct gate_record){3, 1, 1, {1}};
        board_post(s->f->board, rows[i].id, &view);
    }
    return e;
}

static void with_primary(struct scene *s, const char *verb, const struct primary *p, const char *rest)
{
    char args[128], text[ADDR_TEXT];
    snprintf(args, sizeof args, "{'zone': 'mx.example', 'primary': '%s', %s}", addr_format(&p->address, text),
             rest);
    good(s->f, verb, args);
}

static int begin(void **state)
{
    struct scene *s = calloc(1, sizeof *s);
    void *fixture;
    setup(&fixture);
    s->f = fixture;
    primary_start(&s->old, ZONE, 100);
    primary_start(&s->new, ZONE, 7);
    good(s->f, "edge.group.add", "{'edge_group': 'here', 'address': '192.0.2.1'}");
    with_primary(s, "zone.add", &s->old, "'edge_group': 'here', 'ttl': '60'");
    good(s->f, "key.add", "{'group': 'g1'}");
    good(s->f, "tenant.add", "{'tenant': 'acme'}");
    good(s->f, "domain.add",
         "{'domain': ['a.example', 'b.example'], 'tenant': 'acme', 'mailbox_host': 'lmtp:127.0.0.1:24'}");
    good(s->f, "domain.dane.enable", "{'domain': ['a.example', 'b.example']}");
    assert_int_equal(tenant_transact(s->f->t, TENANT_READ, look, s, &s->f->why), OK);
    s->k = keeper_new(&(struct keeper_conf){.board = s->f->board, .timeout_ms = 2000});
    s->k->store = s->f->t;
    s->z = keep_zone_get(s->k, ZONE);
    *state = s;
    return 0;
}

static int end(void **state)
{
    struct scene *s = *state;
    void *fixture = s->f;
    keeper_free(s->k);
    primary_stop(&s->old);
    primary_stop(&s->new);
    teardown(&fixture);
    free(s);
    return 0;
}

static void run(struct scene *s)
{
    keep_pace_begin(&s->z->pace);
    keep_publish(s->z);
}

static void expect(struct primary *p, const char *wanted)
{
    struct buf text = {0};
    primary_text(p, &text);
    assert_string_equal(buf_cstr(&text), wanted);
    buf_release(&text);
}

#define ONE "01" ZEROS "00000000000000000000000000000000"
#define ZEROS "000000000000000000000000000000"
#define ALIAS(host, ttl) "_25._tcp." host "-example.mx.example. " ttl " IN CNAME _dane.g1.mx.example.\n"
#define TLSA(owner, ttl) owner ".mx.example. " ttl " IN TLSA 3 1 1 " ONE "\n"
#define ADDRESS(host) host "-example.mx.example. 3600 IN A 192.0.2.1\n"
#define WHOLE(ttl) ALIAS("a", ttl) ALIAS("b", ttl) TLSA("_dane.g1", ttl) ADDRESS("a") ADDRESS("b")

static void a_zone_is_brought_out(void **state)
{
    struct scene *s = *state;
    run(s);
    expect(&s->old, WHOLE("60"));
    assert_int_equal(s->z->report.serial, primary_look(&s->old).serial);
    run(s); /* nothing to do, nobody to ask */
    assert_int_equal(primary_look(&s->old).reads, 1);
    good(s->f, "zone.set", "{'zone': 'mx.example', 'ttl': '61'}");
    run(s); /* what is there is known */
    expect(&s->old, WHOLE("61"));
    assert_int_equal(primary_look(&s->old).reads, 1);
}

/* Another primary has nothing yet, whatever the old one has. */
static void another_primary_is_read(void **state)
{
    struct scene *s = *state;
    run(s);
    primary_set_serial(&s->new, primary_look(&s->old).serial); /* which says nothing */
    with_primary(s, "zone.set", &s->new, "'ttl': '600'");
    run(s);
    expect(&s->new, WHOLE("600"));
    expect(&s->old, WHOLE("60"));
}

/* What somebody takes away before our next change comes back with it, and is not covered by its serial. */
static void a_change_of_others_is_not_covered_by_ours(void **state)
{
    struct scene *s = *state;
    run(s);
    struct dns_raw lost = primary_look(&s->old).first;
    primary_change(&s->old, DNS_REMOVE, &lost);
    good(s->f, "domain.dane.disable", "{'domain': 'b.example'}");
    run(s);
    expect(&s->old, ALIAS("a", "60") TLSA("_dane.g1", "60") ADDRESS("a") ADDRESS("b"));
    assert_int_equal(primary_look(&s->old).reads, 2);
    assert_int_equal(s->z->report.serial, primary_look(&s->old).serial);
}

/* What is refused is tried again with backoff; the next change goes out with the first chance. */
static void one_refused_record_holds_back_no_other_change(void **state)
{
    struct scene *s = *state;
    struct keep_stamps all;
    primary_refuse(&s->old, "b-example");
    for (int i = 1; i < 6; i++) {
        run(s);
        assert_int_equal(s->z->pace.failures, i);
        assert_true(s->z->is_due);
    }
    expect(&s->old, ALIAS("a", "60") ALIAS("b", "60") TLSA("_dane.g1", "60") ADDRESS("a"));
    assert_true(s->z->pace.not_before > clock_mono() + 10000);
    good(s->f, "domain.dane.disable", "{'domain': 'b.example'}");
    assert_int_equal(keep_stamps_load(s->k, &all, &s->f->why), OK);
    keep_pace_wanted(&s->z->pace, all.stamps[0]);
    arena_release(&all.arena);
    assert_true(s->z->pace.not_before <= clock_mono() + 1000);
    size_t reads = primary_look(&s->old).reads;
    run(s);
    expect(&s->old, ALIAS("a", "60") TLSA("_dane.g1", "60") ADDRESS("a"));
    assert_int_equal(primary_look(&s->old).reads, reads); /* what was refused was not done */
    assert_int_equal(s->z->pace.failures, 1);
    primary_refuse(&s->old, NULL);
    run(s);
    expect(&s->old, ALIAS("a", "60") TLSA("_dane.g1", "60") ADDRESS("a") ADDRESS("b"));
    assert_int_equal(s->z->pace.failures, 0);
}

/* A cache that has the alias finds what it refers to, until two TTLs later. */
static void what_aliases_referred_to_stays_for_a_while(void **state)
{
#define RECORDS(host) TLSA("_25._tcp." host "-example", "60")
    struct scene *s = *state;
    run(s);
    good(s->f, "zone.set", "{'zone': 'mx.example', 'tlsa': 'host'}");
    run(s);
    expect(&s->old, RECORDS("a") RECORDS("b") TLSA("_dane.g1", "60") ADDRESS("a") ADDRESS("b"));
    int64_t left = s->z->lingers_ms - clock_mono();
    assert_in_range(left, 110000, 120000);
    assert_int_equal(s->z->report.backlog, 0);
    s->z->lingers.v[0].until_ms = s->z->lingers_ms = clock_mono();
    run(s);
    expect(&s->old, RECORDS("a") RECORDS("b") ADDRESS("a") ADDRESS("b"));
    assert_true(s->z->lingers_ms == DEADLINE_NEVER);
}

/* From records to aliases, and the primary does not take what they would refer to. */
static void hosts_keep_their_records_until_the_group_is_there(void **state)
{
    struct scene *s = *state;
    good(s->f, "zone.set", "{'zone': 'mx.example', 'tlsa': 'host'}");
    run(s);
    good(s->f, "zone.set", "{'zone': 'mx.example', 'tlsa': 'alias'}");
    primary_refuse(&s->old, "_dane");
    for (int i = 0; i < 2; i++) {
        run(s);
        expect(&s->old, RECORDS("a") RECORDS("b") ADDRESS("a") ADDRESS("b"));
        assert_int_equal(s->z->report.backlog, 5);
    }
    primary_refuse(&s->old, NULL);
    run(s);
    expect(&s->old, WHOLE("60"));
}

/* The aliases of a signed zone get another TTL, and hosts another group, without a moment in which they have
 * none: the primary ignores an alias that comes while the old one goes. */
static void an_alias_replaces_another(void **state)
{
    struct scene *s = *state;
    run(s);
    size_t updates = primary_look(&s->old).updates;
    good(s->f, "zone.set", "{'zone': 'mx.example', 'ttl': '61'}");
    run(s);
    expect(&s->old, WHOLE("61"));
    assert_int_equal(primary_look(&s->old).updates, updates + 2); /* the group, the hosts */
    assert_int_equal(primary_look(&s->old).reads, 1);
    run(s);
    assert_int_equal(s->z->report.backlog, 0);
}

int main(void)
{
#define T(test) cmocka_unit_test_setup_teardown(test, begin, end)
    const struct CMUnitTest tests[] = {
        T(a_zone_is_brought_out),
        T(another_primary_is_read),
        T(a_change_of_others_is_not_covered_by_ours),
        T(one_refused_record_holds_back_no_other_change),
        T(an_alias_replaces_another),
        T(what_aliases_referred_to_stays_for_a_while),
        T(hosts_keep_their_records_until_the_group_is_there),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
