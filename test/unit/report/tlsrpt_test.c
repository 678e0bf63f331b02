/* JSON to a report: what is read, what is refused and where, what senders write that is not quite RFC 8460.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "report/tlsrpt.h"

#define HEAD                                                                                                 \
    "'organization-name':'Company-X','report-id':'5065427c-23d3','contact-info':'x@company-x.example',"      \
    "'date-range':{'start-datetime':'2026-11-28T00:00:00Z','end-datetime':'2026-11-28T23:59:59Z'}"
#define POLICY(type, domain) "'policy':{'policy-type':'" type "','policy-domain':'" domain "'}"
#define SUMMARY(good, bad)                                                                                   \
    "'summary':{'total-successful-session-count':" #good ",'total-failure-session-count':" #bad "}"

/* "type domain good/bad result@host=n;..." of each policy. */
static void tell(const struct tlsrpt *r, struct buf *out)
{
    for (size_t i = 0; i < r->npolicy; i++) {
        const struct tlsrpt_policy *p = &r->policy[i];
        buf_printf(out, "%s %.*s %lld/%lld", tlsrpt_type_name(p->type), STR_ARG(p->domain),
                   (long long)p->successes, (long long)p->failures);
        for (size_t k = 0; k < p->nfailure; k++)
            buf_printf(out, " %s@%.*s=%lld", tlsrpt_result_name(p->failure[k].result),
                       STR_ARG(p->failure[k].mx_host), (long long)p->failure[k].sessions);
        buf_add(out, STR("; "));
    }
}

/* ' for ". */
static struct str json_of(struct arena *a, const char *text)
{
    char *p = arena_cstr(a, str_of(text));
    for (char *at = p; *at; at++)
        *at = (char)(*at == '\'' ? '"' : *at);
    return str_of(p);
}

