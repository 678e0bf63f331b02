/* The truth table of outbound sending: scripted answers in, the plan as one line out. The line:
 *   go HOST=LEVEL/CAUSE[ base=B names=N,N tlsa=USABLE/PUBLISHED mx-insecure] or HOST=out/REASON[/CAUSE] ; ...
 *   defer REASON[/CAUSE]   bounce REASON */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "policy/policy.h"
#include "script.h"

struct row {
    const char *name, *answers, *plan;
    enum mode mode;
    enum policy_insecure_mx insecure_mx;
    enum policy_via via; /* default MX */
    const char *host;
    uint16_t port;
    enum dir_tls tls;
};

#define MX "d.example MX secure 10 mx.example\n"
#define V4 "mx.example A secure 192.0.2.1\nmx.example AAAA secure-nodata\n"
#define TLSA "_25._tcp.mx.example TLSA secure 3 1 1 d32\n"
#define DANE_PLAN "go mx.example=dane/tlsa base=mx.example names=mx.example,d.example tlsa=1/1"

static const struct row rows[] = {
    /* section 2: MX */
    {"secure throughout", MX V4 TLSA, DANE_PLAN},
    {"secure throughout, mandatory", MX V4 TLSA, DANE_PLAN, MODE_MANDATORY},
    {"insecure MX, TLSA still enforced, names are the base only",
     "d.example MX insecure 10 mx.example\n" V4 TLSA,
     "go mx.example=dane/tlsa base=mx.example names=mx.example tlsa=1/1 mx-insecure"},
    {"insecure MX, option encrypt", "d.example MX insecure 10 mx.example\n" V4 TLSA,
     "go mx.example=encrypt/mx-insecure base=mx.example names=mx.example tlsa=1/1 mx-insecure",
     MODE_OPPORTUNISTIC, POLICY_INSECURE_MX_ENCRYPT},
    {"insecure MX, option opportunistic", "d.example MX insecure 10 mx.example\n" V4 TLSA,
     "go mx.example=none/mx-insecure base=mx.example names=mx.example tlsa=1/1 mx-insecure",
     MODE_OPPORTUNISTIC, POLICY_INSECURE_MX_OPPORTUNISTIC},
    {"insecure MX, mandatory", "d.example MX insecure 10 mx.example\n", "defer dane-required/mx-insecure",
     MODE_MANDATORY},
    {"MX bogus", "d.example MX bogus\n", "defer dnssec-bogus-mx"},
    {"MX servfail does not fall through to addresses", "d.example MX servfail\n", "defer dns-servfail"},
    {"MX timeout", "d.example MX timeout\n", "defer dns-timeout"},
    {"MX, nobody to ask", "d.example MX unreachable\n", "defer resolver-fault"},
    {"MX refused", "d.example MX refused\n", "defer dns-refused"},
    {"MX notimp", "d.example MX notimp\n", "defer dns-refused"},
    {"MX formerr", "d.example MX formerr\n", "defer dns-malformed"},
    {"MX malformed", "d.example MX malformed\n", "defer dns-malformed"},
    {"MX alias loop", "d.example MX alias-loop\n", "defer dns-malformed"},
    {"MX other", "d.example MX other\n", "defer dns-malformed"},
    {"MX bogus, mandatory", "d.example MX bogus\n", "defer dnssec-bogus-mx", MODE_MANDATORY},
    {"implicit MX secure",
     "d.example MX secure-nodata\nd.example A secure 192.0.2.1\nd.example AAAA secure-nodata\n"
     "_25._tcp.d.example TLSA secure 3 1 1 d32\n",
     "go d.example=dane/tlsa base=d.example names=d.example tlsa=1/1"},
    {"implicit MX: its own security counts",
     "d.example MX secure-nodata\nd.example A insecure 192.0.2.1\nd.example AAAA insecure-nodata\n",
     "go d.example=none/address-insecure"},
    {"implicit MX insecure, mandatory",
     "d.example MX insecure-nodata\nd.example A insecure 192.0.2.1\nd.example AAAA insecure-nodata\n",
     "defer dane-required/address-insecure", MODE_MANDATORY},
    {"implicit MX of an aliased domain",
     "d.example MX secure-nodata >e.example\nd.example A secure >e.example 192.0.2.1\n"
     "d.example AAAA secure-nodata >e.example\n_25._tcp.e.example TLSA secure 2 1 1 d32\n",
     "go d.example=dane/tlsa base=e.example names=e.example,d.example tlsa=1/1", MODE_MANDATORY},
    {"implicit MX behind a forged alias: what is signed at its end proves nothing about the domain",
     "d.example MX insecure-nodata >evil.example\nd.example A insecure >evil.example 192.0.2.66\n"
     "d.example AAAA insecure-nodata >evil.example\nd.example CNAME insecure evil.example\n",
     "defer dane-required/alias-insecure", MODE_MANDATORY},
    {"implicit MX, signed alias into an unsigned zone: the original name only",
     "d.example MX insecure-nodata >cloud.example\nd.example A insecure >cloud.example 192.0.2.1\n"
     "d.example AAAA insecure-nodata >cloud.example\nd.example CNAME secure cloud.example\n"
     "_25._tcp.d.example TLSA secure 3 1 1 d32\n",
     "go d.example=dane/tlsa base=d.example names=d.example tlsa=1/1"},
    {"aliased domain with MX: all three names", "d.example MX secure >e.example 10 mx.example\n" V4 TLSA,
     "go mx.example=dane/tlsa base=mx.example names=mx.example,d.example,e.example tlsa=1/1"},
    {"null MX", "d.example MX secure 0 .\n", "bounce null-mx"},
    {"null MX insecure", "d.example MX insecure 0 .\n", "bounce null-mx"},
    {"a dot beside real hosts is dropped", "d.example MX secure 0 ., 10 mx.example\n" V4 TLSA, DANE_PLAN},
    {"target is an address: dropped", "d.example MX secure 5 192.0.2.9, 10 mx.example\n" V4 TLSA, DANE_PLAN},
    {"only bad targets", "d.example MX secure 5 192.0.2.9, 10 -x-.example\n", "bounce no-address"},
    {"no such domain",
     "d.example MX secure-nxdomain\nd.example A secure-nxdomain\nd.example AAAA secure-nxdomain\n",
     "bounce no-such-domain"},
    {"no host has an address",
     "d.example MX secure 10 mx.example\nmx.example A secure-nxdomain\nmx.example AAAA secure-nxdomain\n",
     "bounce no-address"},
    {"one host without address, the other fails",
     "d.example MX secure 10 a.example, 20 b.example\n"
     "a.example A secure-nodata\na.example AAAA secure-nodata\nb.example A servfail\nb.example AAAA "
     "servfail\n",
     "defer dns-servfail"},
    {"by preference only: TLSA does not reorder",
     "d.example MX secure 20 mx.example, 10 plain.example\nplain.example A secure 192.0.2.2\nplain.example "
     "AAAA secure-nodata\n"
     "_25._tcp.plain.example TLSA secure-nxdomain\n" V4 TLSA,
     "go plain.example=none/no-tlsa ; mx.example=dane/tlsa base=mx.example names=mx.example,d.example "
     "tlsa=1/1"},

    /* section 3: addresses */
    {"AAAA fails, A answers", MX "mx.example A secure 192.0.2.1\nmx.example AAAA servfail\n" TLSA, DANE_PLAN},
    {"A fails, AAAA answers", MX "mx.example A bogus\nmx.example AAAA secure 2001:db8::1\n" TLSA, DANE_PLAN},
    {"one fails, the other denies", MX "mx.example A secure-nodata\nmx.example AAAA timeout\n",
     "defer dns-timeout"},
    {"both fail", MX "mx.example A bogus\nmx.example AAAA bogus\n", "defer dnssec-bogus-address"},
    {"both fail, the next host serves",
     "d.example MX secure 5 bad.example, 10 mx.example\nbad.example A bogus\nbad.example AAAA servfail\n" V4
         TLSA,
     "go bad.example=out/dnssec-bogus-address ; mx.example=dane/tlsa base=mx.example "
     "names=mx.example,d.example tlsa=1/1"},
    {"insecure address: TLSA is not asked",
     MX "mx.example A insecure 192.0.2.1\nmx.example AAAA insecure-nodata\n",
     "go mx.example=none/address-insecure"},
    {"insecure address, mandatory", MX "mx.example A insecure 192.0.2.1\nmx.example AAAA insecure-nodata\n",
     "defer dane-required/address-insecure", MODE_MANDATORY},
    {"one secure family is enough",
     MX "mx.example A insecure 192.0.2.1\nmx.example AAAA secure 2001:db8::1\n" TLSA, DANE_PLAN},
    {"alias, secure: expanded name first",
     MX "mx.example A secure >real.example 192.0.2.1\nmx.example AAAA secure-nodata >real.example\n"
        "_25._tcp.real.example TLSA secure 3 1 1 d32\n",
     "go mx.example=dane/tlsa base=real.example names=real.example,d.example tlsa=1/1"},
    {"alias, secure: then the original",
     MX "mx.example A secure >real.example 192.0.2.1\nmx.example AAAA secure-nodata >real.example\n"
        "_25._tcp.real.example TLSA secure-nxdomain\n" TLSA,
     DANE_PLAN},
    {"alias, secure: insecure at the expanded name, then the original",
     MX "mx.example A secure >real.example 192.0.2.1\nmx.example AAAA secure-nodata >real.example\n"
        "_25._tcp.real.example TLSA insecure 3 1 1 d32\n" TLSA,
     DANE_PLAN},
    {"alias, secure: error at the expanded name, the other is not tried",
     MX "mx.example A secure >real.example 192.0.2.1\nmx.example AAAA secure-nodata >real.example\n"
        "_25._tcp.real.example TLSA servfail\n",
     "defer dns-servfail"},
    {"alias, end insecure, CNAME secure: the original only",
     MX "mx.example A insecure >cloud.example 192.0.2.1\nmx.example AAAA insecure-nodata >cloud.example\n"
        "mx.example CNAME secure cloud.example\n" TLSA,
     DANE_PLAN},
    {"alias, end insecure, CNAME insecure",
     MX "mx.example A insecure >cloud.example 192.0.2.1\nmx.example AAAA insecure-nodata >cloud.example\n"
        "mx.example CNAME insecure cloud.example\n",
     "go mx.example=none/alias-insecure"},
    {"alias, end insecure, CNAME insecure, mandatory",
     MX "mx.example A insecure >cloud.example 192.0.2.1\nmx.example AAAA insecure-nodata >cloud.example\n"
        "mx.example CNAME insecure cloud.example\n",
     "defer dane-required/alias-insecure", MODE_MANDATORY},
    {"alias, end insecure, CNAME fails: host is out",
     MX "mx.example A insecure >cloud.example 192.0.2.1\nmx.example AAAA insecure-nodata >cloud.example\n"
        "mx.example CNAME bogus\n",
     "defer dnssec-bogus-address"},

    /* section 4: TLSA */
    {"no TLSA", MX V4 "_25._tcp.mx.example TLSA secure-nxdomain\n", "go mx.example=none/no-tlsa"},
    {"insecure denial is a denial", MX V4 "_25._tcp.mx.example TLSA insecure-nodata\n",
     "go mx.example=none/no-tlsa"},
    {"no TLSA, mandatory", MX V4 "_25._tcp.mx.example TLSA secure-nodata\n", "defer dane-required/no-tlsa",
     MODE_MANDATORY},
    {"insecure TLSA (an alias into an unsigned zone)",
     MX V4 "_25._tcp.mx.example TLSA insecure >t.other.example 3 1 1 d32\n",
     "go mx.example=none/tlsa-insecure"},
    {"insecure TLSA, mandatory", MX V4 "_25._tcp.mx.example TLSA insecure 3 1 1 d32\n",
     "defer dane-required/tlsa-insecure", MODE_MANDATORY},
    {"TLSA alias is followed, the base stays",
     MX V4 "_25._tcp.mx.example TLSA secure >t.other.example 3 1 1 d32\n", DANE_PLAN},
    {"none usable: encrypt", MX V4 "_25._tcp.mx.example TLSA secure 1 1 1 d32\n",
     "go mx.example=encrypt/tlsa-unusable base=mx.example names=mx.example,d.example tlsa=0/1"},
    {"none usable, mandatory", MX V4 "_25._tcp.mx.example TLSA secure 0 0 1 d32\n",
     "defer tlsa-unusable/tlsa-unusable", MODE_MANDATORY},
    {"TLSA bogus", MX V4 "_25._tcp.mx.example TLSA bogus\n", "defer dnssec-bogus-tlsa"},
    {"TLSA servfail", MX V4 "_25._tcp.mx.example TLSA servfail\n", "defer dns-servfail"},
    {"TLSA, nobody to ask", MX V4 "_25._tcp.mx.example TLSA unreachable\n", "defer resolver-fault"},
    {"TLSA timeout", MX V4 "_25._tcp.mx.example TLSA timeout\n", "defer dns-timeout"},
    {"TLSA notimp", MX V4 "_25._tcp.mx.example TLSA notimp\n", "defer dns-refused"},
    {"TLSA malformed", MX V4 "_25._tcp.mx.example TLSA malformed\n", "defer dns-malformed"},
    {"TLSA bogus, mandatory", MX V4 "_25._tcp.mx.example TLSA bogus\n", "defer dnssec-bogus-tlsa",
     MODE_MANDATORY},
    {"policy is per host, not per domain",
     "d.example MX secure 10 mx.example, 20 plain.example\n" V4 TLSA
     "plain.example A insecure 192.0.2.2\nplain.example AAAA insecure-nodata\n",
     "go mx.example=dane/tlsa base=mx.example names=mx.example,d.example tlsa=1/1 ; "
     "plain.example=none/address-insecure"},
    {"mandatory skips the host without DANE",
     "d.example MX secure 10 plain.example, 20 mx.example\n" V4 TLSA
     "plain.example A insecure 192.0.2.2\nplain.example AAAA insecure-nodata\n",
     "go plain.example=out/dane-required/address-insecure ; "
     "mx.example=dane/tlsa base=mx.example names=mx.example,d.example tlsa=1/1",
     MODE_MANDATORY},

    /* section 5: what counts as usable */
    {"PKIX usages do not count", MX V4 "_25._tcp.mx.example TLSA secure 0 1 1 d32, 1 1 1 d32, 3 1 1 d32\n",
     "go mx.example=dane/tlsa base=mx.example names=mx.example,d.example tlsa=1/3"},
    {"selector 2 does not count", MX V4 "_25._tcp.mx.example TLSA secure 3 2 1 d32\n",
     "go mx.example=encrypt/tlsa-unusable base=mx.example names=mx.example,d.example tlsa=0/1"},
    {"digest agility", MX V4 "_25._tcp.mx.example TLSA secure 3 1 1 d32, 3 1 2 d64, 3 0 1 d32\n",
     "go mx.example=dane/tlsa base=mx.example names=mx.example,d.example tlsa=2/3"},

    /* section 1: routes, literals, mailbox hosts; section 9: off */
    {"configured route is eligible, TLSA at its port",
     "mx.example A secure 192.0.2.1\nmx.example AAAA secure-nodata\n_587._tcp.mx.example TLSA secure 2 1 1 "
     "d32\n",
     "go mx.example=dane/tlsa base=mx.example names=mx.example tlsa=1/1", MODE_MANDATORY, 0, POLICY_VIA_ROUTE,
     "mx.example", 587},
    {"route through an alias: base and original",
     "mx.example A secure >real.example 192.0.2.1\nmx.example AAAA secure-nodata >real.example\n"
     "_25._tcp.real.example TLSA secure 2 1 1 d32\n",
     "go mx.example=dane/tlsa base=real.example names=real.example,mx.example tlsa=1/1", 0, 0,
     POLICY_VIA_ROUTE, "mx.example"},
    {"route to an address", "", "go 192.0.2.7=none/address-literal", 0, 0, POLICY_VIA_ROUTE, "192.0.2.7"},
    {"route to an address, mandatory", "", "defer dane-required/address-literal", MODE_MANDATORY, 0,
     POLICY_VIA_ROUTE, "192.0.2.7"},
    {"route to a host that is not there: the operator mends it",
     "mx.example A secure-nxdomain\nmx.example AAAA secure-nxdomain\n", "defer no-address", 0, 0,
     POLICY_VIA_ROUTE, "mx.example"},
    {"address literal", "", "go 192.0.2.1=none/address-literal", 0, 0, POLICY_VIA_LITERAL, "192.0.2.1"},
    {"address literal, mandatory", "", "defer dane-required/address-literal", MODE_MANDATORY, 0,
     POLICY_VIA_LITERAL, "192.0.2.1"},
    {"mode off: no TLSA question", MX V4, "go mx.example=none/mode-off", MODE_OFF},
    {"mailbox host", "box.example A insecure 192.0.2.1\nbox.example AAAA insecure-nodata\n",
     "go box.example=none/mailbox-host", 0, 0, POLICY_VIA_MAILBOX, "box.example"},
    {"mailbox host, encrypt", "", "go 127.0.0.1=encrypt/mailbox-host", MODE_MANDATORY, 0, POLICY_VIA_MAILBOX,
     "127.0.0.1", 24, DIR_TLS_ENCRYPT},
    {"mailbox host, verify", "box.example A insecure 192.0.2.1\nbox.example AAAA insecure-nodata\n",
     "go box.example=verify/mailbox-host", 0, 0, POLICY_VIA_MAILBOX, "box.example", 25, DIR_TLS_VERIFY},
};

