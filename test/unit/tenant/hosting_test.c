/* MX zones, MX hosts and their keys, as a caller sees them and as the data plane does. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "tenant/allocate.h"
#include "tenant/key.h"
#include "tenant/schema_priv.h"

#define SECRET "c2VjcmV0IHNlY3JldCBzZWNyZXQ=" /* "secret secret secret" */

static void make_zone(struct fixture *f, const char *args)
{
    good(f, "edge.group.add", "{'edge_group': 'default', 'address': ['192.0.2.25', '2001:DB8::25']}");
    good(f, "zone.add", args);
}

static void two_tenants(struct fixture *f)
{
    good(f, "tenant.add", "{'tenant': 'acme'}");
    good(f, "tenant.add", "{'tenant': 'beta'}");
}

static enum err add(struct fixture *f, const char *domain, const char *tenant, const char *more)
{
    char args[256];
    snprintf(args, sizeof args, "{'domain': ['%s'], 'tenant': '%s', 'mailbox_host': 'smtp:h.example'%s}",
             domain, tenant, more);
    return call(f, "domain.add", args);
}

static const char *host_of(struct fixture *f, const char *domain)
{
    char args[128];
    snprintf(args, sizeof args, "{'domain': '%s'}", domain);
    good(f, "domain.show", args);
    return json_string_value(json_object_get(f->result, "mx_host"));
}

static json_int_t number(struct fixture *f, const char *zone, const char *what)
{
    char args[128];
    snprintf(args, sizeof args, "{'zone': '%s'}", zone);
    good(f, "zone.show", args);
    return json_integer_value(json_object_get(f->result, what));
}

/* A managed key set with one active pair, made as the module above makes them. */
struct made_key {
    int64_t key_set, pair;
};

static enum err insert_key(struct call *c, void *ctx)
{
    struct made_key *k = ctx;
    struct tls_pair pair;
    struct str name = STR("*.mx.example");
    struct buf chain = {0};
    tls_pair_self_signed(c->a, TLS_KEY_P256, &name, 1, clock_wall() / 1000, 30, &pair);
    k->pair = (int64_t)pair.id;
    if (!k->key_set) {
        assert_int_equal(new_id(c, &k->key_set), OK);
        struct db_query *q = db_query(
            c->db, "INSERT INTO key_set (id, is_default, created_ms, grp) VALUES ($1, 0, 0, 'g' || $2)");
        db_bind_int(q, k->key_set);
        db_bind_int(q, k->key_set);
        assert_int_equal(db_run(q, NULL, c->why), OK);
    }
    struct db_query *q = db_query(
        c->db, "INSERT INTO key_pair (pair_id, key_set_id, chain, private_key) VALUES ($1, $2, $3, $4)");
    key_chain_pack(&chain, &pair);
    db_bind_int(q, k->pair);
    db_bind_int(q, k->key_set);
    db_bind_blob(q, buf_str(&chain));
    db_bind_blob(q, pair.key_der);
    assert_int_equal(db_run(q, NULL, c->why), OK);
    buf_release(&chain);
    q = db_query(c->db, "UPDATE gate_key SET state = 'retiring' WHERE key_set_id = $1");
    db_bind_int(q, k->key_set);
    assert_int_equal(db_run(q, NULL, c->why), OK);
    int64_t id;
    assert_int_equal(new_id(c, &id), OK);
    q = db_query(c->db,
                 "INSERT INTO gate_key (id, key_set_id, pair_id, algorithm, spki_sha256, state, since_ms,"
                 " ta_sha256, lost, proven_ms, roll, roll_ms, compromised, forgotten)"
                 " VALUES ($1, $2, $3, 'ecdsa', '', 'active', 0, '', '', 0, 'no', 0, 0, 0)");
    db_bind_int(q, id);
    db_bind_int(q, k->key_set);
    db_bind_int(q, k->pair);
    assert_int_equal(db_run(q, NULL, c->why), OK);
    return change_note(c, CHANGE_KEY, id_text(c->a, k->key_set), STR_NONE);
}

