/* A preloaded library: the wall clock is wrong by the seconds in the file that WRONG_CLOCK names, from one
 * call to the next. The monotonic clock stays right, as on a machine whose time is set. */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

static const volatile int64_t *wrong_by;

/* Mapped before the process gives up its rights. */
__attribute__((constructor)) static void find(void)
{
    const char *path = getenv("WRONG_CLOCK");
    int fd = path ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    void *p = fd < 0 ? MAP_FAILED : mmap(NULL, sizeof *wrong_by, PROT_READ, MAP_SHARED, fd, 0);
    if (p == MAP_FAILED)
        abort(); /* a test that believes the clock to be wrong must not go on */
    (void)close(fd);
    wrong_by = p;
}

int clock_gettime(clockid_t which, struct timespec *t)
{
    int failed = (int)syscall(SYS_clock_gettime, which, t);
    if (!failed && wrong_by && (which == CLOCK_REALTIME || which == CLOCK_REALTIME_COARSE))
        t->tv_sec += *wrong_by;
    return failed;
}

time_t time(time_t *out)
{
    struct timespec t;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    if (out)
        *out = t.tv_sec;
    return t.tv_sec;
}

int gettimeofday(struct timeval *restrict out, void *restrict zone)
{
    struct timespec t;
    (void)zone;
    (void)clock_gettime(CLOCK_REALTIME, &t);
    *out = (struct timeval){t.tv_sec, t.tv_nsec / 1000};
    return 0;
}
