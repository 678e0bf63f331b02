#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "facts.h"

#define NOTHING "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"

static struct dns_record *tlsa(struct facts *f, size_t i)
{
    return &f->tlsa.records[i];
}

/* The resolver's TLSA answer, and every server's. */
static void spread_tlsa(struct facts *f)
{
    for (size_t i = 0; i < 2; i++) {
        struct facts_set *set = the_set(&f->host_zone, i, DNS_TLSA, OWNER);
        set->status = f->tlsa.status;
        set->n = f->tlsa.n;
        memcpy(set->records, f->tlsa.records, f->tlsa.n * sizeof *set->records);
    }
}

static void dnssec_off(struct facts *f)
{
    f->dnssec = false;
}
static void dane_off(struct facts *f)
{
    f->dane = false;
}
static void lost(struct facts *f)
{
    f->protected_ms = NOW - 2 * DAY;
    f->lost_ms = NOW - DAY;
    f->mx.security = DNS_INSECURE;
}
/* What is not wanted is not lost, and what was not seen neither. */
static void lost_by_hand(struct facts *f)
{
    lost(f);
    f->dane = f->dnssec = f->is_allocated = false;
    f->is_named = true;
}
static void given_up(struct facts *f)
{
    lost(f);
    f->dane = false;
}
static void gone_back(struct facts *f)
{
    lost(f);
    f->dane = f->dnssec = f->is_allocated = false;
}
static void lost_or_not(struct facts *f)
{
    lost(f);
    f->mx.status = DNS_ERROR;
    f->mx.error = DNS_ERROR_TIMEOUT;
    f->mx_unvalidated = f->mx;
}
static void lookup_fails(struct facts *f)
{
    f->mx.status = DNS_ERROR;
    f->mx.error = DNS_ERROR_SERVFAIL;
    f->mx_unvalidated = f->mx;
}
static void host_missing(struct facts *f)
{
    f->a.status = f->aaaa.status = DNS_NXDOMAIN;
}

static void unsigned_zone(struct facts *f)
{
    f->zone.ds.status = DNS_NODATA;
    for (size_t i = 0; i < 2; i++) {
        struct facts_set *set = the_set(&f->zone, i, DNS_DNSKEY, "example.net");
        set->status = DNS_NODATA;
        set->n = 0;
    }
}
static void no_ds(struct facts *f)
{
    f->zone.ds.status = DNS_NODATA;
}
static void no_dnskey(struct facts *f)
{
    struct facts_set *set = the_set(&f->zone, 1, DNS_DNSKEY, "example.net");
    set->status = DNS_NODATA;
    set->n = 0;
}
static void other_ds(struct facts *f)
{
    char *digest = arena_cstr(f->arena, f->zone.ds.records[0].opaque);
    digest[10] ^= 1;
    f->zone.ds.records[0].opaque.p = digest;
}
static void bogus(struct facts *f)
{
    f->mx_unvalidated = f->mx;
    f->mx.status = DNS_ERROR;
    f->mx.error = DNS_ERROR_BOGUS;
}
static void expired(struct facts *f)
{
    the_set(&f->zone, 0, DNS_MX, "example.net")->expires_ms = NOW - 1;
}
static void expires(struct facts *f)
{
    the_set(&f->zone, 0, DNS_SOA, "example.net")->expires_ms = NOW + 3 * DAY - 1;
}
static void expires_later(struct facts *f)
{
    the_set(&f->zone, 0, DNS_SOA, "example.net")->expires_ms = NOW + 3 * DAY;
}
static void no_signature(struct facts *f)
{
    the_set(&f->zone, 1, DNS_MX, "example.net")->signatures = 0;
}
static void early(struct facts *f)
{
    the_set(&f->zone, 1, DNS_MX, "example.net")->inception_ms = NOW + 1000;
}
static void sha1_ds(struct facts *f)
{
    struct dns_record *old = &f->zone.ds.records[0];
    for (size_t i = 0; i < 2; i++) /* nothing to compare with, so that only the digest's kind is seen */
        the_set(&f->zone, i, DNS_DNSKEY, "example.net")->status = DNS_ERROR;
    old->opaque = arena_str(f->arena, old->opaque);
    char *p = arena_cstr(f->arena, old->opaque);
    p[3] = 1;
    old->opaque.p = p;
}
static void sha1_key(struct facts *f)
{
    struct facts_set *set = the_set(&f->zone, 0, DNS_DNSKEY, "example.net");
    char *p = arena_cstr(f->arena, set->records[0].opaque);
    p[3] = 5;
    set->records[set->n++].opaque = str_make(p, set->records[0].opaque.n);
}
static void iterations(struct facts *f)
{
    struct facts_set *set = the_set(&f->zone, 0, DNS_TYPE_NSEC3PARAM, "example.net");
    set->status = DNS_DATA;
    set->n = set->signatures = 1;
    set->inception_ms = NOW - DAY;
    set->expires_ms = NOW + 14 * DAY;
    set->records[0].opaque = str_make("\x01\x00\x00\x0a\x00", 5);
}
static void no_iterations(struct facts *f)
{
    iterations(f);
    the_set(&f->zone, 0, DNS_TYPE_NSEC3PARAM, "example.net")->records[0].opaque =
        str_make("\x01\x00\x00\x00\x00", 5);
}
static void strange_algorithm(struct facts *f)
{
    char *p = arena_cstr(f->arena, f->zone.ds.records[0].opaque);
    p[2] = (char)250;
    f->zone.ds.records[0].opaque.p = p;
}
static void above_unsigned(struct facts *f)
{
    f->zone.ds.security = f->mx.security = DNS_INSECURE;
}
static void silent(struct facts *f)
{
    f->zone.servers[1].is_silent = true;
    f->zone.servers[1].n = 0;
    f->zone.servers[1].has_serial = false;
}
static void lags(struct facts *f)
{
    f->host_zone.servers[0].serial = 6;
}
static void lags_around_zero(struct facts *f)
{
    f->host_zone.servers[0].serial = 0xfffffff0U;
    f->host_zone.servers[1].serial = 3;
}

