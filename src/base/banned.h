/* Functions whose use is a bug waiting: unbounded writes, hidden state, no error report. Included by every
 * base header user. */
#ifndef BASE_BANNED_H
#define BASE_BANNED_H

/* System headers that define or mention them come first. */
#include <ctype.h>  // IWYU pragma: keep
#include <setjmp.h> // IWYU pragma: keep
#include <stdio.h>  // IWYU pragma: keep
#include <stdlib.h> // IWYU pragma: keep
#include <string.h> // IWYU pragma: keep
#include <time.h>   // IWYU pragma: keep

#undef alloca
#undef strcpy
#undef strcat
#undef strncat
#undef strtok
#undef sprintf
#undef vsprintf

#ifndef KEDGE_TEST /* cmocka needs setjmp */
#pragma GCC poison longjmp siglongjmp
#endif
#pragma GCC poison strcpy strcat sprintf vsprintf strtok strncat gets atoi atol atoll alloca gmtime          \
    localtime ctime asctime srand
#define rand()                                                                                               \
    rand_is_banned_use_base_rand() /* OpenSSL's headers have parameters of that name: not poisoned */

#endif
