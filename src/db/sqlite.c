#include <sqlite3.h>

#include "db/driver.h"

enum { BUSY_MS = 10000 };

static enum err code_of(int extended)
{
    switch (extended) {
    case SQLITE_CONSTRAINT_UNIQUE:
    case SQLITE_CONSTRAINT_PRIMARYKEY:
        return ERR_EXISTS;
    case SQLITE_CONSTRAINT_FOREIGNKEY:
        return ERR_REFUSED;
    default:
        break;
    }
    switch (extended & 0xff) {
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return ERR_BUSY;
    case SQLITE_FULL:
        return ERR_FULL;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return ERR_CORRUPT;
    case SQLITE_NOMEM:
        broken(__FILE__, __LINE__, "out of memory");
    default:
        return ERR_SYSTEM;
    }
}

static enum err lite_failure(void *connection, struct buf *why)
{
    const char *file = sqlite3_db_filename(connection, "main");
    buf_set(why, "%s: %s", file && *file ? file : "database", sqlite3_errmsg(connection));
    return code_of(sqlite3_extended_errcode(connection));
}

static enum err lite_execute(void *connection, const char *sql, struct buf *why)
{
    return sqlite3_exec(connection, sql, NULL, NULL, NULL) == SQLITE_OK ? OK : lite_failure(connection, why);
}

static void lite_close(void *connection)
{
    ENSURE(sqlite3_close(connection) == SQLITE_OK); /* else a statement was left open */
}

static void *lite_prepare(void *connection, const char *sql, struct buf *why)
{
    sqlite3_stmt *s = NULL;
    if (sqlite3_prepare_v3(connection, sql, -1, SQLITE_PREPARE_PERSISTENT, &s, NULL) != SQLITE_OK) {
        (void)lite_failure(connection, why);
        return NULL;
    }
    return s;
}

static void lite_finalize(void *statement)
{
    (void)sqlite3_finalize(statement); /* tells of an old failure again */
}

static enum err bound(int rc)
{
    return rc == SQLITE_OK ? OK : code_of(rc);
}

static enum err lite_bind_int(void *statement, int at, int64_t value)
{
    return bound(sqlite3_bind_int64(statement, at, value));
}

static enum err lite_bind_text(void *statement, int at, struct str value)
{
    return bound(sqlite3_bind_text(statement, at, value.p ? value.p : "", (int)value.n, SQLITE_TRANSIENT));
}

static enum err lite_bind_blob(void *statement, int at, struct str value)
{
    return bound(sqlite3_bind_blob(statement, at, value.p ? value.p : "", (int)value.n, SQLITE_TRANSIENT));
}

static enum db_step lite_step(void *statement)
{
    int rc = sqlite3_step(statement);
    return rc == SQLITE_ROW ? DB_ROW : rc == SQLITE_DONE ? DB_DONE : DB_FAILED;
}

static int64_t lite_column_int(void *statement, int column)
{
    return sqlite3_column_int64(statement, column);
}

static struct str lite_column_text(void *statement, int column)
{
    const char *p = sqlite3_column_blob(statement, column);
    return str_make(p, (size_t)sqlite3_column_bytes(statement, column));
}

static int64_t lite_changed(void *connection)
{
    return sqlite3_changes64(connection);
}

static void lite_reset(void *statement)
{
    (void)sqlite3_reset(statement); /* tells of an old failure again */
    (void)sqlite3_clear_bindings(statement);
}

const struct db_driver db_sqlite = {
    .close = lite_close,
    .execute = lite_execute,
    .prepare = lite_prepare,
    .finalize = lite_finalize,
    .bind_int = lite_bind_int,
    .bind_text = lite_bind_text,
    .bind_blob = lite_bind_blob,
    .step = lite_step,
    .failure = lite_failure,
    .column_int = lite_column_int,
    .column_text = lite_column_text,
    .changed = lite_changed,
    .reset = lite_reset,
};

void *db_sqlite_open(const char *path, struct buf *why)
{
    sqlite3 *c = NULL;
    int rc =
        sqlite3_open_v2(path, &c, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOMUTEX, NULL);
    if (!c)
        broken(__FILE__, __LINE__, "out of memory");
    if (rc == SQLITE_OK) {
        sqlite3_extended_result_codes(c, 1);
        sqlite3_busy_timeout(c, BUSY_MS);
        /* A lost last change after a power cut is a lie to who was told "done": sync each commit. */
        if (!lite_execute(c,
                          "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA foreign_keys = ON;"
                          "PRAGMA trusted_schema = OFF;",
                          why))
            return c;
    } else {
        (void)lite_failure(c, why);
        if (why && !strstr(buf_cstr(why), path))
            buf_set(why, "%s: %s", path, sqlite3_errmsg(c));
    }
    sqlite3_close(c);
    return NULL;
}
