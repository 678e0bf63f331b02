/* 100,000 MX hosts on two key sets: a handshake looks up one name and parses one pair, whatever there is
 * besides. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include <malloc.h>
#include <signal.h>
#include <sys/socket.h>
#include <unistd.h>

#include "directory/write.h"
#include "smtpd/identity.h"
#include "tls/client.h"

enum { NAMES = 100000, HANDSHAKES = 300, MEMORY_MAX = 4 << 20, LOOKUP_US_MAX = 50 };

static struct str name_of(struct arena *a, unsigned i)
{
    return arena_printf(a, "customer-%u-example.mx.provider.example", i);
}

static void fill(struct keystore *k, const struct tls_identity *sets, struct arena *a)
{
    struct buf why = {0};
    struct keystore_write *w = keystore_write_begin(k, &why);
    assert_non_null(w);
    keystore_put(w, &sets[0]);
    keystore_put(w, &sets[1]);
    for (unsigned i = 0; i < NAMES; i++)
        keystore_put_name(w, name_of(a, i), sets[i % 2].key_set);
    assert_int_equal(keystore_write_commit(w, 1, STR("test"), &why), OK);
    buf_release(&why);
}

struct peer {
    int fd;
    struct tls_server *server;
    struct tls_info info;
};

static void *serve(void *arg)
{
    struct peer *p = arg;
    struct stream s;
    struct buf why = {0};
    stream_init(&s, p->fd);
    assert_int_equal(tls_accept(&s, p->server, deadline_in(10000), &p->info, &why), OK);
    stream_release(&s);
    buf_release(&why);
    return NULL;
}

static uint64_t handshake(struct tls_server *server, struct tls_client *client, struct str sni)
{
    int pair[2];
    pthread_t thread;
    struct stream s;
    struct tls_info info;
    struct buf why = {0};
    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, pair), 0);
    struct peer p = {.fd = pair[0], .server = server};
    assert_int_equal(pthread_create(&thread, NULL, serve, &p), 0);
    stream_init(&s, pair[1]);
    const struct tls_connect_args args = {.sni = sni};
    assert_int_equal(tls_connect(&s, client, &args, deadline_in(10000), &info, &why), OK);
    (void)pthread_join(thread, NULL);
    stream_release(&s);
    buf_release(&why);
    return p.info.key_set;
}

static int64_t look_up_all(struct smtpd_identity *identity, struct arena *names)
{
    int64_t started = clock_mono();
    for (unsigned i = 0; i < NAMES; i++) {
        struct arena a = {0};
        struct tls_identity found;
        assert_true(smtpd_identity_lookup(identity, name_of(names, i * 7919U % NAMES), &a, &found));
        assert_int_equal(found.key_set, 1 + i * 7919U % NAMES % 2);
        arena_release(&a);
    }
    return clock_mono() - started;
}

static void a_hundred_thousand_names(void **state)
{
    (void)state;
    char folder[] = "/tmp/kedge-names-XXXXXX";
    struct arena a = {0};
    struct buf why = {0};
    struct str name = STR("*.mx.provider.example");
    struct tls_identity sets[2] = {{.key_set = 1, .n = 1}, {.key_set = 2, .n = 1}};
    assert_non_null(mkdtemp(folder));
    char *keys = arena_cstr(&a, arena_printf(&a, "%s/keys", folder));
    char *directory = arena_cstr(&a, arena_printf(&a, "%s/directory", folder));
    struct smtpd_identity identity = {.keystore = keystore_open_writable(keys, &why),
                                      .directory = directory_open(directory, &why)};
    assert_true(identity.keystore && identity.directory);
    for (size_t i = 0; i < 2; i++)
        tls_pair_self_signed(&a, TLS_KEY_P256, &name, 1, clock_wall() / 1000, 30, &sets[i].pair[0]);
    fill(identity.keystore, sets, &a);

    struct tls_server *server;
    struct tls_client *client;
    const struct tls_server_conf conf = {.lookup = smtpd_identity_lookup,
                                         .ctx = &identity,
                                         .fallback_name = STR("edge.example"),
                                         .wants_certificate = smtpd_identity_wants_certificate};
    assert_int_equal(tls_server_new(&conf, &server, &why), OK);
    assert_int_equal(tls_client_new(&(struct tls_client_conf){.ca_file = ""}, &client, &why), OK);
    assert_int_equal(handshake(server, client, name_of(&a, 1)),
                     2); /* what the library keeps once is there now */
    struct arena names = {0};
    size_t before = mallinfo2().uordblks;
    int64_t took = look_up_all(&identity, &names);
    for (unsigned i = 0; i < HANDSHAKES; i++)
        assert_int_equal(handshake(server, client, name_of(&names, i * 331 % NAMES)),
                         1 + i * 331 % NAMES % 2);
    arena_release(&names);
    size_t after = mallinfo2().uordblks;
    print_message("%d look-ups: %lld ms, memory +%zd octets after %d handshakes\n", NAMES, (long long)took,
                  (ssize_t)(after - before), HANDSHAKES);
    assert_true(after < before + MEMORY_MAX);
    assert_true(took * 1000 < (int64_t)NAMES * LOOKUP_US_MAX);

    tls_server_free(server);
    tls_client_free(client);
    keystore_close(identity.keystore);
    directory_close(identity.directory);
    static const char *const left[] = {"/keys/data.mdb",
                                       "/keys/lock.mdb",
                                       "/directory/data.mdb",
                                       "/directory/lock.mdb",
                                       "/keys",
                                       "/directory",
                                       ""};
    for (size_t i = 0; i < sizeof left / sizeof *left; i++) {
        buf_set(&why, "%s%s", folder, left[i]);
        assert_int_equal(remove(buf_cstr(&why)), 0);
    }
    buf_release(&why);
    arena_release(&a);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_hundred_thousand_names)};
    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
