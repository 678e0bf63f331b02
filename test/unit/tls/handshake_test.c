#include "shop.h"

static void spki(const struct tls_pair *pair, uint8_t out[32])
{
    struct arena a = {0};
    struct tls_pair_facts facts;
    struct buf why = {0};
    assert_int_equal(tls_pair_inspect(pair, &a, &facts, &why), OK);
    memcpy(out, facts.spki_sha256, 32);
    arena_release(&a);
}

static void expect_served(const struct outcome *o, const struct tls_pair *pair, uint64_t key_set)
{
    uint8_t want[32];
    spki(pair, want);
    assert_int_equal(o->client, OK);
    assert_int_equal(o->server, OK);
    assert_memory_equal(o->client_info.peer_spki_sha256, want, 32);
    assert_true(o->server_info.pair_id == pair->id && o->server_info.key_set == key_set);
}

static void the_name_decides(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, NOT_WANTED);
    struct outcome o = greet(&f, "mx.example");
    expect_served(&o, &f.shop.one.pair[0], 7);
    assert_string_equal(o.server_info.protocol, "TLSv1.3");
    assert_string_equal(o.server_info.sni, "mx.example");
    assert_string_equal(o.client_info.cipher, o.server_info.cipher);
    assert_false(o.server_info.has_peer_certificate || o.server_info.is_resumed);
    o = greet(&f, "MX.Example");
    expect_served(&o, &f.shop.one.pair[0], 7);
    assert_string_equal(o.server_info.sni, "mx.example");
    /* unknown or none: the default one, never an alert */
    o = greet(&f, "other.example");
    expect_served(&o, &f.shop.standard.pair[0], 1);
    o = greet(&f, "");
    expect_served(&o, &f.shop.standard.pair[0], 1);
    assert_string_equal(o.server_info.sni, "");
    /* no default either: the self-signed one */
    f.shop.has_standard = false;
    o = greet(&f, "other.example");
    assert_int_equal(o.client, OK);
    assert_true(o.server_info.pair_id && o.server_info.key_set == 0);
    close_fixture(&f);
}

/* How a test bends the client. */
struct bend {
    int most;            /* protocol */
    const char *ciphers; /* TLS 1.2 */
    char *groups;        /* not written to */
    const struct tls_pair *certificate;
};

static enum err bend(void *ctx, SSL *ssl, struct buf *why)
{
    const struct bend *b = ctx;
    (void)why;
    SSL_set_security_level(ssl, 0);
    assert_int_equal(SSL_set_min_proto_version(ssl, 0), 1);
    assert_int_equal(SSL_set_max_proto_version(ssl, b->most), 1);
    assert_true(!b->ciphers || SSL_set_cipher_list(ssl, b->ciphers) == 1);
    assert_true(!b->groups || SSL_set1_groups_list(ssl, b->groups) == 1);
    if (b->certificate) {
        struct str x = b->certificate->chain_der[0], k = b->certificate->key_der;
        assert_int_equal(SSL_use_certificate_ASN1(ssl, (const uint8_t *)x.p, (int)x.n), 1);
        assert_int_equal(SSL_use_PrivateKey_ASN1(EVP_PKEY_EC, ssl, (const uint8_t *)k.p, (long)k.n), 1);
    }
    return OK;
}

static struct outcome greet_bent(struct fixture *f, const struct bend *b)
{
    struct bend copy = *b;
    return exchange(f->server, f->client,
                    &(struct tls_connect_args){.sni = STR("mx.example"), .prepare = bend, .ctx = &copy});
}

static char p521[] = "P-521", x448[] = "X448", ffdhe2048[] = "ffdhe2048";

static void only_what_is_good_enough(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, NOT_WANTED);
    static const struct {
        struct bend bend;
        int pair; /* of the identity; -1: refused */
    } rows[] = {
        {{TLS1_3_VERSION, NULL, NULL, NULL}, 0},
        {{TLS1_2_VERSION, NULL, NULL, NULL}, 0},
        {{TLS1_2_VERSION, "ECDHE-ECDSA-AES128-GCM-SHA256", NULL, NULL}, 0},
        {{TLS1_2_VERSION, "ECDHE-RSA-AES256-GCM-SHA384", NULL, NULL},
         1}, /* the RSA pair serves old clients */
        {{TLS1_2_VERSION, "ECDHE-RSA-CHACHA20-POLY1305", NULL, NULL}, 1},
        {{TLS1_3_VERSION, NULL, p521, NULL}, 0},
        {{TLS1_3_VERSION, NULL, x448, NULL}, 0},
        {{TLS1_3_VERSION, NULL, ffdhe2048, NULL}, -1},
        {{TLS1_1_VERSION, NULL, NULL, NULL}, -1},
        {{TLS1_VERSION, NULL, NULL, NULL}, -1},
        {{TLS1_2_VERSION, "AES128-GCM-SHA256", NULL, NULL}, -1},         /* no forward secrecy */
        {{TLS1_2_VERSION, "ECDHE-RSA-AES128-SHA256", NULL, NULL}, -1},   /* CBC */
        {{TLS1_2_VERSION, "DHE-RSA-AES128-GCM-SHA256", NULL, NULL}, -1}, /* finite fields */
        {{TLS1_2_VERSION, "aNULL:eNULL", NULL, NULL}, -1},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        struct outcome o = greet_bent(&f, &rows[i].bend);
        if (rows[i].pair >= 0)
            expect_served(&o, &f.shop.one.pair[rows[i].pair], 7);
        else if (o.client == OK || o.server == OK)
            fail_msg("row %zu: %s was good enough", i, o.server_info.cipher);
    }
    close_fixture(&f);
}