static void no_mx(struct facts *f)
{
    f->mx.status = DNS_NODATA;
    f->mx.n = 0;
}
static void null_mx(struct facts *f)
{
    f->mx.records[0].mx.host = STR("");
}
static void other_host(struct facts *f)
{
    f->mx.records[0].mx.host = STR("mx.elsewhere.example");
}
static void legacy(struct facts *f)
{
    add_mx(f, 20, "mail.provider.example");
}
static void legacy_by_address(struct facts *f)
{
    add_mx(f, 20, "old.provider.example");
    f->other_a[1] = f->a;
}
static void legacy_preferred(struct facts *f)
{
    add_mx(f, 10, "mail.provider.example");
}
static void other_lower(struct facts *f)
{
    add_mx(f, 5, "mx.elsewhere.example");
}
static void other_same(struct facts *f)
{
    add_mx(f, 10, "mx.elsewhere.example");
}
static void other_higher(struct facts *f)
{
    add_mx(f, 11, "mx.elsewhere.example");
}
static void ttl_high(struct facts *f)
{
    spread_mx(f, 3601);
}
static void ttl_hour(struct facts *f)
{
    spread_mx(f, 3600);
}
static void alias(struct facts *f)
{
    f->cname.status = DNS_DATA;
    f->cname.n = 1;
    f->cname.records[0].name = STR("elsewhere.example");
}
static void host_unsigned(struct facts *f)
{
    f->aaaa.security = DNS_INSECURE;
}
static void priority_zero(struct facts *f)
{
    f->mx.records[0].mx.preference = 0;
}
static void priority_five(struct facts *f)
{
    f->mx.records[0].mx.preference = 5;
}

