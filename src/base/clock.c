#include "base/clock.h"

#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <time.h>

#include "base/banned.h"

static _Atomic int64_t test_time; /* 0: real clocks */

static int64_t read_clock(clockid_t which)
{
    struct timespec t;
    (void)clock_gettime(which, &t);
    return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t clock_wall(void)
{
    int64_t fixed = atomic_load_explicit(&test_time, memory_order_relaxed);
    return fixed ? fixed : read_clock(CLOCK_REALTIME);
}

int64_t clock_mono(void)
{
    int64_t fixed = atomic_load_explicit(&test_time, memory_order_relaxed);
    return fixed ? fixed : read_clock(CLOCK_MONOTONIC);
}

int deadline_poll_ms(deadline d)
{
    if (d == DEADLINE_NEVER)
        return -1;
    int64_t left = d - clock_mono();
    if (left <= 0)
        return 0;
    return left > INT_MAX ? INT_MAX : (int)left;
}

void clock_iso(int64_t wall_ms, char out[CLOCK_TEXT])
{
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm tm;
    (void)gmtime_r(&seconds, &tm);
    size_t n = strftime(out, CLOCK_TEXT, "%Y-%m-%dT%H:%M:%S", &tm);
    (void)snprintf(out + n, CLOCK_TEXT - n, ".%03dZ", (int)(wall_ms % 1000));
}

void clock_set_for_test(int64_t wall_ms)
{
    atomic_store(&test_time, wall_ms);
}
