#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "smtpd/admission.h"

static struct addr ip(const char *text)
{
    struct addr a;
    assert_true(addr_parse_ip(str_of(text), &a));
    return a;
}

static enum admission_verdict come(struct admission *a, const char *from)
{
    const struct admission_limits limits = {.total = 100, .per_address = 2, .per_network = 3};
    struct addr peer = ip(from);
    return admission_take_address(a, &peer, &limits);
}

static void go(struct admission *a, const char *from)
{
    struct addr peer = ip(from);
    admission_give_address(a, &peer);
}

static void addresses_and_networks(void **state)
{
    (void)state;
    struct admission a;
    admission_init(&a);
    for (int round = 0; round < 3; round++) { /* what is given back can be taken again */
        assert_int_equal(come(&a, "192.0.2.1"), ADMISSION_OK);
        assert_int_equal(come(&a, "192.0.2.1"), ADMISSION_OK);
        assert_int_equal(come(&a, "192.0.2.1"), ADMISSION_ADDRESS_FULL);
        assert_int_equal(come(&a, "192.0.2.2"), ADMISSION_OK);
        assert_int_equal(come(&a, "192.0.2.3"), ADMISSION_NETWORK_FULL);
        assert_int_equal(come(&a, "192.0.3.1"), ADMISSION_OK);
        assert_int_equal(come(&a, "2001:db8:1::1"), ADMISSION_OK);
        assert_int_equal(come(&a, "2001:db8:1:2::1"), ADMISSION_OK);
        assert_int_equal(come(&a, "2001:db8:1:3::1"), ADMISSION_OK);
        assert_int_equal(come(&a, "2001:db8:1:4::1"), ADMISSION_NETWORK_FULL);
        assert_int_equal(come(&a, "2001:db8:2::1"), ADMISSION_OK);
        static const char *const all[] = {"192.0.2.1",       "192.0.2.1",     "192.0.2.2",
                                          "192.0.3.1",       "2001:db8:1::1", "2001:db8:1:2::1",
                                          "2001:db8:1:3::1", "2001:db8:2::1"};
        for (size_t i = 0; i < sizeof all / sizeof *all; i++)
            go(&a, all[i]);
        assert_int_equal(a.counts.count, 0);
    }
    admission_release(&a);
}

static void slots(void **state)
{
    (void)state;
    struct admission a;
    const struct admission_limits limits = {.total = 1};
    admission_init(&a);
    assert_int_equal(admission_take_slot(&a, &limits), ADMISSION_OK);
    assert_int_equal(admission_take_slot(&a, &limits), ADMISSION_TOTAL_FULL);
    assert_int_equal(admission_drain(&a, deadline_in(20)), 1);
    admission_give_slot(&a);
    assert_int_equal(admission_drain(&a, deadline_in(20)), 0);
    admission_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(addresses_and_networks), cmocka_unit_test(slots)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
