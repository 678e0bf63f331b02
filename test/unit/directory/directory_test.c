#define KEDGE_TEST
#include <setjmp.h>
#include <stddef.h>
#include <stdarg.h>
#include <stdint.h>
#include <cmocka.h>

#include <ftw.h>
#include <sys/wait.h>
#include <unistd.h>

#include "directory/write.h"

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

struct fixture {
    char path[64];
    struct directory *d;
    struct arena a;
    struct buf why;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strncpy(f->path, "/tmp/kedge-directory-XXXXXX", sizeof f->path - 1);
    assert_non_null(mkdtemp(f->path));
    f->d = directory_open_writable(f->path, &f->why);
    assert_non_null(f->d);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    directory_close(f->d);
    nftw(f->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    arena_release(&f->a);
    buf_release(&f->why);
    free(f);
    return 0;
}

static struct directory_write *begin(struct fixture *f)
{
    struct directory_write *w = directory_write_begin(f->d, &f->why);
    assert_non_null(w);
    return w;
}

static void commit(struct fixture *f, struct directory_write *w, uint64_t epoch)
{
    assert_int_equal(directory_write_commit(w, epoch, STR("source-1"), &f->why), OK);
}

static struct directory_view look(struct fixture *f)
{
    struct directory_view v = {0};
    assert_int_equal(directory_begin(f->d, &v, &f->why), OK);
    return v;
}

#define assert_str(s, text) assert_true(str_equal((s), STR(text)))

static void test_domain(void **state)
{
    struct fixture *f = *state;
    struct directory_view v = look(f);
    struct dir_domain got;
    assert_int_equal(directory_epoch(&v), 0);
    assert_false(directory_domain(&v, &f->a, STR("a.example"), &got));
    directory_end(&v);

    struct directory_write *w = begin(f);
    directory_put_tenant(w, 7, STR("acme"));
    directory_put_domain(w, &(struct dir_domain){.domain = STR("a.example"),
                                                 .tenant_id = 7,
                                                 .mx_host = STR("mx.us.example"),
                                                 .protocol = DIR_LMTP,
                                                 .host = STR("::1"),
                                                 .port = 2003,
                                                 .tls = DIR_TLS_VERIFY,
                                                 .recipients = DIR_RECIPIENTS_LIST});
    directory_put_recipient(w, STR("a.example"), STR("Max.Muster"));
    commit(f, w, 3);

    v = look(f);
    assert_int_equal(directory_epoch(&v), 3);
    assert_true(directory_source_is(&v, STR("source-1")));
    assert_false(directory_source_is(&v, STR("source-2")));
    assert_true(directory_domain(&v, &f->a, STR("a.example"), &got));
    assert_str(got.domain, "a.example");
    assert_str(got.tenant, "acme");
    assert_str(got.mx_host, "mx.us.example");
    assert_str(got.host, "::1");
    assert_int_equal(got.tenant_id, 7);
    assert_int_equal(got.port, 2003);
    assert_int_equal(got.protocol, DIR_LMTP);
    assert_int_equal(got.tls, DIR_TLS_VERIFY);
    assert_int_equal(got.recipients, DIR_RECIPIENTS_LIST);
    assert_true(directory_recipient(&v, STR("a.example"), STR("max.MUSTER")));
    assert_false(directory_recipient(&v, STR("a.example"), STR("max")));
    assert_false(directory_recipient(&v, STR("b.example"), STR("max.muster")));
    assert_false(directory_domain(&v, &f->a, STR("sub.a.example"), &got));
    directory_end(&v);

    w = begin(f);
    directory_remove_domain(w, STR("a.example"));
    directory_remove_recipient(w, STR("a.example"), STR("MAX.muster"));
    commit(f, w, 4);
    v = look(f);
    assert_false(directory_domain(&v, &f->a, STR("a.example"), &got));
    assert_false(directory_recipient(&v, STR("a.example"), STR("max.muster")));
    directory_end(&v);
}

static void test_overlong_keys_find_nothing(void **state)
{
    struct fixture *f = *state;
    char longest[600];
    memset(longest, 'a', sizeof longest);
    struct directory_view v = look(f);
    struct dir_domain got;
    assert_false(directory_domain(&v, &f->a, str_make(longest, sizeof longest), &got));
    assert_false(directory_recipient(&v, STR("a.example"), str_make(longest, sizeof longest)));
    directory_end(&v);
}

static void test_tenant_renamed(void **state)
{
    struct fixture *f = *state;
    struct directory_write *w = begin(f);
    directory_put_tenant(w, 1, STR("old"));
    commit(f, w, 1);
    w = begin(f);
    directory_put_tenant(w, 1, STR("new"));
    directory_put_tenant(w, 2, STR("old"));
    commit(f, w, 2);
    struct directory_view v = look(f);
    struct dir_tenant t;
    assert_true(directory_tenant_by_name(&v, &f->a, STR("new"), &t));
    assert_int_equal(t.id, 1);
    assert_true(directory_tenant_by_name(&v, &f->a, STR("old"), &t));
    assert_int_equal(t.id, 2);
    assert_true(directory_tenant(&v, &f->a, 1, &t));
    assert_str(t.name, "new");
    directory_end(&v);
    w = begin(f);
    directory_remove_tenant(w, 2);
    commit(f, w, 3);
    v = look(f);
    assert_false(directory_tenant_by_name(&v, &f->a, STR("old"), &t));
    assert_false(directory_tenant(&v, &f->a, 2, &t));
    directory_end(&v);
}

static void put_network(struct directory_write *w, const char *text, uint64_t tenant)
{
    struct net_prefix p;
    assert_true(prefix_parse(str_of(text), &p));
    if (tenant)
        directory_put_network(w, &p, tenant);
    else
        directory_remove_network(w, &p);
}

static uint64_t relay_of(struct fixture *f, const char *ip)
{
    struct addr a;
    assert_true(addr_parse_ip(str_of(ip), &a));
    struct directory_view v = look(f);
    struct dir_tenant t;
    bool found = directory_relay_by_address(&v, &f->a, &a, &t);
    directory_end(&v);
    return found ? t.id : 0;
}

static void test_longest_network_wins(void **state)
{
    struct fixture *f = *state;
    struct directory_write *w = begin(f);
    for (uint64_t id = 1; id <= 4; id++) {
        char name[] = {'t', (char)('0' + id)};
        directory_put_tenant(w, id, str_make(name, 2));
    }
    put_network(w, "10.0.0.0/8", 1);
    put_network(w, "10.1.0.0/16", 2);
    put_network(w, "10.1.2.3", 3);
    put_network(w, "2001:db8::/32", 4);
    put_network(w, "2001:db8:1::/48", 1);
    commit(f, w, 1);
    assert_int_equal(relay_of(f, "10.9.9.9"), 1);
    assert_int_equal(relay_of(f, "10.1.9.9"), 2);
    assert_int_equal(relay_of(f, "10.1.2.3"), 3);
    assert_int_equal(relay_of(f, "11.0.0.0"), 0);
    assert_int_equal(relay_of(f, "::ffff:10.1.2.3"), 3);
    assert_int_equal(relay_of(f, "2001:db8:2::1"), 4);
    assert_int_equal(relay_of(f, "2001:db8:1::1"), 1);
    assert_int_equal(relay_of(f, "2001:db9::1"), 0);

    w = begin(f);
    put_network(w, "10.1.0.0/16", 0);
    put_network(w, "10.1.0.0/16", 0); /* twice must not count twice */
    put_network(w, "10.2.0.0/16", 4);
    put_network(w, "10.2.0.0/16", 3);
    commit(f, w, 2);
    assert_int_equal(relay_of(f, "10.1.9.9"), 1);
    assert_int_equal(relay_of(f, "10.2.9.9"), 3);
    w = begin(f);
    put_network(w, "10.0.0.0/8", 0);
    put_network(w, "0.0.0.0/0", 2);
    commit(f, w, 3);
    assert_int_equal(relay_of(f, "10.9.9.9"), 2);
    assert_int_equal(relay_of(f, "10.2.9.9"), 3);
    assert_int_equal(relay_of(f, "2001:db9::1"), 0);
}

static void test_certificate_and_senders(void **state)
{
    struct fixture *f = *state;
    uint8_t one[32] = {1}, two[32] = {2};
    struct directory_write *w = begin(f);
    directory_put_tenant(w, 1, STR("acme"));
    directory_put_tenant(w, 2, STR("other"));
    directory_put_certificate(w, one, 1);
    directory_put_domain(w,
                         &(struct dir_domain){.domain = STR("a.example"), .tenant_id = 1, .host = STR("h")});
    directory_put_sender(w, 1, STR("news.example"));
    commit(f, w, 1);
    struct directory_view v = look(f);
    struct dir_tenant t;
    assert_true(directory_has_certificates(&v));
    assert_true(directory_relay_by_certificate(&v, &f->a, one, &t));
    assert_int_equal(t.id, 1);
    assert_false(directory_relay_by_certificate(&v, &f->a, two, &t));
    assert_true(directory_tenant_may_send_as(&v, 1, STR("a.example")));
    assert_false(directory_tenant_may_send_as(&v, 2, STR("a.example")));
    assert_true(directory_tenant_may_send_as(&v, 1, STR("news.example")));
    assert_false(directory_tenant_may_send_as(&v, 2, STR("news.example")));
    directory_end(&v);
    w = begin(f);
    directory_remove_certificate(w, one);
    directory_remove_sender(w, 1, STR("news.example"));
    commit(f, w, 2);
    v = look(f);
    assert_false(directory_has_certificates(&v));
    assert_false(directory_relay_by_certificate(&v, &f->a, one, &t));
    assert_false(directory_tenant_may_send_as(&v, 1, STR("news.example")));
    directory_end(&v);
}

/* outbound.md's order: (tenant, remote domain), (tenant, *), (*, remote domain), default. */
static void test_mode_resolution(void **state)
{
    struct fixture *f = *state;
    struct directory_write *w = begin(f);
    directory_put_tenant(w, 1, STR("acme"));
    directory_put_tenant(w, 2, STR("other"));
    directory_put_mode(w, 1, STR("a.example"), MODE_MANDATORY, 0);
    directory_put_mode(w, 1, STR(".gov.example"), MODE_MANDATORY, 0);
    directory_put_mode(w, 1, STR(".open.gov.example"), MODE_OFF, 0);
    directory_put_mode(w, 2, STR("*"), MODE_OFF, 0);
    directory_put_mode(w, 0, STR("b.example"), MODE_MANDATORY, 0);
    commit(f, w, 1);
    static const struct {
        uint64_t tenant;
        const char *domain;
        enum mode mode;
        const char *rule;
    } table[] = {
        {1, "a.example", MODE_MANDATORY, "tenant=acme domain=a.example"},
        {1, "sub.a.example", MODE_OPPORTUNISTIC, "default"},
        {1, "gov.example", MODE_OPPORTUNISTIC, "default"},
        {1, "x.gov.example", MODE_MANDATORY, "tenant=acme domain=.gov.example"},
        {1, "x.y.gov.example", MODE_MANDATORY, "tenant=acme domain=.gov.example"},
        {1, "x.open.gov.example", MODE_OFF, "tenant=acme domain=.open.gov.example"},
        {1, "b.example", MODE_MANDATORY, "tenant=* domain=b.example"},
        {2, "b.example", MODE_OFF, "tenant=other domain=*"},
        {2, "a.example", MODE_OFF, "tenant=other domain=*"},
        {0, "b.example", MODE_MANDATORY, "tenant=* domain=b.example"},
        {0, "a.example", MODE_OPPORTUNISTIC, "default"},
        {3, "b.example", MODE_MANDATORY, "tenant=* domain=b.example"},
    };
    struct directory_view v = look(f);
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        struct dir_mode got;
        directory_mode(&v, &f->a, table[i].tenant, str_of(table[i].domain), &got);
        assert_int_equal(got.mode, table[i].mode);
        assert_true(str_equal(got.rule, str_of(table[i].rule)));
    }
    directory_end(&v);
    w = begin(f);
    directory_remove_mode(w, 1, STR("a.example"));
    commit(f, w, 2);
    v = look(f);
    struct dir_mode got;
    directory_mode(&v, &f->a, 1, STR("a.example"), &got);
    assert_int_equal(got.mode, MODE_OPPORTUNISTIC);
    directory_end(&v);
}