static void make_key(struct fixture *f, struct made_key *k)
{
    if (tenant_transact(f->t, TENANT_WRITE, insert_key, k, &f->why))
        fail_msg("%s", buf_cstr(&f->why));
}

static enum err run_expire(struct call *c, void *ctx)
{
    return mx_host_expire(c, clock_wall(), ctx);
}

static int64_t expire(struct fixture *f)
{
    int64_t n;
    if (tenant_transact(f->t, TENANT_WRITE, run_expire, &n, &f->why))
        fail_msg("%s", buf_cstr(&f->why));
    return n;
}

static void test_allocation(void **state)
{
    struct fixture *f = *state;
    two_tenants(f);
    assert_int_equal(add(f, "old.example", "acme", ""), OK); /* before there was a zone */
    assert_string_equal(host_of(f, "old.example"), "edge.example");
    assert_int_equal(add(f, "x.example", "acme", ", 'zone': 'k1.mx.example'"), ERR_REFUSED);
    make_zone(f, "{'zone': 'K1.mx.example', 'primary': '192.0.2.53', 'tsig': 'k:hmac-sha256:" SECRET "'}");
    assert_int_equal(add(f, "a-b.com", "acme", ""), OK);
    assert_int_equal(add(f, "a.b.com", "beta", ""), OK);
    assert_int_equal(add(f, "own.example", "beta", ", 'mx_host': 'mx.own.example'"), OK);
    assert_string_equal(host_of(f, "a-b.com"), "a-b-com.k1.mx.example");
    assert_true(json_is_true(json_object_get(f->result, "dnssec")));
    assert_string_equal(host_of(f, "a.b.com"), "a-b-com-vfixsumi.k1.mx.example");
    assert_string_equal(host_of(f, "own.example"), "mx.own.example");
    assert_true(json_is_false(json_object_get(f->result, "dnssec")));
    good(f, "domain.dnssec.enable", "{'domain': ['old.example', 'a-b.com']}");
    assert_string_equal(host_of(f, "old.example"), "old-example.k1.mx.example");
    assert_int_equal(number(f, "k1.mx.example", "hosts"), 3);
    assert_int_equal(call(f, "domain.set", "{'domain': ['a-b.com'], 'mx_host': 'mx.example'}"), ERR_REFUSED);
    assert_int_equal(call(f, "zone.remove", "{'zone': 'k1.mx.example', 'force': true}"), ERR_REFUSED);
    struct dir_domain d;
    struct look l = look(f);
    assert_true(directory_domain(&l.v, &f->a, STR("a.b.com"), &d));
    assert_true(str_equal(d.mx_host, STR("a-b-com-vfixsumi.k1.mx.example")));
    look_end(f, &l);
}

static void test_partitions(void **state)
{
    struct fixture *f = *state;
    two_tenants(f);
    make_zone(f, "{'zone': 'k1.mx.example', 'primary': '192.0.2.53', 'capacity': '2'}");
    good(f, "zone.add", "{'zone': 'k2.mx.example', 'primary': '[2001:db8::53]:5353', 'capacity': '1'}");
    good(f, "zone.add", "{'zone': 'k3.mx.example', 'primary': '192.0.2.53', 'open': 'no'}");
    static const char *const zones[] = {"k1", "k2", "k1"};
    for (int i = 0; i < 3; i++) {
        char domain[16], host[48];
        snprintf(domain, sizeof domain, "d%d.example", i);
        snprintf(host, sizeof host, "d%d-example.%s.mx.example", i, zones[i]);
        assert_int_equal(add(f, domain, "acme", ""), OK);
        assert_string_equal(host_of(f, domain), host);
    }
    assert_int_equal(add(f, "d3.example", "acme", ""), OK); /* all are full or closed */
    assert_string_equal(host_of(f, "d3.example"), "edge.example");
    assert_int_equal(add(f, "d4.example", "acme", ", 'zone': 'k3.mx.example'"), ERR_REFUSED);
    assert_int_equal(call(f, "domain.dnssec.enable", "{'domain': ['d3.example']}"), ERR_REFUSED);
    good(f, "zone.set", "{'zone': 'k3.mx.example', 'open': 'yes'}");
    good(f, "domain.dnssec.enable", "{'domain': ['d3.example']}");
    assert_string_equal(host_of(f, "d3.example"), "d3-example.k3.mx.example");
    assert_int_equal(call(f, "domain.dnssec.enable", "{'domain': ['d3.example'], 'zone': 'k1.mx.example'}"),
                     ERR_REFUSED);
}

