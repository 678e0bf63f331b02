#include "base/rand.h"

#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/random.h>

#include "base/die.h"

void rand_bytes(void *out, size_t n)
{
    for (char *p = out; n;) {
        ssize_t got = getrandom(p, n, 0);
        if (got < 0 && errno == EINTR)
            continue;
        ENSURE(got > 0);
        p += got;
        n -= (size_t)got;
    }
}

/* One call of the kernel serves many numbers. A number leaves the stock when it is given out; a child of fork
 * must not give out what its parent will. */
enum { STOCK = 32 };
static _Thread_local struct {
    uint64_t v[STOCK];
    unsigned left;
} stock;
static pthread_once_t watched = PTHREAD_ONCE_INIT;

static void forget(void)
{
    memset(&stock, 0, sizeof stock);
}

static void watch_forks(void)
{
    ENSURE(pthread_atfork(NULL, NULL, forget) == 0);
}

uint64_t rand_u64(void)
{
    if (!stock.left) {
        ENSURE(pthread_once(&watched, watch_forks) == 0);
        rand_bytes(stock.v, sizeof stock.v);
        stock.left = STOCK;
    }
    uint64_t *next = &stock.v[--stock.left], v = *next;
    *next = 0;
    return v;
}

uint32_t rand_below(uint32_t below)
{
    ENSURE(below > 0);
    return (uint32_t)(((rand_u64() & UINT32_MAX) * below) >>
                      32); /* bias < 2^-32 * below: fine for jitter and shuffles */
}
