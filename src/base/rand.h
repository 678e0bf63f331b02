/* Random numbers from the kernel; good for keys, DNS query ids and jitter alike. */
#ifndef BASE_RAND_H
#define BASE_RAND_H

#include <stddef.h>
#include <stdint.h>

void rand_bytes(void *out, size_t n);
uint64_t rand_u64(void);
/* Uniform in [0, below); below > 0. */
uint32_t rand_below(uint32_t below);

#endif
