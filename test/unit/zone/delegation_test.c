#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "dns/rrsig.h"
#include "zone/delegation.h"

/* A KSK and another one, and DS records that carry their tags. */
static const struct str OLD_KEY = {"\x01\x01\x03\x0dold-old-old-old-", 20},
                        NEW_KEY = {"\x01\x01\x03\x0dnew-new-new-new-", 20};

struct ds {
    char text[40];
    struct str rdata;
};

static struct ds ds_of(struct str key, char fill)
{
    struct ds d;
    uint16_t tag = dns_key_tag(key);
    const char head[] = {(char)(tag >> 8), (char)tag, 13, 2};
    memcpy(d.text, head, sizeof head);
    memset(d.text + 4, fill, 32);
    d.rdata = (struct str){NULL, 36};
    return d;
}

static struct ds old_ds, new_ds;

static int setup(void **state)
{
    (void)state;
    old_ds = ds_of(OLD_KEY, 'o');
    new_ds = ds_of(NEW_KEY, 'n');
    old_ds.rdata.p = old_ds.text;
    new_ds.rdata.p = new_ds.text;
    return 0;
}

enum { OLD = 1, NEW = 2, BOTH = 3 };

/* One row: who is wanted, what the resolver says, and what follows. */
struct row {
    const char *what;
    int wanted, there, keys;
    enum dns_status ds_status, key_status;
    enum dns_security ds_security, key_security;
    enum zone_ds_sight sight;
    int may_go;
};

static const struct row rows[] = {
    {"a zone that says nothing", 0, OLD, OLD, DNS_DATA, DNS_DATA, DNS_SECURE, DNS_SECURE, ZONE_DS_NONE, 0},
    {"a new zone", OLD, 0, OLD, DNS_NODATA, DNS_DATA, DNS_SECURE, DNS_INSECURE, ZONE_DS_MISSING, 0},
    {"the parent does not know the zone", OLD, 0, 0, DNS_NXDOMAIN, DNS_NXDOMAIN, DNS_SECURE, DNS_SECURE,
     ZONE_DS_MISSING, 0},
    {"all is well", OLD, OLD, OLD, DNS_DATA, DNS_DATA, DNS_SECURE, DNS_SECURE, ZONE_DS_SEEN, 0},
    {"the parent is not signed", OLD, OLD, OLD, DNS_DATA, DNS_DATA, DNS_INSECURE, DNS_INSECURE,
     ZONE_DS_MISSING, 0},
    {"the new one is awaited", NEW, OLD, BOTH, DNS_DATA, DNS_DATA, DNS_SECURE, DNS_SECURE, ZONE_DS_MISSING,
     0},
    {"the new one is there beside the old", NEW, BOTH, BOTH, DNS_DATA, DNS_DATA, DNS_SECURE, DNS_SECURE,
     ZONE_DS_SEEN, OLD},
    {"it was replaced", NEW, NEW, BOTH, DNS_DATA, DNS_DATA, DNS_SECURE, DNS_SECURE, ZONE_DS_SEEN, 0},
    {"its key is not public yet", NEW, BOTH, OLD, DNS_DATA, DNS_DATA, DNS_SECURE, DNS_SECURE, ZONE_DS_UNKNOWN,
     0},
    {"both are wanted, one is there", BOTH, OLD, BOTH, DNS_DATA, DNS_DATA, DNS_SECURE, DNS_SECURE,
     ZONE_DS_MISSING, 0},
    {"the zone's keys are bogus", NEW, BOTH, 0, DNS_DATA, DNS_ERROR, DNS_SECURE, DNS_INSECURE,
     ZONE_DS_UNKNOWN, 0},
    {"the keys are not vouched for", NEW, BOTH, BOTH, DNS_DATA, DNS_DATA, DNS_SECURE, DNS_INSECURE,
     ZONE_DS_UNKNOWN, 0},
    {"the parent does not answer", NEW, 0, BOTH, DNS_ERROR, DNS_DATA, DNS_INSECURE, DNS_SECURE,
     ZONE_DS_UNKNOWN, 0},
};

static size_t pick(int which, struct str old, struct str new, struct dns_record *out)
{
    size_t n = 0;
    if (which & OLD)
        out[n++].opaque = old;
    if (which & NEW)
        out[n++].opaque = new;
    return n;
}

static void test_sight(void **state)
{
    (void)state;
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        const struct row *r = &rows[i];
        struct arena a = {0};
        struct dns_record wanted[2], there[2], keys[2];
        struct str texts[2];
        size_t n = pick(r->wanted, old_ds.rdata, new_ds.rdata, wanted);
        for (size_t w = 0; w < n; w++)
            texts[w] = wanted[w].opaque;
        struct dns_answer ds = {.status = r->ds_status, .security = r->ds_security, .records = there},
                          key = {.status = r->key_status, .security = r->key_security, .records = keys};
        ds.n = pick(r->there, old_ds.rdata, new_ds.rdata, there);
        key.n = pick(r->keys, OLD_KEY, NEW_KEY, keys);
        struct zone_delegation d;
        zone_delegation_judge(&a, texts, n, &ds, &key, &d);
        int may_go = 0;
        for (size_t k = 0; k < d.n; k++)
            if (zone_ds_may_go(&d, &d.ds[k]))
                may_go |= str_equal(d.ds[k].rdata, old_ds.rdata) ? OLD : NEW;
        if (d.sight != r->sight || may_go != r->may_go)
            fail_msg("%s: sight %d, wanted %d; may go %d, wanted %d", r->what, (int)d.sight, (int)r->sight,
                     may_go, r->may_go);
        if ((d.why.n == 0) != (d.sight == ZONE_DS_SEEN || d.sight == ZONE_DS_NONE))
            fail_msg("%s: \"%.*s\" is no sentence for it", r->what, STR_ARG(d.why));
        arena_release(&a);
    }
}

static void test_wanted(void **state)
{
    (void)state;
    static const char none[] = {0, 0, 0, 0, 0}, cds[] = {1, 2, 13, 2, 9, 9};
    const struct str zone = STR("mx.example");
    const struct dns_raw records[] = {
        {.owner = zone, .type = DNS_TYPE_CDS, .rdata = {cds, sizeof cds}},
        {.owner = zone, .type = DNS_TYPE_CDS, .rdata = {none, sizeof none}}, /* RFC 8078: no DS at all */
        {.owner = zone, .type = DNS_DS, .rdata = {cds, sizeof cds}},
        {.owner = STR("a.mx.example"), .type = DNS_TYPE_CDS, .rdata = {cds, sizeof cds}},
    };
    struct str out[4];
    assert_int_equal(zone_ds_wanted(zone, records, 4, out), 1);
    assert_ptr_equal(out[0].p, cds);
}

static void test_text(void **state)
{
    (void)state;
    struct buf text = {0}, rdata = {0};
    assert_true(zone_ds_read(STR("52926 13 2 6e4D01"), &rdata));
    assert_int_equal(rdata.n, 7);
    zone_ds_text(&text, buf_str(&rdata));
    assert_string_equal(buf_cstr(&text), "52926 13 2 6E4D01");
    assert_false(zone_ds_read(STR("52926 13 2"), &rdata));
    assert_false(zone_ds_read(STR("70000 13 2 00"), &rdata));
    assert_false(zone_ds_read(STR("1 300 2 00"), &rdata));
    assert_false(zone_ds_read(STR("1 13 2 0"), &rdata));
    buf_release(&text);
    buf_release(&rdata);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test_setup(test_sight, setup),
                                       cmocka_unit_test(test_wanted), cmocka_unit_test(test_text)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
