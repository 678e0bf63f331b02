/* Key sets in the database: what goes in comes out, secrets go, nonsense is told. */
#include "fixture.h"

/* One transaction of a test. */
struct act {
    void (*run)(struct call *c, struct act *a);
    struct gate_set *set;
    const char *text;
};

static enum err act_run(struct call *c, void *ctx)
{
    struct act *a = ctx;
    a->run(c, a);
    return OK;
}

static void act(struct fixture *f, struct act a)
{
    if (tenant_transact(f->t, TENANT_WRITE, act_run, &a, &f->why))
        fail_msg("%s", buf_cstr(&f->why));
}

static void add_set(struct call *c, struct act *a)
{
    assert_int_equal(keys_add_set(c, str_of(a->text), a->set), OK);
}

static void save(struct call *c, struct act *a)
{
    assert_int_equal(keys_save(c, a->set, NULL), OK);
}

static void load(struct call *c, struct act *a)
{
    if (keys_load(c, a->set->id, a->set))
        fail_msg("%s", buf_cstr(c->why));
}

static void load_senseless(struct call *c, struct act *a)
{
    enum err e = keys_load(c, a->set->id, a->set);
    if (e != ERR_CORRUPT)
        fail_msg("%s: %s", a->text, e ? "another error" : "it was taken");
    if (!strstr(buf_cstr(c->why), "makes no sense") || !strstr(buf_cstr(c->why), "key set"))
        fail_msg("%s: no sentence but '%s'", a->text, buf_cstr(c->why));
}

static void run_sql(struct call *c, struct act *a)
{
    enum err e = db_run(db_query(c->db, a->text), NULL, c->why);
    if (e)
        fail_msg("%s: %s", a->text, buf_cstr(c->why));
}

static struct gate_key a_key(int n)
{
    struct gate_key k = {.pair_id = 100 + n,
                         .algorithm = n % 2 ? GATE_RSA : GATE_ECDSA,
                         .has_ta = n == 1,
                         .state = (enum gate_state)n,
                         .since_ms = 1000 + n,
                         .proven_ms = n == 3 ? GATE_SETTLED : n - 1,
                         .roll = (enum gate_roll)(n % 3),
                         .roll_ms = 5000 + n,
                         .is_compromised = n == 4};
    memset(k.spki, 0x20 + n, sizeof k.spki);
    if (k.has_ta)
        memset(k.ta, 0x40 + n, sizeof k.ta);
    return k;
}

static struct gate_set a_set(void)
{
    struct gate_set s = {.wants = {true, true},
                         .ta = true,
                         .keeps_next = true,
                         .ttl_ms = 1800000, /* without a zone */
                         .step = {1, 2, 3},
                         .servers = {4, 5, 6},
                         .edges = {7, 8, -9},
                         .names = UINT64_MAX,
                         .serials = 11,
                         .largest_ttl_ms = 12,
                         .is_ta_on = true,
                         .no_ta_ms = -1,
                         .lower_ttl_ms = 13,
                         .lower_for_ms = 14};
    for (int n = 0; n < 6; n++)
        s.key[s.nkey++] = a_key(n);
    struct gate_key lost = {.state = GATE_RETIRING, .is_lost = true, .lost = {2, 1, 255, {9, 8, 7}}};
    s.key[s.nkey++] = lost;
    return s;
}

