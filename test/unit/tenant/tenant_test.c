/* The verbs as a caller sees them, and what of them the data plane sees. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include "fixture.h"

static void test_domain_reaches_the_directory(void **state)
{
    struct fixture *f = *state;
    good(f, "tenant.add", "{'tenant': 'acme', 'sender_domain': ['News.Example.']}");
    good(f, "domain.add",
         "{'domain': 'B\xc3\xbc"
         "cher.Example', 'tenant': 'acme', 'mailbox_host': 'lmtp:[2001:DB8::1]:24'}");
    assert_true(text_is(json_array_get(f->result, 0), "domain", "xn--bcher-kva.example"));
    assert_true(text_is(json_array_get(f->result, 0), "mailbox_host", "lmtp:[2001:db8::1]:24"));
    assert_true(text_is(json_array_get(f->result, 0), "mx_host", "edge.example"));
    good(f, "domain.set", "{'domain': ['xn--bcher-kva.example'], 'tls': 'verify', 'mx_host': 'MX1.example'}");
    good(f, "recipient.add",
         "{'recipient': ['Max@xn--bcher-kva.example', '\\\"o b\\\"@xn--bcher-kva.example']}");
    struct look l = look(f);
    struct dir_domain d;
    assert_true(directory_domain(&l.v, &f->a, STR("xn--bcher-kva.example"), &d));
    assert_true(str_equal(d.host, STR("2001:db8::1")));
    assert_int_equal(d.port, 24);
    assert_int_equal(d.protocol, DIR_LMTP);
    assert_int_equal(d.tls, DIR_TLS_VERIFY);
    assert_int_equal(d.recipients, DIR_RECIPIENTS_LIST);
    assert_true(str_equal(d.mx_host, STR("mx1.example")));
    assert_true(directory_recipient(&l.v, d.domain, STR("MAX")));
    assert_true(directory_recipient(&l.v, d.domain, STR("o b")));
    assert_true(directory_tenant_may_send_as(&l.v, d.tenant_id, STR("news.example")));
    look_end(f, &l);
    good(f, "domain.remove", "{'domain': 'xn--bcher-kva.example'}");
    good(f, "tenant.set", "{'tenant': 'acme', 'no_sender_domain': 'news.example', 'rename': 'acme2'}");
    l = look(f);
    struct dir_tenant t;
    assert_false(directory_domain(&l.v, &f->a, STR("xn--bcher-kva.example"), &d));
    assert_false(directory_recipient(&l.v, STR("xn--bcher-kva.example"), STR("max")));
    assert_true(directory_tenant_by_name(&l.v, &f->a, STR("acme2"), &t));
    assert_false(directory_tenant_may_send_as(&l.v, t.id, STR("news.example")));
    look_end(f, &l);
}

static void test_wrong_arguments(void **state)
{
    struct fixture *f = *state;
    good(f, "tenant.add", "{'tenant': 'acme'}");
    good(f, "tenant.add", "{'tenant': 'other'}");
    good(f, "domain.add", "{'domain': 'a.example', 'tenant': 'acme', 'mailbox_host': 'smtp:h.example'}");
    static const struct {
        const char *verb, *args;
        enum err expected;
        const char *says;
    } table[] = {
        {"no.verb", "{}", ERR_USAGE, "no.verb"},
        {"tenant.add", "{}", ERR_USAGE, "tenant is missing"},
        {"tenant.add", "{'tenant': 7}", ERR_USAGE, "tenant is missing"},
        {"tenant.add", "{'tenant': '*'}", ERR_USAGE, "cannot be a tenant's name"},
        {"tenant.add", "{'tenant': 'A'}", ERR_USAGE, "cannot be a tenant's name"},
        {"tenant.show", "{'tenant': 'nobody'}", ERR_NOT_FOUND, "kedge tenant add nobody"},
        {"tenant.set", "{'tenant': 'acme', 'rename': 'other'}", ERR_EXISTS, "other"},
        {"tenant.remove", "{'tenant': 'acme'}", ERR_REFUSED, "--force"},
        {"tenant.remove", "{'tenant': 'nobody'}", ERR_NOT_FOUND, "nobody"},
        {"domain.add", "{'domain': 'b.example', 'mailbox_host': 'smtp:h'}", ERR_USAGE, "--tenant"},
        {"domain.add", "{'domain': 'b.example', 'tenant': 'acme'}", ERR_USAGE, "--mailbox-host"},
        {"domain.add", "{'domain': 'b..example', 'tenant': 'acme', 'mailbox_host': 'smtp:h'}", ERR_USAGE,
         "b..example"},
        {"domain.add", "{'domain': '192.0.2.1', 'tenant': 'acme', 'mailbox_host': 'smtp:h'}", ERR_USAGE,
         "192.0.2.1"},
        {"domain.add", "{'domain': 'b.example', 'tenant': 'acme', 'mailbox_host': 'http:h:1'}", ERR_USAGE,
         "http:h:1"},
        {"domain.add", "{'domain': 'b.example', 'tenant': 'acme', 'mailbox_host': 'lmtp:h'}", ERR_USAGE,
         "PORT"},
        {"domain.add", "{'domain': 'b.example', 'tenant': 'acme', 'mailbox_host': 'smtp:h:0'}", ERR_USAGE,
         "PORT"},
        {"domain.add", "{'domain': 'b.example', 'tenant': 'acme', 'mailbox_host': 'smtp:h:65536'}", ERR_USAGE,
         "65535"},
        {"domain.add", "{'domain': 'b.example', 'tenant': 'acme', 'mailbox_host': 'smtp:h', 'tls': 'dane'}",
         ERR_USAGE, "dane"},
        {"domain.add",
         "{'domain': 'b.example', 'tenant': 'acme', 'mailbox_host': 'smtp:h', 'recipients': 'x'}", ERR_USAGE,
         "list"},
        {"domain.add", "{'domain': 'a.example', 'tenant': 'other', 'mailbox_host': 'smtp:h.example'}",
         ERR_EXISTS, "acme"},
        {"domain.add", "{'domain': ['b.example', '-'], 'tenant': 'acme', 'mailbox_host': 'smtp:h'}",
         ERR_USAGE, "'-'"},
        {"domain.set", "{'domain': 'b.example', 'tls': 'none'}", ERR_NOT_FOUND, "b.example"},
        {"domain.remove", "{'domain': 'b.example'}", ERR_NOT_FOUND, "b.example"},
        {"recipient.add", "{'recipient': 'a@b.example'}", ERR_NOT_FOUND, "b.example"},
        {"recipient.add", "{'recipient': 'a.example'}", ERR_USAGE, "not a mail address"},
        {"recipient.add", "{'recipient': 'a@[192.0.2.1]'}", ERR_USAGE, "not a mail address"},
        {"recipient.remove", "{'recipient': 'a@a.example'}", ERR_NOT_FOUND, "a@a.example"},
        {"relay.add", "{'tenant': 'acme'}", ERR_USAGE, "--network"},
        {"relay.add", "{'tenant': 'acme', 'network': '10.0.0.1/8'}", ERR_USAGE, "10.0.0.1/8"},
        {"relay.add", "{'network': '10.0.0.0/8'}", ERR_USAGE, "tenant is missing"},
        {"relay.add", "{'tenant': 'acme', 'sha256': 'abcd'}", ERR_USAGE, "64 digits"},
        {"relay.add", "{'tenant': 'acme', 'certificate_pem': 'hello'}", ERR_USAGE, "BEGIN CERTIFICATE"},
        {"relay.remove", "{'network': '10.0.0.0/8'}", ERR_NOT_FOUND, "10.0.0.0/8"},
        {"mode.set", "{'domain': 'b.example', 'mode': 'sometimes'}", ERR_USAGE, "sometimes"},
        {"mode.set", "{'domain': 'b.example', 'mode': 'report-only'}", ERR_USAGE, "use opportunistic"},
        {"mode.set", "{'domain': 'b.example', 'mode': 'mandatory-any'}", ERR_USAGE, "use mandatory"},
        {"mode.set", "{'domain': 'b.example', 'mode': 'off'}", ERR_USAGE, "--owner"},
        {"mode.set", "{'domain': 'b.example', 'mode': 'mandatory', 'expires': 'soon'}", ERR_USAGE, "soon"},
        {"mode.set", "{'domain': 'b.example', 'mode': 'mandatory', 'expires': '2001-01-01'}", ERR_USAGE,
         "over"},
        {"mode.set", "{'domain': 'b.example', 'mode': 'mandatory', 'tenant': 'nobody'}", ERR_NOT_FOUND,
         "nobody"},
        {"mode.remove", "{'domain': 'b.example'}", ERR_NOT_FOUND, "mode"},
        {"route.add", "{'domain': 'b.example', 'to': 'a b'}", ERR_USAGE, "a b"},
        {"route.remove", "{'domain': 'b.example'}", ERR_NOT_FOUND, "route"},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        enum err e = call(f, table[i].verb, table[i].args);
        if (e != table[i].expected || !strstr(buf_cstr(&f->why), table[i].says))
            fail_msg("%s %s: %d \"%s\"", table[i].verb, table[i].args, e, buf_cstr(&f->why));
        assert_null(f->result);
    }
    good(f, "domain.list", "{}"); /* nothing of the failed calls stayed */
    assert_int_equal(json_array_size(f->result), 1);
}

