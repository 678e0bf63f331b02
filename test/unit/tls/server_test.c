/* What the server notices of clients that do not want it. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/ssl.h>
#include <unistd.h>

#include "tls/tls.h"

struct serving {
    struct tls_server *server;
    struct stream stream;
    struct tls_info info;
    enum err e;
};

static void *serve(void *arg)
{
    struct serving *v = arg;
    struct buf why = {0};
    v->e = tls_accept(&v->stream, v->server, deadline_in(10000), &v->info, &why);
    buf_release(&why);
    return NULL;
}

/* One client that offers up to that version of TLS, verifies, and trusts nobody. */
static struct serving refused(struct tls_server *server, int version, const char *ciphers)
{
    int pair[2];
    pthread_t thread;
    char name[] = "MX.example";
    struct serving v = {.server = server};
    SSL_CTX *ctx = SSL_CTX_new(TLS_client_method());
    SSL_CTX_set_verify(ctx, SSL_VERIFY_PEER, NULL);
    assert_int_equal(SSL_CTX_set_max_proto_version(ctx, version), 1);
    assert_int_equal(SSL_CTX_set_cipher_list(ctx, ciphers), 1);
    SSL *ssl = SSL_new(ctx);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    stream_init(&v.stream, pair[0]);
    assert_int_equal(pthread_create(&thread, NULL, serve, &v), 0);
    assert_int_equal(SSL_set_fd(ssl, pair[1]), 1);
    assert_int_equal(SSL_set_tlsext_host_name(ssl, name), 1);
    assert_int_not_equal(SSL_connect(ssl), 1);
    (void)close(pair[1]);
    (void)pthread_join(thread, NULL);
    SSL_free(ssl);
    SSL_CTX_free(ctx);
    stream_release(&v.stream);
    assert_int_not_equal(v.e, OK);
    assert_string_equal(v.info.sni, "mx.example");
    return v;
}

static void a_refused_certificate_is_told_from_other_failures(void **state)
{
    (void)state;
    struct tls_server *server;
    struct buf why = {0};
    struct tls_server_conf conf = {.fallback_name = STR("edge.example")};
    assert_int_equal(tls_server_new(&conf, &server, &why), OK);
    assert_true(refused(server, TLS1_3_VERSION, "DEFAULT").info.is_refused);
    assert_true(refused(server, TLS1_2_VERSION, "DEFAULT").info.is_refused);
    assert_false(refused(server, TLS1_2_VERSION, "AES128-SHA256").info.is_refused); /* no cipher in common */
    tls_server_free(server);
    buf_release(&why);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_refused_certificate_is_told_from_other_failures),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