static void describe_trouble(const struct policy_trouble *t, struct buf *out)
{
    buf_add(out, str_of(reason_name(t->reason)));
    if (t->cause != CAUSE_UNDECIDED)
        buf_printf(out, "/%s", level_cause_name(t->cause));
}

static void describe_host(const struct policy_host *h, struct buf *out)
{
    buf_printf(out, "%.*s=", STR_ARG(h->name));
    if (h->state == POLICY_HOST_OUT) {
        buf_add(out, STR("out/"));
        describe_trouble(&h->trouble, out);
        return;
    }
    assert_int_equal(h->state, POLICY_HOST_USABLE);
    assert_true(h->naddr > 0);
    buf_printf(out, "%s/%s", level_name(h->level), level_cause_name(h->cause));
    if (!h->published.n)
        return;
    buf_printf(out, " base=%.*s names=", STR_ARG(h->base));
    for (size_t i = 0; i < h->name_count; i++)
        buf_printf(out, "%s%.*s", i ? "," : "", STR_ARG(h->names[i]));
    buf_printf(out, " tlsa=%zu/%zu", h->usable.n, h->published.n);
    if (h->mx_insecure)
        buf_add(out, STR(" mx-insecure"));
}

static void describe(const struct policy_plan *p, struct buf *out)
{
    static const char *const verdicts[] = {"go", "defer", "bounce"};
    buf_printf(out, "%s ", verdicts[p->verdict]);
    if (p->verdict != PLAN_GO) {
        describe_trouble(&p->trouble, out);
        return;
    }
    for (size_t i = 0; i < p->nhost; i++) {
        if (i)
            buf_add(out, STR(" ; "));
        describe_host(&p->host[i], out);
    }
}

