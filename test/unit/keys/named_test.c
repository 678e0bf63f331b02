/* Keys by name. */
#include "fixture.h"

static uint64_t serves(struct fixture *f, const char *name)
{
    struct tls_identity identity;
    return served(f, name, &identity);
}

static void test_names_and_default(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(serves(f, "a.example"), 0);
    good(f, "key.add", "{'self_sign': 'MX.a.example', 'name': ['*.mx.example']}");
    uint64_t first = (uint64_t)json_integer_value(json_object_get(f->result, "key"));
    assert_true(json_is_true(json_object_get(f->result, "default")));
    good(f, "key.add", "{'self_sign': 'b.example'}");
    uint64_t second = (uint64_t)json_integer_value(json_object_get(f->result, "key"));
    assert_false(json_is_true(json_object_get(f->result, "default")));
    assert_int_equal(serves(f, "mx.a.example"), first);
    assert_int_equal(serves(f, "x.mx.example"), first);
    assert_int_equal(serves(f, "b.example"), second);
    assert_int_equal(serves(f, "unknown.example"), first);
    good(f, "key.set", "{'key': 'b.example', 'default': true, 'name': '*.mx.example'}");
    assert_int_equal(serves(f, "unknown.example"), second);
    assert_int_equal(serves(f, "x.mx.example"), second);
    assert_int_equal(call(f, "key.remove", "{'key': 'mx.a.example'}"), ERR_REFUSED);
    good(f, "key.remove", "{'key': 'mx.a.example', 'force': true}");
    assert_int_equal(serves(f, "mx.a.example"), second); /* the default */
    good(f, "key.list", "{}");
    assert_int_equal(json_array_size(f->result), 1);
    char *all = json_dumps(f->result, 0);
    assert_null(strstr(all, "PRIVATE"));
    free(all);
}

static void test_mistakes(void **state)
{
    static const struct {
        const char *verb, *args;
        enum err e;
        const char *says;
    } cases[] = {
        {"key.add", "{}", ERR_USAGE, "--self-sign"},
        {"key.add", "{'certificate_pem': 'x'}", ERR_USAGE, "--key"},
        {"key.add", "{'self_sign': 'no name'}", ERR_USAGE, "no name"},
        {"key.remove", "{'key': '99'}", ERR_NOT_FOUND, "99"},
        {"key.add", "{'group': 'G1'}", ERR_USAGE, "G1"},
        {"key.add", "{'group': '1g'}", ERR_USAGE, "1g"},
        {"key.add", "{'group': 'g-1'}", ERR_USAGE, "g-1"},
        {"key.add", "{'group': 'g1', 'self_sign': 'a.example'}", ERR_USAGE, "--group"},
        {"key.add", "{'group': 'g1', 'ta': true}", ERR_USAGE, "issuing CA"},
        {"key.roll", "{'key': 'g9'}", ERR_NOT_FOUND, "g9"},
        {"key.stage", "{'key': 'g9'}", ERR_USAGE, "--cert"},
        {"key.emergency", "{}", ERR_USAGE, "key"},
        {"edge.confirm", "{'edge': 'e.example'}", ERR_USAGE, "understood"},
        {"edge.confirm", "{'edge': 'e.example', 'serves': [{'key_set': 1}]}", ERR_USAGE, "understood"},
        {"edge.probe", "{'edge': 'e.example', 'probes': []}", ERR_NOT_FOUND, "e.example"},
    };
    struct fixture *f = *state;
    for (size_t i = 0; i < sizeof cases / sizeof *cases; i++) {
        assert_int_equal(call(f, cases[i].verb, cases[i].args), cases[i].e);
        if (!strstr(buf_cstr(&f->why), cases[i].says))
            fail_msg("%s: '%s' does not say '%s'", cases[i].verb, buf_cstr(&f->why), cases[i].says);
    }
}

/* The keystore is made again from the database when it is lost. */
static void test_keystore_lost(void **state)
{
    struct fixture *f = *state;
    char path[96];
    good(f, "key.add", "{'self_sign': 'a.example'}");
    tenant_close(f->t);
    f->t = NULL;
    snprintf(path, sizeof path, "%s/keys", f->folder);
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    reopen(f);
    assert_true(serves(f, "a.example") > 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_names_and_default),
        TEST(test_mistakes),
        TEST(test_keystore_lost),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
