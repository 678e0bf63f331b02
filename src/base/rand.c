#include "base/rand.h"

#include <errno.h>
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

uint64_t rand_u64(void)
{
    uint64_t v;
    rand_bytes(&v, sizeof v);
    return v;
}

uint32_t rand_below(uint32_t below)
{
    ENSURE(below > 0);
    return (uint32_t)(((rand_u64() & UINT32_MAX) * below) >>
                      32); /* bias < 2^-32 * below: fine for jitter and shuffles */
}
