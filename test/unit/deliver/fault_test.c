#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver/fault.h"

enum { NOW = 1000000 };

static void note(struct fault *f, const char *stem, int i, const char *parent, bool bogus)
{
    char name[64];
    (void)snprintf(name, sizeof name, "%s%d.%s", stem, i, parent);
    fault_note(f, str_of(name), bogus, NOW);
}

static void many_unrelated_domains_at_once(void **state)
{
    (void)state;
    struct fault f = {0};
    for (int i = 0; i < FAULT_LEAST - 1; i++)
        note(&f, "d", i, "example", true);
    assert_false(fault_is_ours(&f, NOW));
    note(&f, "d", 99, "example", true);
    assert_true(fault_is_ours(&f, NOW));
    assert_false(fault_is_ours(&f, NOW + FAULT_WINDOW + 1)); /* it was a while ago */
}

static void one_zone_with_many_names_is_its_own_fault(void **state)
{
    (void)state;
    struct fault f = {0};
    for (int i = 0; i < 3 * FAULT_LEAST; i++)
        note(&f, "d", i, "broken.example", true);
    assert_false(fault_is_ours(&f, NOW));
}

static void most_still_validate(void **state)
{
    (void)state;
    struct fault f = {0};
    for (int i = 0; i < FAULT_LEAST; i++)
        note(&f, "bad", i, "example", true);
    for (int i = 0; i < FAULT_LEAST; i++)
        note(&f, "good", i, "example", false);
    assert_false(fault_is_ours(&f, NOW));
}

static void a_domain_counts_as_it_was_last_seen(void **state)
{
    (void)state;
    struct fault f = {0};
    for (int i = 0; i < FAULT_LEAST; i++)
        note(&f, "d", i, "example", true);
    for (int i = 0; i < FAULT_LEAST; i++)
        note(&f, "d", i, "example", false);
    assert_false(fault_is_ours(&f, NOW));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(many_unrelated_domains_at_once),
        cmocka_unit_test(one_zone_with_many_names_is_its_own_fault),
        cmocka_unit_test(most_still_validate),
        cmocka_unit_test(a_domain_counts_as_it_was_last_seen),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
