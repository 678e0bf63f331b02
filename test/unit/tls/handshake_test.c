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

static bool look_up(void *ctx, struct str sni, struct arena *a, struct tls_identity *out)
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

static void stock(struct shop *shop)
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
static void *serve(void *arg)
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

static struct outcome exchange(struct tls_server *server, struct tls_client *client,
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

static bool wants(void *ctx)
{
    return ((const struct shop *)ctx)->wants_certificate;
}

static void open_fixture(struct fixture *f, enum client_certificate certificate)
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

static void close_fixture(struct fixture *f)
{
    tls_server_free(f->server);
    tls_client_free(f->client);
    arena_release(&f->shop.arena);
}

static struct outcome greet(struct fixture *f, const char *sni)
{
    return exchange(f->server, f->client, &(struct tls_connect_args){.sni = str_of(sni)});
}

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

static void octets_before_the_handshake(void **state)
{
    (void)state;
    struct fixture f;
    struct stream s;
    struct str line;
    unsigned faults;
    int pair[2];
    struct tls_info info;
    struct buf why = {0};
    open_fixture(&f, NOT_WANTED);
    static const char injected[] = "STARTTLS\r\nMAIL FROM:<evil@example>\r\n";
    for (int client = 0; client < 2; client++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        stream_init(&s, pair[0]);
        assert_int_equal(write(pair[1], injected, sizeof injected - 1), sizeof injected - 1);
        assert_int_equal(stream_read_line(&s, 512, deadline_in(1000), &line, &faults), OK);
        enum err e =
            client ? tls_connect(&s, f.client, &(struct tls_connect_args){0}, deadline_in(1000), &info, &why)
                   : tls_accept(&s, f.server, deadline_in(1000), &info, &why);
        assert_int_equal(e, ERR_REFUSED);
        assert_int_equal(stream_error(&s), ERR_REFUSED);
        assert_null(info.protocol);
        stream_release(&s);
        (void)close(pair[1]);
    }
    buf_release(&why);
    close_fixture(&f);
}

static void handshakes_that_go_nowhere(void **state)
{
    (void)state;
    struct fixture f;
    struct stream s;
    struct tls_info info;
    struct buf why = {0};
    int pair[2];
    open_fixture(&f, NOT_WANTED);
    static const struct {
        struct str sent;
        enum err e;
    } rows[] = {
        {STR(""), ERR_TIMEOUT},
        {STR("EHLO mx.example\r\nMAIL FROM:<a@b>\r\n"), ERR_TLS},
        {STR("\x16\x03\x01\x02\x00\x01"), ERR_TIMEOUT},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
        stream_init(&s, pair[0]);
        assert_int_equal(write(pair[1], rows[i].sent.p, rows[i].sent.n), rows[i].sent.n);
        assert_int_equal(tls_accept(&s, f.server, deadline_in(50), &info, &why), rows[i].e);
        stream_add(&s, STR("421 in clear text\r\n")); /* must not get out */
        assert_int_equal(stream_flush(&s, deadline_in(50)), rows[i].e);
        stream_release(&s);
        (void)close(pair[1]);
    }
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    stream_init(&s, pair[0]);
    (void)close(pair[1]);
    assert_int_equal(tls_accept(&s, f.server, deadline_in(1000), &info, &why), ERR_CLOSED);
    stream_release(&s);
    buf_release(&why);
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

/* Accepts, speaks, and is gone without having read a thing. */
static void *refuse(void *arg)
{
    struct serving *v = arg;
    v->e = tls_accept(&v->stream, v->server, deadline_in(10000), &v->info, &v->why);
    stream_add(&v->stream, STR("552 too large\r\n"));
    (void)stream_flush(&v->stream, deadline_in(10000));
    stream_release(&v->stream);
    return NULL;
}

static void what_was_said_before_the_end_is_heard(void **state)
{
    (void)state;
    static char much[1 << 20];
    struct fixture f = {0};
    int pair[2];
    pthread_t thread;
    struct stream s;
    struct tls_info info;
    struct buf why = {0};
    struct str line;
    unsigned faults;
    open_fixture(&f, NOT_WANTED);
    struct serving v = {.server = f.server};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    stream_init(&v.stream, pair[0]);
    stream_init(&s, pair[1]);
    stream_hear_out(&s);
    assert_int_equal(pthread_create(&thread, NULL, refuse, &v), 0);
    struct tls_connect_args args = {.sni = STR("mx.example")};
    assert_int_equal(tls_connect(&s, f.client, &args, deadline_in(10000), &info, &why), OK);
    (void)pthread_join(thread, NULL);
    stream_write(&s, much, sizeof much);
    assert_int_equal(stream_flush(&s, deadline_in(10000)), ERR_CLOSED);
    assert_int_equal(stream_read_line(&s, 512, deadline_in(10000), &line, &faults), OK);
    assert_true(str_equal(line, STR("552 too large")));
    assert_int_equal(stream_read_line(&s, 512, deadline_in(10000), &line, &faults), ERR_CLOSED);
    stream_release(&s);
    close_fixture(&f);
}

struct waiting {
    struct fixture *f;
    int fd;
    enum err e;
};

static void *wait_for_hello(void *arg)
{
    struct waiting *w = arg;
    struct stream s;
    struct tls_info info;
    struct buf why = {0};
    stream_init(&s, w->fd);
    w->e = tls_accept(&s, w->f->server, deadline_in(10000), &info, &why);
    stream_release(&s);
    buf_release(&why);
    return NULL;
}

/* A change of keys holds for every handshake once all that began before it are over. */
static void a_mark_is_past_when_earlier_handshakes_are(void **state)
{
    (void)state;
    struct fixture f;
    int first[2], second[2];
    pthread_t thread[2];
    open_fixture(&f, NOT_WANTED);
    uint64_t mark = tls_server_mark(f.server);
    assert_true(tls_server_is_past(f.server, mark));
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, first), 0);
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, second), 0);
    struct waiting early = {.f = &f, .fd = first[0]}, late = {.f = &f, .fd = second[0]};
    assert_int_equal(pthread_create(&thread[0], NULL, wait_for_hello, &early), 0);
    do { /* until it waits for its client */
        (void)usleep(1000);
        mark = tls_server_mark(f.server);
    } while (tls_server_is_past(f.server, mark));
    assert_int_equal(pthread_create(&thread[1], NULL, wait_for_hello, &late), 0);
    (void)usleep(20000);
    assert_false(tls_server_is_past(f.server, mark));
    (void)close(first[1]);
    (void)pthread_join(thread[0], NULL);
    while (tls_server_is_past(f.server, tls_server_mark(f.server)))
        (void)usleep(1000);                          /* until the late one waits, too */
    assert_true(tls_server_is_past(f.server, mark)); /* it does not matter */
    (void)close(second[1]);
    (void)pthread_join(thread[1], NULL);
    assert_true(tls_server_is_past(f.server, tls_server_mark(f.server)));
    assert_true(early.e == ERR_CLOSED && late.e == ERR_CLOSED);
    close_fixture(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(the_name_decides),
        cmocka_unit_test(only_what_is_good_enough),
        cmocka_unit_test(client_certificates_are_fingerprints),
        cmocka_unit_test(sessions_are_bound_to_key_set_and_name),
        cmocka_unit_test(damaged_pairs_do_not_stop_the_server),
        cmocka_unit_test(octets_before_the_handshake),
        cmocka_unit_test(handshakes_that_go_nowhere),
        cmocka_unit_test(webpki_is_judged_afterwards),
        cmocka_unit_test(what_was_said_before_the_end_is_heard),
        cmocka_unit_test(a_mark_is_past_when_earlier_handshakes_are),
        cmocka_unit_test(many_threads_share_both_sides),
    };
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
