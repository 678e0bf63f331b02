/* A key set in JSON and in words. */
#include "fixture.h"

#include "keys/describe.h"

static json_t *get(const json_t *o, const char *name)
{
    json_t *value = json_object_get(o, name);
    if (!value)
        fail_msg("'%s' is missing", name);
    return value;
}

static void text_is(const json_t *o, const char *name, const char *wanted)
{
    const char *is = json_string_value(get(o, name));
    if (!is || strcmp(is, wanted) != 0)
        fail_msg("%s is '%s', not '%s'", name, is ? is : "(no text)", wanted);
}

static bool line_has(const json_t *lines, const char *words)
{
    size_t i;
    json_t *line;
    json_array_foreach(lines, i, line) if (strstr(json_string_value(line), words)) return true;
    return false;
}

static void needs_line(const json_t *described, const char *words)
{
    if (line_has(get(described, "lines"), words))
        return;
    char *all = json_dumps(get(described, "lines"), JSON_INDENT(1));
    fail_msg("no line has '%s':\n%s", words, all);
}

/* An active key that is compromised, and one of which only the record is known. */
static struct key_row make(struct call *c)
{
    struct gate_set set = {.wants = {true, true}, .keeps_next = true};
    struct tls_pair pair;
    struct key_row row;
    assert_int_equal(keys_add_set(c, STR("g1"), &set), OK);
    assert_int_equal(keys_make_pair(c, GATE_ECDSA, &pair), OK);
    assert_int_equal(keys_keep_pair(c, set.id, &pair, &set.key[0], c->why), OK);
    set.key[0].state = GATE_ACTIVE;
    set.key[0].roll = GATE_ROLL_FORCED;
    set.key[0].is_compromised = true;
    set.key[1] = (struct gate_key){.state = GATE_RETIRING, .is_lost = true, .lost = {3, 1, 1, {1}}};
    set.nkey = 2;
    assert_int_equal(keys_save(c, &set, NULL), OK);
    assert_int_equal(keys_find(c, STR("g1"), &row), OK);
    return row;
}

static void not_looked_at(struct call *c)
{
    struct key_row row = make(c);
    json_t *o = NULL;
    assert_int_equal(keys_describe(c, &row, &(struct board_view){0}, &o), OK);
    text_is(o, "group", "g1");
    text_is(o, "algorithm", "ecdsa rsa");
    assert_true(json_is_true(get(o, "self_signed_next")));
    assert_true(json_is_false(get(o, "ta")));
    assert_int_equal(json_integer_value(get(o, "records")), 2);
    assert_true(json_is_null(get(o, "waiting")));
    assert_true(json_is_null(get(o, "looked")));
    text_is(o, "awaits", "the servers and edges were not looked at yet");
    json_t *keys = get(o, "keys");
    assert_int_equal(json_array_size(keys), 2);
    json_t *served = json_array_get(keys, 0), *lost = json_array_get(keys, 1);
    text_is(served, "state", "active");
    text_is(served, "sentence", "it is served");
    text_is(served, "roll", "forced");
    text_is(served, "subject", "CN=edge.example");
    text_is(served, "names", "edge.example");
    assert_true(json_is_true(get(served, "compromised")));
    assert_int_equal(strlen(json_string_value(get(served, "spki_sha256"))), 64);
    text_is(lost, "state", "retiring");
    assert_true(json_is_true(get(lost, "lost")));
    assert_null(json_object_get(lost, "subject"));
    char *all = json_dumps(o, 0);
    assert_null(strstr(all, "private"));
    free(all);
    keys_tell(o);
    needs_line(o, "group g1");
    needs_line(o, "COMPROMISED");
    needs_line(o, "only its record is known");
    needs_line(o, "awaits: the servers and edges were not looked at yet");
    json_decref(o);
}

static void alarmed(struct call *c)
{
    struct key_row row = make(c);
    struct gate_waiting doubt = {.what = GATE_AWAIT_EDGE_AHEAD, .key_id = 41, .subject = STR("e1.example")};
    struct board_view view = {.stepped_ms = INT64_C(1800000000000)};
    view.out.waiting = (struct gate_waiting){.what = GATE_AWAIT_CACHES, .until_ms = INT64_C(1800000060000)};
    view.out.alarm[view.out.nalarm++] = doubt;
    json_t *o = NULL;
    clock_set_for_test(INT64_C(1800000000000));
    assert_int_equal(keys_describe(c, &row, &view, &o), OK);
    text_is(o, "looked", "2027-01-15T08:00:00.000Z");
    text_is(o, "until", "2027-01-15T08:01:00.000Z");
    text_is(get(o, "waiting"), "what", "caches");
    assert_true(json_is_false(get(get(o, "waiting"), "doubt")));
    assert_true(json_is_null(get(get(o, "waiting"), "by")));
    assert_true(json_is_null(get(get(o, "waiting"), "key")));
    json_t *alarm = json_array_get(get(o, "alarms"), 0);
    text_is(alarm, "what", "edge-ahead");
    text_is(alarm, "by", "e1.example");
    text_is(alarm, "advice", gate_await_advice(GATE_AWAIT_EDGE_AHEAD));
    assert_true(json_is_true(get(alarm, "doubt")));
    assert_int_equal(json_integer_value(get(alarm, "key")), 41);
    assert_true(json_is_null(get(alarm, "until")));
    keys_tell(o);
    needs_line(o, "ALARM: ");
    needs_line(o, "what to do: restore a newer database");
    json_decref(o);
    clock_set_for_test(0);
}

static void missing(struct call *c)
{
    json_t *o = NULL;
    struct key_row row = {.id = 4711, .group = STR("g9")};
    assert_int_equal(keys_describe(c, &row, &(struct board_view){0}, &o), ERR_NOT_FOUND);
    assert_null(o);
}

static enum err one(struct call *c, void *run)
{
    (*(void (**)(struct call *))run)(c);
    return OK;
}

static void transact(void **state, void (*run)(struct call *))
{
    struct fixture *f = *state;
    assert_int_equal(tenant_transact(f->t, TENANT_WRITE, one, &run, &f->why), OK);
}

static void test_not_looked_at(void **state)
{
    transact(state, not_looked_at);
}

static void test_alarmed(void **state)
{
    transact(state, alarmed);
}

static void test_missing(void **state)
{
    transact(state, missing);
}

int main(void)
{
    log_init("test", LOG_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_not_looked_at), TEST(test_alarmed), TEST(test_missing)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
