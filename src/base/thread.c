#include "base/thread.h"

#include <errno.h>
#include <limits.h>
#include <signal.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/die.h"

struct start {
    void (*run)(void *arg);
    void *arg;
};

static void *trampoline(void *p)
{
    struct start s = *(struct start *)p;
    free(p);
    s.run(s.arg);
    return NULL;
}

static enum err start(void (*run)(void *), void *arg, int detach, pthread_t *out, struct buf *why)
{
    struct start *s = must_alloc(malloc(sizeof *s));
    *s = (struct start){run, arg};
    pthread_attr_t attr;
    ENSURE(pthread_attr_init(&attr) == 0);
    size_t least = (size_t)PTHREAD_STACK_MIN;
    ENSURE(pthread_attr_setstacksize(&attr, THREAD_STACK > least ? THREAD_STACK : least) == 0);
    ENSURE(pthread_attr_setdetachstate(&attr, detach) == 0);
    sigset_t all, before;
    (void)sigfillset(&all);
    (void)pthread_sigmask(SIG_SETMASK, &all, &before);
    int failed = pthread_create(out, &attr, trampoline, s);
    (void)pthread_sigmask(SIG_SETMASK, &before, NULL);
    (void)pthread_attr_destroy(&attr);
    if (!failed)
        return OK;
    free(s);
    errno = failed;
    (void)err_system(why, "starting a thread");
    return failed == EAGAIN ? ERR_FULL : ERR_SYSTEM;
}

enum err thread_start(void (*run)(void *arg), void *arg, struct buf *why)
{
    pthread_t ignored;
    return start(run, arg, PTHREAD_CREATE_DETACHED, &ignored, why);
}

enum err thread_start_joinable(void (*run)(void *arg), void *arg, pthread_t *out, struct buf *why)
{
    return start(run, arg, PTHREAD_CREATE_JOINABLE, out, why);
}

void thread_cond_init(pthread_cond_t *c)
{
    pthread_condattr_t attr;
    ENSURE(pthread_condattr_init(&attr) == 0);
    ENSURE(pthread_condattr_setclock(&attr, CLOCK_MONOTONIC) == 0);
    ENSURE(pthread_cond_init(c, &attr) == 0);
    (void)pthread_condattr_destroy(&attr);
}

bool thread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m, int64_t deadline_mono_ms)
{
    if (deadline_mono_ms == DEADLINE_NEVER) {
        ENSURE(pthread_cond_wait(c, m) == 0);
        return true;
    }
    struct timespec at = {.tv_sec = deadline_mono_ms / 1000, .tv_nsec = deadline_mono_ms % 1000 * 1000000};
    int r = pthread_cond_timedwait(c, m, &at);
    ENSURE(r == 0 || r == ETIMEDOUT);
    return r == 0;
}
