/* What a database product must be able to do for db. Codes are enum err; ERR texts come from `message`. */
#ifndef DB_DRIVER_H
#define DB_DRIVER_H

#include "base/base.h"

enum db_step { DB_ROW, DB_DONE, DB_FAILED };

struct db_driver {
    void (*close)(void *connection);
    /* One or more statements without parameters. */
    enum err (*execute)(void *connection, const char *sql, struct buf *why);
    /* NULL with why. */
    void *(*prepare)(void *connection, const char *sql, struct buf *why);
    void (*finalize)(void *statement);
    enum err (*bind_int)(void *statement, int at, int64_t value);
    enum err (*bind_text)(void *statement, int at, struct str value);
    enum err (*bind_blob)(void *statement, int at, struct str value);
    enum db_step (*step)(void *statement);
    /* After DB_FAILED. */
    enum err (*failure)(void *connection, struct buf *why);
    int64_t (*column_int)(void *statement, int column);
    struct str (*column_text)(void *statement, int column);
    int64_t (*changed)(void *connection);
    void (*reset)(void *statement);
};

/* NULL with why. */
void *db_sqlite_open(const char *path, struct buf *why);
extern const struct db_driver db_sqlite;

#endif