/* A name that was a domain's stays its tenant's; records leave after two TTLs. */
static void test_quarantine(void **state)
{
    struct fixture *f = *state;
    clock_set_for_test(INT64_C(1800000000000));
    two_tenants(f);
    make_zone(f, "{'zone': 'k1.mx.example', 'primary': '192.0.2.53', 'ttl': '30', 'address_ttl': '1min'}");
    assert_int_equal(add(f, "a.example", "acme", ""), OK);
    good(f, "domain.remove", "{'domain': ['a.example']}");
    assert_true(text_is(json_array_get(f->result, 0), "mx_host_until", "2027-01-15T08:02:00.000Z"));
    assert_int_equal(number(f, "k1.mx.example", "leaving"), 1);
    assert_int_equal(add(f, "a.example", "beta", ""), OK);
    assert_string_equal(host_of(f, "a.example"), "a-example-uasnvlqg.k1.mx.example");
    clock_set_for_test(INT64_C(1800000000000) + 119999);
    assert_int_equal(expire(f), 0);
    clock_set_for_test(INT64_C(1800000000000) + 120000);
    assert_int_equal(expire(f), 1);
    assert_int_equal(expire(f), 0);
    assert_int_equal(number(f, "k1.mx.example", "leaving"), 0);
    assert_int_equal(number(f, "k1.mx.example", "quarantined"), 1);
    good(f, "domain.remove", "{'domain': ['a.example']}");
    assert_int_equal(add(f, "a.example", "acme", ""), OK); /* back with its first tenant */
    assert_string_equal(host_of(f, "a.example"), "a-example.k1.mx.example");
    assert_int_equal(number(f, "k1.mx.example", "quarantined"), 0);
    good(f, "tenant.remove", "{'tenant': 'acme', 'force': true}");
    assert_int_equal(number(f, "k1.mx.example", "leaving"), 2);
    clock_set_for_test(INT64_C(1800000000000) + 1000000);
    assert_int_equal(expire(f), 2);
    assert_int_equal(call(f, "zone.remove", "{'zone': 'k1.mx.example'}"), ERR_REFUSED);
    good(f, "zone.remove", "{'zone': 'k1.mx.example', 'force': true}");
    clock_set_for_test(0);
}