static struct policy_input input_of(const struct row *row)
{
    return (struct policy_input){.domain = STR("d.example"),
                                 .via = row->via,
                                 .host = str_of(row->host),
                                 .port = row->port ? row->port : 25,
                                 .mode = row->mode,
                                 .rule = STR("default"),
                                 .tls = row->tls,
                                 .insecure_mx = row->insecure_mx};
}

static void truth_table(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct script script = {.text = rows[i].answers};
        struct dns_source source = {&script, script_ask};
        struct policy_input in = input_of(&rows[i]);
        struct policy_plan plan;
        struct arena arena = {0};
        policy_make(&plan, &arena, &in, &source, DEADLINE_NEVER);
        struct buf got = {0};
        describe(&plan, &got);
        if (script.unexpected[0] || strcmp(buf_cstr(&got), rows[i].plan) != 0)
            fail_msg("%s\n  wanted: %s\n  got:    %s\n  unexpected question: %s", rows[i].name, rows[i].plan,
                     buf_cstr(&got), script.unexpected);
        buf_release(&got);
        arena_release(&arena);
    }
}

/* Loop detection. */
struct self_row {
    const char *name, *answers, *plan;
};

static const struct self_row self_rows[] = {
    {"we are the best, by name",
     "d.example MX secure 10 us.example, 20 mx.example\nus.example A secure 192.0.2.99\n"
     "us.example AAAA secure-nodata\n" V4,
     "bounce mail-loop"},
    {"we are second: ourselves, equals and worse are dropped",
     "d.example MX secure 10 mx.example, 20 us.example, 20 eq.example, 30 w.example\nus.example A secure "
     "192.0.2.99\n"
     "us.example AAAA secure-nodata\neq.example A secure 192.0.2.3\neq.example AAAA secure-nodata\n"
     "w.example A secure 192.0.2.4\nw.example AAAA secure-nodata\n" V4 TLSA,
     DANE_PLAN},
    {"by address",
     "d.example MX secure 10 mx.example\nmx.example A secure 192.0.2.50\nmx.example AAAA secure-nodata\n",
     "bounce mail-loop"},
    {"implicit MX is an alias of us",
     "d.example MX secure-nodata >us.example\nd.example A secure >us.example 192.0.2.99\n"
     "d.example AAAA secure-nodata >us.example\n",
     "bounce mail-loop"},
    {"implicit MX is us",
     "d.example MX secure-nodata\nd.example A secure 192.0.2.50\nd.example AAAA secure-nodata\n",
     "bounce mail-loop"},
    {"the better host fails while we are second",
     "d.example MX secure 10 mx.example, 20 us.example\n"
     "mx.example A servfail\nmx.example AAAA servfail\nus.example A secure 192.0.2.99\nus.example AAAA "
     "secure-nodata\n",
     "defer dns-servfail"},
    {"the better host has no address while we are second",
     "d.example MX secure 10 mx.example, 20 us.example\n"
     "mx.example A secure-nodata\nmx.example AAAA secure-nodata\nus.example A secure 192.0.2.99\nus.example "
     "AAAA secure-nodata\n",
     "defer mail-loop"},
};

