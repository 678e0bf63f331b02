/* What time a report is about, and whether it can be true. */
#include "report/tlsrpt.h"

enum { DAY_MS = 24 * 3600 * 1000, RANGE_DAYS = 8, AGE_DAYS = 90 };

/* "Z", "+02:00", "-0700" or nothing, in minutes east of Greenwich. */
static bool zone_offset(struct str text, int *minutes)
{
    uint32_t h, m;
    *minutes = 0;
    if (!text.n || str_equal_nocase(text, STR("Z")) || str_equal_nocase(text, STR("UTC")))
        return true;
    size_t colon = text.n == 6 && text.p[3] == ':';
    if ((text.p[0] != '+' && text.p[0] != '-') || text.n != 5 + colon ||
        !str_to_u32(str_sub(text, 1, 2), &h) || !str_to_u32(str_from(text, 3 + colon), &m) || h > 14 ||
        m > 59)
        return false;
    *minutes = (int)(60 * h + m) * (text.p[0] == '-' ? -1 : 1);
    return true;
}

bool tlsrpt_time(struct str text, int64_t *ms)
{
    char copy[64];
    struct tm tm = {0};
    int minutes;
    if (!str_copy(str_trim(text), copy, sizeof copy) || copy[0] == '-')
        return false;
    const char *end = strptime(copy, "%Y-%m-%d", &tm);
    if (!end || (*end != 'T' && *end != 't' && *end != ' '))
        return false;
    end = strptime(end + 1, "%H:%M:%S", &tm);
    if (!end)
        return false;
    if (*end == '.') /* milliseconds of a day mean nothing here */
        do
            end++;
        while (*end >= '0' && *end <= '9');
    if (!zone_offset(str_of(end), &minutes))
        return false;
    *ms = ((int64_t)timegm(&tm) - 60 * (int64_t)minutes) * 1000;
    return *ms > 0;
}

enum err tlsrpt_check(const struct tlsrpt *r, int64_t now_ms, struct buf *why)
{
    char begin[CLOCK_TEXT], end[CLOCK_TEXT];
    int64_t sessions = 0;
    clock_iso(r->begin_ms, begin);
    clock_iso(r->end_ms, end);
    for (size_t i = 0; i < r->npolicy; i++)
        sessions += r->policy[i].successes + r->policy[i].failures;
    if (r->end_ms <= r->begin_ms)
        buf_set(why, "its date-range ends (%s) before it begins (%s)", end, begin);
    else if (r->end_ms - r->begin_ms > (int64_t)RANGE_DAYS * DAY_MS)
        buf_set(why, "its date-range, %s to %s, is longer than %d days; a report is about one", begin, end,
                RANGE_DAYS);
    else if (r->begin_ms > now_ms || r->end_ms > now_ms + DAY_MS)
        buf_set(why, "its date-range, %s to %s, lies in the future", begin, end);
    else if (r->end_ms < now_ms - (int64_t)AGE_DAYS * DAY_MS)
        buf_set(why, "its date-range, %s to %s, is more than %d days ago", begin, end, AGE_DAYS);
    else if (!sessions)
        buf_set(why, "it counts no session at all");
    else
        return OK;
    return ERR_REFUSED;
}
