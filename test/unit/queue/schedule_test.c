#include "spool.h"

#include "queue/store_priv.h"

enum { MANY = 500 };

static void comes_out_in_order(void **state)
{
    (void)state;
    static struct item items[MANY];
    struct schedule s = {0};
    for (uint32_t i = 0; i < MANY; i++) {
        items[i].next_ms = rand_below(100);
        (void)snprintf(items[i].id, sizeof items[i].id, "%u", i);
        schedule_add(&s, &items[i]);
    }
    /* some change their mind */
    for (size_t i = 0; i < MANY; i += 3) {
        schedule_remove(&s, &items[i]);
        items[i].next_ms = rand_below(100);
        schedule_add(&s, &items[i]);
    }
    for (size_t i = 0; i < MANY; i += 5)
        schedule_remove(&s, &items[i]);
    const struct item *last = NULL;
    size_t n = 0;
    for (struct item *i; (i = schedule_first(&s)); n++) {
        if (last)
            assert_true(last->next_ms < i->next_ms ||
                        (last->next_ms == i->next_ms && memcmp(last->id, i->id, sizeof i->id) < 0));
        last = i;
        schedule_remove(&s, i);
    }
    assert_int_equal(n, MANY - (MANY + 4) / 5);
    schedule_release(&s);
}

static void a_message_costs_little(void **state)
{
    (void)state;
    /* item, two slots of the map at half load, key, place in the heap (doubled) */
    assert_true(sizeof(struct item) + 2 * 32 + 32 + 2 * sizeof(void *) <= 300);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(comes_out_in_order),
                                       cmocka_unit_test(a_message_costs_little)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
