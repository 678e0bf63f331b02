#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "pki.h"

static struct arena arena;
static struct identity root, inter, leaf, stranger;
static const struct dane_identity MX = {.base = {"mx.example.com", 14}};

static int set_up(void **state)
{
    (void)state;
    root = pki_make((struct spec){.subject = "Root", .ca = true});
    inter = pki_make((struct spec){.subject = "Intermediate", .by = &root, .ca = true});
    leaf = pki_make((struct spec){.subject = "mx", .names = "DNS:mx.example.com", .by = &inter});
    stranger = pki_make((struct spec){.subject = "Stranger", .ca = true});
    return 0;
}

static int tear_down(void **state)
{
    (void)state;
    pki_free(&root), pki_free(&inter), pki_free(&leaf), pki_free(&stranger);
    arena_release(&arena);
    return 0;
}

static struct dane_verdict judge_one(struct tlsa record, const struct dane_identity *who, int64_t at,
                                     X509 *const *certs)
{
    return pki_judge(&arena, &record, 1, certs, who, at);
}

/* One record against one shown chain, by the text of the RFCs: what must come out? */
struct trial {
    unsigned usage, selector, mtype;
    int target; /* 0 leaf, 1 intermediate, 2 root, 3 stranger */
    int shown;  /* certificates sent, leaf first */
    bool right_name;
    int days; /* 0: all valid; negative: not yet; positive: expired */
};

static enum dane_reason expected(const struct trial *t, int *depth)
{
    *depth = -1;
    if ((t->usage != 2 && t->usage != 3) || t->selector > 1 || t->mtype > 2)
        return DANE_UNUSABLE;
    if (t->usage == 3) {
        *depth = t->target == 0 ? 0 : -1;
        return t->target == 0 ? DANE_MATCH : DANE_NO_MATCH;
    }
    if (t->target == 0 || t->target == 3)
        return DANE_TA_NOT_IN_CHAIN;
    bool is_shown = t->target < t->shown;
    bool is_supplied =
        t->mtype == 0 && t->target == t->shown; /* RFC 7671 5.2.2: out of band, and next in line */
    if (!is_shown && !is_supplied)
        return DANE_TA_NOT_IN_CHAIN;
    if (!t->right_name)
        return DANE_HOST_MISMATCH;
    if (t->days)
        return t->days < 0 ? DANE_NOT_YET_VALID : DANE_EXPIRED;
    bool bare_key = !is_shown && t->selector == 1;
    *depth = bare_key ? t->target - 1 : t->target;
    return DANE_MATCH;
}

static void grid(void **state)
{
    (void)state;
    X509 *const certs[] = {leaf.cert, inter.cert, root.cert, stranger.cert};
    const struct dane_identity wrong = {.base = STR("other.example.com")};
    unsigned trials = 0, matches = 0;
    for (unsigned usage = 0; usage < 5; usage++)
        for (unsigned selector = 0; selector < 3; selector++)
            for (unsigned mtype = 0; mtype < 4; mtype++)
                for (int target = 0; target < 4; target++)
                    for (int shown = 1; shown < 4; shown++)
                        for (int name = 0; name < 2; name++)
                            for (int days = -365; days <= 365; days += 365) {
                                struct trial t = {usage, selector, mtype, target, shown, name, days};
                                X509 *chain[4] = {0};
                                memcpy(chain, certs, (size_t)shown * sizeof *chain);
                                int depth;
                                enum dane_reason want = expected(&t, &depth);
                                struct dane_verdict got =
                                    judge_one(pki_record(&arena, usage, selector, mtype, certs[target]),
                                              name ? &MX : &wrong, PKI_NOW + (int64_t)days * DAY, chain);
                                if (got.reason != want || got.depth != depth)
                                    fail_msg("%u %u %u target %d shown %d name %d days %d: %s at %d, want %s "
                                             "at %d: %s",
                                             usage, selector, mtype, target, shown, name, days,
                                             dane_reason_name(got.reason), got.depth, dane_reason_name(want),
                                             depth, got.text);
                                assert_int_equal(got.match, want == DANE_MATCH);
                                trials++;
                                matches += got.match;
                            }
    assert_int_equal(trials, 5 * 3 * 4 * 4 * 3 * 2 * 3);
    assert_true(matches > 100);
}