static void test_dane(void **state)
{
    struct fixture *f = *state;
    struct made_key key = {0};
    two_tenants(f);
    assert_int_equal(add(f, "old.example", "acme", ""), OK);
    make_zone(f, "{'zone': 'k1.mx.example', 'primary': '192.0.2.53'}");
    assert_int_equal(add(f, "a.example", "acme", ", 'dane': true"), ERR_REFUSED); /* no managed key set */
    assert_int_equal(call(f, "domain.show", "{'domain': 'a.example'}"), ERR_NOT_FOUND);
    assert_int_equal(number(f, "k1.mx.example", "hosts"), 0);
    assert_int_equal(add(f, "a.example", "acme", ""), OK);
    assert_int_equal(call(f, "domain.dane.enable", "{'domain': ['a.example']}"), ERR_REFUSED);
    make_key(f, &key);
    assert_int_equal(call(f, "domain.dane.enable", "{'domain': ['a.example', 'old.example']}"), ERR_REFUSED);
    host_of(f, "a.example");
    assert_true(json_is_false(json_object_get(f->result, "dane"))); /* all or none */
    good(f, "domain.dane.enable", "{'domain': ['a.example']}");
    assert_int_equal(add(f, "b.example", "acme", ", 'dane': true"), OK);
    host_of(f, "b.example");
    assert_true(json_is_true(json_object_get(f->result, "dane")));
    assert_int_equal(call(f, "domain.dnssec.disable", "{'domain': ['a.example']}"), ERR_REFUSED);
    good(f, "domain.dane.disable", "{'domain': ['a.example']}");
    good(f, "domain.dnssec.disable", "{'domain': ['a.example']}");
    assert_true(json_is_string(json_object_get(json_array_get(f->result, 0), "mx_host_until")));
    assert_string_equal(host_of(f, "a.example"), "edge.example");
    good(f, "domain.dnssec.disable", "{'domain': ['a.example']}");
    good(f, "domain.dnssec.enable", "{'domain': ['a.example']}");
    assert_string_equal(host_of(f, "a.example"), "a-example.k1.mx.example");
    good(f, "domain.set", "{'domain': ['a.example'], 'tenant': 'beta'}");
    assert_string_equal(host_of(f, "a.example"), "a-example.k1.mx.example");
    good(f, "tenant.remove", "{'tenant': 'acme', 'force': true}");
    assert_int_equal(number(f, "k1.mx.example", "leaving"), 1);
    assert_int_equal(number(f, "k1.mx.example", "hosts"), 1);
}

/* The pair that is served for a name; 0: none, negative: by default. */
static int64_t served(struct fixture *f, const char *name)
{
    struct look l = look(f);
    struct tls_identity got = {0};
    bool is_default, found = keystore_identity(&l.kv, &f->a, str_of(name), &got, &is_default);
    int64_t pair = (int64_t)got.pair[0].id;
    look_end(f, &l);
    return !found ? 0 : is_default ? -1 : pair;
}

static enum err remove_key_sets(struct call *c, void *ctx)
{
    (void)ctx;
    return db_run(db_query(c->db, "DELETE FROM key_set"), NULL, c->why);
}

/* A domain that comes back gets a key set that is there. */
static void test_key_set_that_is_gone(void **state)
{
    struct fixture *f = *state;
    struct made_key first = {0}, second = {0};
    two_tenants(f);
    make_zone(f, "{'zone': 'k1.mx.example', 'primary': '192.0.2.53'}");
    assert_int_equal(tenant_transact(f->t, TENANT_WRITE, insert_key, &first, &f->why), OK);
    assert_int_equal(add(f, "a.example", "acme", ", 'dane': true"), OK);
    good(f, "domain.remove", "{'domain': ['a.example']}");
    assert_int_equal(tenant_transact(f->t, TENANT_WRITE, remove_key_sets, NULL, &f->why), OK);
    assert_int_equal(add(f, "a.example", "acme", ""), OK);
    assert_int_equal(call(f, "domain.dane.enable", "{'domain': ['a.example']}"), ERR_REFUSED);
    assert_int_equal(tenant_transact(f->t, TENANT_WRITE, insert_key, &second, &f->why), OK);
    good(f, "domain.dane.enable", "{'domain': ['a.example']}");
    assert_int_equal(served(f, "a-example.k1.mx.example"), second.pair);
}

static enum err set_default(struct call *c, void *ctx)
{
    const struct made_key *k = ctx;
    struct db_query *q =
        db_query(c->db, "UPDATE key_set SET is_default = CASE WHEN id = $1 THEN 1 ELSE 0 END");
    db_bind_int(q, k->key_set);
    assert_int_equal(db_run(q, NULL, c->why), OK);
    return change_note(c, CHANGE_KEY_NAME, STR_NONE, STR_NONE);
}