static void test_adding_twice_is_fine(void **state)
{
    struct fixture *f = *state;
    static const char *const calls[][2] = {
        {"tenant.add", "{'tenant': 'acme'}"},
        {"domain.add", "{'domain': 'a.example', 'tenant': 'acme', 'mailbox_host': 'smtp:h.example:25'}"},
        {"recipient.add", "{'recipient': 'x@a.example'}"},
        {"relay.add", "{'tenant': 'acme', 'network': '10.0.0.0/8'}"},
        {"mode.add", "{'domain': 'b.example', 'mode': 'mandatory', 'tenant': 'acme'}"},
        {"route.add", "{'domain': 'b.example', 'to': 'h.example:25'}"},
    };
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        good(f, calls[i][0], calls[i][1]);
    good(f, "status", "{}");
    json_int_t epoch = json_integer_value(json_object_get(f->result, "epoch"));
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++)
        good(f, calls[i][0], calls[i][1]);
    good(f, "status", "{}");
    assert_int_equal(json_integer_value(json_object_get(f->result, "epoch")), epoch);
    assert_int_equal(json_integer_value(json_object_get(f->result, "directory_epoch")), epoch);
    assert_int_equal(
        call(f, "mode.add", "{'domain': 'b.example', 'mode': 'opportunistic', 'tenant': 'acme'}"),
        ERR_EXISTS);
    assert_int_equal(call(f, "route.add", "{'domain': 'b.example', 'to': 'other.example'}"), ERR_EXISTS);
}

