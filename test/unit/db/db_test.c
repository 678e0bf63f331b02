#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <sys/stat.h>
#include <unistd.h>

#include "db/db.h"

static const struct db_migration steps[] = {
    {1, "CREATE TABLE a (id BIGINT PRIMARY KEY, name TEXT NOT NULL);"
        "CREATE TABLE b (a_id BIGINT NOT NULL REFERENCES a (id) ON DELETE CASCADE, data BLOB)"},
    {2, "ALTER TABLE a ADD COLUMN extra TEXT NOT NULL DEFAULT 'none'"},
};

struct fixture {
    char folder[64];
    char path[80];
    struct db *db;
    struct buf why;
};

static int setup(void **state)
{
    struct fixture *f = calloc(1, sizeof *f);
    strncpy(f->folder, "/tmp/kedge-db-XXXXXX", sizeof f->folder - 1);
    assert_non_null(mkdtemp(f->folder));
    snprintf(f->path, sizeof f->path, "%s/kedge.db", f->folder);
    f->db = db_open(f->path, &f->why);
    assert_non_null(f->db);
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *f = *state;
    db_close(f->db);
    const char *const tails[] = {"", "-wal", "-shm"};
    for (size_t i = 0; i < 3; i++) {
        char path[96];
        snprintf(path, sizeof path, "%s%s", f->path, tails[i]);
        unlink(path);
    }
    rmdir(f->folder);
    buf_release(&f->why);
    free(f);
    return 0;
}

static enum err insert(struct fixture *f, int64_t id, const char *name)
{
    struct db_query *q = db_query(f->db, "INSERT INTO a (id, name) VALUES ($1, $2)");
    db_bind_int(q, id);
    db_bind_text(q, str_of(name));
    return db_run(q, NULL, &f->why);
}

static int64_t count(struct fixture *f, const char *sql)
{
    int64_t n;
    assert_int_equal(db_get_int(db_query(f->db, sql), &n, &f->why), OK);
    return n;
}

static void test_migrations(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(db_migrate(f->db, steps, 1, &f->why), OK);
    assert_int_equal(insert(f, 1, "one"), OK);
    assert_int_equal(db_migrate(f->db, steps, 2, &f->why), OK);
    assert_int_equal(db_migrate(f->db, steps, 2, &f->why), OK);
    assert_int_equal(count(f, "SELECT COUNT(*) FROM a WHERE extra = 'none'"), 1);
    assert_int_equal(db_migrate(f->db, steps, 1, &f->why), ERR_REFUSED);
    assert_non_null(strstr(buf_cstr(&f->why), "newer"));
}

static void test_a_failing_step_leaves_nothing(void **state)
{
    struct fixture *f = *state;
    static const struct db_migration wrong[] = {{1, "CREATE TABLE c (x TEXT); CREATE TABLE c (x TEXT)"}};
    assert_int_equal(db_migrate(f->db, wrong, 1, &f->why), ERR_SYSTEM);
    assert_int_equal(count(f, "SELECT COUNT(*) FROM sqlite_master WHERE name = 'c'"), 0);
    assert_int_equal(db_migrate(f->db, steps, 2, &f->why), OK);
}

static void test_rows_and_errors(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(db_migrate(f->db, steps, 2, &f->why), OK);
    assert_int_equal(insert(f, 1, "one"), OK);
    assert_int_equal(insert(f, 2, ""), OK);
    assert_int_equal(insert(f, 1, "again"), ERR_EXISTS);
    struct db_query *q = db_query(f->db, "INSERT INTO b (a_id, data) VALUES ($1, $2)");
    db_bind_int(q, 9);
    db_bind_blob(q, STR("x"));
    assert_int_equal(db_run(q, NULL, &f->why), ERR_REFUSED);
    q = db_query(f->db, "INSERT INTO b (a_id, data) VALUES ($1, $2)");
    db_bind_int(q, 2);
    db_bind_blob(q, STR("a\0b"));
    int64_t changed;
    assert_int_equal(db_run(q, &changed, &f->why), OK);
    assert_int_equal(changed, 1);
    q = db_query(f->db, "SELECT a.name, b.data, a.id FROM a JOIN b ON b.a_id = a.id");
    assert_true(db_next(q));
    assert_true(str_equal(db_text(q, 0), STR("")));
    assert_true(str_equal(db_text(q, 1), STR("a\0b")));
    assert_int_equal(db_int(q, 2), 2);
    assert_false(db_next(q));
    assert_int_equal(db_end(q, &f->why), OK);
    assert_int_equal(db_run(db_query(f->db, "DELETE FROM a WHERE id = 2"), NULL, &f->why), OK);
    assert_int_equal(count(f, "SELECT COUNT(*) FROM b"), 0);
    int64_t ignored;
    assert_int_equal(db_get_int(db_query(f->db, "SELECT id FROM a WHERE id = 77"), &ignored, &f->why),
                     ERR_NOT_FOUND);
    assert_int_equal(db_run(db_query(f->db, "SELECT nonsense FROM nowhere"), NULL, &f->why), ERR_SYSTEM);
    assert_non_null(strstr(buf_cstr(&f->why), "nowhere"));
}

static void test_transactions(void **state)
{
    struct fixture *f = *state;
    assert_int_equal(db_migrate(f->db, steps, 2, &f->why), OK);
    assert_int_equal(db_begin(f->db, &f->why), OK);
    assert_int_equal(insert(f, 1, "one"), OK);
    db_rollback(f->db);
    assert_int_equal(count(f, "SELECT COUNT(*) FROM a"), 0);
    assert_int_equal(db_begin(f->db, &f->why), OK);
    assert_int_equal(insert(f, 1, "one"), OK);
    assert_int_equal(db_commit(f->db, &f->why), OK);
    db_close(f->db);
    f->db = db_open(f->path, &f->why);
    assert_non_null(f->db);
    assert_int_equal(count(f, "SELECT COUNT(*) FROM a"), 1);
}

static void test_file(void **state)
{
    struct fixture *f = *state;
    struct stat st;
    assert_int_equal(stat(f->path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_null(db_open("/proc/nowhere/kedge.db", &f->why));
    assert_non_null(strstr(buf_cstr(&f->why), "/proc/nowhere/kedge.db"));
    char junk[96];
    snprintf(junk, sizeof junk, "%s/junk", f->folder);
    assert_int_equal(
        file_replace(junk, STR("this is not a database, whatever its name may say about it..........."), 0600,
                     &f->why),
        OK);
    assert_null(db_open(junk, &f->why));
    assert_non_null(strstr(buf_cstr(&f->why), junk));
    unlink(junk);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
int main(void)
{
    const struct CMUnitTest tests[] = {TEST(test_migrations), TEST(test_a_failing_step_leaves_nothing),
                                       TEST(test_rows_and_errors), TEST(test_transactions), TEST(test_file)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