static void forget_keystore(struct fixture *f)
{
    char path[96];
    tenant_close(f->t);
    f->t = NULL;
    snprintf(path, sizeof path, "%s/keys", f->folder);
    nftw(path, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    reopen(f);
}

/* Changes one by one give what a rebuild gives. */
static void test_keystore_follows(void **state)
{
    struct fixture *f = *state;
    struct made_key one = {0}, other = {0};
    clock_set_for_test(INT64_C(1800000000000));
    two_tenants(f);
    make_zone(f, "{'zone': 'k1.mx.example', 'primary': '192.0.2.53'}");
    assert_int_equal(add(f, "early.example", "acme", ""), OK); /* before there is a key set */
    make_key(f, &one);
    assert_int_equal(tenant_transact(f->t, TENANT_WRITE, set_default, &one, &f->why), OK);
    assert_int_equal(add(f, "a.example", "acme", ""), OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(served(f, "a-example.k1.mx.example"), one.pair);
        assert_int_equal(served(f, "early-example.k1.mx.example"), -1);
        assert_int_equal(served(f, "nobody.example"), -1);
        forget_keystore(f);
    }
    make_key(f, &one); /* a rollover */
    good(f, "domain.dane.enable", "{'domain': ['early.example']}");
    good(f, "domain.remove", "{'domain': ['a.example']}");
    make_key(f, &other);
    assert_int_equal(tenant_transact(f->t, TENANT_WRITE, set_default, &other, &f->why), OK);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(served(f, "a-example.k1.mx.example"), one.pair); /* while it leaves */
        assert_int_equal(served(f, "early-example.k1.mx.example"), one.pair);
        forget_keystore(f);
    }
    clock_set_for_test(INT64_C(1900000000000));
    assert_int_equal(expire(f), 1);
    for (int round = 0; round < 2; round++) {
        assert_int_equal(served(f, "a-example.k1.mx.example"), -1);
        assert_int_equal(served(f, "early-example.k1.mx.example"), one.pair);
        forget_keystore(f);
    }
    clock_set_for_test(0);
}

struct progress {
    size_t lines, rows;
};

static bool count_rows(void *ctx, json_t *line)
{
    struct progress *p = ctx;
    p->lines++;
    p->rows += json_array_size(json_object_get(line, "rows"));
    json_decref(line);
    return true;
}

static enum err call_with(struct fixture *f, const char *verb, json_t *args, struct progress *p)
{
    json_decref(f->result);
    f->result = NULL;
    enum err e =
        tenant_call(f->t,
                    &(struct tenant_request){
                        .verb = verb, .args = args, .progress = p ? count_rows : NULL, .progress_ctx = p},
                    &f->result, &f->why);
    json_decref(args);
    return e;
}

enum { MANY = 2500 };

