/* arena, map, clock, err, file, thread: memory, time and the file system. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

static void arenas(void **state)
{
    struct arena a = {0};
    for (size_t n = 0; n < 5000; n += 7) {
        char *p = arena_alloc(&a, n);
        assert_int_equal((uintptr_t)p % _Alignof(max_align_t), 0);
        for (size_t i = 0; i < n; i++)
            assert_int_equal(p[i], 0);
        memset(p, 0xff, n);
    }
    assert_string_equal(arena_lower(&a, STR("MiXed[\xc3\x84")).p, "mixed[\xc3\x84");
    assert_string_equal(arena_printf(&a, "%0*d", 300, 1).p + 299, "1");
    arena_release(&a);
    arena_release(&a);
}

static void maps(void **state)
{
    struct map m = {0};
    static int values[5000];
    char key[16];
    assert_null(map_get(&m, STR("x")));
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 5000; i++) {
            (void)snprintf(key, sizeof key, "k%d", i);
            assert_null(map_put(&m, str_of(key), &values[i]));
        }
        assert_int_equal(m.count, 5000);
        assert_ptr_equal(map_put(&m, STR("k17"), &values[0]), &values[17]);
        assert_ptr_equal(map_get(&m, STR("k17")), &values[0]);
        size_t at = 0, seen = 0;
        struct str k;
        void *v;
        while (map_next(&m, &at, &k, &v)) {
            seen++;
            assert_non_null(map_remove(&m, k));
        }
        assert_int_equal(seen, 5000);
        assert_int_equal(m.count, 0);
        assert_null(map_remove(&m, STR("k1")));
    }
    map_release(&m);
}

static void clocks(void **state)
{
    char text[CLOCK_TEXT];
    clock_iso(1795465360123, text);
    assert_string_equal(text, "2026-11-23T20:22:40.123Z");
    clock_set_for_test(1000);
    assert_int_equal(deadline_poll_ms(deadline_in(5)), 5);
    assert_true(deadline_is_over(1000));
    assert_int_equal(deadline_poll_ms(DEADLINE_NEVER), -1);
    clock_set_for_test(0);
    assert_true(clock_wall() > 1700000000000);
}

static void system_errors(void **state)
{
    struct buf why = {0};
    errno = ENOSPC;
    assert_int_equal(err_system(&why, "write %s", "x"), ERR_FULL);
    assert_string_equal(buf_cstr(&why), "write x: No space left on device");
    errno = EDQUOT;
    assert_int_equal(err_system(NULL, "x"), ERR_FULL);
    errno = EIO;
    assert_int_equal(err_system(NULL, "x"), ERR_SYSTEM);
    buf_release(&why);
}

static void files(void **state)
{
    struct arena a = {0};
    struct buf why = {0}, got = {0};
    const char *top = arena_printf(&a, "/tmp/kedge-base-test-%d", (int)getpid()).p;
    const char *folder = arena_printf(&a, "%s/a/b", top).p, *path = arena_printf(&a, "%s/f", folder).p;
    assert_int_equal(file_make_dirs(folder, 0700, &why), OK);
    assert_int_equal(file_make_dirs(folder, 0700, &why), OK);
    assert_int_equal(file_replace(path, STR("one"), 0640, &why), OK);
    assert_int_equal(file_replace(path, STR("two"), 0600, &why), OK);
    struct stat st;
    assert_int_equal(stat(path, &st), 0);
    assert_int_equal(st.st_mode & 0777, 0600);
    assert_int_equal(file_read(path, 3, &got, &why), OK);
    assert_string_equal(buf_cstr(&got), "two");
    assert_int_equal(file_read(path, 2, &got, &why), ERR_FULL);
    assert_int_equal(file_make_dirs(path, 0700, &why), ERR_EXISTS);
    assert_int_equal(file_replace("/nonexistent/f", STR("x"), 0600, &why), ERR_NOT_FOUND);
    (void)unlink(path);
    (void)rmdir(folder);
    (void)rmdir(arena_printf(&a, "%s/a", top).p);
    assert_int_equal(rmdir(top), 0); /* no temporary file was left */
    buf_release(&why), buf_release(&got);
    arena_release(&a);
}

struct meeting {
    pthread_mutex_t lock;
    pthread_cond_t came;
    int count;
};

static void come(void *arg)
{
    struct meeting *m = arg;
    (void)pthread_mutex_lock(&m->lock);
    m->count++;
    (void)pthread_cond_signal(&m->came);
    (void)pthread_mutex_unlock(&m->lock);
}

static void threads(void **state)
{
    struct meeting m = {.lock = PTHREAD_MUTEX_INITIALIZER};
    pthread_t joined;
    thread_cond_init(&m.came);
    (void)pthread_mutex_lock(&m.lock);
    assert_false(thread_cond_wait(&m.came, &m.lock, clock_mono() + 10));
    (void)pthread_mutex_unlock(&m.lock);
    assert_int_equal(thread_start_joinable(come, &m, &joined, NULL), OK);
    assert_int_equal(pthread_join(joined, NULL), 0);
    assert_int_equal(m.count, 1);
    for (int i = 0; i < 10; i++)
        assert_int_equal(thread_start(come, &m, NULL), OK);
    (void)pthread_mutex_lock(&m.lock);
    while (m.count < 11)
        assert_true(thread_cond_wait(&m.came, &m.lock, DEADLINE_NEVER));
    (void)pthread_mutex_unlock(&m.lock);
}

static int compare_numbers(const void *a, const void *b)
{
    uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;
    return x < y ? -1 : x > y;
}

/* Numbers come from a stock, but never twice: not behind its end, not in another thread, not in a child. */
static void *draw(void *out)
{
    for (int i = 0; i < 200; i++)
        ((uint64_t *)out)[i] = rand_u64();
    return NULL;
}

static void numbers(void **state)
{
    (void)state;
    enum { EACH = 200 };
    uint64_t all[3 * EACH];
    pthread_t thread;
    int pipes[2];
    draw(all);
    assert_int_equal(pthread_create(&thread, NULL, draw, all + EACH), 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_int_equal(pipe(pipes), 0);
    (void)rand_u64(); /* there is a stock when the process forks */
    pid_t child = fork();
    if (child == 0) {
        draw(all);
        _exit(write(pipes[1], all, EACH * sizeof *all) == EACH * sizeof *all ? 0 : 1);
    }
    int status = 1;
    assert_true(child > 0);
    draw(all);
    assert_int_equal(read(pipes[0], all + (size_t)2 * EACH, EACH * sizeof *all), EACH * sizeof *all);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    qsort(all, sizeof all / sizeof *all, sizeof *all, compare_numbers);
    for (size_t i = 1; i < sizeof all / sizeof *all; i++)
        assert_true(all[i] != all[i - 1]);
    (void)close(pipes[0]);
    (void)close(pipes[1]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(arenas),        cmocka_unit_test(maps),  cmocka_unit_test(clocks),
        cmocka_unit_test(system_errors), cmocka_unit_test(files), cmocka_unit_test(threads),
        cmocka_unit_test(numbers),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