static void tlsa_missing(struct facts *f)
{
    f->tlsa.status = DNS_NODATA;
    f->tlsa.n = 0;
    spread_tlsa(f);
}
static void tlsa_missing_there(struct facts *f)
{
    the_set(&f->host_zone, 1, DNS_TLSA, OWNER)->status = DNS_NXDOMAIN;
    the_set(&f->host_zone, 1, DNS_TLSA, OWNER)->n = 0;
}
static void tlsa_stale_there(struct facts *f)
{
    f->host_zone.servers[0].serial = 6;
    the_set(&f->host_zone, 0, DNS_TLSA, OWNER)->n = 1;
}
static void tlsa_stale(struct facts *f)
{
    tlsa(f, 0)->tlsa = a_tlsa("another key, which is not served");
    spread_tlsa(f);
    f->dials[0].matched[0] = f->dials[1].matched[0] = false;
    f->dials[0].matched[1] = f->dials[1].matched[1] = true;
}
static void tlsa_unusable(struct facts *f)
{
    tlsa(f, 1)->tlsa.usage = 1;
    spread_tlsa(f);
}
static void mismatch(struct facts *f)
{
    for (size_t i = 0; i < 2; i++) {
        f->dials[i].matched[0] = false;
        memset(f->dials[i].tls.peer_spki_sha256, 7, 32);
    }
}
static void empty_digest(struct facts *f)
{
    tlsa(f, 1)->tlsa.data = decoded(f->arena, NOTHING, hex_decode);
    spread_tlsa(f);
}
static void at_domain(struct facts *f)
{
    f->tlsa_at_domain.status = DNS_DATA;
    f->tlsa_at_domain.n = 1;
    f->tlsa_at_domain.records[0].tlsa = a_tlsa(ACTIVE);
}
static void tcp_nxdomain(struct facts *f)
{
    the_set(&f->host_zone, 1, DNS_TLSA, "_tcp." HOST)->status = DNS_NXDOMAIN;
}
static void tlsa_insecure(struct facts *f)
{
    f->tlsa.security = DNS_INSECURE;
}
static void tlsa_bogus(struct facts *f)
{
    f->tlsa.status = DNS_ERROR;
    f->tlsa.error = DNS_ERROR_BOGUS;
    f->tlsa.n = 0;
}
static void tlsa_many(struct facts *f)
{
    f->tlsa.records = ARENA_ARRAY(f->arena, struct dns_record, 9);
    for (size_t i = 0; i < 2; i++)
        the_set(&f->host_zone, i, DNS_TLSA, OWNER)->records = ARENA_ARRAY(f->arena, struct dns_record, 9);
    f->tlsa.n = 9;
    for (size_t i = 0; i < 9; i++)
        tlsa(f, i)->tlsa = a_tlsa(i ? NEXT : ACTIVE);
    spread_tlsa(f);
}
/* A second algorithm on the first address, which no record vouches for. */
static void rsa_too(struct facts *f)
{
    a_dial(f, "192.0.2.25");
    f->dials[2].asked = f->dials[2].shown = DIAL_RSA;
    f->dials[2].matched[0] = false;
    memset(f->dials[2].tls.peer_spki_sha256, 7, 32);
}
static void rsa_refused(struct facts *f)
{
    rsa_too(f);
    f->dials[2].end = DIAL_HANDSHAKE;
}
static void ca_switched(struct facts *f)
{
    tlsa(f, 1)->tlsa = (struct tlsa){2, 1, 1, str_make(NEXT, 32)};
    spread_tlsa(f);
}
static void tlsa_servfail(struct facts *f)
{
    the_set(&f->host_zone, 0, DNS_TLSA, OWNER)->status = DNS_ERROR;
    the_set(&f->host_zone, 0, DNS_TLSA, OWNER)->trouble = STR("SERVFAIL");
}

static void no_key(struct facts *f)
{
    f->key_count = 0;
}
static void no_next(struct facts *f)
{
    f->key_count = 1;
}
static void old_key_served(struct facts *f)
{
    memcpy(f->dials[1].tls.peer_spki_sha256, NEXT, 32);
    f->dials[1].matched[0] = false;
    f->dials[1].matched[1] = true;
}

static void sts_record(struct facts *f)
{
    f->sts.state = STS_RECORD;
}
static void sts_unreachable(struct facts *f)
{
    f->sts.state = STS_UNREACHABLE;
}
static void sts_certificate(struct facts *f)
{
    f->sts.state = STS_CERTIFICATE;
}
static void sts_status(struct facts *f)
{
    f->sts.state = STS_STATUS;
}
static void sts_invalid(struct facts *f)
{
    f->sts.state = STS_POLICY;
}
static void sts_absent(struct facts *f)
{
    f->sts.state = STS_ABSENT;
}
static void sts_lacks(struct facts *f)
{
    f->sts.policy.mx[0] = STR("mx.elsewhere.example");
}
static void sts_wildcard(struct facts *f)
{
    f->sts.policy.mx[0] = STR("*.mx.example.com");
}
static void sts_shallow(struct facts *f)
{
    f->sts.policy.mx[0] = STR("*.example.com");
}
static void sts_testing(struct facts *f)
{
    f->sts.policy.mode = STS_TESTING;
}
static void sts_none(struct facts *f)
{
    f->sts.policy.mode = STS_NONE;
    f->sts.policy.n = 0;
}

