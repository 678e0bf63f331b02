/* What operators ask of the gate, on the rows. */
#include "fixture.h"

#include "keys/request.h"

static void staged(struct call *c)
{
    struct gate_set set = {.wants = {true}}, is;
    struct gate_key key;
    struct buf said = {0};
    struct tls_pair pair;
    assert_int_equal(keys_add_set(c, STR("g1"), &set), OK);
    assert_int_equal(keys_make_pair(c, GATE_ECDSA, &pair), OK);
    assert_int_equal(request_stage(c, &set, &pair, GATE_ROLL_ASKED, &key, &said), OK);
    assert_true(key.id > 0 && key.pair_id == (int64_t)pair.id && said.n > 0);
    assert_int_equal(keys_load(c, set.id, &is), OK); /* it is saved */
    assert_int_equal(is.nkey, 1);
    assert_int_equal(is.key[0].id, key.id);
    assert_int_equal(is.key[0].state, GATE_GENERATED); /* asking moves nothing */
    assert_int_equal(is.key[0].roll, GATE_ROLL_ASKED);

    struct gate_key again; /* the known key's id, and no second key */
    assert_int_equal(request_stage(c, &set, &pair, GATE_ROLL_ASKED, &again, &said), OK);
    assert_int_equal(again.id, key.id);
    assert_int_equal(set.nkey, 1);
    buf_release(&said);
}

static void refused(struct call *c)
{
    struct gate_set set = {.wants = {true}}, is;
    struct buf said = {0};
    assert_int_equal(keys_add_set(c, STR("g2"), &set), OK);
    assert_int_equal(request_new_key(c, &set, GATE_RSA, GATE_ROLL_NO, NULL, &said), ERR_REFUSED);
    if (!strstr(buf_cstr(c->why), "does not serve rsa"))
        fail_msg("the refusal says '%s'", buf_cstr(c->why));
    assert_int_equal(keys_load(c, set.id, &is), OK);
    assert_int_equal(is.nkey, 0);
    buf_release(&said);
}

static void made(struct call *c)
{
    struct gate_set set = {.wants = {true, true}};
    struct gate_key key;
    struct buf said = {0};
    struct tls_pair pair;
    struct tls_pair_facts facts;
    assert_int_equal(keys_add_set(c, STR("g3"), &set), OK);
    assert_int_equal(request_new_key(c, &set, GATE_RSA, GATE_ROLL_NO, &key, &said), OK);
    assert_int_equal(key.algorithm, GATE_RSA);
    assert_int_equal(key_pair_load(c->db, c->a, key.pair_id, &pair, c->why), OK); /* its bytes are kept */
    assert_int_equal(tls_pair_inspect(&pair, c->a, &facts, c->why), OK);
    assert_memory_equal(facts.spki_sha256, key.spki, sizeof key.spki);
    assert_true(str_equal(facts.dns_names, STR("edge.example"))); /* without a zone: the host's */
    buf_release(&said);
}

/* A key that was withdrawn is never used again. */
static void gone(struct call *c)
{
    struct gate_set set = {.wants = {true}};
    struct buf said = {0};
    struct tls_pair pair;
    assert_int_equal(keys_add_set(c, STR("g4"), &set), OK);
    assert_int_equal(keys_make_pair(c, GATE_ECDSA, &pair), OK);
    assert_int_equal(request_stage(c, &set, &pair, GATE_ROLL_NO, NULL, &said), OK);
    set.key[0].state = GATE_GONE;
    assert_int_equal(request_stage(c, &set, &pair, GATE_ROLL_NO, NULL, &said), ERR_REFUSED);
    if (!strstr(buf_cstr(c->why), "never used again"))
        fail_msg("the refusal says '%s'", buf_cstr(c->why));
    /* It went back to a CA that it left a moment ago. */
    set.key[set.nkey] = set.key[0];
    set.key[set.nkey].state = GATE_ACTIVE;
    set.key[set.nkey++].has_ta = !set.key[0].has_ta;
    assert_int_equal(request_stage(c, &set, &pair, GATE_ROLL_NO, NULL, &said), ERR_REFUSED);
    if (!strstr(buf_cstr(c->why), "in use under another CA"))
        fail_msg("the refusal says '%s'", buf_cstr(c->why));
    buf_release(&said);
}

static void says(struct call *c, const char *words)
{
    if (!strstr(buf_cstr(c->why), words))
        fail_msg("'%s' is not in '%s'", words, buf_cstr(c->why));
}

/* What the set has forgotten is not forgotten here. */
static void of_the_past(struct call *c)
{
    struct gate_set set = {.wants = {true}}, other = {.wants = {true}};
    struct buf said = {0};
    struct tls_pair withdrawn, stolen;
    assert_int_equal(keys_add_set(c, STR("g5"), &set), OK);
    assert_int_equal(keys_add_set(c, STR("g6"), &other), OK);
    assert_int_equal(keys_make_pair(c, GATE_ECDSA, &withdrawn), OK);
    assert_int_equal(keys_make_pair(c, GATE_ECDSA, &stolen), OK);
    assert_int_equal(request_stage(c, &set, &withdrawn, GATE_ROLL_NO, NULL, &said), OK);
    assert_int_equal(request_stage(c, &set, &stolen, GATE_ROLL_ASKED, NULL, &said), OK);
    set.key[1].is_compromised = true;
    assert_int_equal(keys_save(c, &set, NULL), OK);
    assert_int_equal(request_stage(c, &other, &stolen, GATE_ROLL_ASKED, NULL, &said), ERR_EXISTS);
    set.nkey = 0;
    assert_int_equal(keys_save(c, &set, NULL), OK);
    assert_int_equal(request_stage(c, &set, &stolen, GATE_ROLL_ASKED, NULL, &said), ERR_REFUSED);
    says(c, "is compromised: it is never used again");
    assert_int_equal(keys_save(c, &set, NULL), OK);
    assert_int_equal(request_stage(c, &other, &stolen, GATE_ROLL_ASKED, NULL, &said), ERR_REFUSED);
    says(c, "is compromised: it is never used again");
    assert_int_equal(request_stage(c, &set, &withdrawn, GATE_ROLL_ASKED, NULL, &said), ERR_REFUSED);
    says(c, "was withdrawn: it is never used again");
    /* Back to a CA that it left long ago: the key itself never went. */
    struct gate_key *k = &set.key[set.nkey++];
    assert_int_equal(keys_keep_pair(c, set.id, &withdrawn, k, c->why), OK);
    k->state = GATE_ACTIVE;
    assert_int_equal(request_stage(c, &set, &withdrawn, GATE_ROLL_NO, NULL, &said), OK);
    buf_release(&said);
}

static enum err one(struct call *c, void *run)
{
    (*(void (**)(struct call *))run)(c);
    return OK;
}

static void transact(void **state, void (*run)(struct call *))
{
    struct fixture *f = *state;
    assert_int_equal(tenant_transact(f->t, TENANT_WRITE, one, &run, &f->why), OK);
}

static void test_staged(void **state)
{
    transact(state, staged);
}

static void test_refused(void **state)
{
    transact(state, refused);
}

static void test_made(void **state)
{
    transact(state, made);
}

static void test_gone(void **state)
{
    transact(state, gone);
}

static void test_of_the_past(void **state)
{
    transact(state, of_the_past);
}

int main(void)
{
    log_init("test", LOG_ERROR);
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {TEST(test_staged), TEST(test_refused), TEST(test_made),
                                       TEST(test_gone), TEST(test_of_the_past)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