static void loop_detection(void **state)
{
    (void)state;
    struct str names[] = {STR("us.example")};
    struct addr own;
    assert_true(addr_parse(STR("192.0.2.50:25"), 25, &own));
    struct policy_self self = {names, 1, &own, 1, false};
    for (size_t i = 0; i < sizeof self_rows / sizeof *self_rows; i++) {
        struct script script = {.text = self_rows[i].answers};
        struct dns_source source = {&script, script_ask};
        struct policy_input in = {.domain = STR("d.example"), .port = 25, .self = &self};
        struct policy_plan plan;
        struct arena arena = {0};
        policy_make(&plan, &arena, &in, &source, DEADLINE_NEVER);
        struct buf got = {0};
        describe(&plan, &got);
        if (strcmp(buf_cstr(&got), self_rows[i].plan) != 0 || script.unexpected[0])
            fail_msg("%s\n  wanted: %s\n  got:    %s (%s)", self_rows[i].name, self_rows[i].plan,
                     buf_cstr(&got), script.unexpected);
        buf_release(&got);
        arena_release(&arena);
    }
}

/* Same address, another port: not us. Everything on loopback is us when we listen on all addresses. */
static void own_addresses_count_with_their_port(void **state)
{
    (void)state;
    struct addr own;
    assert_true(addr_parse(STR("10.0.0.1:25"), 25, &own));
    struct policy_self all = {NULL, 0, &own, 1, true};
    struct policy_self one = {NULL, 0, &own, 1, false};
    const char *answers = "d.example MX secure 10 mx.example\nmx.example A insecure 127.9.9.9\nmx.example "
                          "AAAA insecure-nodata\n";
    struct {
        const struct policy_self *self;
        uint16_t port;
        enum plan_verdict verdict;
    } cases[] = {{&all, 25, PLAN_BOUNCE}, {&all, 2525, PLAN_GO}, {&one, 25, PLAN_GO}};
    for (size_t i = 0; i < 3; i++) {
        struct script script = {.text = answers};
        struct dns_source source = {&script, script_ask};
        struct policy_input in = {.domain = STR("d.example"), .port = cases[i].port, .self = cases[i].self};
        struct policy_plan plan;
        struct arena arena = {0};
        policy_make(&plan, &arena, &in, &source, DEADLINE_NEVER);
        assert_int_equal(plan.verdict, cases[i].verdict);
        arena_release(&arena);
    }
}

