#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "base/base.h"

static unsigned dropped;

static void drop(void *value)
{
    dropped++;
    free(value);
}

static int *number(int n)
{
    int *p = must_alloc(malloc(sizeof *p));
    *p = n;
    return p;
}

static struct str key_of(const int *n)
{
    return str_make((const char *)n, sizeof *n);
}

static void what_is_used_stays(void **state)
{
    (void)state;
    struct lru l;
    dropped = 0;
    lru_init(&l, 3, drop);
    for (int i = 0; i < 3; i++)
        lru_put(&l, key_of(&i), number(i));
    const int zero = 0, one = 1, two = 2, three = 3;
    assert_int_equal(*(int *)lru_get(&l, key_of(&zero)), 0);
    lru_put(&l, key_of(&three), number(3)); /* 1 was used longest ago */
    assert_int_equal(dropped, 1);
    assert_null(lru_get(&l, key_of(&one)));
    lru_put(&l, key_of(&two), number(22));
    assert_int_equal(dropped, 2);
    assert_int_equal(*(int *)lru_get(&l, key_of(&two)), 22);
    int *taken = lru_take(&l, key_of(&zero));
    assert_int_equal(*taken, 0);
    free(taken);
    assert_null(lru_take(&l, key_of(&zero)));
    assert_int_equal(dropped, 2);
    lru_put(&l, STR(""), number(5)); /* the empty key is a key */
    assert_int_equal(*(int *)lru_get(&l, STR("")), 5);
    lru_release(&l);
    assert_int_equal(dropped, 5);
}

/* Against a model: a list in the order of use. */
static void random_use(void **state)
{
    (void)state;
    enum { MOST = 7, KEYS = 12, STEPS = 20000 };
    int order[KEYS], n = 0; /* used last first */
    struct lru l;
    lru_init(&l, MOST, drop);
    for (int step = 0; step < STEPS; step++) {
        int key = (int)(rand_u64() % KEYS), what = (int)(rand_u64() % 3), at = 0;
        while (at < n && order[at] != key)
            at++;
        const int *found = what == 0 ? lru_get(&l, key_of(&key)) : NULL;
        if (what == 0)
            assert_int_equal(found ? *found : -1, at < n ? key : -1);
        if (what == 1)
            lru_put(&l, key_of(&key), number(key));
        if (what == 2)
            free(lru_take(&l, key_of(&key)));
        bool was_there = at < n;
        if (was_there)
            memmove(order + at, order + at + 1, (size_t)(--n - at) * sizeof *order);
        if (what == 1 || (what == 0 && was_there)) {
            if (n == MOST)
                n--;
            memmove(order + 1, order, (size_t)n * sizeof *order);
            order[0] = key;
            n++;
        }
        assert_int_equal(l.map.count, n);
    }
    lru_release(&l);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(what_is_used_stays), cmocka_unit_test(random_use)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
