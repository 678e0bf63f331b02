/*
 * db: the control plane's database: statements, transactions, migrations. SQL is written once, in the subset
 * that SQLite and PostgreSQL share: $1, $2 in order of first appearance, no vendor functions; what differs
 * between them is behind struct db_driver (driver.h).
 *
 * Knows nothing of what the tables mean (the owner brings its migrations). A struct db belongs to one thread
 * at a time: its owner locks. Statements are prepared once and kept.
 */
#ifndef DB_DB_H
#define DB_DB_H

#include "base/base.h"

struct db;

/* SQLite: WAL, foreign keys on, waits for other processes. Makes the file, mode 0600. NULL with why. */
struct db *db_open(const char *path, struct buf *why);
void db_close(struct db *db); /* accepts NULL; rolls back what is open */

/* A schema is numbered steps, forward only; versions start at 1 without gaps. */
struct db_migration {
    unsigned version;
    const char *sql; /* one or more statements */
};
/* Brings the database to the last version, a transaction per step. Refuses (ERR_REFUSED) a database that a
 * newer program has written. */
enum err db_migrate(struct db *db, const struct db_migration *steps, size_t count,
                    struct buf *why) MUST_CHECK;

/* Transactions do not nest. begin takes the write lock at once. Rollback is allowed when nothing is open. */
enum err db_begin(struct db *db, struct buf *why) MUST_CHECK;
enum err db_commit(struct db *db, struct buf *why) MUST_CHECK;
void db_rollback(struct db *db);

/* One statement in execution:
 *     struct db_query *q = db_query(db, "SELECT name FROM tenant WHERE id = $1");
 *     db_bind_int(q, id);
 *     while (db_next(q))
 *         use(db_text(q, 0));
 *     e = db_end(q, why);
 * Errors are sticky and come out of db_end: ERR_EXISTS for a key that is there already, ERR_REFUSED for a
 * broken reference, ERR_BUSY, ERR_FULL, ERR_CORRUPT, else ERR_SYSTEM. The same statement cannot be in
 * execution twice at once. Texts borrow from the row until the next db_next or db_end. */
struct db_query;
struct db_query *db_query(struct db *db, const char *sql);
void db_bind_int(struct db_query *q, int64_t value);
void db_bind_text(struct db_query *q, struct str value); /* copied */
void db_bind_blob(struct db_query *q, struct str value); /* copied */
bool db_next(struct db_query *q);
int64_t db_int(struct db_query *q, int column);
struct str db_text(struct db_query *q, int column); /* blobs too; NULL is the empty text */
enum err db_end(struct db_query *q, struct buf *why) MUST_CHECK;

/* For statements without rows: runs and ends. *changed (may be NULL): rows touched. */
enum err db_run(struct db_query *q, int64_t *changed, struct buf *why) MUST_CHECK;
/* The first column of the first row; ERR_NOT_FOUND without why when there is none. */
enum err db_get_int(struct db_query *q, int64_t *out, struct buf *why) MUST_CHECK;

#endif
