/* What edges ask and say. */
#include "fixture.h"

#define TSIG "hmac-sha256:k.example:MDEyMzQ1Njc4OWFiY2RlZjAxMjM0NTY3ODlhYmNkZWY="

/* The names that the edge is to dial, separated by blanks. */
static void expect(struct fixture *f, const char *edge, const char *wanted)
{
    struct buf names = {0}, args = {0};
    json_t *name;
    size_t i;
    buf_printf(&args, "{'edge': '%s'}", edge);
    good(f, "edge.targets", buf_cstr(&args));
    json_array_foreach(json_object_get(f->result, "names"), i, name)
        buf_printf(&names, "%s%s", i ? " " : "", json_string_value(name));
    assert_string_equal(buf_cstr(&names), wanted);
    buf_release(&names);
    buf_release(&args);
}

static void add_zone(struct fixture *f, const char *zone, const char *group)
{
    struct buf args = {0};
    buf_printf(&args, "{'zone': '%s', 'primary': '192.0.2.53', 'tsig': '" TSIG "', 'edge_group': '%s'}", zone,
               group);
    good(f, "zone.add", buf_cstr(&args));
    buf_release(&args);
}

static void add_domain(struct fixture *f, const char *domain, const char *zone, const char *dane)
{
    struct buf args = {0};
    buf_printf(
        &args,
        "{'domain': '%s', 'tenant': 'acme', 'mailbox_host': 'lmtp:127.0.0.1:24', 'zone': '%s', 'dane': %s}",
        domain, zone, dane);
    good(f, "domain.add", buf_cstr(&args));
    buf_release(&args);
}

static void an_edge_dials_a_name_of_each_zone(void **state)
{
    struct fixture *f = *state;
    good(f, "edge.confirm", "{'edge': 'e1.example', 'key_epoch': 1, 'serves': []}");
    good(f, "edge.confirm", "{'edge': 'e2.example', 'key_epoch': 1, 'serves': []}");
    expect(f, "e1.example", "");
    expect(f, "unknown.example", "");
    good(f, "edge.group.add", "{'edge_group': 'here', 'address': '192.0.2.1'}");
    good(f, "edge.group.add", "{'edge_group': 'there', 'address': '192.0.2.2'}");
    good(f, "edge.set", "{'edge': 'e1.example', 'edge_group': 'here'}");
    good(f, "edge.set", "{'edge': 'e2.example', 'edge_group': 'there'}");
    add_zone(f, "k1.mx.example", "here");
    add_zone(f, "k2.mx.example", "here");
    add_zone(f, "k3.mx.example", "there");
    good(f, "key.add", "{'group': 'g1'}");
    good(f, "tenant.add", "{'tenant': 'acme'}");
    add_domain(f, "a.example", "k1.mx.example", "false");
    add_domain(f, "c.example", "k1.mx.example", "true");
    add_domain(f, "b.example", "k1.mx.example", "true");
    add_domain(f, "d.example", "k3.mx.example", "true");
    expect(f, "e1.example", "b-example.k1.mx.example");
    expect(f, "e2.example", "d-example.k3.mx.example");
    add_domain(f, "e.example", "k2.mx.example", "true");
    expect(f, "e1.example", "b-example.k1.mx.example e-example.k2.mx.example");
    good(f, "domain.remove", "{'domain': 'b.example'}");
    expect(f, "e1.example", "c-example.k1.mx.example e-example.k2.mx.example");
    struct tls_identity identity; /* that it should dial a name does not mean that a key is served already */
    assert_int_equal(served(f, "c-example.k1.mx.example", &identity), 0);
    expect(f, "e1.example", "c-example.k1.mx.example e-example.k2.mx.example");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(an_edge_dials_a_name_of_each_zone, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
