#include "tenant/call_priv.h"
#include "tenant/schema_priv.h"
#include "tenant/sync_priv.h"

struct tenant_store {
    pthread_mutex_t
        lock; /* one call at a time: changes are rare, and readers of the data plane do not come here */
    struct sync sync;
    char *hostname;
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

struct tenant_store *tenant_open(const char *data_directory, const char *hostname, struct buf *why)
{
    struct tenant_store *t = must_alloc(calloc(1, sizeof *t));
    struct buf path = {0};
    pthread_mutex_init(&t->lock, NULL);
    t->hostname = str_dup(str_of(hostname));
    t->sync.db = db_open(path_of(&path, data_directory, "kedge.db"), why);
    bool good =
        t->sync.db && !db_migrate(t->sync.db, tenant_schema, tenant_schema_count, why) &&
        !name_database(t->sync.db, why) &&
        (t->sync.directory = directory_open_writable(path_of(&path, data_directory, "directory"), why)) &&
        (t->sync.keystore = keystore_open_writable(path_of(&path, data_directory, "keys"), why)) &&
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
    free(t);
}

static const struct tenant_verb verbs[] = {
#define X(name, text, read_only) {text, read_only},
    VERBS(X)
#undef X
};
static const verb_run runs[] = {
#define X(name, text, read_only) verb_##name,
    VERBS(X)
#undef X
};
enum { VERB_COUNT = sizeof verbs / sizeof *verbs };

const struct tenant_verb *tenant_verbs(size_t *count)
{
    *count = VERB_COUNT;
    return verbs;
}

/* The transaction around a verb that writes, and what follows from it. */
static enum err run_writing(struct tenant_store *t, struct call *c, verb_run run)
{
    enum err e = db_begin(c->db, c->why);
    if (e)
        return e;
    e = run(c);
    if (!e)
        e = db_commit(c->db, c->why);
    if (e) {
        db_rollback(c->db);
        return e;
    }
    struct buf why = {0};
    if (c->epoch && (e = sync_run(&t->sync, &why))) {
        log_event(LOG_ERROR, "directory-not-written", LOG_STR("why", buf_str(&why)));
        buf_set(c->why,
                "the change is stored, but the running daemons do not see it yet: %s; it is tried again with "
                "the next "
                "change and when kedge-control starts",
                buf_cstr(&why));
    }
    buf_release(&why);
    return e;
}

enum err tenant_call(struct tenant_store *t, const char *verb, json_t *args, json_t **result, struct buf *why)
{
    size_t at = 0;
    while (at < VERB_COUNT && strcmp(verbs[at].name, verb) != 0)
        at++;
    if (at == VERB_COUNT) {
        buf_set(why, "there is no verb '%s'", verb);
        return ERR_USAGE;
    }
    struct arena a = {0};
    pthread_mutex_lock(&t->lock);
    struct call c = {.db = t->sync.db,
                     .directory = t->sync.directory,
                     .hostname = t->hostname,
                     .a = &a,
                     .args = args,
                     .why = why};
    enum err e = verbs[at].read_only ? runs[at](&c) : run_writing(t, &c, runs[at]);
    pthread_mutex_unlock(&t->lock);
    arena_release(&a);
    *result = NULL;
    if (e)
        json_decref(c.result);
    else
        *result = c.result ? c.result : json_null();
    return e;
}
