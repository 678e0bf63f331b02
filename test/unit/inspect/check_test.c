#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "../policy/script.h"
#include "inspect/inspect.h"

#define SIGNED                                                                                               \
    "example MX secure 20 mx2.example, 10 mx1.example\n"                                                     \
    "mx1.example A secure 192.0.2.1\n"                                                                       \
    "mx1.example AAAA secure-nodata\n"                                                                       \
    "mx2.example A secure 192.0.2.2\n"                                                                       \
    "mx2.example AAAA servfail\n"                                                                            \
    "_25._tcp.mx1.example TLSA secure 3 1 1 d32, 1 1 1 d32, 3 1 1 e32, 3 0 1 d32, 3 0 2 d64\n"

struct row {
    const char *script;
    enum mode mode;
    enum inspect_verdict verdict;
    const char *level;    /* NULL: not delivered */
    const char *findings; /* severity:code, worst first */
};

static const struct row ROWS[] = {
    {SIGNED "_25._tcp.mx2.example TLSA secure 3 1 1 d32\n", MODE_OPPORTUNISTIC, INSPECT_DELIVERED, "dane",
     "warning:tlsa-record-unusable note:tlsa-record-shadowed warning:address-family-fails"},
    {SIGNED "_25._tcp.mx2.example TLSA secure-nodata\n", MODE_OPPORTUNISTIC, INSPECT_DELIVERED, "dane",
     "warning:tlsa-record-unusable note:tlsa-record-shadowed warning:address-family-fails warning:no-tlsa "
     "warning:weaker-host"},
    {SIGNED "_25._tcp.mx2.example TLSA bogus\n", MODE_OPPORTUNISTIC, INSPECT_DELIVERED, "dane",
     "problem:dnssec-bogus-tlsa"},
    {"example MX bogus\n", MODE_OPPORTUNISTIC, INSPECT_DEFERRED, NULL, "problem:dnssec-bogus-mx"},
    {"example MX timeout\n", MODE_OPPORTUNISTIC, INSPECT_DEFERRED, NULL, "problem:dns-timeout"},
    {"example MX secure 0 .\n", MODE_OPPORTUNISTIC, INSPECT_BOUNCED, NULL, "problem:null-mx"},
    {"example MX insecure 10 mx.example\nmx.example A insecure 192.0.2.1\nmx.example AAAA insecure-nodata\n",
     MODE_OPPORTUNISTIC, INSPECT_DELIVERED, "none", "warning:mx-insecure warning:address-insecure"},
    {"example MX insecure 10 mx.example\n", MODE_MANDATORY, INSPECT_DEFERRED, NULL, "problem:dane-required"},
    {"example MX secure 10 mx.example\nmx.example A secure 192.0.2.1\nmx.example AAAA secure-nodata\n"
     "_25._tcp.mx.example TLSA secure 1 1 1 d32\n",
     MODE_OPPORTUNISTIC, INSPECT_DELIVERED, "encrypt", "warning:tlsa-record-unusable"},
    {"example MX secure 10 mx.example\nmx.example A secure 192.0.2.1\nmx.example AAAA secure-nodata\n"
     "_25._tcp.mx.example TLSA secure 1 1 1 d32\n",
     MODE_MANDATORY, INSPECT_DEFERRED, NULL, "problem:tlsa-unusable warning:tlsa-record-unusable"},
    {"example MX secure-nodata\nexample A secure 192.0.2.1\nexample AAAA secure-nodata\n"
     "_25._tcp.example TLSA secure 3 1 1 d32\n",
     MODE_OPPORTUNISTIC, INSPECT_DELIVERED, "dane", "note:mx-implicit"},
    {"example MX secure-nxdomain\nexample A secure-nxdomain\nexample AAAA secure-nxdomain\n",
     MODE_OPPORTUNISTIC, INSPECT_BOUNCED, NULL, "problem:no-such-domain"},
    {"example MX secure 10 192.0.2.7, 20 mx.example\nmx.example A secure 192.0.2.1\n"
     "mx.example AAAA secure-nodata\n_25._tcp.mx.example TLSA insecure 3 1 1 d32\n",
     MODE_OPPORTUNISTIC, INSPECT_DELIVERED, "none", "warning:mx-target-malformed warning:tlsa-insecure"},
};

