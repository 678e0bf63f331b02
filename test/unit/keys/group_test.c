/* What operators ask of key groups, by the verbs, with a board on which the gate wrote what it saw. */
#include "fixture.h"

#include "keys/request.h"

struct prepared {
    struct gate_set set;
    void (*change)(struct gate_set *set);
};

static enum err prepare(struct call *c, void *ctx)
{
    struct prepared *p = ctx;
    struct key_row row;
    assert_int_equal(keys_find(c, STR("g1"), &row), OK);
    assert_int_equal(keys_load(c, row.id, &p->set), OK);
    p->change(&p->set);
    assert_int_equal(keys_save(c, &p->set, NULL), OK);
    return keys_set_options(c, &p->set);
}

/* Group g1 as `change` leaves it; the gate has looked. */
static int64_t group(struct fixture *f, void (*change)(struct gate_set *set))
{
    struct prepared p = {.change = change};
    good(f, "key.add", "{'group': 'g1'}");
    assert_int_equal(tenant_transact(f->t, TENANT_WRITE, prepare, &p, &f->why), OK);
    board_post(f->board, p.set.id, &(struct board_view){.stepped_ms = 1, .evidence = {.wall_ms = 1}});
    return p.set.id;
}

static void serve(struct gate_set *set)
{
    set->key[0].state = GATE_ACTIVE;
    set->key[0].roll = GATE_ROLL_NO;
}

/* An imported key, whose CA is published, too. */
static void serve_with_ca(struct gate_set *set)
{
    serve(set);
    set->key[0].has_ta = set->ta = set->is_ta_on = true;
    set->keeps_next = false;
}

/* One is on its way out, and the next one is there. */
static void roll_under_way(struct gate_set *set)
{
    serve(set);
    for (int i = 0; i < 2; i++) {
        struct gate_key *k = &set->key[set->nkey++];
        *k = set->key[0];
        k->id = 0;
        k->spki[0] = (uint8_t)(k->spki[0] + 1 + i);
        k->state = i ? GATE_READY : GATE_RETIRING;
    }
}

static size_t count_keys(struct fixture *f)
{
    good(f, "key.show", "{'key': 'g1'}");
    return json_array_size(json_object_get(f->result, "keys"));
}

static json_t *first_key(struct fixture *f)
{
    good(f, "key.show", "{'key': 'g1'}");
    return json_array_get(json_object_get(f->result, "keys"), 0);
}

static void says(struct fixture *f, const char *words)
{
    const char *said = json_string_value(json_object_get(f->result, "said"));
    if (!said || !strstr(said, words))
        fail_msg("'%s' is not in '%s'", words, said ? said : "nothing");
}

static void test_emergency_makes_a_key(void **state)
{
    struct fixture *f = *state;
    group(f, serve);
    good(f, "key.emergency", "{'key': 'g1'}");
    assert_string_equal(json_string_value(json_object_get(f->result, "plan")), "new");
    assert_int_equal(count_keys(f), 1); /* it was only shown */
    good(f, "key.emergency", "{'key': 'g1', 'yes': true}");
    says(f, "one is made and published now");
    assert_true(json_is_true(json_object_get(first_key(f), "compromised")));
    assert_int_equal(count_keys(f), 2);
}

/* Nobody but the CA can make the next key: it is said, and that the key is compromised is kept. */
static void test_emergency_without_a_key_to_make(void **state)
{
    struct fixture *f = *state;
    group(f, serve_with_ca);
    good(f, "key.emergency", "{'key': 'g1'}");
    assert_string_equal(json_string_value(json_object_get(f->result, "plan")), "hand-in");
    good(f, "key.emergency", "{'key': 'g1', 'yes': true}");
    says(f, "kedge key stage");
    assert_true(json_is_true(json_object_get(first_key(f), "compromised")));
    assert_int_equal(count_keys(f), 1);
}

static void test_roll_makes_no_surplus_key(void **state)
{
    struct fixture *f = *state;
    group(f, roll_under_way);
    assert_int_equal(count_keys(f), 3);
    assert_int_equal(call(f, "key.roll", "{'key': 'g1'}"), ERR_REFUSED);
    if (!strstr(buf_cstr(&f->why), "a roll is under way"))
        fail_msg("%s", buf_cstr(&f->why));
    assert_int_equal(count_keys(f), 3);
}

static enum err note_rrset(struct call *c, void *key_set)
{
    struct db_query *q = db_query(c->db, "INSERT INTO tlsa_rrset (zone_id, key_set_id, per_host)"
                                         " SELECT id, $1, 0 FROM zone");
    db_bind_int(q, *(int64_t *)key_set);
    return db_run(q, NULL, c->why);
}

/* While a cache may hold its records, a key is not taken from the edges without a word. */
static void test_removal_waits_for_caches(void **state)
{
    struct fixture *f = *state;
    good(f, "edge.group.add", "{'edge_group': 'default', 'address': ['192.0.2.25']}");
    good(f, "zone.add", "{'zone': 'k1.mx.example', 'primary': '192.0.2.53'}");
    int64_t id = group(f, serve);
    good(f, "key.add", "{'self_sign': 'edge.example', 'default': true}");
    assert_int_equal(tenant_transact(f->t, TENANT_WRITE, note_rrset, &id, &f->why), OK);
    assert_int_equal(call(f, "key.remove", "{'key': 'g1'}"), ERR_REFUSED);
    if (!strstr(buf_cstr(&f->why), "caches of 1 zone(s) may still have TLSA records"))
        fail_msg("%s", buf_cstr(&f->why));
    good(f, "key.remove", "{'key': 'g1', 'force': true}");
}

int main(void)
{
    log_init("test", LOG_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_emergency_makes_a_key), TEST(test_emergency_without_a_key_to_make),
        TEST(test_roll_makes_no_surplus_key), TEST(test_removal_waits_for_caches)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
