#include "queue/id.h"

/* Nine digits of milliseconds (until the year 5188) and five that tell messages of one millisecond apart. */
enum { DIGITS = QUEUE_ID - 1, TIME_DIGITS = 9, BASE = 36, LAST = 36 * 36 * 36 * 36 * 36 };

static void put_digits(char *out, size_t n, uint64_t v)
{
    while (n) {
        out[--n] = "0123456789abcdefghijklmnopqrstuvwxyz"[v % BASE];
        v /= BASE;
    }
}

void queue_id_make(int64_t wall_ms, uint64_t number, char out[QUEUE_ID])
{
    put_digits(out, TIME_DIGITS, (uint64_t)wall_ms);
    put_digits(out + TIME_DIGITS, DIGITS - TIME_DIGITS, number % LAST);
    out[DIGITS] = '\0';
}

bool queue_id_is_valid(struct str id)
{
    if (id.n != DIGITS)
        return false;
    for (size_t i = 0; i < id.n; i++)
        if (!((id.p[i] >= '0' && id.p[i] <= '9') || (id.p[i] >= 'a' && id.p[i] <= 'z')))
            return false;
    return true;
}

int64_t queue_id_time(const char *id)
{
    int64_t ms = 0;
    for (size_t i = 0; i < TIME_DIGITS; i++)
        ms = ms * BASE + (id[i] <= '9' ? id[i] - '0' : id[i] - 'a' + 10);
    return ms;
}