static void equals_are_shuffled_within_their_preference(void **state)
{
    (void)state;
    const char *answers =
        "d.example MX secure 10 a.example, 10 b.example, 10 c.example, 20 z.example\n"
        "a.example A insecure 192.0.2.1\na.example AAAA insecure-nodata\nb.example A insecure 192.0.2.1\n"
        "b.example AAAA insecure-nodata\nc.example A insecure 192.0.2.1\nc.example AAAA insecure-nodata\n"
        "z.example A insecure 192.0.2.1\nz.example AAAA insecure-nodata\n";
    unsigned first[3] = {0};
    for (uint64_t seed = 1; seed <= 300; seed++) {
        struct script script = {.text = answers};
        struct dns_source source = {&script, script_ask};
        struct policy_input in = {.domain = STR("d.example"), .port = 25, .seed = seed};
        struct policy_plan plan;
        struct arena arena = {0};
        policy_begin(&plan, &arena, &in, &source, DEADLINE_NEVER);
        policy_find_addresses(&plan, DEADLINE_NEVER);
        assert_int_equal(plan.nhost, 4);
        assert_true(str_equal(plan.host[3].name, STR("z.example")));
        first[plan.host[0].name.p[0] - 'a']++;
        arena_release(&arena);
    }
    for (int i = 0; i < 3; i++)
        assert_in_range(first[i], 60, 140);
}