static void reports_are_read(void **state)
{
    (void)state;
    static const struct {
        const char *name, *json, *told;
    } rows[] = {
        {"the example of RFC 8460",
         "{" HEAD
         ",'policies':[{'policy':{'policy-type':'sts','policy-string':['version: STSv1','mode: testing'],"
         "'policy-domain':'company-y.example','mx-host':['*.mail.company-y.example']}," SUMMARY(
             5326, 303) ",'failure-details':[{'result-type':'certificate-expired','sending-mta-ip':'2001:db8:"
                        "abcd:12::1',"
                        "'receiving-mx-hostname':'mx1.mail.company-y.example','failed-session-count':100},"
                        "{'result-type':'starttls-not-supported','sending-mta-ip':'2001:db8:abcd:13::1',"
                        "'receiving-mx-hostname':'mx2.mail.company-y.example','receiving-ip':'203.0.113.56',"
                        "'failed-session-count':200,'additional-information':'https://"
                        "reports.company-x.example/x'},"
                        "{'result-type':'validation-failure','sending-mta-ip':'198.51.100.62','receiving-ip':"
                        "'203.0.113.58',"
                        "'receiving-mx-hostname':'mx-backup.mail.company-y.example','failed-session-count':3,"
                        "'failure-reason-code':'X509_V_ERR_PROXY_PATH_LENGTH_EXCEEDED'}]}]}",
         "sts company-y.example 5326/303 certificate-expired@mx1.mail.company-y.example=100"
         " starttls-not-supported@mx2.mail.company-y.example=200"
         " validation-failure@mx-backup.mail.company-y.example=3; "},
        {"two policies of one domain, names normalised",
         "{" HEAD ",'policies':[{" POLICY("TLSA", "MX.Ours.example.") "," SUMMARY(
             1, 2) ",'failure-details':[{'result-type':'tlsa-invalid','receiving-mx-hostname':'MX.Ours."
                   "example.','failed-session-count':2}]},"
                   "{" POLICY("no-policy-found", "ours.example") "," SUMMARY(7, 0) "}]}",
         "tlsa mx.ours.example 1/2 tlsa-invalid@mx.ours.example=2; no-policy-found ours.example 7/0; "},
        {"the same result at the same host adds up",
         "{" HEAD ",'policies':[{" POLICY("tlsa", "o.example") "," SUMMARY(
             0, 5) ",'failure-details':[{'result-type':'dnssec-invalid','failed-session-count':2},"
                   "{'result-type':'DNSSEC-invalid','failed-session-count':3}]}]}",
         "tlsa o.example 0/5 dnssec-invalid@=5; "},
        {"a result that is none of the RFC's, and one without a word",
         "{" HEAD ",'policies':[{" POLICY("tlsa", "o.example") "," SUMMARY(
             0, 5) ",'failure-details':[{'result-type':'tls-is-sad','failed-session-count':2},{'failed-"
                   "session-count':3}]}]}",
         "tlsa o.example 0/5 other@=5; "},
        {"failures without details",
         "{" HEAD ",'policies':[{" POLICY("tlsa", "o.example") "," SUMMARY(3, 4) "}]}",
         "tlsa o.example 3/4 not-told@=4; "},
        {"details say more than the summary",
         "{" HEAD ",'policies':[{" POLICY("tlsa", "o.example") "," SUMMARY(
             3, 0) ",'failure-details':[{'result-type':'dane-required','failed-session-count':9}]}]}",
         "tlsa o.example 3/9 dane-required@=9; "},
        {"as Microsoft writes: an array in one policy-string, no mx-host, no zone in times, counts left out",
         "{'organization-name':'Microsoft Corporation','report-id':'134091+',"
         "'date-range':{'start-datetime':'2026-11-28T00:00:00','end-datetime':'2026-11-28T23:59:59'},"
         "'policies':[{'policy':{'policy-type':'tlsa','policy-string':['[3 1 1 "
         "0a0b]'],'policy-domain':'o.example'},"
         "'summary':{'total-successful-session-count':12},'failure-details':null}]}",
         "tlsa o.example 12/0; "},
        {"counts as text, an mx-host that is none",
         "{" HEAD ",'policies':[{" POLICY("sts", "o.example") "," SUMMARY(
             '3', '4') ",'failure-details':[{'result-type':'sts-webpki-invalid','receiving-mx-hostname':'not "
                       "a name',"
                       "'failed-session-count':'4'}]}]}",
         "sts o.example 3/4 sts-webpki-invalid@=4; "},
        {"a byte order mark, brackets in a text",
         "\xef\xbb\xbf{" HEAD
         ",'x':'[[[[[[[[[[[[[[[[[[[[','policies':[{" POLICY("sts", "o.example") "," SUMMARY(3, 0) "}]}",
         "sts o.example 3/0; "},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {0};
        struct buf why = {0}, told = {0}, packed = {0}, again = {0};
        struct tlsrpt r, copy;
        if (tlsrpt_parse(json_of(&a, rows[i].json), &a, &r, &why))
            fail_msg("%s: %s", rows[i].name, buf_cstr(&why));
        tell(&r, &told);
        if (strcmp(buf_cstr(&told), rows[i].told) != 0)
            fail_msg("%s: %s", rows[i].name, buf_cstr(&told));
        assert_true(r.begin_ms == 1795824000000 && r.end_ms == 1795824000000 + 86399000);
        tlsrpt_pack(&r, &packed);
        assert_int_equal(tlsrpt_unpack(buf_str(&packed), &a, &copy), OK);
        tlsrpt_pack(&copy, &again);
        assert_true(str_equal(buf_str(&packed), buf_str(&again)));
        for (size_t n = 0; n < packed.n; n++) /* cut anywhere */
            assert_int_equal(tlsrpt_unpack(str_sub(buf_str(&packed), 0, n), &a, &copy), ERR_MALFORMED);
        buf_release(&why);
        buf_release(&told);
        buf_release(&packed);
        buf_release(&again);
        arena_release(&a);
    }
}

#define GOOD_POLICIES ",'policies':[{" POLICY("tlsa", "o.example") "," SUMMARY(1, 0) "}]}"

