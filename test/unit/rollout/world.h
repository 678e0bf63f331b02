/* Whole rollouts: a database, a journal that the test writes, and the thread. */
#ifndef TEST_ROLLOUT_WORLD_H
#define TEST_ROLLOUT_WORLD_H

#include "../keys/fixture.h"

#include <stdatomic.h>

#include "journal/journal.h"
#include "rollout/rollout.h"

enum { DOMAINS = 12 };

struct world {
    struct fixture f;
    struct rollouts *rollouts;
    struct journal *journal;
    char path[96];
    int64_t key_set;
    atomic_int changed;              /* how often the thread said that there is something to publish */
    _Atomic(const char *) interrupt; /* arguments of a rollout.back that comes then, once */
};

/* Called by the thread, between two portions that it moves. */
static void changed(void *ctx)
{
    struct world *w = ctx;
    const char *args = atomic_exchange(&w->interrupt, NULL);
    if (args) {
        json_t *object = json_loads(args, 0, NULL), *result = NULL;
        struct tenant_request request = {.verb = "rollout.back", .args = object};
        assert_int_equal(tenant_call(w->f.t, &request, &result, NULL), OK);
        assert_string_equal(json_string_value(json_object_get(result, "state")), "undoing");
        json_decref(result);
        json_decref(object);
    }
    atomic_fetch_add(&w->changed, 1);
}

/* What the gate says of a key set. */
static void gate_says(struct world *w, int64_t key_set, bool alarm)
{
    struct board_view view = {.stepped_ms = clock_wall()};
    if (alarm)
        view.out.alarm[view.out.nalarm++] = (struct gate_waiting){.what = GATE_AWAIT_CLOCK_JUMPED};
    board_post(w->f.board, key_set, &view);
}

static void open_all(struct world *w)
{
    struct fixture *f = &w->f;
    (void)snprintf(w->path, sizeof w->path, "%s/journal", f->folder);
    w->journal = journal_open(w->path, "smtpd", NULL, &f->why);
    assert_non_null(w->journal);
    f->board = board_new(&(struct gate_set){0});
    if (w->key_set)
        gate_says(w, w->key_set, false);
    w->rollouts = rollouts_new(&(struct rollouts_args){.journal = w->path,
                                                       .hostname = "edge.example",
                                                       .board = f->board,
                                                       .tick_ms = 20,
                                                       .changed = changed,
                                                       .changed_ctx = w});
    struct tenant_verb_table tables[] = {{keys_verbs, keys_verb_count, f->board},
                                         {rollout_verbs, rollout_verb_count, w->rollouts}};
    f->t = tenant_open(
        &(struct tenant_args){
            .data_directory = f->folder, .hostname = "edge.example", .tables = tables, .table_count = 2},
        &f->why);
    if (!f->t)
        fail_msg("%s", buf_cstr(&f->why));
    assert_int_equal(rollouts_start(w->rollouts, f->t, &f->why), OK);
}

static void close_all(struct world *w)
{
    rollouts_stop(w->rollouts);
    tenant_close(w->f.t);
    rollouts_free(w->rollouts);
    board_free(w->f.board);
    journal_close(w->journal);
    w->f.t = NULL;
    w->f.board = NULL;
}

/* A new one, of which the gate has nothing bad to say. */
static int64_t add_key_set(struct world *w, const char *args)
{
    good(&w->f, "key.add", args);
    int64_t id = json_integer_value(json_object_get(w->f.result, "key"));
    gate_says(w, id, false);
    return id;
}

