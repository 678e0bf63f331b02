#include "mail/date.h"

void mail_date(int64_t wall_ms, char out[MAIL_DATE_TEXT])
{
    static const char days[] = "SunMonTueWedThuFriSat", months[] = "JanFebMarAprMayJunJulAugSepOctNovDec";
    time_t seconds = (time_t)(wall_ms / 1000);
    struct tm t;
    ENSURE(gmtime_r(&seconds, &t));
    char text[80]; /* what the compiler believes possible */
    snprintf(text, sizeof text, "%.3s, %02d %.3s %04d %02d:%02d:%02d +0000", days + 3 * (size_t)t.tm_wday,
             t.tm_mday, months + 3 * (size_t)t.tm_mon, t.tm_year + 1900, t.tm_hour, t.tm_min, t.tm_sec);
    ENSURE(str_copy(str_of(text), out, MAIL_DATE_TEXT));
}