static void errors_say_where(void **state)
{
    (void)state;
    static const struct {
        const char *json, *why;
    } rows[] = {
        {"{'organization-name':", "it is no JSON: line 1, column"},
        {"[1]", "the JSON is no object"},
        {"[[[[[[[[[[[[[[[[[[]]]]]]]]]]]]]]]]]]", "brackets in brackets more than 16 deep"},
        {"{}", "organization-name is missing"},
        {"{'organization-name':'X'}", "report-id is missing"},
        {"{'organization-name':'X','report-id':7}", "report-id is missing"},
        {"{'organization-name':'X','report-id':'1'}", "date-range.start-datetime is missing"},
        {"{'organization-name':'X','report-id':'1','date-range':{'start-datetime':'yesterday'}}",
         "date-range.start-datetime 'yesterday' is no time like"},
        {"{" HEAD "}", "policies is missing or empty"},
        {"{" HEAD ",'policies':[]}", "policies is missing or empty"},
        {"{" HEAD ",'policies':[7]}", "policies[0].policy is missing"},
        {"{" HEAD ",'policies':[{" POLICY("tlsa", "o.example") "}]}", "policies[0].summary is missing"},
        {"{" HEAD ",'policies':[{" POLICY("dane", "o.example") "," SUMMARY(1, 0) "}]}",
         "policies[0].policy.policy-type 'dane' is none of tlsa, sts, no-policy-found"},
        {"{" HEAD ",'policies':[{" POLICY("sts", "o..example") "," SUMMARY(1, 0) "}]}",
         "policies[0].policy.policy-domain 'o..example' is no domain"},
        {"{" HEAD ",'policies':[{" POLICY("sts", "o.example") "," SUMMARY(-1, 0) "}]}",
         "policies[0].total-successful-session-count is not a count"},
        {"{" HEAD ",'policies':[{" POLICY("sts", "o.example") "," SUMMARY(1, 1000000000001) "}]}",
         "policies[0].total-failure-session-count is not a count"},
        {"{" HEAD ",'policies':[{" POLICY("sts", "o.example") "," SUMMARY(
             1, 0) ",'failure-details':[{'failed-session-count':1},{'failed-session-count':1.5}]}]}",
         "policies[0].failure-details[1].failed-session-count is not a count"},
        {"{" HEAD ",'policies':[{" POLICY("sts", "o.example") "," SUMMARY(1, 0) ",'failure-details':7}]}",
         "policies[0].failure-details is no list"},
        {"{" HEAD GOOD_POLICIES "x", "it is no JSON: line 1"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {0};
        struct buf why = {0};
        struct tlsrpt r;
        enum err e = tlsrpt_parse(json_of(&a, rows[i].json), &a, &r, &why);
        if (e != ERR_MALFORMED || !strstr(buf_cstr(&why), rows[i].why))
            fail_msg("%s\n%s, '%s'", rows[i].json, err_text(e), buf_cstr(&why));
        buf_release(&why);
        arena_release(&a);
    }
}

static void names_are_bounded(void **state)
{
    (void)state;
    struct arena a = {0};
    struct buf why = {0};
    struct tlsrpt r;
    char name[300];
    memset(name, 'x', sizeof name);
    struct str json = arena_printf(&a, "{\"organization-name\":\"%.*s\"}", TLSRPT_TEXT_MAX + 1, name);
    assert_int_equal(tlsrpt_parse(json, &a, &r, &why), ERR_MALFORMED);
    assert_non_null(strstr(buf_cstr(&why), "organization-name is longer than 255"));
    assert_int_equal(tlsrpt_parse(json_of(&a, "{'organization-name':'a\\u001b[2Jb','report-id':'1',"
                                              "'date-range':{'start-datetime':'2026-11-28T00:00:00Z',"
                                              "'end-datetime':'2026-11-29T00:00:00Z'}" GOOD_POLICIES),
                                  &a, &r, &why),
                     OK);
    assert_true(str_equal(r.organization, STR("a [2Jb")));
    buf_release(&why);
    arena_release(&a);
}

/* Octets that no parser of ours has made, as a reader that was taken over could send them. */
static void packed_reports_are_not_trusted(void **state)
{
    (void)state;
    static const struct {
        const char *name, *organization, *domain, *host;
        int type, result;
        int64_t sessions;
    } rows[] = {
        {"a control character", "a\nb", "o.example", "mx.o.example", 0, 0, 1},
        {"no UTF-8", "a\xff", "o.example", "mx.o.example", 0, 0, 1},
        {"no organization", "", "o.example", "mx.o.example", 0, 0, 1},
        {"a name that is not normal", "a", "O.example", "mx.o.example", 0, 0, 1},
        {"no policy domain", "a", "", "mx.o.example", 0, 0, 1},
        {"an MX host that is no name", "a", "o.example", "mx o", 0, 0, 1},
        {"a policy type beyond the last", "a", "o.example", "mx.o.example", TLSRPT_NO_POLICY + 1, 0, 1},
        {"a result beyond the last", "a", "o.example", "mx.o.example", 0, TLSRPT_NOT_TOLD + 1, 1},
        {"a negative count", "a", "o.example", "mx.o.example", 0, 0, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct arena a = {0};
        struct buf packed = {0};
        struct tlsrpt_failure f = {(enum tlsrpt_result)rows[i].result, str_of(rows[i].host),
                                   rows[i].sessions};
        struct tlsrpt_policy p = {.type = (enum tlsrpt_type)rows[i].type,
                                  .domain = str_of(rows[i].domain),
                                  .failure = &f,
                                  .nfailure = 1};
        struct tlsrpt r = {str_of(rows[i].organization), STR("1"), 1, 2, &p, 1}, out;
        tlsrpt_pack(&r, &packed);
        if (tlsrpt_unpack(buf_str(&packed), &a, &out) != ERR_MALFORMED)
            fail_msg("%s", rows[i].name);
        buf_release(&packed);
        arena_release(&a);
    }
}

static void times(void **state)
{
    (void)state;
    static const struct {
        const char *text;
        int64_t s; /* 0: no time */
    } rows[] = {
        {"2026-11-28T00:00:00Z", 1795824000},
        {"2026-11-28t00:00:00z", 1795824000},
        {"2026-11-28 00:00:00", 1795824000},
        {"2026-11-28T00:00:00.999Z", 1795824000},
        {"2026-11-28T02:00:00+02:00", 1795824000},
        {"2026-11-27T17:00:00-0700", 1795824000},
        {"2026-11-28", 0},
        {"2026-11-28T00:00:00X", 0},
        {"2026-11-28T00:00:00+2", 0},
        {"2026-13-28T00:00:00Z", 0},
        {"2026-11-28T00:00:00+99:00", 0},
        {"", 0},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        int64_t ms = 0;
        bool good = tlsrpt_time(str_of(rows[i].text), &ms);
        if (good != (rows[i].s != 0) || (good && ms != rows[i].s * 1000))
            fail_msg("'%s': %d, %lld", rows[i].text, good, (long long)ms);
    }
}

static void what_cannot_be_is_refused(void **state)
{
    (void)state;
    const int64_t hour = 3600 * 1000, day = 24 * hour, now = 1795824000000;
    const struct {
        const char *name;
        int64_t begin, end, good;
        const char *why; /* NULL: it can be */
    } rows[] = {
        {"yesterday", now - day, now - 1000, 5, NULL},
        {"today so far, an hour's clock ahead", now - hour, now + hour, 5, NULL},
        {"a week", now - 7 * day, now, 5, NULL},
        {"long ago", now - 91 * day, now - 90 * day - 1000, 5, "more than 90 days ago"},
        {"tomorrow", now + hour, now + 2 * hour, 5, "in the future"},
        {"until the day after tomorrow", now - hour, now + 2 * day, 5, "in the future"},
        {"backwards", now, now - day, 5, "before it begins"},
        {"no time at all", now, now, 5, "before it begins"},
        {"a month", now - 30 * day, now, 5, "longer than 8 days"},
        {"nothing happened", now - day, now, 0, "no session"},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct buf why = {0};
        struct tlsrpt_policy p = {.domain = STR("o.example"), .successes = rows[i].good};
        struct tlsrpt r = {STR("X"), STR("1"), rows[i].begin, rows[i].end, &p, 1};
        enum err e = tlsrpt_check(&r, now, &why);
        if (rows[i].why ? e != ERR_REFUSED || !strstr(buf_cstr(&why), rows[i].why) : e != OK)
            fail_msg("%s: %s, '%s'", rows[i].name, err_text(e), buf_cstr(&why));
        buf_release(&why);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(reports_are_read),
        cmocka_unit_test(errors_say_where),
        cmocka_unit_test(names_are_bounded),
        cmocka_unit_test(packed_reports_are_not_trusted),
        cmocka_unit_test(times),
        cmocka_unit_test(what_cannot_be_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
