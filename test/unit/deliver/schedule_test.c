#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "deliver/schedule.h"

#define MIN (60 * 1000LL)
#define HOUR (60 * MIN)

static const int64_t waits[] = {15 * MIN, 15 * MIN, HOUR};
static const struct schedule s = {.waits = waits,
                                  .wait_count = 3,
                                  .lifetime = 120 * HOUR,
                                  .lifetime_security = 24 * HOUR,
                                  .warning = 4 * HOUR,
                                  .clear_text_wait = 5 * MIN};

static void waits_in_order_and_the_last_repeats(void **state)
{
    (void)state;
    int64_t now = 1000000;
    assert_int_equal(schedule_next(&s, REASON_CONNECT_FAILED, 1, now, now), now + 15 * MIN);
    assert_int_equal(schedule_next(&s, REASON_CONNECT_FAILED, 2, now, now), now + 15 * MIN);
    assert_int_equal(schedule_next(&s, REASON_CONNECT_FAILED, 3, now, now), now + HOUR);
    assert_int_equal(schedule_next(&s, REASON_CONNECT_FAILED, 50, now, now), now + HOUR);
}

static void security_has_the_shorter_life(void **state)
{
    (void)state;
    int64_t received = 1000000, day = received + 24 * HOUR;
    struct str before = STR("dnssec-bogus-mx");
    assert_false(schedule_is_expired(&s, before, REASON_TLSA_NO_MATCH, received, day - 1));
    assert_true(schedule_is_expired(&s, before, REASON_TLSA_NO_MATCH, received, day));
    assert_false(schedule_is_expired(&s, before, REASON_CONNECT_FAILED, received, day));
    assert_false(
        schedule_is_expired(&s, before, REASON_RESOLVER_FAULT, received, day)); /* ours, not theirs */
    assert_true(schedule_is_expired(&s, before, REASON_CONNECT_FAILED, received, received + 120 * HOUR));
}

/* Regression: a message that had waited 30 hours for a dead host was returned when one lookup failed. */
static void one_failure_of_security_ends_nothing(void **state)
{
    (void)state;
    int64_t received = 1000000, late = received + 30 * HOUR;
    static const char *const others[] = {"", "connect-failed", "resolver-fault", "refused",
                                         "of a later version"};
    for (size_t i = 0; i < sizeof others / sizeof *others; i++) {
        struct str before = str_of(others[i]);
        assert_false(schedule_is_expired(&s, before, REASON_DNS_TIMEOUT, received, late));
        assert_true(schedule_is_expired(&s, before, REASON_DNS_TIMEOUT, received, received + 120 * HOUR));
    }
    assert_true(schedule_is_expired(&s, STR("dns-timeout"), REASON_DNS_TIMEOUT, received, late));
    assert_int_equal(schedule_next(&s, REASON_DNS_TIMEOUT, 9, received, late), late + HOUR);
    struct schedule short_of_all = s; /* whoever gives everything a shorter life than security means it */
    short_of_all.lifetime = HOUR;
    assert_false(
        schedule_is_expired(&short_of_all, STR(""), REASON_DNS_TIMEOUT, received, received + 2 * HOUR));
    assert_true(schedule_is_expired(&short_of_all, STR(""), REASON_DNS_TIMEOUT, received, late));
}

static void the_last_attempt_is_at_the_end(void **state)
{
    (void)state;
    int64_t received = 1000000, end = received + 24 * HOUR;
    assert_int_equal(schedule_next(&s, REASON_TLSA_NO_MATCH, 9, received, end - 10 * MIN), end);
}

static void warns_once_after_four_hours(void **state)
{
    (void)state;
    int64_t received = 1000000;
    assert_false(schedule_warns(&s, received, 0, received + 4 * HOUR - 1));
    assert_true(schedule_warns(&s, received, 0, received + 4 * HOUR));
    assert_false(schedule_warns(&s, received, received + 4 * HOUR, received + 5 * HOUR));
    struct schedule never = s;
    never.warning = 0;
    assert_false(schedule_warns(&never, received, 0, received + 400 * HOUR));
}

static void clear_text_needs_an_earlier_failed_handshake(void **state)
{
    (void)state;
    int64_t last = 1000000;
    assert_false(schedule_allows_clear_text(&s, STR("handshake-failed"), last, last + 5 * MIN - 1));
    assert_true(schedule_allows_clear_text(&s, STR("handshake-failed"), last, last + 5 * MIN));
    assert_false(schedule_allows_clear_text(&s, STR("starttls-refused"), last, last + 5 * MIN));
    assert_false(schedule_allows_clear_text(&s, STR(""), 0, last));
    struct schedule quick = s;
    static const int64_t seconds[] = {1000};
    quick.waits = seconds, quick.wait_count = 1;
    assert_int_equal(schedule_next(&quick, REASON_HANDSHAKE_FAILED, 1, last, last), last + 5 * MIN);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(waits_in_order_and_the_last_repeats),
        cmocka_unit_test(security_has_the_shorter_life),
        cmocka_unit_test(one_failure_of_security_ends_nothing),
        cmocka_unit_test(the_last_attempt_is_at_the_end),
        cmocka_unit_test(warns_once_after_four_hours),
        cmocka_unit_test(clear_text_needs_an_earlier_failed_handshake),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