static void the_verdict_says_what_matched(void **state)
{
    (void)state;
    X509 *const chain[] = {leaf.cert, inter.cert, NULL};
    struct tlsa records[] = {pki_record(&arena, 3, 1, 1, stranger.cert),
                             pki_record(&arena, 3, 1, 2, leaf.cert), pki_record(&arena, 2, 0, 1, root.cert)};
    struct dane_verdict v = pki_judge(&arena, records, 3, chain, &MX, PKI_NOW);
    assert_true(v.match);
    assert_int_equal(v.record.mtype, 2);
    assert_true(v.has_leaf);
    struct tlsa spki = pki_record(&arena, 3, 1, 1, leaf.cert);
    assert_memory_equal(v.leaf_spki_sha256, spki.data.p, 32);
    /* EE and TA are alternatives: the other half of the set need not fit. */
    struct tlsa mixed[] = {pki_record(&arena, 3, 1, 1, stranger.cert),
                           pki_record(&arena, 2, 1, 1, inter.cert)};
    v = pki_judge(&arena, mixed, 2, chain, &MX, PKI_NOW);
    assert_true(v.match);
    assert_int_equal(v.record.usage, 2);
    mixed[0] = pki_record(&arena, 3, 0, 1, leaf.cert), mixed[1] = pki_record(&arena, 2, 1, 1, stranger.cert);
    assert_true(pki_judge(&arena, mixed, 2, chain, &MX, PKI_NOW).match);
    mixed[0] = pki_record(&arena, 3, 0, 1, stranger.cert);
    v = pki_judge(&arena, mixed, 2, chain, &MX, PKI_NOW);
    assert_int_equal(v.reason, DANE_NO_MATCH);
    assert_true(v.has_leaf);
}

static void no_usable_record(void **state)
{
    (void)state;
    X509 *const chain[] = {leaf.cert, inter.cert, root.cert, NULL};
    struct tlsa pkix[] = {pki_record(&arena, 0, 1, 1, root.cert), pki_record(&arena, 1, 1, 1, leaf.cert)};
    assert_int_equal(pki_judge(&arena, pkix, 2, chain, &MX, PKI_NOW).reason, DANE_UNUSABLE);
    assert_int_equal(pki_judge(&arena, NULL, 0, chain, &MX, PKI_NOW).reason, DANE_UNUSABLE);
    X509 *const none[] = {NULL};
    struct dane_verdict v = judge_one(pki_record(&arena, 3, 1, 1, leaf.cert), &MX, PKI_NOW, none);
    assert_int_equal(v.reason, DANE_NO_MATCH);
    assert_false(v.has_leaf);
}

/* A set without a usable record must never be judged by another rule. */
static void unusable_records_never_reach_openssl(void **state)
{
    (void)state;
    X509 *const certs[] = {leaf.cert, inter.cert, root.cert};
    STACK_OF(X509) *chain = sk_X509_new_null();
    for (int i = 0; i < 3; i++)
        assert_true(sk_X509_push(chain, certs[i]));
    struct tlsa raw[] = {pki_record(&arena, 1, 1, 1, leaf.cert), pki_record(&arena, 0, 0, 1, root.cert)};
    struct dane_verdict v;
    dane_judge_chain(chain, &(struct tlsa_set){raw, 2}, &MX, PKI_NOW, &v);
    assert_false(v.match);
    sk_X509_free(chain);
}

