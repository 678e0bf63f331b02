#include <stdatomic.h>

#include "tenant/schema_priv.h"
#include "tenant/sync_priv.h"
#include "tenant/verbs_priv.h"

struct tenant_store {
    pthread_mutex_t
        lock; /* one call at a time: changes are rare, and readers of the data plane do not come here */
    struct sync sync;
    bool is_behind; /* the directory or the keystore could not follow the database */
    char *hostname;
    struct tenant_verb *verbs; /* of this module, then those of the tables in their order */
    void **contexts;           /* parallel */
    size_t verb_count;
    void (*changed)(void *ctx); /* may be NULL */
    void *changed_ctx;
    atomic_bool stopping;
};

static const struct tenant_verb own_verbs[] = {
#define X(name, text, kind) {text, kind, verb_##name},
    VERBS(X)
#undef X
};

/* A new database gets an identity, so that a directory filled from another one is seen to be foreign. */
static enum err name_database(struct db *db, struct buf *why)
{
    uint8_t random[16];
    struct buf source = {0};
    rand_bytes(random, sizeof random);
    hex_append(&source, random, sizeof random);
    struct db_query *q =
        db_query(db, "INSERT INTO meta (one, source, epoch, key_epoch, last_id) SELECT 1, $1, 1, 1, 0"
                     " WHERE NOT EXISTS (SELECT 1 FROM meta)");
    db_bind_text(q, buf_str(&source));
    enum err e = db_run(q, NULL, why);
    buf_release(&source);
    return e;
}

/* data_directory/name into path. */
static const char *path_of(struct buf *path, const char *data_directory, const char *name)
{
    buf_set(path, "%s/%s", data_directory, name);
    return buf_cstr(path);
}

static void add_verbs(struct tenant_store *t, const struct tenant_verb_table *table)
{
    size_t n = t->verb_count + table->count;
    t->verbs = must_alloc(realloc(t->verbs, n * sizeof *t->verbs));
    t->contexts = must_alloc(realloc(t->contexts, n * sizeof *t->contexts));
    for (size_t i = 0; i < table->count; i++) {
        t->verbs[t->verb_count] = table->verbs[i];
        t->contexts[t->verb_count++] = table->context;
    }
}

struct tenant_store *tenant_open(const struct tenant_args *args, struct buf *why)
{
    struct tenant_store *t = must_alloc(calloc(1, sizeof *t));
    struct buf path = {0};
    pthread_mutex_init(&t->lock, NULL);
    t->hostname = str_dup(str_of(args->hostname));
    t->changed = args->changed;
    t->changed_ctx = args->changed_ctx;
    add_verbs(t,
              &(struct tenant_verb_table){.verbs = own_verbs, .count = sizeof own_verbs / sizeof *own_verbs});
    for (size_t i = 0; i < args->table_count; i++)
        add_verbs(t, &args->tables[i]);
    t->sync.db = db_open(path_of(&path, args->data_directory, "kedge.db"), why);
    bool good =
        t->sync.db && !db_migrate(t->sync.db, tenant_schema, tenant_schema_count, why) &&
        !name_database(t->sync.db, why) &&
        (t->sync.directory =
             directory_open_writable(path_of(&path, args->data_directory, "directory"), why)) &&
        (t->sync.keystore = keystore_open_writable(path_of(&path, args->data_directory, "keys"), why)) &&
        !sync_run(&t->sync, why);
    buf_release(&path);
    if (good)
        return t;
    tenant_close(t);
    return NULL;
}

void tenant_close(struct tenant_store *t)
{
    if (!t)
        return;
    keystore_close(t->sync.keystore);
    directory_close(t->sync.directory);
    db_close(t->sync.db);
    pthread_mutex_destroy(&t->lock);
    free(t->hostname);
    free(t->verbs);
    free(t->contexts);
    free(t);
}

void tenant_stop(struct tenant_store *t)
{
    atomic_store(&t->stopping, true);
}

