/* crew: threads are kept and used again, jobs never wait for each other, nothing outlives the crew. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/base.h"
#include "base/crew.h"

enum { MANY = 40 };

struct seen {
    atomic_int done;
    _Atomic pid_t by[MANY];
};

static void note(void *arg)
{
    struct seen *s = arg;
    int i = atomic_load(&s->done);
    atomic_store(&s->by[i], gettid());
    atomic_store(&s->done, i + 1);
}

static void wait_for(atomic_int *what, int value)
{
    for (int i = 0; i < 5000 && atomic_load(what) != value; i++)
        (void)usleep(1000);
    assert_int_equal(atomic_load(what), value);
}

static void meet(void *arg)
{
    (void)pthread_barrier_wait(arg);
}

static void a_thread_serves_again(void **state)
{
    (void)state;
    static struct seen s;
    struct crew *c = crew_new(60000);
    for (int i = 0; i < MANY; i++) {
        assert_int_equal(crew_start(c, note, &s, NULL), OK);
        wait_for(&s.done, i + 1);
        (void)usleep(2000); /* the thread comes back to wait */
    }
    int changes = 0;
    for (int i = 1; i < MANY; i++)
        changes += s.by[i] != s.by[i - 1];
    assert_true(changes < MANY / 2); /* a slow machine may need a second thread now and then */
    crew_free(c);
}

static void jobs_do_not_wait_for_each_other(void **state)
{
    (void)state;
    for (int round = 0; round < 3; round++) {
        struct crew *c = crew_new(60000);
        pthread_barrier_t all;
        assert_int_equal(pthread_barrier_init(&all, NULL, MANY + 1), 0);
        for (int i = 0; i < MANY; i++)
            assert_int_equal(crew_start(c, meet, &all, NULL), OK);
        (void)pthread_barrier_wait(&all); /* returns only when all of them run at the same time */
        crew_free(c);
        (void)pthread_barrier_destroy(&all);
    }
}

static void a_thread_without_work_ends(void **state)
{
    (void)state;
    static struct seen s;
    struct crew *c = crew_new(20);
    char path[64];
    assert_int_equal(crew_start(c, note, &s, NULL), OK);
    wait_for(&s.done, 1);
    (void)snprintf(path, sizeof path, "/proc/self/task/%d", (int)s.by[0]);
    for (int i = 0; i < 500 && access(path, F_OK) == 0; i++)
        (void)usleep(10000);
    assert_int_not_equal(access(path, F_OK), 0);
    assert_int_equal(crew_start(c, note, &s, NULL), OK); /* a new one */
    wait_for(&s.done, 2);
    crew_free(c);
}

static void slow(void *arg)
{
    (void)usleep(50000);
    atomic_store((atomic_int *)arg, 1);
}

static void the_end_waits_for_jobs(void **state)
{
    (void)state;
    atomic_int done = 0;
    struct crew *c = crew_new(60000);
    assert_int_equal(crew_start(c, slow, &done, NULL), OK);
    crew_free(c);
    assert_int_equal(atomic_load(&done), 1);
    crew_free(NULL);
}

/* What libraries do when a thread ends, slowly. */
static atomic_int cleaned;
static pthread_key_t key;

static void clean(void *value)
{
    (void)value;
    (void)usleep(2000);
    atomic_fetch_add(&cleaned, 1);
}

static void meet_and_clean(void *arg)
{
    assert_int_equal(pthread_setspecific(key, arg), 0);
    meet(arg);
}

/* A thread that is still ending while the process exits reaches into libraries that have been shut down. */
static void no_thread_is_left(void **state)
{
    (void)state;
    pthread_barrier_t all;
    struct crew *c = crew_new(60000);
    assert_int_equal(pthread_key_create(&key, clean), 0);
    assert_int_equal(pthread_barrier_init(&all, NULL, MANY + 1), 0);
    for (int i = 0; i < MANY; i++)
        assert_int_equal(crew_start(c, meet_and_clean, &all, NULL), OK);
    (void)pthread_barrier_wait(&all);
    crew_free(c);
    assert_int_equal(atomic_load(&cleaned), MANY);
    (void)pthread_barrier_destroy(&all);
    (void)pthread_key_delete(key);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(a_thread_serves_again),      cmocka_unit_test(jobs_do_not_wait_for_each_other),
        cmocka_unit_test(a_thread_without_work_ends), cmocka_unit_test(the_end_waits_for_jobs),
        cmocka_unit_test(no_thread_is_left),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
