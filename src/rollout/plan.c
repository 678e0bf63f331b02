#include "rollout/plan.h"

size_t rollout_plan(size_t domains, size_t over[ROLLOUT_WAVES_MAX])
{
    const size_t steps[ROLLOUT_WAVES_MAX] = {1, 10, 100, domains / 100, domains / 10, domains};
    size_t n = 0, moved = 0;
    for (size_t i = 0; i < ROLLOUT_WAVES_MAX; i++) {
        size_t to = steps[i] < domains ? steps[i] : domains;
        if (to <= moved)
            continue;
        over[n++] = moved = to;
    }
    return n;
}

/* FNV-1a, then a finaliser: its low octets alone would follow the last letters. */
uint64_t rollout_rank(struct str rollout, struct str domain)
{
    uint64_t h = 0xcbf29ce484222325U;
    for (size_t i = 0; i < rollout.n; i++)
        h = (h ^ (unsigned char)rollout.p[i]) * 0x100000001b3U;
    h *= 0x100000001b3U;
    for (size_t i = 0; i < domain.n; i++)
        h = (h ^ (unsigned char)domain.p[i]) * 0x100000001b3U;
    h ^= h >> 33, h *= 0xff51afd7ed558ccdU;
    return h ^ h >> 33;
}
