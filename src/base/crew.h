/* A crew: threads that stay for the next job. A thread that begins costs more than its clone: OpenSSL seeds
 * two random generators for it and the allocator fills its caches anew, together a tenth of a whole TLS
 * session. */
#ifndef BASE_CREW_H
#define BASE_CREW_H

#include "base/err.h"

struct crew;

/* A thread without a job ends after linger_ms. */
struct crew *crew_new(int64_t linger_ms);
/* Runs run(arg) in a thread that waits, else in a new one; jobs never wait for each other. ERR_FULL when the
 * system allows no more threads. */
enum err crew_start(struct crew *c, void (*run)(void *arg), void *arg, struct buf *why) MUST_CHECK;
/* Waits for the jobs that run, and for all threads to be gone: libraries may be shut down after. Accepts
 * NULL. */
void crew_free(struct crew *c);

#endif
