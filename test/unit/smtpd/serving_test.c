#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <unistd.h>
#include <cmocka.h>

#include "directory/write.h"
#include "smtpd/serving.h"

static void change(struct serving *s, uint64_t epoch, size_t n, const uint64_t *pairs)
{
    struct serving_list now = {.v = must_alloc(calloc(n + 1, sizeof *now.v)), .n = n, .room = n + 1};
    for (size_t i = 0; i < n; i++)
        now.v[i] = (struct serving_pair){.key_set = 7, .pair = pairs[i], .is_rsa = pairs[i] % 2};
    serving_change(s, epoch, epoch, &now);
    assert_null(now.v);
}

/* "1,2" and the epoch. */
static void expect(const struct serving *s, uint64_t epoch, const char *pairs)
{
    json_t *request = serving_request(s, STR("edge.example")), *one;
    struct buf text = {0};
    size_t i;
    json_array_foreach(json_object_get(request, "serves"), i, one)
        buf_printf(&text, "%s%d", i ? "," : "", (int)json_integer_value(json_object_get(one, "pair")));
    assert_string_equal(buf_cstr(&text), pairs);
    assert_int_equal(json_integer_value(json_object_get(request, "key_epoch")), epoch);
    assert_string_equal(json_string_value(json_object_get(request, "edge")), "edge.example");
    buf_release(&text);
    json_decref(request);
}

#define PAIRS(...)                                                                                           \
    (sizeof((uint64_t[]){__VA_ARGS__}) / 8), (uint64_t[])                                                    \
    {                                                                                                        \
        __VA_ARGS__                                                                                          \
    }

static void a_key_is_served_until_nobody_can_see_it(void **state)
{
    (void)state;
    struct serving s = {0};
    serving_settle(&s);
    assert_false(serving_is_due(&s, 50000)); /* nothing is known: nothing is said */
    change(&s, 1, PAIRS(1));
    assert_true(serving_is_due(&s, 50000));
    serving_settle(&s);
    expect(&s, 1, "1");
    serving_told(&s, 50000);
    assert_false(serving_is_due(&s, 59999));
    assert_true(serving_is_due(&s, 60000));

    change(&s, 2, PAIRS(2)); /* rolled, while a handshake with 1 goes on */
    assert_true(serving_is_due(&s, 50001));
    expect(&s, 2, "2,1");
    serving_told(&s, 50001);
    change(&s, 3, PAIRS(3, 4)); /* again, and an RSA key beside it */
    expect(&s, 3, "3,4,1,2");
    serving_told(&s, 50002);
    serving_settle(&s);
    assert_true(serving_is_due(&s, 50003));
    expect(&s, 3, "3,4");
    serving_told(&s, 50003);
    serving_settle(&s);
    assert_false(serving_is_due(&s, 50004));

    change(&s, 4, PAIRS(4)); /* one goes, and comes back before that was settled */
    change(&s, 5, PAIRS(3, 4));
    expect(&s, 5, "3,4");
    serving_settle(&s);
    expect(&s, 5, "3,4");
    serving_release(&s);
}

static void the_keystore_is_what_is_served(void **state)
{
    (void)state;
    char folder[] = "/tmp/kedge-serving-XXXXXX";
    struct arena a = {0};
    struct buf why = {0};
    struct str name = STR("mx.example");
    struct tls_identity managed = {.key_set = 7, .n = 2, .is_managed = true}, other = {.key_set = 8, .n = 1};
    assert_non_null(mkdtemp(folder));
    struct keystore *k = keystore_open_writable(folder, &why);
    assert_non_null(k);
    tls_pair_self_signed(&a, TLS_KEY_P256, &name, 1, clock_wall() / 1000, 30, &managed.pair[0]);
    tls_pair_self_signed(&a, TLS_KEY_RSA3072, &name, 1, clock_wall() / 1000, 30, &managed.pair[1]);
    tls_pair_self_signed(&a, TLS_KEY_P256, &name, 1, clock_wall() / 1000, 30, &other.pair[0]);
    struct keystore_write *w = keystore_write_begin(k, &why);
    keystore_put(w, &managed);
    keystore_put(w, &other);
    assert_int_equal(keystore_write_commit(w, 3, STR("test"), &why), OK);

    uint64_t epoch = 0;
    struct serving_list list;
    assert_int_equal(serving_epoch(k, &epoch, &why), OK);
    assert_int_equal(epoch, 3);
    assert_int_equal(serving_read(k, &epoch, &list, &why), OK);
    assert_int_equal(list.n, 2); /* whose keys do not go through the gate is nobody's business */
    assert_true(list.v[0].pair == managed.pair[0].id && list.v[0].key_set == 7 && !list.v[0].is_rsa);
    assert_true(list.v[1].pair == managed.pair[1].id && list.v[1].is_rsa);
    struct tls_pair_facts facts;
    assert_int_equal(tls_pair_inspect(&managed.pair[1], &a, &facts, &why), OK);
    assert_memory_equal(list.v[1].spki_sha256, facts.spki_sha256, 32);
    free(list.v);

    /* a damaged pair is passed over, as a handshake does */
    managed.pair[0].key_der = STR("damaged");
    managed.pair[0].chain_der[0] = STR("damaged");
    w = keystore_write_begin(k, &why);
    keystore_put(w, &managed);
    keystore_remove(w, 8);
    assert_int_equal(keystore_write_commit(w, 4, STR("test"), &why), OK);
    assert_int_equal(serving_read(k, &epoch, &list, &why), OK);
    assert_true(epoch == 4 && list.n == 1 && list.v[0].is_rsa);
    free(list.v);
    w = keystore_write_begin(k, &why);
    keystore_remove(w, 7);
    assert_int_equal(keystore_write_commit(w, 5, STR("test"), &why), OK);
    assert_int_equal(serving_read(k, &epoch, &list, &why), OK);
    assert_int_equal(list.n, 0);
    free(list.v);
    keystore_close(k);
    static const char *const names[] = {"/data.mdb", "/lock.mdb", ""};
    for (size_t i = 0; i < 3; i++) {
        buf_set(&why, "%s%s", folder, names[i]);
        assert_int_equal(remove(buf_cstr(&why)), 0);
    }
    buf_release(&why);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_key_is_served_until_nobody_can_see_it),
                                       cmocka_unit_test(the_keystore_is_what_is_served)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
