#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "pki.h"

/* A client and a server in this process, and what the server saw and shows. */
struct session {
    SSL_CTX *client_ctx, *server_ctx;
    SSL *client, *server;
};

static void show(SSL_CTX *ctx, const struct identity *leaf, X509 *issuer)
{
    SSL_CTX_set_security_level(ctx, 0); /* the server may have a weak key; the client has to bear it */
    assert_int_equal(SSL_CTX_use_certificate(ctx, leaf->cert), 1);
    assert_int_equal(SSL_CTX_use_PrivateKey(ctx, leaf->key), 1);
    if (issuer)
        assert_int_equal(SSL_CTX_add1_chain_cert(ctx, issuer), 1);
}

static bool handshake(struct session *s)
{
    for (int i = 0; i < 20; i++) {
        int client = SSL_do_handshake(s->client), server = SSL_do_handshake(s->server);
        if (client == 1 && server == 1)
            return true;
        if ((client != 1 && SSL_get_error(s->client, client) != SSL_ERROR_WANT_READ) ||
            (server != 1 && SSL_get_error(s->server, server) != SSL_ERROR_WANT_READ))
            return false;
    }
    return false;
}

static void start(struct session *s, const struct identity *leaf, X509 *issuer, int version,
                  const struct dane_identity *who)
{
    BIO *client_bio, *server_bio;
    s->client_ctx = SSL_CTX_new(TLS_client_method());
    s->server_ctx = SSL_CTX_new(TLS_server_method());
    show(s->server_ctx, leaf, issuer);
    assert_true(SSL_CTX_set_max_proto_version(s->server_ctx, version));
    s->client = SSL_new(s->client_ctx);
    s->server = SSL_new(s->server_ctx);
    assert_true(BIO_new_bio_pair(&client_bio, 1 << 15, &server_bio, 1 << 15));
    SSL_set_bio(s->client, client_bio, client_bio);
    SSL_set_bio(s->server, server_bio, server_bio);
    SSL_set_connect_state(s->client);
    SSL_set_accept_state(s->server);
    assert_int_equal(dane_prepare(s->client, who, NULL), OK);
}

static void end(struct session *s)
{
    SSL_free(s->client), SSL_free(s->server);
    SSL_CTX_free(s->client_ctx), SSL_CTX_free(s->server_ctx);
}

/* Every handshake completes, whatever the certificate; a live session and the same chain from a file come to
 * the same verdict. */
static void the_same_verdict_live_and_offline(void **state)
{
    (void)state;
    struct arena a = {0};
    struct identity ca =
        pki_make((struct spec){.subject = "CA", .ca = true, .from_day = -9000, .to_day = 9000});
    struct identity good = pki_make((struct spec){
        .subject = "mx", .names = "DNS:mx.example.com", .by = &ca, .from_day = -9000, .to_day = 9000});
    struct identity old = pki_make((struct spec){
        .subject = "mx", .names = "DNS:mx.example.com", .by = &ca, .from_day = -9000, .to_day = -8999});
    struct identity other = pki_make((struct spec){
        .subject = "mx", .names = "DNS:other.example.com", .by = &ca, .from_day = -9000, .to_day = 9000});
    struct identity weak = pki_make((struct spec){.subject = "mx", .rsa_bits = 1024});
    const struct {
        const struct identity *leaf;
        bool sends_ca;
        struct tlsa record;
        enum dane_reason want;
    } rows[] = {
        {&good, true, pki_record(&a, 3, 1, 1, good.cert), DANE_MATCH},
        {&good, true, pki_record(&a, 2, 0, 1, ca.cert), DANE_MATCH},
        {&good, false, pki_record(&a, 2, 0, 1, ca.cert), DANE_TA_NOT_IN_CHAIN},
        {&good, false, pki_record(&a, 2, 0, 0, ca.cert), DANE_MATCH},
        {&good, false, pki_record(&a, 2, 1, 0, ca.cert), DANE_MATCH},
        {&good, true, pki_record(&a, 3, 1, 1, old.cert), DANE_NO_MATCH},
        {&old, true, pki_record(&a, 2, 0, 1, ca.cert), DANE_EXPIRED},
        {&old, true, pki_record(&a, 3, 0, 2, old.cert), DANE_MATCH},
        {&other, true, pki_record(&a, 2, 1, 1, ca.cert), DANE_HOST_MISMATCH},
        {&other, true, pki_record(&a, 3, 1, 2, other.cert), DANE_MATCH},
        {&weak, false, pki_record(&a, 3, 1, 1, weak.cert), DANE_MATCH},
    };
    const struct dane_identity who = {.base = STR("mx.example.com")};
    static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        for (int v = 0; v < 2; v++) {
            struct session s;
            struct dane_verdict live, offline;
            struct tlsa record = rows[i].record;
            struct tlsa_set usable;
            dane_usable(&(struct tlsa_set){&record, 1}, &a, &usable);
            start(&s, rows[i].leaf, rows[i].sends_ca ? ca.cert : NULL, versions[v], &who);
            assert_true(handshake(&s));
            assert_int_equal(SSL_version(s.client), versions[v]);
            assert_string_equal(SSL_get_servername(s.server, TLSEXT_NAMETYPE_host_name), "mx.example.com");
            dane_judge(s.client, &usable, &who, &live);
            dane_judge_chain(SSL_get_peer_cert_chain(s.client), &usable, &who, DANE_NOW, &offline);
            assert_int_equal(live.reason, rows[i].want);
            assert_int_equal(live.match, rows[i].want == DANE_MATCH);
            assert_int_equal(live.reason, offline.reason);
            assert_int_equal(live.depth, offline.depth);
            assert_string_equal(live.text, offline.text);
            assert_memory_equal(live.leaf_spki_sha256, pki_record(&a, 3, 1, 1, rows[i].leaf->cert).data.p,
                                32);
            end(&s);
        }
    pki_free(&ca), pki_free(&good), pki_free(&old), pki_free(&other), pki_free(&weak);
    arena_release(&a);
}

static void old_tls_is_refused(void **state)
{
    (void)state;
    struct identity leaf = pki_make((struct spec){.subject = "mx"});
    const struct dane_identity who = {.base = STR("mx.example.com")};
    struct session s;
    start(&s, &leaf, NULL, TLS1_1_VERSION, &who);
    assert_true(SSL_set_min_proto_version(s.server, TLS1_VERSION));
    assert_false(handshake(&s));
    end(&s);
    pki_free(&leaf);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_same_verdict_live_and_offline),
        cmocka_unit_test(old_tls_is_refused),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