static void test_mode_lapses(void **state)
{
    struct fixture *f = *state;
    struct directory_write *w = begin(f);
    directory_put_mode(w, 0, STR("*"), MODE_OFF, 5000);
    commit(f, w, 1);
    struct directory_view v = look(f);
    struct dir_mode got;
    clock_set_for_test(4999);
    directory_mode(&v, &f->a, 0, STR("a.example"), &got);
    assert_int_equal(got.mode, MODE_OFF);
    assert_false(got.lapsed);
    clock_set_for_test(5000);
    directory_mode(&v, &f->a, 0, STR("a.example"), &got);
    clock_set_for_test(0);
    assert_int_equal(got.mode, MODE_OPPORTUNISTIC);
    assert_true(got.lapsed);
    directory_end(&v);
}

static void test_route(void **state)
{
    struct fixture *f = *state;
    struct directory_write *w = begin(f);
    directory_put_tenant(w, 1, STR("acme"));
    directory_put_route(w, 1, STR("r.example"), STR("relay.example"), 2525);
    directory_put_route(w, 0, STR("*"), STR("127.0.0.9"), 25);
    commit(f, w, 1);
    struct directory_view v = look(f);
    struct dir_route got;
    assert_true(directory_route(&v, &f->a, 1, STR("r.example"), &got));
    assert_str(got.host, "relay.example");
    assert_int_equal(got.port, 2525);
    assert_true(directory_route(&v, &f->a, 1, STR("x.example"), &got));
    assert_str(got.host, "127.0.0.9");
    assert_str(got.rule, "tenant=* domain=*");
    directory_end(&v);
    w = begin(f);
    directory_remove_route(w, 0, STR("*"));
    commit(f, w, 2);
    v = look(f);
    assert_false(directory_route(&v, &f->a, 1, STR("x.example"), &got));
    directory_end(&v);
}