static void names(void **state)
{
    (void)state;
    static const struct {
        const char *cn, *alt, *base, *name1, *name2;
        bool match;
    } rows[] = {
        {"x", "DNS:mx.example.com", "mx.example.com", NULL, NULL, true},
        {"x", "DNS:MX.Example.COM", "mx.example.com", NULL, NULL, true},
        {"x", "DNS:example.com", "mx.example.com", "example.com", NULL, true},
        {"x", "DNS:example.org", "mx.example.com", "example.com", "example.org", true},
        {"x", "DNS:example.net", "mx.example.com", "example.com", "example.org", false},
        {"x", "DNS:a.example.net,DNS:mx.example.com", "mx.example.com", NULL, NULL, true},
        {"x", "DNS:*.example.com", "mx.example.com", NULL, NULL, true},
        {"x", "DNS:*.example.com", "a.mx.example.com", NULL, NULL, false},
        {"x", "DNS:*.example.com", "example.com", NULL, NULL, false},
        {"x", "DNS:m*.example.com", "mx.example.com", NULL, NULL, false},
        {"x", "DNS:*x.example.com", "mx.example.com", NULL, NULL, false},
        {"x", "DNS:mx.*.com", "mx.example.com", NULL, NULL, false},
        {"x", "DNS:*.*.com", "mx.example.com", NULL, NULL, false},
        {"x", "DNS:*", "mx.example.com", NULL, NULL, false},
        {"x", "DNS:*.example.com", "xn--mx-eka.example.com", NULL, NULL, true},
        {"x", "DNS:.example.com", "mx.example.com", NULL, NULL, false},
        {"mx.example.com", NULL, "mx.example.com", NULL, NULL, true},
        {"*.example.com", NULL, "mx.example.com", NULL, NULL, true},
        {"example.com", NULL, "mx.example.com", "example.com", NULL, true},
        {"mx.example.com", "DNS:other.example.com", "mx.example.com", NULL, NULL, false},
        {"mx.example.com", "email:a@example.com", "mx.example.com", NULL, NULL, true},
        {"mx.example.com", "IP:192.0.2.1", "mx.example.com", NULL, NULL, true},
        {NULL, "DNS:mx.example.com", "mx.example.com", NULL, NULL, true},
        {"x", NULL, "mx.example.com", NULL, NULL, false},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct identity id =
            pki_make((struct spec){.subject = rows[i].cn, .names = rows[i].alt, .by = &root});
        X509 *const chain[] = {id.cert, root.cert, NULL};
        struct str more[2] = {str_of(rows[i].name1), str_of(rows[i].name2)};
        struct dane_identity who = {str_of(rows[i].base), more, 2};
        struct dane_verdict v = judge_one(pki_record(&arena, 2, 0, 1, root.cert), &who, PKI_NOW, chain);
        if (v.reason != (rows[i].match ? DANE_MATCH : DANE_HOST_MISMATCH))
            fail_msg("row %zu: %s", i, dane_reason_name(v.reason));
        v = judge_one(pki_record(&arena, 3, 1, 1, id.cert), &who, PKI_NOW, chain);
        assert_true(v.match); /* names never matter to usage 3 */
        pki_free(&id);
    }
}

/* "2 x x" naming the server's own certificate is no anchor, whatever the certificate looks like. */
static void the_leaf_is_never_the_anchor(void **state)
{
    (void)state;
    for (int ca = 0; ca < 2; ca++) {
        struct identity self =
            pki_make((struct spec){.subject = "mx", .names = "DNS:mx.example.com", .ca = ca});
        X509 *const once[] = {self.cert, NULL}, *const twice[] = {self.cert, self.cert, NULL};
        for (unsigned selector = 0; selector < 2; selector++)
            for (unsigned mtype = 0; mtype < 3; mtype++) {
                struct tlsa t = pki_record(&arena, 2, selector, mtype, self.cert);
                assert_int_equal(judge_one(t, &MX, PKI_NOW, once).match, false);
                assert_int_equal(judge_one(t, &MX, PKI_NOW, twice).match, false);
                t.usage = 3;
                assert_int_equal(judge_one(t, &MX, PKI_NOW, once).reason, DANE_MATCH);
            }
        pki_free(&self);
    }
}