/* Cut behind the best, and never silently. */
static void too_many_hosts_leave_the_worst_out(void **state)
{
    (void)state;
    struct buf answers = {0};
    buf_add(&answers, STR("d.example MX secure "));
    for (int i = 40; i > 0; i--)
        buf_printf(&answers, "%d h%d.example%s", i, i, i > 1 ? ", " : "\n");
    for (int i = 1; i <= 40; i++)
        buf_printf(&answers, "h%d.example A insecure 192.0.2.%d\nh%d.example AAAA insecure-nodata\n", i, i,
                   i);
    struct script script = {.text = buf_cstr(&answers)};
    struct dns_source source = {&script, script_ask};
    struct policy_input in = {.domain = STR("d.example"), .port = 25, .seed = 7};
    struct policy_plan plan;
    struct arena arena = {0};
    policy_begin(&plan, &arena, &in, &source, DEADLINE_NEVER);
    policy_find_addresses(&plan, DEADLINE_NEVER);
    assert_int_equal(plan.nhost, POLICY_HOSTS_MAX);
    assert_int_equal(plan.mx_left_out, 40 - POLICY_HOSTS_MAX);
    for (size_t i = 0; i < plan.nhost; i++)
        assert_int_equal(plan.host[i].preference, i + 1);
    arena_release(&arena);
    buf_release(&answers);
}