static int world_setup(void **state)
{
    struct world *w = calloc(1, sizeof *w);
    struct fixture *f = &w->f;
    char args[256];
    log_init("test", LOG_ERROR + 1);
    strncpy(f->folder, "/tmp/kedge-rollout-XXXXXX", sizeof f->folder - 1);
    assert_non_null(mkdtemp(f->folder));
    open_all(w);
    good(f, "tenant.add", "{'tenant': 'acme'}");
    good(f, "edge.group.add", "{'edge_group': 'default', 'address': ['192.0.2.25']}");
    good(f, "zone.add", "{'zone': 'mx.example', 'primary': '192.0.2.53'}");
    w->key_set = add_key_set(w, "{'group': 'g1'}");
    for (int i = 0; i < DOMAINS; i++) {
        (void)snprintf(args, sizeof args,
                       "{'domain': ['d%02d.example'], 'tenant': 'acme', 'tag': '%s', 'recipients': 'any',"
                       " 'mailbox_host': 'smtp:192.0.2.1:25'}",
                       i, i ? "all" : "one");
        good(f, "domain.add", args);
    }
    *state = w;
    return 0;
}

static int world_teardown(void **state)
{
    struct world *w = *state;
    close_all(w);
    nftw(w->f.folder, remove_one, 8, FTW_DEPTH | FTW_PHYS);
    json_decref(w->f.result);
    arena_release(&w->f.a);
    buf_release(&w->f.why);
    free(w);
    return 0;
}

static __attribute__((unused)) const char *text(const struct world *w, const char *name)
{
    return json_string_value(json_object_get(w->f.result, name));
}

static __attribute__((unused)) json_int_t number(const struct world *w, const char *name)
{
    return json_integer_value(json_object_get(w->f.result, name));
}

/* Waits for a state (and, when it is not NULL, a cause); the result is then its status. */
static __attribute__((unused)) void until(struct world *w, const char *state, const char *cause)
{
    deadline end = deadline_in(10000);
    for (;;) {
        good(&w->f, "rollout.status", "{'rollout': 'r'}");
        if (strcmp(text(w, "state"), state) == 0 && (!cause || strcmp(text(w, "cause"), cause) == 0))
            return;
        if (deadline_is_over(end))
            fail_msg("wanted %s %s: %s", state, cause ? cause : "", json_dumps(w->f.result, 0));
        (void)usleep(10000);
    }
}

static enum err run_sql(struct call *c, void *sql)
{
    return db_run(db_query(c->db, sql), NULL, c->why);
}

static __attribute__((unused, format(printf, 2, 3))) void sql(struct world *w, const char *format, ...)
{
    char text[256];
    va_list values;
    va_start(values, format);
    (void)vsnprintf(text, sizeof text, format, values);
    va_end(values);
    assert_int_equal(tenant_transact(w->f.t, TENANT_WRITE, run_sql, text, &w->f.why), OK);
}

/* Domains with DANE. */
static __attribute__((unused)) size_t with_dane(struct world *w)
{
    size_t n = 0, i;
    json_t *o;
    good(&w->f, "domain.list", "{}");
    json_array_foreach(w->f.result, i, o) n += json_is_true(json_object_get(o, "dane"));
    return n;
}

/* Senders come for the MX hosts of all domains; those with bad leave after the handshake. */
static __attribute__((unused)) void mail(struct world *w, int rounds, bool bad)
{
    struct buf line = {0};
    for (int round = 0; round < rounds; round++)
        for (int i = 0; i < DOMAINS; i++) {
            struct json_out j;
            char name[64];
            buf_clear(&line);
            journal_begin(&j, &line, bad ? "session" : "received");
            (void)snprintf(name, sizeof name, bad ? "d%02d-example.mx.example" : "x@d%02d.example", i);
            if (bad) {
                json_text(&j, "sni", name);
                json_num(&j, "messages", 0);
            } else {
                json_open(&j, "recipients", '[');
                json_text(&j, NULL, name);
                json_close(&j, ']');
            }
            json_close(&j, '}');
            journal_append(w->journal, buf_str(&line));
        }
    journal_flush(w->journal);
    buf_release(&line);
}

#define T(name) cmocka_unit_test_setup_teardown(name, world_setup, world_teardown)

#endif