static void test_rebuild_and_abort(void **state)
{
    struct fixture *f = *state;
    struct directory_write *w = begin(f);
    directory_put_tenant(w, 1, STR("one"));
    commit(f, w, 1);
    w = begin(f);
    directory_remove_all(w);
    directory_write_abort(w);
    struct directory_view v = look(f);
    struct dir_tenant t;
    assert_true(directory_tenant(&v, &f->a, 1, &t));
    /* A view stays what it was while others write. */
    w = begin(f);
    directory_remove_all(w);
    directory_put_tenant(w, 2, STR("two"));
    commit(f, w, 2);
    assert_true(directory_tenant(&v, &f->a, 1, &t));
    assert_int_equal(directory_epoch(&v), 1);
    directory_end(&v);
    v = look(f);
    assert_false(directory_tenant(&v, &f->a, 1, &t));
    assert_true(directory_tenant(&v, &f->a, 2, &t));
    directory_end(&v);
}

struct many {
    struct directory *d;
    int found;
    pthread_mutex_t lock;
};

static void look_often(void *arg)
{
    struct many *m = arg;
    struct arena a = {0};
    int found = 0;
    for (int i = 0; i < 50; i++) {
        struct directory_view v = {0};
        struct dir_tenant t;
        if (directory_begin(m->d, &v, NULL) == OK && directory_tenant(&v, &a, 1, &t))
            found++;
        directory_end(&v);
    }
    arena_release(&a);
    pthread_mutex_lock(&m->lock);
    m->found += found;
    pthread_mutex_unlock(&m->lock);
}