/* An anchor that was sent, but did not issue what is in front of it. */
static void chains_that_do_not_hold(void **state)
{
    (void)state;
    struct identity impostor = pki_make((struct spec){.subject = "Root", .ca = true});
    struct identity forged =
        pki_make((struct spec){.subject = "mx", .names = "DNS:mx.example.com", .by = &impostor});
    struct identity no_ca =
        pki_make((struct spec){.subject = "No CA", .by = &root, .names = "DNS:no.example.com"});
    struct identity under =
        pki_make((struct spec){.subject = "mx", .names = "DNS:mx.example.com", .by = &no_ca});
    struct identity client = pki_make(
        (struct spec){.subject = "mx", .names = "DNS:mx.example.com", .by = &root, .eku = "clientAuth"});
    X509 *const unrelated[] = {leaf.cert, stranger.cert, NULL};
    X509 *const same_name[] = {forged.cert, root.cert, NULL};
    X509 *const not_a_ca[] = {under.cert, no_ca.cert, root.cert, NULL};
    X509 *const wrong_use[] = {client.cert, root.cert, NULL};
    for (unsigned mtype = 0; mtype < 3; mtype++) {
        struct tlsa t = pki_record(&arena, 2, 0, mtype, stranger.cert);
        assert_int_equal(judge_one(t, &MX, PKI_NOW, unrelated).reason, DANE_CHAIN_INVALID);
        t = pki_record(&arena, 2, 0, mtype, root.cert);
        assert_int_equal(judge_one(t, &MX, PKI_NOW, same_name).reason, DANE_CHAIN_INVALID);
        assert_int_equal(judge_one(t, &MX, PKI_NOW, not_a_ca).reason, DANE_CHAIN_INVALID);
        assert_int_equal(judge_one(t, &MX, PKI_NOW, wrong_use).reason, DANE_CHAIN_INVALID);
    }
    pki_free(&impostor), pki_free(&forged), pki_free(&no_ca), pki_free(&under), pki_free(&client);
}

/* The same intermediate key certified by two roots: an anchor on either path is enough. */
static void cross_signed(void **state)
{
    (void)state;
    struct identity other = pki_make((struct spec){.subject = "Other root", .ca = true});
    struct identity cross =
        pki_make((struct spec){.subject = "Intermediate", .by = &other, .key = &inter, .ca = true});
    X509 *const by_root[] = {leaf.cert, inter.cert, root.cert, NULL};
    X509 *const by_other[] = {leaf.cert, cross.cert, other.cert, NULL};
    X509 *const both[] = {leaf.cert, cross.cert, inter.cert, other.cert, root.cert, NULL};
    struct tlsa key = pki_record(&arena, 2, 1, 1, inter.cert), r = pki_record(&arena, 2, 0, 1, root.cert);
    struct tlsa o = pki_record(&arena, 2, 0, 1, other.cert);
    assert_int_equal(judge_one(key, &MX, PKI_NOW, by_root).depth, 1);
    assert_int_equal(judge_one(key, &MX, PKI_NOW, by_other).depth, 1);
    assert_int_equal(judge_one(key, &MX, PKI_NOW, both).depth, 1);
    assert_int_equal(judge_one(r, &MX, PKI_NOW, by_root).depth, 2);
    assert_int_equal(judge_one(o, &MX, PKI_NOW, by_other).depth, 2);
    assert_int_equal(judge_one(o, &MX, PKI_NOW, by_root).reason, DANE_TA_NOT_IN_CHAIN);
    assert_int_equal(judge_one(o, &MX, PKI_NOW, both).depth, 2);
    pki_free(&other), pki_free(&cross);
}

static void the_order_of_the_chain_does_not_matter_to_anchors(void **state)
{
    (void)state;
    X509 *const chain[] = {leaf.cert, root.cert, stranger.cert, inter.cert, NULL};
    assert_int_equal(judge_one(pki_record(&arena, 2, 0, 2, root.cert), &MX, PKI_NOW, chain).depth, 2);
    assert_int_equal(judge_one(pki_record(&arena, 2, 1, 2, inter.cert), &MX, PKI_NOW, chain).depth, 1);
}