static void unreachable(struct facts *f)
{
    f->dials[0].end = DIAL_CONNECT;
}
static void no_greeting(struct facts *f)
{
    f->dials[0].end = DIAL_GREETING;
}
static void no_starttls(struct facts *f)
{
    f->dials[0].end = DIAL_NO_STARTTLS;
}
static void no_handshake(struct facts *f)
{
    f->dials[0].end = DIAL_HANDSHAKE;
}
/* The caller left before: nobody connected, nothing was asked of the certificate. */
static void not_dialled(struct facts *f)
{
    for (size_t i = 0; i < 2; i++)
        f->dials[i] = (struct facts_dial){.to = f->dials[i].to, .asked = DIAL_ANY};
}
static void not_dialled_again(struct facts *f)
{
    f->dials[f->dial_count++] = (struct facts_dial){.to = f->dials[1].to, .asked = DIAL_RSA};
}
static void old_certificate(struct facts *f)
{
    sts_absent(f);
    f->dials[0].not_after_ms = NOW;
}
static void old_and_enforced(struct facts *f)
{
    f->dials[0].not_after_ms = NOW;
}
static void name_enforced(struct facts *f)
{
    f->dials[0].is_named = false;
}
static void self_signed_enforced(struct facts *f)
{
    f->dials[0].is_trusted = f->dials[1].is_trusted = false;
}
static void self_signed_without_sts(struct facts *f)
{
    self_signed_enforced(f);
    sts_absent(f);
}
static void other_name(struct facts *f)
{
    sts_testing(f);
    f->dials[0].is_named = false;
}
static void other_name_without_sts(struct facts *f)
{
    other_name(f);
    sts_absent(f);
}
static void refused(struct facts *f)
{
    f->dials[0].rcpt = 550;
}

static const struct row {
    void (*spoil)(struct facts *f);
    const char *name, *codes;
    enum domain_state state;
} ROWS[] = {
#define R(spoil, codes, state)                                                                               \
    {                                                                                                        \
        spoil, #spoil, codes, DOMAIN_##state                                                                 \
    }
    R(dnssec_off, "EG001", PROTECTED),
    R(dane_off, "EG002", PROTECTED),
    R(lost, "EG003", BROKEN),
    R(lost_by_hand, "EG003 EG001 EG002", BROKEN),
    R(given_up, "EG002", UNPROTECTED),
    R(gone_back, "EG001 EG002", UNPROTECTED),
    R(lost_or_not, "EG004", UNKNOWN),
    R(lookup_fails, "EG004", UNPROTECTED),
    R(host_missing, "EG005", BROKEN),
    R(unsigned_zone, "ED001", PROTECTED),
    R(no_ds, "ED002", PROTECTED),
    R(no_dnskey, "ED003", BROKEN),
    R(other_ds, "ED004 ED004", BROKEN),
    R(bogus, "ED005", BROKEN),
    R(expired, "ED006", BROKEN),
    R(expires, "ED007", PROTECTED),
    R(expires_later, "", PROTECTED),
    R(no_signature, "ED008", BROKEN),
    R(early, "ED009", BROKEN),
    R(sha1_ds, "ED010", PROTECTED),
    R(sha1_key, "ED010", PROTECTED),
    R(iterations, "ED011", PROTECTED),
    R(no_iterations, "", PROTECTED),
    R(strange_algorithm, "ED012", PROTECTED),
    R(above_unsigned, "ED015", UNPROTECTED),
    R(silent, "ED013", PROTECTED),
    R(lags, "ED014", PROTECTED),
    R(lags_around_zero, "ED014", PROTECTED),
    R(no_mx, "EX001", BROKEN),
    R(null_mx, "EX002", BROKEN),
    R(other_host, "EX003", BROKEN),
    R(legacy, "EX004", UNPROTECTED),
    R(legacy_by_address, "EX004", UNPROTECTED),
    R(legacy_preferred, "EX005", UNPROTECTED),
    R(other_lower, "EX006", UNPROTECTED),
    R(other_same, "EX007", UNPROTECTED),
    R(other_higher, "EX008", UNPROTECTED),
    R(ttl_high, "EX009", PROTECTED),
    R(ttl_hour, "", PROTECTED),
    R(alias, "EX010", BROKEN),
    R(host_unsigned, "EX011", UNPROTECTED),
    R(priority_zero, "", PROTECTED),
    R(priority_five, "EX012", PROTECTED),
    R(tlsa_missing, "ET001", BROKEN),
    R(tlsa_missing_there, "ET002", BROKEN),
    R(tlsa_stale_there, "ET003 ED014", BROKEN),
    R(tlsa_stale, "ET003", BROKEN),
    R(tlsa_unusable, "ET004", PROTECTED),
    R(mismatch, "ET005 EK003 ET005 EK003", BROKEN),
    R(empty_digest, "ET006", BROKEN),
    R(at_domain, "ET007", PROTECTED),
    R(tcp_nxdomain, "ET008", BROKEN),
    R(tlsa_insecure, "ET009", UNPROTECTED),
    R(tlsa_bogus, "ET010", BROKEN),
    R(tlsa_many, "ET011", PROTECTED),
    R(rsa_too, "ET012 EK003", BROKEN),
    R(rsa_refused, "", PROTECTED),
    R(ca_switched, "ET013 ET013", BROKEN),
    R(tlsa_servfail, "ET014", BROKEN),
    R(no_key, "EK001", BROKEN),
    R(no_next, "EK002", PROTECTED),
    R(old_key_served, "EK003 EK004", BROKEN),
    R(sts_record, "ES001", PROTECTED),
    R(sts_unreachable, "ES002", PROTECTED),
    R(sts_certificate, "ES003", PROTECTED),
    R(sts_status, "ES004", PROTECTED),
    R(sts_invalid, "ES005", PROTECTED),
    R(sts_absent, "", PROTECTED),
    R(sts_lacks, "ES006", BROKEN),
    R(sts_wildcard, "", PROTECTED),
    R(sts_shallow, "ES007", BROKEN),
    R(sts_testing, "ES008", PROTECTED),
    R(sts_none, "ES008", PROTECTED),
    R(unreachable, "EC001", BROKEN),
    R(no_greeting, "EC002", BROKEN),
    R(no_starttls, "EC003", BROKEN),
    R(no_handshake, "EC004", BROKEN),
    R(not_dialled, "", UNPROTECTED),
    R(not_dialled_again, "", UNPROTECTED),
    R(old_certificate, "EC005", PROTECTED),
    R(other_name, "EC006 ES008", PROTECTED),
    R(old_and_enforced, "EC008", BROKEN),
    R(name_enforced, "EC008", BROKEN),
    R(self_signed_enforced, "EC008 EC008", BROKEN),
    R(self_signed_without_sts, "", PROTECTED),
    R(other_name_without_sts, "", PROTECTED),
    R(refused, "EC007", BROKEN),
};

