#include "db/db.h"

#include <fcntl.h>
#include <unistd.h>

#include "db/driver.h"

struct db_query {
    struct db *db;
    void *statement;
    int bound;
    bool busy;
    enum err failed;
    struct buf why;
};

struct db {
    const struct db_driver *driver;
    void *connection;
    struct map queries; /* SQL text -> struct db_query */
    bool open;          /* a transaction */
};

struct db *db_open(const char *path, struct buf *why)
{
    int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600); /* its side files take this mode over */
    if (fd < 0) {
        (void)err_system(why, "%s", path);
        return NULL;
    }
    file_close(&fd);
    void *connection = db_sqlite_open(path, why);
    if (!connection)
        return NULL;
    struct db *db = must_alloc(calloc(1, sizeof *db));
    db->driver = &db_sqlite;
    db->connection = connection;
    return db;
}

void db_close(struct db *db)
{
    if (!db)
        return;
    db_rollback(db);
    size_t at = 0;
    struct str sql;
    void *value;
    while (map_next(&db->queries, &at, &sql, &value)) {
        struct db_query *q = value;
        if (q->statement)
            db->driver->finalize(q->statement);
        buf_release(&q->why);
        free(q);
    }
    map_release(&db->queries);
    db->driver->close(db->connection);
    free(db);
}

enum err db_begin(struct db *db, struct buf *why)
{
    ENSURE(!db->open);
    enum err e = db->driver->execute(db->connection, "BEGIN IMMEDIATE", why);
    db->open = !e;
    return e;
}

enum err db_commit(struct db *db, struct buf *why)
{
    ENSURE(db->open);
    enum err e = db->driver->execute(db->connection, "COMMIT", why);
    if (e)
        db_rollback(db);
    db->open = false;
    return e;
}

void db_rollback(struct db *db)
{
    if (!db->open)
        return;
    db->open = false;
    if (db->driver->execute(db->connection, "ROLLBACK", NULL))
        log_event(LOG_WARN, "rollback-failed"); /* the driver had rolled back by itself */
}

struct db_query *db_query(struct db *db, const char *sql)
{
    struct db_query *q = map_get(&db->queries, str_of(sql));
    if (!q) {
        q = must_alloc(calloc(1, sizeof *q));
        q->db = db;
        map_put(&db->queries, str_of(sql), q);
    }
    ENSURE(!q->busy);
    q->busy = true;
    q->bound = 0;
    q->failed = OK;
    buf_clear(&q->why);
    if (!q->statement) {
        q->statement = db->driver->prepare(db->connection, sql, &q->why);
        if (!q->statement)
            q->failed = ERR_SYSTEM;
    }
    return q;
}

static void after_bind(struct db_query *q, enum err e)
{
    if (e && !q->failed) {
        q->failed = e;
        buf_set(&q->why, "value %d does not fit the statement", q->bound);
    }
}

void db_bind_int(struct db_query *q, int64_t value)
{
    q->bound++;
    if (!q->failed)
        after_bind(q, q->db->driver->bind_int(q->statement, q->bound, value));
}

void db_bind_text(struct db_query *q, struct str value)
{
    q->bound++;
    if (!q->failed)
        after_bind(q, q->db->driver->bind_text(q->statement, q->bound, value));
}

void db_bind_blob(struct db_query *q, struct str value)
{
    q->bound++;
    if (!q->failed)
        after_bind(q, q->db->driver->bind_blob(q->statement, q->bound, value));
}

bool db_next(struct db_query *q)
{
    if (q->failed)
        return false;
    enum db_step step = q->db->driver->step(q->statement);
    if (step == DB_FAILED)
        q->failed = q->db->driver->failure(q->db->connection, &q->why);
    return step == DB_ROW;
}

int64_t db_int(struct db_query *q, int column)
{
    return q->db->driver->column_int(q->statement, column);
}

struct str db_text(struct db_query *q, int column)
{
    return q->db->driver->column_text(q->statement, column);
}

enum err db_end(struct db_query *q, struct buf *why)
{
    if (q->statement)
        q->db->driver->reset(q->statement);
    q->busy = false;
    if (q->failed)
        buf_set(why, "%s", buf_cstr(&q->why));
    return q->failed;
}

enum err db_run(struct db_query *q, int64_t *changed, struct buf *why)
{
    while (db_next(q))
        ;
    if (changed)
        *changed = q->failed ? 0 : q->db->driver->changed(q->db->connection);
    return db_end(q, why);
}

enum err db_get_int(struct db_query *q, int64_t *out, struct buf *why)
{
    bool found = db_next(q);
    *out = found ? db_int(q, 0) : 0;
    enum err e = db_end(q, why);
    return e ? e : found ? OK : ERR_NOT_FOUND;
}

static enum err migrate_one(struct db *db, const struct db_migration *step, struct buf *why)
{
    enum err e = db_begin(db, why);
    if (e)
        return e;
    e = db->driver->execute(db->connection, step->sql, why);
    if (!e) {
        struct db_query *q = db_query(db, "UPDATE schema_version SET version = $1");
        db_bind_int(q, step->version);
        e = db_run(q, NULL, why);
    }
    if (!e)
        return db_commit(db, why);
    db_rollback(db);
    return e;
}

enum err db_migrate(struct db *db, const struct db_migration *steps, size_t count, struct buf *why)
{
    int64_t version;
    enum err e = db->driver->execute(
        db->connection,
        "CREATE TABLE IF NOT EXISTS schema_version (version INTEGER NOT NULL);"
        "INSERT INTO schema_version SELECT 0 WHERE NOT EXISTS (SELECT 1 FROM schema_version)",
        why);
    if (!e)
        e = db_get_int(db_query(db, "SELECT version FROM schema_version"), &version, why);
    if (e)
        return e;
    if (version > (int64_t)count) {
        buf_set(why,
                "the database has schema version %lld, this program knows versions up to %zu: it was written "
                "by a newer "
                "Kedge; install that version again, or restore a backup from before",
                (long long)version, count);
        return ERR_REFUSED;
    }
    for (size_t i = (size_t)version; i < count; i++) {
        ENSURE(steps[i].version == i + 1);
        e = migrate_one(db, &steps[i], why);
        if (e)
            return e;
        log_event(LOG_INFO, "migrated", LOG_NUM("schema", steps[i].version));
    }
    return OK;
}
