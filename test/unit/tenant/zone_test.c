/* What operators say of MX zones and edge groups, right and wrong, and what is never told of it. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "tenant/zone_args.h"

#define SECRET "c2VjcmV0IHNlY3JldCBzZWNyZXQ=" /* "secret secret secret" */

static void test_zone_arguments(void **state)
{
    struct fixture *f = *state;
    static const struct {
        const char *verb, *args;
        enum err e;
        const char *says;
    } table[] = {
        {"zone.add", "{'zone': 'k1.example', 'primary': '192.0.2.53'}", ERR_NOT_FOUND, "edge-group add"},
        {"edge.group.add", "{'edge_group': 'Upper'}", ERR_USAGE, "Upper"},
        {"edge.group.add", "{'edge_group': 'g', 'address': 'mx.example'}", ERR_USAGE, "mx.example"},
        {"edge.group.add", "{'edge_group': 'g'}", OK, ""},
        {"zone.add", "{'zone': 'k1.example', 'primary': '192.0.2.53'}", ERR_USAGE, "no address"},
        {"edge.group.set", "{'edge_group': 'g', 'address': ['192.0.2.1', '192.0.2.2']}", OK, ""},
        {"zone.add", "{'zone': 'k1.example'}", ERR_USAGE, "--primary"},
        {"zone.add", "{'zone': 'k1.example', 'primary': 'ns.example'}", ERR_USAGE, "ns.example"},
        {"zone.add", "{'zone': 'k1.example', 'primary': '192.0.2.53', 'tsig': 'k:md5:x'}", ERR_USAGE,
         "hmac-sha256"},
        {"zone.add", "{'zone': 'k1.example', 'primary': '192.0.2.53', 'tsig': 'k:hmac-sha256:c2hvcnQ='}",
         ERR_USAGE, "16 octets"},
        {"zone.add", "{'zone': 'k1.example', 'primary': '192.0.2.53', 'ttl': '0'}", ERR_USAGE, "TTL"},
        {"zone.add", "{'zone': 'k1.example', 'primary': '192.0.2.53', 'ttl': '2d'}", ERR_USAGE, "TTL"},
        {"zone.add", "{'zone': 'k1.example', 'primary': '192.0.2.53', 'capacity': '0'}", ERR_USAGE,
         "capacity"},
        {"zone.add", "{'zone': 'k1.example', 'primary': '192.0.2.53', 'tlsa': 'both'}", ERR_USAGE, "both"},
        {"zone.add", "{'zone': 'k1.example', 'primary': '192.0.2.53', 'edge_group': 'h'}", ERR_NOT_FOUND,
         "'h'"},
        {"zone.add", "{'zone': 'k1.example', 'primary': '192.0.2.53'}", OK, ""},
        {"zone.add", "{'zone': 'k1.example', 'primary': '192.0.2.53'}", OK, ""},
        {"zone.add", "{'zone': 'k1.example', 'primary': '192.0.2.54'}", ERR_EXISTS, "zone set"},
        {"zone.set", "{'zone': 'k2.example', 'ttl': '5'}", ERR_NOT_FOUND, "zone list"},
        {"edge.group.set", "{'edge_group': 'g', 'no_address': ['192.0.2.1']}", OK, ""},
        {"edge.group.set", "{'edge_group': 'g', 'no_address': ['192.0.2.2']}", ERR_REFUSED, "would stop"},
        {"edge.group.remove", "{'edge_group': 'g'}", ERR_REFUSED, "1 zone"},
        {"edge.show", "{'edge': 'e.example'}", ERR_NOT_FOUND, "edge list"},
        {"zone.remove", "{'zone': 'k1.example'}", OK, ""},
        {"edge.group.remove", "{'edge_group': 'g'}", OK, ""},
    };
    for (size_t i = 0; i < sizeof table / sizeof *table; i++) {
        enum err e = call(f, table[i].verb, table[i].args);
        if (e != table[i].e)
            fail_msg("%s %s: %s: %s", table[i].verb, table[i].args, err_text(e), buf_cstr(&f->why));
        if (e && !strstr(buf_cstr(&f->why), table[i].says))
            fail_msg("%s %s says: %s", table[i].verb, table[i].args, buf_cstr(&f->why));
    }
}

static void test_secret_stays_inside(void **state)
{
    struct fixture *f = *state;
    good(f, "edge.group.add", "{'edge_group': 'default', 'address': ['192.0.2.25']}");
    good(f, "zone.add",
         "{'zone': 'k1.example', 'primary': '192.0.2.53', 'tsig_file': '# key\\n\\nhmac-sha256:k.1:" SECRET
         "\\n'}");
    static const char *const calls[][2] = {
        {"zone.list", "{}"}, {"zone.show", "{'zone': 'k1.example'}"}, {"zone.set", "{'zone': 'k1.example'}"}};
    for (size_t i = 0; i < sizeof calls / sizeof *calls; i++) {
        good(f, calls[i][0], calls[i][1]);
        char *text = json_dumps(f->result, 0);
        assert_non_null(strstr(text, "hmac-sha256"));
        assert_null(strstr(text, "secret"));
        assert_null(strstr(text, "c2Vj"));
        free(text);
    }
    struct arena a = {0};
    struct zone_args z = {0};
    assert_int_equal(zone_tsig_parse(&a, STR("Key.Example.:HMAC-SHA512:" SECRET), &z, NULL), OK);
    assert_true(str_equal(z.tsig_name, STR("key.example")));
    assert_true(str_equal(z.tsig_algorithm, STR("hmac-sha512")));
    assert_true(str_equal(z.tsig_secret, STR("secret secret secret")));
    arena_release(&a);
}

int main(void)
{
    log_init("test", LOG_ERROR);
    const struct CMUnitTest tests[] = {TEST(test_zone_arguments), TEST(test_secret_stays_inside)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
