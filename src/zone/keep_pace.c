#include "zone/keep_pace.h"

static int64_t backoff(unsigned failures)
{
    int64_t wait = KEEP_EACH_MS;
    for (unsigned i = 1; i < failures && wait < KEEP_BACKOFF_MAX_MS; i++)
        wait *= 2;
    return wait < KEEP_BACKOFF_MAX_MS ? wait : KEEP_BACKOFF_MAX_MS;
}

static void hurry(struct keep_pace *p)
{
    int64_t soon = p->ended_ms + KEEP_EACH_MS;
    if (p->wanted && p->tried && p->wanted != p->tried && soon < p->not_before)
        p->not_before = soon;
}

void keep_pace_begin(struct keep_pace *p)
{
    p->wanted = 0;
}

void keep_pace_end(struct keep_pace *p, enum keep_end end, uint64_t stamp, int64_t now_ms)
{
    bool again = p->failures && stamp == p->tried;
    p->ended_ms = now_ms;
    p->failures = end != KEEP_END_REST ? 0 : again ? p->failures + 1 : 1;
    p->tried = end == KEEP_END_REST ? stamp : 0;
    p->not_before = end == KEEP_END_IDLE ? now_ms : now_ms + backoff(p->failures);
    hurry(p);
}

void keep_pace_wanted(struct keep_pace *p, uint64_t stamp)
{
    p->wanted = stamp;
    hurry(p);
}
