/* Random numbers from the kernel. Keys are made of rand_bytes alone: it keeps nothing. The others are as hard
 * to guess, but come from a small stock in each thread: good for DNS query ids, shuffles and jitter. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *out, size_t n);
uint64_t rand_u64(void);
/* Uniform in [0, below); below > 0. */
uint32_t rand_below(uint32_t below);

#endif