static void assert_same(const struct gate_set *is, const struct gate_set *was)
{
#define same(field)                                                                                          \
    if (is->field != was->field)                                                                             \
    fail_msg(#field " came back as %lld, not %lld", (long long)is->field, (long long)was->field)
    same(wants[GATE_ECDSA]);
    same(wants[GATE_RSA]);
    same(ta);
    same(keeps_next);
    same(ttl_ms);
    same(step.boot);
    same(step.wall_ms);
    same(step.mono_ms);
    same(servers.boot);
    same(servers.wall_ms);
    same(servers.mono_ms);
    same(edges.boot);
    same(edges.wall_ms);
    same(edges.mono_ms);
    same(names);
    same(serials);
    same(largest_ttl_ms);
    same(is_ta_on);
    same(no_ta_ms);
    same(lower_ttl_ms);
    same(lower_for_ms);
    same(nkey);
    for (size_t i = 0; i < was->nkey; i++) {
        same(key[i].id);
        same(key[i].pair_id);
        same(key[i].algorithm);
        same(key[i].has_ta);
        same(key[i].is_lost);
        same(key[i].state);
        same(key[i].since_ms);
        same(key[i].proven_ms);
        same(key[i].roll);
        same(key[i].roll_ms);
        same(key[i].is_compromised);
        assert_memory_equal(is->key[i].spki, was->key[i].spki, 32);
        assert_memory_equal(is->key[i].ta, was->key[i].ta, 32);
        same(key[i].lost.usage);
        same(key[i].lost.selector);
        same(key[i].lost.mtype);
        assert_memory_equal(is->key[i].lost.digest, was->key[i].lost.digest, 32);
    }
#undef same
}

static struct gate_set kept(struct fixture *f)
{
    struct gate_set s = a_set();
    act(f, (struct act){add_set, &s, "g1"});
    act(f, (struct act){save, &s, NULL});
    return s;
}

static void test_every_field(void **state)
{
    struct fixture *f = *state;
    struct gate_set was = kept(f), is = {.id = was.id};
    for (size_t i = 0; i < was.nkey; i++)
        assert_true(was.key[i].id > 0);
    act(f, (struct act){load, &is, NULL});
    assert_same(&is, &was);
    for (size_t i = 0; i < was.nkey; i++) { /* and when it is there already */
        struct gate_key *k = &was.key[i];
        k->state = (enum gate_state)((k->state + 1) % (GATE_GONE + 1));
        k->since_ms++, k->proven_ms--, k->roll_ms++, k->pair_id++;
        k->roll = (enum gate_roll)((k->roll + 1) % 3);
        k->is_compromised = !k->is_compromised;
    }
    /* A lost key that is whole again: its algorithm becomes known, too. */
    struct gate_key *found = &was.key[was.nkey - 1];
    found->is_lost = false;
    found->lost = (struct gate_record){0};
    found->algorithm = GATE_RSA;
    was.names--, was.is_ta_on = false, was.no_ta_ms = 77;
    act(f, (struct act){save, &was, NULL});
    act(f, (struct act){load, &is, NULL});
    assert_same(&is, &was);
}

static int64_t count(struct fixture *f, const char *sql)
{
    char path[96];
    int64_t n = -1;
    tenant_close(f->t);
    f->t = NULL;
    snprintf(path, sizeof path, "%s/kedge.db", f->folder);
    struct db *db = db_open(path, &f->why);
    assert_non_null(db);
    assert_int_equal(db_get_int(db_query(db, sql), &n, &f->why), OK);
    db_close(db);
    reopen(f);
    return n;
}

static void keep_two_pairs(struct call *c, struct act *a)
{
    for (size_t i = 0; i < 2; i++) {
        struct tls_pair pair;
        assert_int_equal(keys_make_pair(c, GATE_ECDSA, &pair), OK);
        assert_int_equal(keys_keep_pair(c, a->set->id, &pair, &a->set->key[i], c->why), OK);
        a->set->nkey++;
    }
    assert_int_equal(keys_save(c, a->set, NULL), OK);
}

static void test_forgotten_keys_lose_their_secret(void **state)
{
    struct fixture *f = *state;
    struct gate_set s = {.wants = {true}}, is;
    act(f, (struct act){add_set, &s, "g1"});
    act(f, (struct act){keep_two_pairs, &s, NULL});
    assert_int_equal(count(f, "SELECT COUNT(*) FROM key_pair"), 2);
    int64_t stays = s.key[1].pair_id;
    s.key[0] = s.key[1];
    s.nkey = 1;
    act(f, (struct act){save, &s, NULL});
    assert_int_equal(count(f, "SELECT COUNT(*) FROM key_pair"), 1);
    assert_int_equal(count(f, "SELECT pair_id FROM key_pair"), stays);
    assert_int_equal(count(f, "SELECT COUNT(*) FROM gate_key WHERE forgotten = 1"), 1); /* the timeline's */
    is.id = s.id;
    act(f, (struct act){load, &is, NULL});
    assert_int_equal(is.nkey, 1);
    assert_int_equal(is.key[0].pair_id, stays);
}

static void test_senseless_rows(void **state)
{
    static const char *const edits[] = {
        "UPDATE gate_key SET algorithm = 'dsa'",
        "UPDATE gate_key SET state = 'asleep'",
        "UPDATE gate_key SET roll = 'perhaps'",
        "UPDATE gate_key SET spki_sha256 = x'00ff'",
        "UPDATE gate_key SET ta_sha256 = x'00'",
        "UPDATE gate_key SET lost = x'030101'",
        "UPDATE key_set SET memory = x'0102'",
        "UPDATE key_set SET memory = memory || x'00'",
        "WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 20) INSERT INTO gate_key"
        " SELECT 1000 + i, key_set_id, pair_id, algorithm, spki_sha256, state, since_ms, ta_sha256, lost,"
        " proven_ms, roll, roll_ms, compromised, 0 FROM gate_key, n WHERE state = 'active'",
    };
    for (size_t i = 0; i < sizeof edits / sizeof *edits; i++) {
        struct fixture *f;
        assert_int_equal(setup((void **)&f), 0);
        struct gate_set s = kept(f);
        act(f, (struct act){run_sql, NULL, edits[i]});
        act(f, (struct act){load_senseless, &s, edits[i]});
        teardown((void **)&f);
    }
    (void)state;
}

static void save_with_events(struct call *c, struct act *a)
{
    struct gate_out out = {
        .nevent = 2,
        .event = {{GATE_EVENT_PUBLISHED, 41, GATE_GENERATED, GATE_PUBLISHED, STR_NONE},
                  {GATE_EVENT_UNREADY, 42, GATE_READY, GATE_PUBLISHED, STR("192.0.2.53")}}};
    assert_int_equal(keys_save(c, a->set, &out), OK);
}

static void test_events(void **state)
{
    struct fixture *f = *state;
    struct gate_set s = {.wants = {true}};
    act(f, (struct act){add_set, &s, "g1"});
    act(f, (struct act){save_with_events, &s, NULL});
    good(f, "key.timeline", "{'key': 'g1'}");
    json_t *events = json_object_get(f->result, "events");
    assert_int_equal(json_array_size(events), 2);
    json_t *second = json_array_get(events, 1); /* of one moment, in their order */
    assert_int_equal(json_integer_value(json_object_get(second, "key")), 42);
    assert_string_equal(json_string_value(json_object_get(second, "event")), "unready");
    assert_string_equal(json_string_value(json_object_get(second, "detail")), "192.0.2.53");
    assert_string_equal(json_string_value(json_object_get(second, "sentence")),
                        gate_event_sentence(GATE_EVENT_UNREADY));
}

static void find_sets(struct call *c, struct act *a)
{
    struct key_row row, *rows;
    size_t n;
    struct gate_set other = {0};
    assert_int_equal(keys_find(c, STR("g1"), &row), OK);
    assert_int_equal(row.id, a->set->id);
    assert_int_equal(keys_find(c, id_text(c->a, a->set->id), &row), OK);
    assert_true(str_equal(row.group, STR("g1")));
    assert_int_equal(keys_find(c, STR("g2"), &row), ERR_NOT_FOUND);
    assert_int_equal(keys_add_set(c, STR("g1"), &other), ERR_EXISTS);
    assert_non_null(strstr(buf_cstr(c->why), "g1"));
    assert_int_equal(keys_rows(c, &rows, &n), OK);
    assert_int_equal(n, 1);
    other.id = a->set->id + 1000;
    assert_int_equal(keys_load(c, other.id, &other), ERR_NOT_FOUND);
}

static void test_sets_are_found(void **state)
{
    struct fixture *f = *state;
    struct gate_set s = {.wants = {true}};
    act(f, (struct act){add_set, &s, "g1"});
    act(f, (struct act){find_sets, &s, NULL});
}

static void keep_foreign_pair(struct call *c, struct act *a)
{
    struct gate_set other = {.wants = {true}};
    struct gate_key k;
    struct tls_pair pair;
    assert_int_equal(keys_add_set(c, STR("g2"), &other), OK);
    assert_int_equal(keys_make_pair(c, GATE_RSA, &pair), OK);
    assert_int_equal(keys_keep_pair(c, a->set->id, &pair, &k, c->why), OK);
    assert_int_equal(k.algorithm, GATE_RSA);
    assert_int_equal(keys_keep_pair(c, a->set->id, &pair, &k, c->why), OK); /* again */
    assert_int_equal(keys_keep_pair(c, other.id, &pair, &k, c->why), ERR_EXISTS);
    assert_non_null(strstr(buf_cstr(c->why), "belong"));
}

static void test_a_pair_has_one_owner(void **state)
{
    struct fixture *f = *state;
    struct gate_set s = {.wants = {true}};
    act(f, (struct act){add_set, &s, "g1"});
    act(f, (struct act){keep_foreign_pair, &s, NULL});
}

int main(void)
{
    log_init("test", LOG_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_every_field),
        TEST(test_forgotten_keys_lose_their_secret),
        cmocka_unit_test(test_senseless_rows),
        TEST(test_events),
        TEST(test_sets_are_found),
        TEST(test_a_pair_has_one_owner),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