static void test_rules_reach_the_directory(void **state)
{
    struct fixture *f = *state;
    good(f, "tenant.add", "{'tenant': 'acme'}");
    good(f, "mode.set", "{'domain': '*.gov.example', 'mode': 'mandatory', 'tenant': 'acme'}");
    good(f, "mode.set", "{'domain': '*', 'mode': 'off', 'owner': 'o', 'reason': 'r', 'expires': '30d'}");
    good(f, "route.set", "{'domain': 'r.example', 'tenant': '*', 'to': '127.0.0.9'}");
    good(f, "relay.add", "{'tenant': 'acme', 'network': '2001:db8::/32'}");
    good(f, "relay.add",
         "{'tenant': 'acme', 'sha256': 'AA00000000000000000000000000000000000000000000000000000000000000'}");
    good(f, "mode.show", "{'domain': 'x.gov.example', 'tenant': 'acme'}");
    assert_true(text_is(f->result, "mode", "mandatory"));
    assert_true(text_is(f->result, "rule", "tenant=acme domain=.gov.example"));
    struct look l = look(f);
    struct dir_tenant t;
    struct dir_mode m;
    struct dir_route r;
    struct addr peer;
    uint8_t sha256[32] = {0xaa};
    assert_true(directory_tenant_by_name(&l.v, &f->a, STR("acme"), &t));
    directory_mode(&l.v, &f->a, t.id, STR("y.example"), &m);
    assert_int_equal(m.mode, MODE_OFF);
    assert_true(m.expires_ms > clock_wall());
    assert_true(directory_route(&l.v, &f->a, t.id, STR("r.example"), &r));
    assert_int_equal(r.port, 25);
    assert_true(addr_parse_ip(STR("2001:db8::7"), &peer));
    assert_true(directory_relay_by_address(&l.v, &f->a, &peer, &t));
    assert_true(directory_relay_by_certificate(&l.v, &f->a, sha256, &t));
    look_end(f, &l);
    good(f, "tenant.remove", "{'tenant': 'acme'}");
    good(f, "mode.remove", "{'domain': '*'}");
    l = look(f);
    directory_mode(&l.v, &f->a, t.id, STR("x.gov.example"), &m);
    assert_int_equal(m.mode, MODE_OPPORTUNISTIC);
    assert_false(directory_relay_by_address(&l.v, &f->a, &peer, &t));
    assert_false(directory_relay_by_certificate(&l.v, &f->a, sha256, &t));
    look_end(f, &l);
}