static void test_many(void **state)
{
    struct fixture *f = *state;
    struct made_key key = {0};
    struct buf file = {0};
    struct progress p = {0};
    two_tenants(f);
    make_zone(f, "{'zone': 'k1.mx.example', 'primary': '192.0.2.53'}");
    assert_int_equal(add(f, "taken.example", "beta", ""), OK);
    buf_printf(&file, "# ours\n\n taken.example # of somebody else\nnot a name\n");
    for (int i = 0; i < MANY; i++)
        buf_printf(&file, "d%d.example\r\n", i);
    for (int round = 0; round < 2; round++) {
        json_t *args = json_pack("{s:s, s:s, s:s%}", "tenant", "acme", "mailbox_host", "lmtp:h.example:24",
                                 "file", buf_cstr(&file), file.n);
        assert_int_equal(call_with(f, "domain.add", args, &p), OK);
        assert_int_equal(json_integer_value(json_object_get(f->result, "changed")), round ? 0 : MANY);
        assert_int_equal(json_integer_value(json_object_get(f->result, "unchanged")), round ? MANY : 0);
        assert_int_equal(json_integer_value(json_object_get(f->result, "failed")), 2);
        json_t *failures = json_object_get(f->result, "failures");
        assert_true(text_is(json_array_get(failures, 0), "domain", "taken.example"));
        assert_true(text_is(json_array_get(failures, 1), "domain", "not a name"));
    }
    assert_int_equal(number(f, "k1.mx.example", "hosts"), MANY + 1);
    p = (struct progress){0};
    assert_int_equal(call_with(f, "domain.list", json_pack("{s:s}", "tenant", "acme"), &p), OK);
    assert_int_equal(p.lines, 2);
    assert_int_equal(p.rows + json_array_size(f->result), MANY);

    /* Whoever fails is left as it was: no key set, then all but one. */
    good(f, "domain.dane.enable", "{'all': true}");
    assert_int_equal(json_integer_value(json_object_get(f->result, "failed")), MANY + 1);
    make_key(f, &key);
    good(f, "domain.dnssec.disable", "{'file': 'd7.example\\n'}");
    good(f, "domain.dane.enable", "{'tenant': 'acme'}");
    assert_int_equal(json_integer_value(json_object_get(f->result, "changed")), MANY - 1);
    assert_int_equal(json_integer_value(json_object_get(f->result, "failed")), 1);
    good(f, "status", "{}");
    assert_int_equal(json_integer_value(json_object_get(f->result, "epoch")),
                     json_integer_value(json_object_get(f->result, "directory_epoch")));
    assert_int_equal(served(f, "d2499-example.k1.mx.example"), key.pair);
    good(f, "domain.dane.disable", "{'all': true}");
    assert_int_equal(json_integer_value(json_object_get(f->result, "changed")), MANY - 1);
    assert_int_equal(json_integer_value(json_object_get(f->result, "unchanged")), 2);
    assert_int_equal(call(f, "domain.dane.disable", "{}"), ERR_USAGE);
    assert_int_equal(call(f, "domain.dane.disable", "{'all': true, 'tenant': 'nobody'}"), ERR_NOT_FOUND);
    assert_int_equal(call(f, "domain.dane.disable", "{'all': true, 'file': 'a'}"), ERR_USAGE);
    buf_release(&file);
}

/* What is done stays, and what is not done is done by the same call later. */
static void test_a_stop_ends_what_takes_long(void **state)
{
    struct fixture *f = *state;
    struct buf file = {0};
    two_tenants(f);
    make_zone(f, "{'zone': 'k1.mx.example', 'primary': '192.0.2.53'}");
    for (int i = 0; i < MANY; i++)
        buf_printf(&file, "d%d.example\n", i);
    json_t *args = json_pack("{s:s, s:s, s:s%}", "tenant", "acme", "mailbox_host", "lmtp:h.example:24",
                             "file", buf_cstr(&file), file.n);
    tenant_stop(f->t);
    assert_int_equal(call_with(f, "domain.add", json_incref(args), NULL), ERR_CLOSED);
    assert_true(str_find(buf_str(&f->why), STR("stopping: 1000 domains are done")) != SIZE_MAX);
    assert_int_equal(number(f, "k1.mx.example", "hosts"), 1000);
    assert_int_equal(call_with(f, "domain.list", json_object(), NULL), ERR_CLOSED);
    json_decref(args);
    buf_release(&file);
}

static enum err run_sql(struct call *c, void *sql)
{
    return db_run(db_query(c->db, sql), NULL, c->why);
}

