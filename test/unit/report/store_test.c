/* Reports in a database: what is kept of them, once, and for how long. */
#include "fixture.h"

#include <ftw.h>
#include <unistd.h>

#include "report/report.h"

struct world {
    char folder[64];
    struct tenant_store *t;
    struct reports *reports;
    struct buf why;
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
    (void)st, (void)type, (void)at;
    return remove(path);
}

static json_t *call(struct world *w, const char *verb, json_t *args)
{
    json_t *result = NULL;
    if (tenant_call(w->t, &(struct tenant_request){.verb = verb, .args = args}, &result, &w->why))
        fail_msg("%s: %s", verb, buf_cstr(&w->why));
    json_decref(args);
    return result;
}

static int setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    strncpy(w->folder, "/tmp/kedge-report-XXXXXX", sizeof w->folder - 1);
    log_init("test", LOG_ERROR + 1);
    assert_non_null(mkdtemp(w->folder));
    w->reports = reports_new();
    struct tenant_verb_table table = {report_verbs, report_verb_count, w->reports};
    w->t = tenant_open(
        &(struct tenant_args){
            .data_directory = w->folder, .hostname = "mx.ours.example", .tables = &table, .table_count = 1},
        &w->why);
    if (!w->t)
        fail_msg("%s", buf_cstr(&w->why));
    json_decref(call(w, "tenant.add", json_pack("{ss}", "tenant", "acme")));
    json_decref(call(w, "domain.add",
                     json_pack("{s[s]ssssss}", "domain", "ours.example", "tenant", "acme", "recipients",
                               "any", "mailbox_host", "smtp:192.0.2.1:25")));
    *state = w;
    return 0;
}

static int teardown(void **state)
{
    struct world *w = *state;
    tenant_close(w->t);
    reports_free(w->reports);
    nftw(w->folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    buf_release(&w->why);
    free(w);
    return 0;
}

struct keeping {
    struct tlsrpt r;
    int64_t now;
    struct report_kept kept;
};

static enum err keep(struct call *c, void *ctx)
{
    struct keeping *k = ctx;
    return report_keep(c, &k->r, k->now, &k->kept);
}

static enum err put(struct world *w, struct keeping *k)
{
    return tenant_transact(w->t, TENANT_WRITE, keep, k, &w->why);
}

static size_t rows(struct world *w)
{
    json_t *list = call(w, "report.list", json_object());
    size_t n = json_array_size(list);
    json_decref(list);
    return n;
}

static void what_is_not_ours_is_left_out(void **state)
{
    struct world *w = *state;
    struct tlsrpt_failure at_ours = {TLSRPT_TLSA_INVALID, STR("mx.ours.example"), 3},
                          elsewhere = {TLSRPT_TLSA_INVALID, STR("mx.other.example"), 5};
    struct tlsrpt_policy policies[] = {
        {TLSRPT_TLSA, STR("ours.example"), 10, 0, NULL, 0},
        {TLSRPT_TLSA, STR("mx.ours.example"), 20, 0, NULL, 0},
        {TLSRPT_STS, STR("customer.example"), 40, 3, &at_ours, 1}, /* our MX host serves it */
        {TLSRPT_TLSA, STR("other.example"), 80, 5, &elsewhere, 1},
    };
    struct keeping k = {.r = {STR("X"), STR("1"), 1000, 2000, policies, 4}, .now = 3000};
    assert_int_equal(put(w, &k), OK);
    assert_int_equal(k.kept.policies, 3);
    assert_int_equal(k.kept.foreign, 1);
    assert_int_equal(k.kept.successes, 70);
    assert_int_equal(k.kept.results[TLSRPT_TLSA_INVALID], 3);
    assert_int_equal(rows(w), 3);
    k.r = (struct tlsrpt){STR("X"), STR("2"), 1000, 2000, policies + 3, 1};
    assert_int_equal(put(w, &k), ERR_REFUSED);
    assert_non_null(strstr(buf_cstr(&w->why), "but about other.example"));
    assert_int_equal(rows(w), 3);
}

static void once_for_each_organization_and_id(void **state)
{
    struct world *w = *state;
    struct tlsrpt_policy p = {TLSRPT_TLSA, STR("ours.example"), 10, 0, NULL, 0};
    static const struct {
        const char *organization, *id;
        bool is_duplicate;
    } takes[] = {{"X", "1", false}, {"X", "1", true}, {"X", "2", false}, {"Y", "1", false}, {"Y", "1", true}};
    for (size_t i = 0; i < sizeof takes / sizeof *takes; i++) {
        struct keeping k = {.r = {str_of(takes[i].organization), str_of(takes[i].id), 1000, 2000, &p, 1}};
        assert_int_equal(put(w, &k), OK);
        assert_int_equal(k.kept.is_duplicate, takes[i].is_duplicate);
    }
    assert_int_equal(rows(w), 3);
}

static void old_ones_are_forgotten(void **state)
{
    struct world *w = *state;
    const int64_t day = 24 * 3600 * 1000LL;
    struct tlsrpt_failure f = {TLSRPT_OTHER, STR_NONE, 3};
    struct tlsrpt_policy p = {TLSRPT_TLSA, STR("ours.example"), 10, 3, &f, 1};
    struct keeping k = {.r = {STR("X"), STR("1"), 0, day, &p, 1}, .now = day};
    assert_int_equal(put(w, &k), OK);
    k = (struct keeping){.r = {STR("X"), STR("2"), 50 * day, 51 * day, &p, 1}, .now = 91 * day};
    assert_int_equal(put(w, &k), OK);
    assert_int_equal(rows(w), 2);
    k = (struct keeping){.r = {STR("X"), STR("3"), 90 * day, 91 * day, &p, 1}, .now = 91 * day + 1};
    assert_int_equal(put(w, &k), OK);
    assert_int_equal(rows(w), 2);
}

int main(void)
{
#define T(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        T(what_is_not_ours_is_left_out),
        T(once_for_each_organization_and_id),
        T(old_ones_are_forgotten),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