static void inspect(struct inspect_report *r, struct script *script, struct dns_source *source,
                    const struct row *row)
{
    *script = (struct script){.text = row->script};
    *source = (struct dns_source){script, script_ask};
    struct inspect_conf conf = {.source = source, .port = 25, .mode = row->mode, .dns_ms = 1000};
    inspect_domain(r, STR("example"), &conf);
}

static bool has_finding(const struct inspect_report *r, struct str severity, struct str code)
{
    for (size_t i = 0; i < r->findings; i++)
        if (str_equal(severity, str_of(inspect_severity_name(r->finding[i].severity))) &&
            str_equal(code, str_of(r->finding[i].code)))
            return true;
    return false;
}

static void verdicts_and_findings(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct inspect_report r;
        struct script script;
        struct dns_source source;
        inspect(&r, &script, &source, &ROWS[i]);
        if (r.verdict != ROWS[i].verdict)
            fail_msg("row %zu: %s", i, inspect_verdict_name(r.verdict));
        assert_int_equal(!r.chosen, !ROWS[i].level);
        if (ROWS[i].level)
            assert_string_equal(level_name(r.level), ROWS[i].level);
        struct str rest = str_of(ROWS[i].findings), word;
        while ((word = str_word(&rest)).n) {
            struct str code = word, severity = str_cut(&code, ':');
            if (!has_finding(&r, severity, code))
                fail_msg("row %zu lacks %.*s", i, STR_ARG(word));
        }
        for (size_t k = 0; k < r.findings; k++) {
            assert_true(r.finding[k].subject.n && *r.finding[k].sentence);
            assert_true(k == 0 || r.finding[k].severity <= r.finding[k - 1].severity);
            assert_true(r.finding[k].severity != INSPECT_PROBLEM || r.finding[k].fix);
        }
        inspect_report_release(&r);
    }
}

static void a_sound_domain_has_no_finding(void **state)
{
    (void)state;
    static const struct row sound = {
        "example MX secure 10 mx.example\nmx.example A secure 192.0.2.1\n"
        "mx.example AAAA secure-nodata\n_25._tcp.mx.example TLSA secure 3 1 1 d32\n",
        MODE_MANDATORY, INSPECT_DELIVERED, "dane", ""};
    struct inspect_report r;
    struct script script;
    struct dns_source source;
    inspect(&r, &script, &source, &sound);
    assert_int_equal(r.findings, 0);
    assert_int_equal(r.verdict, INSPECT_DELIVERED);
    inspect_report_release(&r);
}

static void both_outputs_of_every_report(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct inspect_report r;
        struct script script;
        struct dns_source source;
        struct buf text = {0};
        inspect(&r, &script, &source, &ROWS[i]);
        inspect_text(&r, &text);
        json_t *j = inspect_json(&r);
        assert_string_equal(json_string_value(json_object_get(j, "verdict")),
                            inspect_verdict_name(r.verdict));
        assert_int_equal(json_array_size(json_object_get(j, "findings")), r.findings);
        assert_int_equal(json_array_size(json_object_get(j, "hosts")), r.plan.nhost);
        for (size_t k = 0; k < r.findings; k++)
            assert_true(str_find(buf_str(&text), str_of(r.finding[k].code)) != SIZE_MAX);
        for (size_t k = 0; k < r.plan.nhost; k++)
            assert_true(str_find(buf_str(&text), r.plan.host[k].name) != SIZE_MAX);
        json_decref(j);
        buf_release(&text);
        inspect_report_release(&r);
    }
}

/* What a name server says must not reach the terminal as it is. */
static void foreign_text(void **state)
{
    (void)state;
    struct inspect_report r;
    struct script script;
    struct dns_source source;
    struct buf text = {0};
    inspect(&r, &script, &source, &ROWS[3]);
    r.plan.mx.answer.ede_text = STR("\033[2Jnone\nVerdict: all is well");
    inspect_text(&r, &text);
    assert_true(str_find_char(buf_str(&text), '\033') == SIZE_MAX);
    assert_true(str_find(buf_str(&text), STR("\nVerdict: all")) == SIZE_MAX);
    buf_release(&text);
    inspect_report_release(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(verdicts_and_findings),
        cmocka_unit_test(a_sound_domain_has_no_finding),
        cmocka_unit_test(both_outputs_of_every_report),
        cmocka_unit_test(foreign_text),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
