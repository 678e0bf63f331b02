/* Threads with small stacks. Every dialog has one; a parked one costs about 32 KiB. */
#ifndef BASE_THREAD_H
#define BASE_THREAD_H

#include <pthread.h>

#include "base/err.h"

enum { THREAD_STACK = 256 * 1024 };

/* Starts run(arg) detached, all signals blocked in it. ERR_FULL when the system allows no more threads. */
enum err thread_start(void (*run)(void *arg), void *arg, struct buf *why) MUST_CHECK;
/* The same, joinable. */
enum err thread_start_joinable(void (*run)(void *arg), void *arg, pthread_t *out, struct buf *why) MUST_CHECK;

/* Condition variables here use the monotonic clock. False when the deadline passed. */
void thread_cond_init(pthread_cond_t *c);
bool thread_cond_wait(pthread_cond_t *c, pthread_mutex_t *m, int64_t deadline_mono_ms);

#endif