static struct str codes_of(struct arena *a, const struct domain_report *r)
{
    struct buf b = {0};
    for (size_t i = 0; i < r->findings; i++)
        buf_printf(&b, "%s%s", i ? " " : "", r->finding[i].code);
    struct str out = arena_printf(a, "%s", buf_cstr(&b));
    buf_release(&b);
    return out;
}

static void each_defect_has_its_code(void **state)
{
    (void)state;
    int failed = 0;
    for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++) {
        struct arena a = {0};
        struct facts f;
        struct domain_report r;
        make_facts(&f, &a);
        ROWS[i].spoil(&f);
        domain_find(&f, &r);
        if (!str_equal(codes_of(&a, &r), str_of(ROWS[i].codes)) || r.state != ROWS[i].state) {
            failed++;
            print_message("%s: '%s' (%s) instead of '%s' (%s)\n", ROWS[i].name, codes_of(&a, &r).p,
                          domain_state_name(r.state), ROWS[i].codes, domain_state_name(ROWS[i].state));
        }
        arena_release(&a);
    }
    assert_int_equal(failed, 0);
}

static void all_is_well(void **state)
{
    (void)state;
    struct arena a = {0};
    struct facts f;
    struct domain_report r;
    make_facts(&f, &a);
    domain_find(&f, &r);
    assert_string_equal(codes_of(&a, &r).p, "");
    assert_int_equal(r.state, DOMAIN_PROTECTED);
    json_t *j = domain_json(&f, &r);
    assert_string_equal(json_string_value(json_object_get(j, "state")), "protected");
    assert_int_equal(json_array_size(json_object_get(j, "connections")), 2);
    json_decref(j);
    arena_release(&a);
}

static void every_code_has_a_row(void **state)
{
    (void)state;
    size_t count;
    const struct inspect_finding *kinds = domain_finding_kinds(&count);
    for (size_t k = 0; k < count; k++) {
        bool found = false;
        for (size_t i = 0; i < sizeof ROWS / sizeof *ROWS; i++)
            found = found || strstr(ROWS[i].codes, kinds[k].code);
        if (!found)
            fail_msg("%s is in no row", kinds[k].code);
        for (size_t i = 0; i < k; i++)
            assert_string_not_equal(kinds[i].code, kinds[k].code);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(all_is_well),
        cmocka_unit_test(each_defect_has_its_code),
        cmocka_unit_test(every_code_has_a_row),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