static void test_force_removes_all(void **state)
{
    struct fixture *f = *state;
    good(f, "tenant.add", "{'tenant': 'acme', 'sender_domain': 's.example'}");
    good(f, "domain.add",
         "{'domain': ['a.example', 'b.example'], 'tenant': 'acme', 'mailbox_host': 'smtp:h.example'}");
    good(f, "recipient.add", "{'recipient': ['x@a.example', 'y@b.example']}");
    good(f, "tenant.remove", "{'tenant': 'acme', 'force': true}");
    good(f, "tenant.list", "{}");
    assert_int_equal(json_array_size(f->result), 0);
    struct look l = look(f);
    struct dir_domain d;
    assert_false(directory_domain(&l.v, &f->a, STR("a.example"), &d));
    assert_false(directory_recipient(&l.v, STR("b.example"), STR("y")));
    look_end(f, &l);
    /* A new tenant of that name is another tenant. */
    good(f, "tenant.add", "{'tenant': 'acme'}");
    l = look(f);
    struct dir_tenant t;
    assert_true(directory_tenant_by_name(&l.v, &f->a, STR("acme"), &t));
    assert_true(t.id > 1);
    assert_false(directory_tenant_may_send_as(&l.v, t.id, STR("s.example")));
    look_end(f, &l);
}

/* The directory is made again from the database: lost, or filled from another database. */
static void test_rebuild(void **state)
{
    struct fixture *f = *state;
    char path[96];
    good(f, "tenant.add", "{'tenant': 'acme'}");
    good(f, "domain.add", "{'domain': 'a.example', 'tenant': 'acme', 'mailbox_host': 'smtp:h.example'}");
    tenant_close(f->t);
    f->t = NULL;
    static const char *const folders[] = {"directory", "keys"};
    for (size_t i = 0; i < 2; i++) {
        snprintf(path, sizeof path, "%s/%s", f->folder, folders[i]);
        nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    }
    reopen(f);
    struct dir_domain d;
    struct look l = look(f);
    assert_true(directory_domain(&l.v, &f->a, STR("a.example"), &d));
    look_end(f, &l);
    tenant_close(f->t);
    f->t = NULL;
    snprintf(path, sizeof path, "%s/kedge.db", f->folder);
    unlink(path);
    reopen(f);
    l = look(f);
    assert_false(directory_domain(&l.v, &f->a, STR("a.example"), &d));
    look_end(f, &l);
}

static void test_modes_of_files(void **state)
{
    struct fixture *f = *state;
    static const char *const files[] = {"kedge.db", "kedge.db-wal", "keys/data.mdb", "directory/data.mdb"};
    for (size_t i = 0; i < sizeof files / sizeof *files; i++) {
        char path[96];
        struct stat st;
        snprintf(path, sizeof path, "%s/%s", f->folder, files[i]);
        assert_int_equal(stat(path, &st), 0);
        assert_int_equal(st.st_mode & 077, 0);
    }
}

int main(void)
{
    log_init("test", LOG_ERROR);
    const struct CMUnitTest tests[] = {
        TEST(test_domain_reaches_the_directory),
        TEST(test_wrong_arguments),
        TEST(test_adding_twice_is_fine),
        TEST(test_rules_reach_the_directory),
        TEST(test_force_removes_all),
        TEST(test_rebuild),
        TEST(test_modes_of_files),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
