/* What edges say of their own MX hosts, round after round. */
#include "fixture.h"

#include "keys/probe.h"

static const char host[] = "a.mx.example";

struct row {
    char kind[16];
    bool good;
    int64_t at, since, before;
};

static enum err read_row(struct call *c, void *ctx)
{
    struct row *row = ctx;
    *row = (struct row){0};
    struct db_query *q =
        db_query(c->db, "SELECT kind, good, at_ms, since_ms, before_ms FROM edge_probe WHERE name = $1");
    db_bind_text(q, str_of(host));
    if (db_next(q)) {
        assert_true(str_copy(db_text(q, 0), row->kind, sizeof row->kind));
        row->good = db_int(q, 1);
        row->at = db_int(q, 2);
        row->since = db_int(q, 3);
        row->before = db_int(q, 4);
    }
    return db_end(q, c->why);
}

/* A round that finds this at the host, and what is known of it then; NULL: the host is not looked at. */
static struct row look(struct fixture *f, const char *found)
{
    char args[256];
    struct row row;
    (void)usleep(2000); /* rounds are known by their time */
    (void)snprintf(args, sizeof args,
                   "{'edge': 'e.example', 'probes': [{'name': '%s', 'address': '-', 'algorithm': 'any',"
                   " %s, 'reason': 'said'}]}",
                   found ? host : "other.mx.example", found ? found : "'kind': 'good'");
    good(f, "edge.probe", args);
    assert_int_equal(tenant_transact(f->t, TENANT_READ, read_row, &row, &f->why), OK);
    return row;
}

static void rounds_follow_one_another(void **state)
{
    struct fixture *f = *state;
    log_init("test", LOG_ERROR + 1);
    good(f, "edge.confirm", "{'edge': 'e.example', 'key_epoch': 1, 'serves': []}");
    struct row first = look(f, "'kind': 'broken'");
    assert_string_equal(first.kind, "broken");
    assert_true(!first.good && first.at && first.since == first.at && !first.before);
    struct row second = look(f, "'kind': 'broken'");
    assert_true(second.at > first.at && second.since == first.at && second.before == first.at);
    struct row third = look(f, "'kind': 'broken'");
    assert_true(third.since == first.at && third.before == second.at);
    struct row other = look(f, "'kind': 'awaited'");
    assert_string_equal(other.kind, "awaited");
    assert_true(other.since == other.at && !other.before);
    assert_true(look(f, "'kind': 'good'").good);
    assert_int_equal(look(f, NULL).at, 0);
    assert_int_equal(look(f, "'kind': 'broken'").before, 0);
    good(f, "edge.show", "{'edge': 'e.example'}");
    const json_t *shown = json_array_get(json_object_get(f->result, "probes"), 0);
    assert_int_equal(json_array_size(json_object_get(f->result, "probes")), 1);
    assert_string_equal(json_string_value(json_object_get(shown, "kind")), "broken");
    assert_string_equal(json_string_value(json_object_get(shown, "reason")), "said");
}

/* An edge of another version says no kind, or one that is not known here: that is no reason to act. */
static void what_is_not_understood_is_not_seen(void **state)
{
    struct fixture *f = *state;
    log_init("test", LOG_ERROR + 1);
    good(f, "edge.confirm", "{'edge': 'e.example', 'key_epoch': 1, 'serves': []}");
    assert_string_equal(look(f, "'good': true").kind, "good");
    assert_string_equal(look(f, "'good': false").kind, "unseen");
    assert_string_equal(look(f, "'good': false, 'kind': 'strange'").kind, "unseen");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(rounds_follow_one_another, setup, teardown),
        cmocka_unit_test_setup_teardown(what_is_not_understood_is_not_seen, setup, teardown),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