struct floor {
    int oldest, level;
};

static enum err look_at_the_floor(void *ctx, SSL *ssl, struct buf *why)
{
    struct floor *f = ctx;
    buf_set(why, "only looked");
    *f = (struct floor){(int)SSL_get_min_proto_version(ssl), SSL_get_security_level(ssl)};
    return ERR_TLS;
}

static void the_client_keeps_its_floor(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, NOT_WANTED);
    static const struct floor want[] = {
        [TLS_STRENGTH_MODERN] = {TLS1_2_VERSION, 1},
        [TLS_STRENGTH_TLS_1_1] = {TLS1_1_VERSION, 0},
        [TLS_STRENGTH_TLS_1_0] = {TLS1_VERSION, 0},
    };
    for (size_t i = 0; i < sizeof want / sizeof *want; i++) {
        struct floor seen = {0};
        struct outcome o =
            exchange(f.server, f.client,
                     &(struct tls_connect_args){
                         .strength = (enum tls_strength)i, .prepare = look_at_the_floor, .ctx = &seen});
        assert_int_equal(o.client, ERR_TLS);
        assert_int_equal(seen.oldest, want[i].oldest);
        assert_int_equal(seen.level, want[i].level);
    }
    close_fixture(&f);
}

static void client_certificates_are_fingerprints(void **state)
{
    (void)state;
    struct fixture f;
    uint8_t want[32];
    open_fixture(&f, WANTED);
    spki(&f.shop.standard.pair[0], want);
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct outcome o =
            greet_bent(&f, &(struct bend){.most = version, .certificate = &f.shop.standard.pair[0]});
        assert_int_equal(o.server, OK);
        assert_true(o.server_info.has_peer_certificate); /* self-signed by a stranger: fine */
        assert_memory_equal(o.server_info.peer_spki_sha256, want, 32);
        o = greet_bent(&f, &(struct bend){.most = version});
        assert_int_equal(o.server, OK); /* asked, not required */
        assert_false(o.server_info.has_peer_certificate);
    }
    close_fixture(&f);
}

static struct outcome resume(struct fixture *f, const char *sni, const char *key, int version)
{
    struct bend b = {.most = version};
    return exchange(f->server, f->client,
                    &(struct tls_connect_args){
                        .sni = str_of(sni), .session_key = str_of(key), .prepare = bend, .ctx = &b});
}

static void sessions_are_bound_to_key_set_and_name(void **state)
{
    (void)state;
    for (int version = TLS1_2_VERSION; version <= TLS1_3_VERSION; version++) {
        struct fixture f;
        open_fixture(&f, NOT_WANTED);
        struct outcome o = resume(&f, "mx.example", "a", version);
        assert_false(o.client_info.is_resumed);
        o = resume(&f, "mx.example", "a", version);
        assert_true(o.client_info.is_resumed && o.server_info.is_resumed);
        assert_true(o.server_info.key_set == 7 && o.client_info.has_peer_certificate);
        o = resume(&f, "mx.example", "b", version); /* another policy */
        assert_false(o.client_info.is_resumed);
        /* a new key set: the old ticket is ignored, the handshake is full and good */
        f.shop.one.key_set = 8;
        o = resume(&f, "mx.example", "a", version);
        assert_int_equal(o.client, OK);
        assert_false(o.client_info.is_resumed);
        assert_int_equal(o.server_info.key_set, 8);
        o = resume(&f, "mx.example", "a", version);
        assert_true(o.client_info.is_resumed);
        /* the same key set with a new key, after a rollover */
        struct str name = STR("mx.example");
        struct tls_pair fresh;
        tls_pair_self_signed(&f.shop.arena, TLS_KEY_P256, &name, 1, clock_wall() / 1000, 30, &fresh);
        f.shop.one.pair[0] = fresh;
        o = resume(&f, "mx.example", "a", version);
        assert_false(o.client_info.is_resumed);
        expect_served(&o, &fresh, 8);
        o = resume(&f, "mx.example", "a", version);
        assert_true(o.client_info.is_resumed);
        /* since then a tenant relays by certificate */
        f.shop.wants_certificate = true;
        o = resume(&f, "mx.example", "a", version);
        assert_false(o.client_info.is_resumed);
        f.shop.wants_certificate = false;
        /* another name, the same key set and the same caller's key (a caller's bug): no resumption */
        f.shop.standard.key_set = 8;
        o = resume(&f, "other.example", "a", version);
        assert_int_equal(o.client, OK);
        assert_false(o.client_info.is_resumed);
        /* keys last an hour and are good for another */
        int64_t now = clock_wall();
        o = resume(&f, "mx.example", "c", version);
        clock_set_for_test(now + 3 * 3600 * 1000);
        o = resume(&f, "mx.example", "c", version);
        clock_set_for_test(0);
        assert_int_equal(o.client, OK);
        assert_false(o.client_info.is_resumed);
        close_fixture(&f);
    }
}