static void fingerprint_of(const char *domain, const char *answers, enum mode mode, uint8_t out[32])
{
    struct script script = {.text = answers};
    struct dns_source source = {&script, script_ask};
    struct policy_input in = {.domain = str_of(domain), .port = 25, .mode = mode};
    struct policy_plan plan;
    struct arena arena = {0};
    policy_make(&plan, &arena, &in, &source, DEADLINE_NEVER);
    assert_int_equal(plan.verdict, PLAN_GO);
    memcpy(out, plan.host[0].fingerprint, 32);
    arena_release(&arena);
}

/* Queue and connections are keyed by the effective policy, not by the MX set. */
static void fingerprint_is_the_effective_policy(void **state)
{
    (void)state;
    uint8_t ee[32], other_domain[32], two[32], ta[32], ta_other[32], none[32], unusable[32], mandatory[32];
    fingerprint_of("d.example", MX V4 TLSA, MODE_OPPORTUNISTIC, ee);
    fingerprint_of("o.example", "o.example MX secure 10 mx.example\n" V4 TLSA, MODE_OPPORTUNISTIC,
                   other_domain);
    fingerprint_of("d.example", MX V4 TLSA, MODE_MANDATORY, mandatory);
    fingerprint_of("d.example", MX V4 "_25._tcp.mx.example TLSA secure 3 1 1 d32, 3 1 1 e32\n",
                   MODE_OPPORTUNISTIC, two);
    fingerprint_of("d.example", MX V4 "_25._tcp.mx.example TLSA secure 2 1 1 d32\n", MODE_OPPORTUNISTIC, ta);
    fingerprint_of("o.example",
                   "o.example MX secure 10 mx.example\n" V4 "_25._tcp.mx.example TLSA secure 2 1 1 d32\n",
                   MODE_OPPORTUNISTIC, ta_other);
    fingerprint_of("d.example", MX V4 "_25._tcp.mx.example TLSA secure-nodata\n", MODE_OPPORTUNISTIC, none);
    fingerprint_of("d.example", MX V4 "_25._tcp.mx.example TLSA secure 1 1 1 d32\n", MODE_OPPORTUNISTIC,
                   unusable);
    assert_memory_equal(ee, other_domain, 32); /* usage 3 does not look at names: domains may share */
    assert_memory_equal(ee, mandatory, 32);    /* what the host proves is the same */
    assert_memory_not_equal(ee, two, 32);
    assert_memory_not_equal(ee, ta, 32);
    assert_memory_not_equal(ta, ta_other, 32); /* usage 2 does: the next-hop name is part of the policy */
    assert_memory_not_equal(none, ee, 32);
    assert_memory_not_equal(none, unusable, 32);
}

