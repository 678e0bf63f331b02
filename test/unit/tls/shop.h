/* A server with something to serve, a client, and what both say of a handshake between them. */
#ifndef TEST_TLS_SHOP_H
#define TEST_TLS_SHOP_H

#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <signal.h>
#include <unistd.h>

#include "tls/tls.h"

/* What the server under test serves. */
struct shop {
    struct arena arena;
    struct tls_identity one, standard;
    bool has_standard, wants_certificate;
};

static __attribute__((unused)) bool look_up(void *ctx, struct str sni, struct arena *a,
                                            struct tls_identity *out)
{
    struct shop *shop = ctx;
    (void)a;
    if (str_equal(sni, STR("mx.example")))
        *out = shop->one;
    else if (!sni.n && shop->has_standard)
        *out = shop->standard;
    else
        return false;
    return true;
}

static __attribute__((unused)) void stock(struct shop *shop)
{
    int64_t now = clock_wall() / 1000;
    struct str name = STR("mx.example"), standard = STR("default.example");
    *shop = (struct shop){.has_standard = true};
    shop->one = (struct tls_identity){.key_set = 7, .n = 2};
    tls_pair_self_signed(&shop->arena, TLS_KEY_P256, &name, 1, now, 30, &shop->one.pair[0]);
    tls_pair_self_signed(&shop->arena, TLS_KEY_RSA3072, &name, 1, now, 30, &shop->one.pair[1]);
    shop->standard = (struct tls_identity){.key_set = 1, .n = 1};
    tls_pair_self_signed(&shop->arena, TLS_KEY_P256, &standard, 1, now, 30, &shop->standard.pair[0]);
}

struct serving {
    struct stream stream;
    struct tls_server *server;
    struct tls_info info;
    enum err e;
    struct buf why;
};

/* One connection on the server's side: handshake, then one line is echoed. */
static __attribute__((unused)) void *serve(void *arg)
{
    struct serving *v = arg;
    struct str line;
    unsigned faults;
    v->e = tls_accept(&v->stream, v->server, deadline_in(10000), &v->info, &v->why);
    if (v->e || stream_read_line(&v->stream, 512, deadline_in(10000), &line, &faults))
        return NULL;
    stream_printf(&v->stream, "250 %.*s\r\n", STR_ARG(line));
    (void)stream_flush(&v->stream, deadline_in(10000));
    return NULL;
}

/* What one exchange came to on both sides. */
struct outcome {
    enum err client, server;
    struct tls_info client_info, server_info;
};

static __attribute__((unused)) struct outcome exchange(struct tls_server *server, struct tls_client *client,
                                                       const struct tls_connect_args *args)
{
    int pair[2];
    pthread_t thread;
    struct outcome o = {0};
    struct stream s;
    struct serving v = {.server = server};
    struct buf why = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    stream_init(&v.stream, pair[0]);
    stream_init(&s, pair[1]);
    assert_int_equal(pthread_create(&thread, NULL, serve, &v), 0);
    o.client = tls_connect(&s, client, args, deadline_in(10000), &o.client_info, &why);
    if (!o.client) {
        struct str line;
        unsigned faults;
        stream_add(&s, STR("hello\r\n"));
        assert_int_equal(stream_read_line(&s, 512, deadline_in(10000), &line, &faults), OK);
        assert_true(str_equal(line, STR("250 hello")));
        tls_remember(client, &s, args->session_key);
    }
    stream_release(&s);
    (void)pthread_join(thread, NULL);
    o.server = v.e;
    o.server_info = v.info;
    stream_release(&v.stream);
    assert_true(o.client == OK || why.n);
    assert_true(o.server == OK || v.why.n);
    buf_release(&v.why);
    buf_release(&why);
    return o;
}

struct fixture {
    struct shop shop;
    struct tls_server *server;
    struct tls_client *client;
};

enum client_certificate { NOT_WANTED, WANTED };

static __attribute__((unused)) bool wants(void *ctx)
{
    return ((const struct shop *)ctx)->wants_certificate;
}

static __attribute__((unused)) void open_fixture(struct fixture *f, enum client_certificate certificate)
{
    struct buf why = {0};
    stock(&f->shop);
    struct tls_server_conf conf = {
        .lookup = look_up, .ctx = &f->shop, .fallback_name = STR("edge.example"), .wants_certificate = wants};
    f->shop.wants_certificate = certificate == WANTED;
    assert_int_equal(tls_server_new(&conf, &f->server, &why), OK);
    assert_int_equal(tls_client_new(&(struct tls_client_conf){.ca_file = ""}, &f->client, &why), OK);
    buf_release(&why);
}

static __attribute__((unused)) void close_fixture(struct fixture *f)
{
    tls_server_free(f->server);
    tls_client_free(f->client);
    arena_release(&f->shop.arena);
}

static __attribute__((unused)) struct outcome greet(struct fixture *f, const char *sni)
{
    return exchange(f->server, f->client, &(struct tls_connect_args){.sni = str_of(sni)});
}

#endif
