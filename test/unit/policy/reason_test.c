/* The table of reason codes holds what the specification of each column asks. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/reason.h"

static bool is_status(const char *text, char class)
{
    unsigned a, b, c;
    char end;
    return sscanf(text, "%u.%u.%u%c", &a, &b, &c, &end) == 3 && text[0] == class;
}

static void rows_are_complete(void **state)
{
    (void)state;
    for (int i = REASON_NONE + 1; i < REASON_COUNT; i++) {
        const struct reason_row *row = reason_row((enum reason)i);
        bool requiretls = str_starts(str_of(row->name), STR("requiretls-"));
        assert_true(
            is_status(row->temporary, requiretls ? '5' : '4')); /* REQUIRETLS bounces at once (RFC 8689) */
        assert_true(is_status(row->final, '5'));
        assert_true(row->sentence[0] && row->advice[0]);
        enum reason back;
        assert_true(reason_parse(str_of(row->name), &back));
        assert_int_equal(back, i); /* names are unique */
    }
    enum reason r;
    assert_false(reason_parse(STR("no-such-reason"), &r));
}

static void numbers_are_those_an_administrator_knows(void **state)
{
    (void)state;
    static const struct {
        enum reason reason;
        const char *temporary, *final, *tls_rpt;
    } known[] = {
        {REASON_STARTTLS_NOT_OFFERED, "4.7.321", "5.7.321", "starttls-not-supported"},
        {REASON_STARTTLS_REFUSED, "4.7.321", "5.7.321", "starttls-not-supported"},
        {REASON_HANDSHAKE_FAILED, "4.7.321", "5.7.321", "validation-failure"},
        {REASON_CERTIFICATE_EXPIRED, "4.7.322", "5.7.322", "certificate-expired"},
        {REASON_CERTIFICATE_NOT_YET_VALID, "4.7.322", "5.7.322", "certificate-expired"},
        {REASON_TLSA_NO_MATCH, "4.7.323", "5.7.323", "validation-failure"},
        {REASON_TLSA_TA_NOT_IN_CHAIN, "4.7.323", "5.7.323", "validation-failure"},
        {REASON_TLSA_CHAIN_INVALID, "4.7.323", "5.7.323", "validation-failure"},
        {REASON_TLSA_UNUSABLE, "4.7.323", "5.7.323", "tlsa-invalid"},
        {REASON_DNSSEC_BOGUS_MX, "4.7.324", "5.7.324", "dnssec-invalid"},
        {REASON_DNSSEC_BOGUS_ADDRESS, "4.7.324", "5.7.324", "dnssec-invalid"},
        {REASON_DNSSEC_BOGUS_TLSA, "4.7.324", "5.7.324", "dnssec-invalid"},
        {REASON_CERTIFICATE_HOST_MISMATCH, "4.7.325", "5.7.325", "certificate-host-mismatch"},
        {REASON_DANE_REQUIRED, "4.7.326", "5.7.326", "dane-required"},
        {REASON_RESOLVER_FAULT, "4.4.3", "5.4.7", ""},
        {REASON_NULL_MX, "4.1.10", "5.1.10", ""},
    };
    for (size_t i = 0; i < sizeof known / sizeof *known; i++) {
        const struct reason_row *row = reason_row(known[i].reason);
        assert_string_equal(row->temporary, known[i].temporary);
        assert_string_equal(row->final, known[i].final);
        assert_string_equal(row->tls_rpt, known[i].tls_rpt);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(rows_are_complete),
        cmocka_unit_test(numbers_are_those_an_administrator_knows),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