bool tenant_is_stopping(const struct tenant_store *t)
{
    return atomic_load(&t->stopping);
}

const struct tenant_verb *tenant_verbs(const struct tenant_store *t, size_t *count)
{
    *count = t->verb_count;
    return t->verbs;
}

/* After a commit, and after each call until the daemons see again what is stored. */
static enum err follow(struct tenant_store *t, struct call *c)
{
    struct buf why = {0};
    enum err e = c->is_stored || t->is_behind ? sync_run(&t->sync, &why) : OK;
    if (e && !t->is_behind)
        log_event(LOG_ERROR, "directory-not-written", LOG_STR("why", buf_str(&why)));
    else if (!e && t->is_behind)
        log_event(LOG_INFO, "directory-written-again");
    t->is_behind = e != OK;
    if (e && c->is_stored)
        buf_set(c->why,
                "the change is stored, but the running daemons do not see it yet: %s; it is tried again "
                "every few seconds",
                buf_cstr(&why));
    buf_release(&why);
    return c->is_stored ? e : OK; /* another call's change is not this one's failure */
}

/* What tenant_transact and the verbs that need the database have in common. */
static enum err run_locked(struct tenant_store *t, enum tenant_access access, struct call *c,
                           enum err (*run)(struct call *c, void *ctx), void *ctx)
{
    pthread_mutex_lock(&t->lock);
    c->db = t->sync.db;
    enum err e = access == TENANT_WRITE ? db_begin(c->db, c->why) : OK;
    if (!e) {
        e = run(c, ctx);
        if (!e && access == TENANT_WRITE)
            e = db_commit(c->db, c->why);
        bool committed = !e && access == TENANT_WRITE;
        c->is_stored = committed && c->epoch;
        if (committed && c->committed)
            *c->committed = true;
        if (e)
            db_rollback(c->db);
        else
            e = follow(t, c);
    }
    c->db = NULL;
    pthread_mutex_unlock(&t->lock);
    return e;
}

static struct call call_make(struct tenant_store *t, struct arena *a, struct buf *why)
{
    return (struct call){
        .store = t, .directory = t->sync.directory, .hostname = t->hostname, .a = a, .why = why};
}

enum err tenant_transact(struct tenant_store *t, enum tenant_access access,
                         enum err (*run)(struct call *c, void *ctx), void *ctx, struct buf *why)
{
    struct arena a = {0};
    struct call c = call_make(t, &a, why);
    enum err e = run_locked(t, access, &c, run, ctx);
    arena_release(&a);
    return e;
}

static enum err run_verb(struct call *c, void *verb)
{
    return ((const struct tenant_verb *)verb)->run(c);
}

enum err tenant_call(struct tenant_store *t, const struct tenant_request *request, json_t **result,
                     struct buf *why)
{
    *result = NULL;
    size_t at = 0;
    while (at < t->verb_count && strcmp(t->verbs[at].name, request->verb) != 0)
        at++;
    if (at == t->verb_count) {
        buf_set(why, "there is no verb '%s'", request->verb);
        return ERR_USAGE;
    }
    struct arena a = {0};
    struct call c = call_make(t, &a, why);
    c.args = request->args;
    c.context = t->contexts[at];
    c.progress = request->progress;
    c.progress_ctx = request->progress_ctx;
    struct tenant_verb *verb = &t->verbs[at];
    bool needs_lock = verb->kind == VERB_READ || verb->kind == VERB_WRITE;
    enum err e =
        needs_lock ? run_locked(t, verb->kind == VERB_WRITE ? TENANT_WRITE : TENANT_READ, &c, run_verb, verb)
                   : verb->run(&c);
    arena_release(&a);
    if ((!e || c.is_stored) && t->changed && (verb->kind == VERB_WRITE || verb->kind == VERB_FREE))
        t->changed(t->changed_ctx);
    if (e)
        json_decref(c.result);
    else
        *result = c.result ? c.result : json_null();
    return e;
}
