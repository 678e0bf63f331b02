#include "base/err.h"

#include <errno.h>
#include <stdarg.h>
#include <string.h>

const char *err_text(enum err e)
{
    static const char *const texts[] = {
#define X(name, text) [name] = (text),
        ERR_TABLE(X)
#undef X
    };
    return (size_t)e < sizeof texts / sizeof *texts ? texts[e] : "unknown error";
}

enum err err_system(struct buf *why, const char *what_format, ...)
{
    int saved = errno;
    if (why) {
        struct buf text = {0};
        va_list args;
        va_start(args, what_format);
        buf_vprintf(&text, what_format, args);
        va_end(args);
        char message[128];
        buf_printf(&text, ": %s", strerror_r(saved, message, sizeof message));
        buf_release(why);
        *why = text;
    }
    errno = saved;
    switch (saved) {
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
        return ERR_FULL;
    case ENOENT:
        return ERR_NOT_FOUND;
    case ETIMEDOUT:
        return ERR_TIMEOUT;
    default:
        return ERR_SYSTEM;
    }
}
