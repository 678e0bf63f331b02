#include "base/die.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>

void die(enum exit_code code, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    (void)fprintf(stderr, "%s: ", program_invocation_short_name);
    (void)vfprintf(stderr, format, args);
    (void)fputc('\n', stderr);
    va_end(args);
    exit(code);
}

void broken(const char *file, int line, const char *what)
{
    (void)fprintf(stderr, "%s: %s:%d: %s; aborting\n", program_invocation_short_name, file, line, what);
    abort();
}