static void trouble_names_the_question(void **state)
{
    (void)state;
    struct script script = {.text = MX V4 "_25._tcp.mx.example TLSA servfail\n"};
    struct dns_source source = {&script, script_ask};
    struct policy_input in = {.domain = STR("d.example"), .port = 25};
    struct policy_plan plan;
    struct arena arena = {0};
    policy_make(&plan, &arena, &in, &source, DEADLINE_NEVER);
    struct buf text = {0};
    policy_trouble_describe(&plan.trouble, &text);
    assert_string_equal(buf_cstr(&text),
                        "_25._tcp.mx.example TLSA: the name servers of the domain fail (SERVFAIL)");
    buf_release(&text);
    arena_release(&arena);
}

static void hosts_are_bounded(void **state)
{
    (void)state;
    struct buf text = {0};
    buf_add(&text, STR("d.example MX secure"));
    for (int i = 0; i < 16; i++)
        buf_printf(&text, "%s %d h%d.example", i ? "," : "", i % 4, i);
    buf_add(&text, STR("\n"));
    for (int i = 0; i < 16; i++)
        buf_printf(&text, "h%d.example A insecure 192.0.2.%d\nh%d.example AAAA insecure-nodata\n", i, i, i);
    struct script script = {.text = buf_cstr(&text)};
    struct dns_source source = {&script, script_ask};
    struct policy_input in = {.domain = STR("d.example"), .port = 25};
    struct policy_plan plan;
    struct arena arena = {0};
    policy_make(&plan, &arena, &in, &source, DEADLINE_NEVER);
    assert_int_equal(plan.nhost, 16);
    for (size_t i = 1; i < plan.nhost; i++)
        assert_true(plan.host[i - 1].preference <= plan.host[i].preference);
    arena_release(&arena);
    buf_release(&text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(truth_table),
        cmocka_unit_test(loop_detection),
        cmocka_unit_test(own_addresses_count_with_their_port),
        cmocka_unit_test(equals_are_shuffled_within_their_preference),
        cmocka_unit_test(too_many_hosts_leave_the_worst_out),
        cmocka_unit_test(fingerprint_is_the_effective_policy),
        cmocka_unit_test(trouble_names_the_question),
        cmocka_unit_test(hosts_are_bounded),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