static void damaged_pairs_do_not_stop_the_server(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, NOT_WANTED);
    f.shop.one.pair[0].id++; /* not the one in the cache */
    f.shop.one.pair[0].key_der = f.shop.one.pair[1].key_der;
    struct outcome o = greet(&f, "mx.example");
    assert_int_equal(o.client, OK);
    assert_true(o.server_info.pair_id == f.shop.one.pair[1].id);
    f.shop.one.n = 1;
    f.shop.one.pair[0].chain_der[0] = STR("rubbish");
    o = greet(&f, "mx.example");
    assert_int_equal(o.client, OK); /* with the self-signed one */
    close_fixture(&f);
}

static void webpki_is_judged_afterwards(void **state)
{
    (void)state;
    struct fixture f;
    open_fixture(&f, NOT_WANTED);
    struct outcome o =
        exchange(f.server, f.client,
                 &(struct tls_connect_args){.sni = STR("mx.example"), .webpki_name = STR("mx.example")});
    assert_int_equal(o.client, OK); /* the handshake completes */
    assert_int_equal(o.client_info.webpki_error, X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT);

    /* the same certificate as a root: its name counts */
    char path[] = "/tmp/kedge-tls-test-XXXXXX";
    int fd = mkstemp(path);
    FILE *file = fdopen(fd, "w");
    const unsigned char *p = (const unsigned char *)f.shop.one.pair[0].chain_der[0].p;
    X509 *x = d2i_X509(NULL, &p, (long)f.shop.one.pair[0].chain_der[0].n);
    assert_true(x && file && PEM_write_X509(file, x) == 1);
    X509_free(x);
    (void)fclose(file);
    struct buf why = {0};
    tls_client_free(f.client);
    assert_int_equal(tls_client_new(&(struct tls_client_conf){.ca_file = path}, &f.client, &why), OK);
    (void)unlink(path);
    o = exchange(f.server, f.client,
                 &(struct tls_connect_args){.sni = STR("mx.example"), .webpki_name = STR("mx.example")});
    assert_int_equal(o.client_info.webpki_error, X509_V_OK);
    o = exchange(f.server, f.client,
                 &(struct tls_connect_args){.sni = STR("mx.example"), .webpki_name = STR("bank.example")});
    assert_int_equal(o.client, OK);
    assert_int_equal(o.client_info.webpki_error, X509_V_ERR_HOSTNAME_MISMATCH);
    tls_client_free(f.client);
    assert_int_equal(tls_client_new(&(struct tls_client_conf){.ca_file = "/nowhere.pem"}, &f.client, &why),
                     ERR_TLS);
    assert_null(f.client);
    assert_true(str_find(buf_str(&why), STR("/nowhere.pem")) != SIZE_MAX);
    buf_release(&why);
    close_fixture(&f);
}

struct herd {
    struct fixture *f;
    const char *sni;
    _Atomic int good;
};

static void *gallop(void *arg)
{
    struct herd *h = arg;
    for (int i = 0; i < 8; i++) {
        struct outcome o = resume(h->f, h->sni, h->sni, TLS1_3_VERSION);
        h->good += o.client == OK && o.server == OK;
    }
    return NULL;
}

static void many_threads_share_both_sides(void **state)
{
    (void)state;
    enum { THREADS = 6 };
    struct fixture f;
    pthread_t threads[THREADS];
    open_fixture(&f, WANTED);
    struct herd herds[] = {{.f = &f, .sni = "mx.example"}, {.f = &f, .sni = "other.example"}};
    for (int i = 0; i < THREADS; i++)
        assert_int_equal(pthread_create(&threads[i], NULL, gallop, &herds[i % 2]), 0);
    for (int i = 0; i < THREADS; i++)
        (void)pthread_join(threads[i], NULL);
    assert_int_equal(herds[0].good + herds[1].good, THREADS * 8);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_decides),
        cmocka_unit_test(only_what_is_good_enough),
        cmocka_unit_test(the_client_keeps_its_floor),
        cmocka_unit_test(client_certificates_are_fingerprints),
        cmocka_unit_test(sessions_are_bound_to_key_set_and_name),
        cmocka_unit_test(damaged_pairs_do_not_stop_the_server),
        cmocka_unit_test(webpki_is_judged_afterwards),
        cmocka_unit_test(many_threads_share_both_sides),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