/* What is not about a domain ends it: the portions before are done, which it says. */
static void test_an_error_on_the_way_says_how_far_it_came(void **state)
{
    static const struct {
        const char *trigger, *says;
        int64_t done;
    } rows[] = {
        /* the statement fails: the second portion is as it was */
        {"CREATE TRIGGER spoil BEFORE INSERT ON domain WHEN NEW.name = 'd1500.example'"
         " BEGIN SELECT abs(-9223372036854775807 - 1); END",
         "; 999 domains are done, 1 failed, the others are as they were; give the same command again", 999},
        /* it is stored, but what it has stored cannot be written to the directory */
        {"CREATE TRIGGER spoil AFTER INSERT ON domain WHEN NEW.name = 'd1500.example'"
         " BEGIN UPDATE domain SET protocol = 'none' WHERE name = NEW.name; END",
         "; 1999 domains are done, 1 failed, the others are as they were; give the same command again", 1999},
    };
    struct fixture *f = *state;
    struct buf file = {0};
    two_tenants(f);
    make_zone(f, "{'zone': 'k1.mx.example', 'primary': '192.0.2.53'}");
    for (int i = 0; i < MANY; i++)
        buf_printf(&file, i ? "d%d.example\n" : "no name %d\n", i);
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        json_t *args = json_pack("{s:s, s:s, s:s%}", "tenant", "acme", "mailbox_host", "lmtp:h.example:24",
                                 "file", buf_cstr(&file), file.n);
        char trigger[256];
        (void)snprintf(trigger, sizeof trigger, "%s", rows[i].trigger);
        assert_int_equal(tenant_transact(f->t, TENANT_WRITE, run_sql, trigger, &f->why), OK);
        enum err e = call_with(f, "domain.add", args, NULL);
        if (e == OK || str_find(buf_str(&f->why), str_of(rows[i].says)) == SIZE_MAX)
            fail_msg("row %zu: %s: %s", i, err_text(e), buf_cstr(&f->why));
        assert_int_equal(number(f, "k1.mx.example", "hosts"), rows[i].done);
        char drop[] = "DROP TRIGGER spoil";
        assert_int_equal(tenant_transact(f->t, TENANT_WRITE, run_sql, drop, &f->why), OK);
    }
    buf_release(&file);
}

/* A database of the first version is brought up to date with what is in it. */
static void test_migration(void **state)
{
    struct fixture *f = *state;
    char path[96];
    tenant_close(f->t);
    f->t = NULL;
    snprintf(path, sizeof path, "%s/kedge.db", f->folder);
    unlink(path);
    struct db *db = db_open(path, &f->why);
    assert_non_null(db);
    assert_int_equal(db_migrate(db, tenant_schema, 1, &f->why), OK);
    static const char *const rows[] = {
        "INSERT INTO meta VALUES (1, 'an older one', 7, 7, 9)",
        "INSERT INTO tenant VALUES (3, 'acme', 0)",
        "INSERT INTO domain VALUES ('a.example', 3, 'mx.a.example', 'lmtp', 'h.x', 24, 'none', 'any', 0)",
        "INSERT INTO key_set VALUES (9, 1, 0)",
        "INSERT INTO change VALUES (7, 'key', '', '')",
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++)
        assert_int_equal(db_run(db_query(db, rows[i]), NULL, &f->why), OK);
    db_close(db);
    reopen(f);
    assert_string_equal(host_of(f, "a.example"), "mx.a.example");
    assert_true(json_is_false(json_object_get(f->result, "dnssec")));
    make_zone(f, "{'zone': 'k1.mx.example', 'primary': '192.0.2.53'}");
    good(f, "domain.dnssec.enable", "{'all': true}");
    assert_string_equal(host_of(f, "a.example"), "a-example.k1.mx.example");
    good(f, "tenant.add", "{'tenant': 'beta'}");
    struct look l = look(f);
    struct dir_tenant t;
    assert_true(directory_tenant_by_name(&l.v, &f->a, STR("beta"), &t));
    assert_true(t.id > 9);
    look_end(f, &l);
}

int main(void)
{
    log_init("test", LOG_ERROR);
    const struct CMUnitTest tests[] = {
        TEST(test_allocation),
        TEST(test_partitions),
        TEST(test_quarantine),
        TEST(test_key_set_that_is_gone),
        TEST(test_dane),
        TEST(test_keystore_follows),
        TEST(test_many),
        TEST(test_a_stop_ends_what_takes_long),
        TEST(test_an_error_on_the_way_says_how_far_it_came),
        TEST(test_migration),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
