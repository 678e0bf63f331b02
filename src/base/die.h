/* The two ways to end: die() at start-up with a sentence for the operator, broken() when an invariant does
 * not hold. */
#ifndef BASE_DIE_H
#define BASE_DIE_H

#include <stdlib.h>

#include "base/banned.h"

/* Exit codes of daemons and commands (sysexits where one fits). */
enum exit_code {
    EXIT_OK = 0,
    EXIT_FAILED = 1,       /* the answer is no, or the work failed */
    EXIT_BAD_USAGE = 2,    /* the command line is wrong */
    EXIT_UNAVAILABLE = 69, /* a service that is needed does not answer */
    EXIT_OS = 71,          /* the system refused */
    EXIT_CONFIG = 78,      /* the configuration is wrong */
};

/* Start-up only: "program: <sentence>" on stderr, then exit(code). Say which option, which file, why, and
 * what to do. */
_Noreturn void die(enum exit_code code, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Abort with the place: a bug in this program. */
_Noreturn void broken(const char *file, int line, const char *what);
#define ENSURE(condition) ((condition) ? (void)0 : broken(__FILE__, __LINE__, #condition))

/* Returns p, or aborts when the system has no memory. */
static inline void *must_alloc(void *p)
{
    if (!p)
        broken(__FILE__, __LINE__, "out of memory");
    return p;
}

#endif
