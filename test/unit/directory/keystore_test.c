#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <ftw.h>

#include "directory/write.h"

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static struct tls_identity identity(uint64_t key_set, const char *leaf)
{
    struct tls_identity i = {.key_set = key_set, .n = 1};
    i.pair[0] = (struct tls_pair){.id = key_set + 100,
                                  .chain_der = {str_of(leaf), STR("issuer")},
                                  .chain_n = 2,
                                  .key_der = STR("secret")};
    return i;
}

/* 0: nothing at all; negative: by default. */
static int64_t served(struct keystore *k, const char *name)
{
    struct keystore_view v = {0};
    struct arena a = {0};
    struct tls_identity got;
    bool is_default;
    assert_int_equal(keystore_begin(k, &v, NULL), OK);
    bool found = keystore_identity(&v, &a, str_of(name), &got, &is_default);
    keystore_end(&v);
    if (found) {
        assert_int_equal(got.n, 1);
        assert_int_equal(got.pair[0].id, got.key_set + 100);
        assert_int_equal(got.pair[0].chain_n, 2);
        assert_true(str_equal(got.pair[0].chain_der[1], STR("issuer")));
        assert_true(str_equal(got.pair[0].key_der, STR("secret")));
    }
    arena_release(&a);
    return !found ? 0 : is_default ? -(int64_t)got.key_set : (int64_t)got.key_set;
}

static void test_names(void **state)
{
    (void)state;
    char path[] = "/tmp/kedge-keystore-XXXXXX";
    assert_non_null(mkdtemp(path));
    struct buf why = {0};
    struct keystore *k = keystore_open_writable(path, &why);
    assert_non_null(k);
    assert_int_equal(served(k, ""), 0);
    assert_int_equal(served(k, "mx.example"), 0);

    struct keystore_write *w = keystore_write_begin(k, &why);
    struct tls_identity one = identity(1, "leaf one"), two = identity(2, "leaf two");
    keystore_put(w, &one);
    keystore_put(w, &two);
    keystore_put_name(w, STR(""), 1);
    keystore_put_name(w, STR("*.mx.example"), 2);
    keystore_put_name(w, STR("b.mx.example"), 1);
    assert_int_equal(keystore_write_commit(w, 5, STR("test"), &why), OK);
    assert_int_equal(served(k, ""), -1);
    assert_int_equal(served(k, "other.example"), -1);
    assert_int_equal(served(k, "a.mx.example"), 2);
    assert_int_equal(served(k, "b.mx.example"), 1);
    assert_int_equal(served(k, "mx.example"), -1);
    assert_int_equal(served(k, "x.a.mx.example"), -1); /* a wildcard covers one label */

    w = keystore_write_begin(k, &why);
    keystore_remove_all(w);
    keystore_put(w, &two);
    keystore_put_name(w, STR("b.mx.example"), 2);
    assert_int_equal(keystore_write_commit(w, 6, STR("test"), &why), OK);
    assert_int_equal(served(k, "b.mx.example"), 2);
    assert_int_equal(served(k, "a.mx.example"), 0);
    struct keystore_view v = {0};
    assert_int_equal(keystore_begin(k, &v, &why), OK);
    assert_int_equal(keystore_epoch(&v), 6);
    keystore_end(&v);

    w = keystore_write_begin(k, &why); /* one by one */
    keystore_put(w, &one);
    keystore_put_name(w, STR("A.mx.example"), 1);
    keystore_put_name(w, STR("c.mx.example"), 3); /* a set that has nothing yet */
    keystore_put_name(w, STR(""), 2);
    assert_int_equal(keystore_write_commit(w, 7, STR("test"), &why), OK);
    assert_int_equal(served(k, "a.mx.example"), 1);
    assert_int_equal(served(k, "b.mx.example"), 2);
    assert_int_equal(served(k, "c.mx.example"), -2);
    w = keystore_write_begin(k, &why);
    keystore_remove(w, 1);
    keystore_remove_name(w, STR("b.mx.EXAMPLE"));
    keystore_remove_name(w, STR("never.mx.example"));
    assert_int_equal(keystore_write_commit(w, 8, STR("test"), &why), OK);
    assert_int_equal(served(k, "a.mx.example"), -2);
    assert_int_equal(served(k, "b.mx.example"), -2);
    w = keystore_write_begin(k, &why);
    keystore_remove_name(w, STR(""));
    assert_int_equal(keystore_write_commit(w, 9, STR("test"), &why), OK);
    assert_int_equal(served(k, "b.mx.example"), 0);
    keystore_close(k);
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    buf_release(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_names)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