static void dates_of_each_certificate(void **state)
{
    (void)state;
    struct identity old_ca =
        pki_make((struct spec){.subject = "Old", .ca = true, .from_day = -90, .to_day = -1});
    struct identity by_old =
        pki_make((struct spec){.subject = "mx", .names = "DNS:mx.example.com", .by = &old_ca});
    struct identity old = pki_make((struct spec){
        .subject = "mx", .names = "DNS:mx.example.com", .by = &root, .from_day = -90, .to_day = -1});
    struct identity early = pki_make((struct spec){
        .subject = "mx", .names = "DNS:mx.example.com", .by = &root, .from_day = 5, .to_day = 90});
    X509 *const anchored[] = {by_old.cert, old_ca.cert, NULL}, *const ended[] = {old.cert, root.cert, NULL};
    X509 *const to_come[] = {early.cert, root.cert, NULL};
    struct tlsa t = pki_record(&arena, 2, 0, 1, root.cert);
    assert_int_equal(judge_one(t, &MX, PKI_NOW, ended).reason, DANE_EXPIRED);
    assert_int_equal(judge_one(t, &MX, PKI_NOW - 2 * DAY, to_come).reason, DANE_NOT_YET_VALID);
    assert_int_equal(judge_one(t, &MX, PKI_NOW, to_come).reason, DANE_NOT_YET_VALID);
    assert_int_equal(judge_one(t, &MX, PKI_NOW + 6 * DAY, to_come).reason, DANE_MATCH);
    t = pki_record(&arena, 2, 1, 1, old_ca.cert);
    assert_int_equal(judge_one(t, &MX, PKI_NOW, anchored).reason, DANE_EXPIRED);
    t = pki_record(&arena, 3, 1, 1, old.cert);
    assert_int_equal(judge_one(t, &MX, PKI_NOW, ended).reason, DANE_MATCH);
    pki_free(&old_ca), pki_free(&by_old), pki_free(&old), pki_free(&early);
}

/* A key that a record vouches for may be weak by today's measure. */
static void weak_keys(void **state)
{
    (void)state;
    struct identity weak = pki_make((struct spec){.subject = "mx", .rsa_bits = 1024});
    X509 *const chain[] = {weak.cert, NULL};
    assert_true(judge_one(pki_record(&arena, 3, 1, 1, weak.cert), &MX, PKI_NOW, chain).match);
    assert_true(judge_one(pki_record(&arena, 3, 0, 0, weak.cert), &MX, PKI_NOW, chain).match);
    pki_free(&weak);
}

/* A weaker digest that still matches must not undo a stronger one that does not (RFC 7671 9). */
static void digest_agility(void **state)
{
    (void)state;
    X509 *const chain[] = {leaf.cert, inter.cert, NULL};
    struct tlsa strong_wrong[] = {pki_record(&arena, 3, 1, 1, leaf.cert),
                                  pki_record(&arena, 3, 1, 2, stranger.cert)};
    assert_int_equal(pki_judge(&arena, strong_wrong, 2, chain, &MX, PKI_NOW).reason, DANE_NO_MATCH);
    strong_wrong[1].data.n = 63; /* not usable, so it does not count */
    assert_true(pki_judge(&arena, strong_wrong, 2, chain, &MX, PKI_NOW).match);
    struct tlsa other_selector[] = {pki_record(&arena, 3, 1, 1, leaf.cert),
                                    pki_record(&arena, 3, 0, 2, stranger.cert)};
    assert_true(pki_judge(&arena, other_selector, 2, chain, &MX, PKI_NOW).match);
    struct tlsa full[] = {pki_record(&arena, 3, 1, 0, leaf.cert), pki_record(&arena, 3, 1, 2, stranger.cert)};
    assert_true(pki_judge(&arena, full, 2, chain, &MX, PKI_NOW).match);
    struct tlsa other_usage[] = {pki_record(&arena, 2, 1, 1, inter.cert),
                                 pki_record(&arena, 3, 1, 2, stranger.cert)};
    assert_true(pki_judge(&arena, other_usage, 2, chain, &MX, PKI_NOW).match);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(grid),
        cmocka_unit_test(the_verdict_says_what_matched),
        cmocka_unit_test(no_usable_record),
        cmocka_unit_test(unusable_records_never_reach_openssl),
        cmocka_unit_test(names),
        cmocka_unit_test(the_leaf_is_never_the_anchor),
        cmocka_unit_test(chains_that_do_not_hold),
        cmocka_unit_test(cross_signed),
        cmocka_unit_test(the_order_of_the_chain_does_not_matter_to_anchors),
        cmocka_unit_test(dates_of_each_certificate),
        cmocka_unit_test(weak_keys),
        cmocka_unit_test(digest_agility),
    };
    return cmocka_run_group_tests(tests, set_up, tear_down);
}