/* More threads than pooled transactions: everybody gets a turn. */
static void test_many_threads(void **state)
{
    struct fixture *f = *state;
    struct directory_write *w = begin(f);
    directory_put_tenant(w, 1, STR("one"));
    commit(f, w, 1);
    struct many m = {.d = f->d, .lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t threads[100];
    for (int i = 0; i < 100; i++)
        assert_int_equal(thread_start_joinable(look_often, &m, &threads[i], &f->why), OK);
    for (int i = 0; i < 100; i++)
        pthread_join(threads[i], NULL);
    assert_int_equal(m.found, 100 * 50);
}

/* A process that reads while another writes: what it is told about is there at once. Opening first, it makes
 * the empty environment itself. */
static void test_other_process(void **state)
{
    struct fixture *f = *state;
    int go[2], ready[2];
    assert_int_equal(pipe(go), 0);
    assert_int_equal(pipe(ready), 0);
    directory_close(f->d);
    f->d = NULL;
    nftw(f->path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    pid_t child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct directory *d = directory_open(f->path, NULL);
        char c = 'x';
        struct directory_view v = {0};
        if (!d || directory_begin(d, &v, NULL) || directory_epoch(&v) != 0)
            _exit(1);
        directory_end(&v);
        if (write(ready[1], &c, 1) != 1 || read(go[0], &c, 1) != 1)
            _exit(2);
        struct arena a = {0};
        struct dir_tenant t;
        if (directory_begin(d, &v, NULL) || directory_epoch(&v) != 9 || !directory_tenant(&v, &a, 1, &t))
            _exit(3);
        _exit(0);
    }
    char c;
    assert_int_equal(read(ready[0], &c, 1), 1);
    f->d = directory_open_writable(f->path, &f->why);
    assert_non_null(f->d);
    struct directory_write *w = begin(f);
    directory_put_tenant(w, 1, STR("one"));
    commit(f, w, 9);
    assert_int_equal(write(go[1], &c, 1), 1);
    int status;
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    for (int i = 0; i < 2; i++)
        close(go[i]), close(ready[i]);
}

static void test_open_says_where(void **state)
{
    (void)state;
    struct buf why = {0};
    assert_null(directory_open("/proc/no-such-folder/directory", &why));
    assert_non_null(strstr(buf_cstr(&why), "/proc/no-such-folder"));
    buf_release(&why);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_domain),
        TEST(test_overlong_keys_find_nothing),
        TEST(test_tenant_renamed),
        TEST(test_longest_network_wins),
        TEST(test_certificate_and_senders),
        TEST(test_mode_resolution),
        TEST(test_mode_lapses),
        TEST(test_route),
        TEST(test_rebuild_and_abort),
        TEST(test_many_threads),
        TEST(test_other_process),
        cmocka_unit_test(test_open_says_where),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
