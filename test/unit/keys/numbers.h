/* Digests that can be read: of key 7 "k7", of CA 2 "c2". */
#ifndef TEST_KEYS_NUMBERS_H
#define TEST_KEYS_NUMBERS_H

#include "keys/gate_priv.h"

/* Keys and records: a key is a number, its digest holds the number. */

static inline void number_digest(int number, char kind, uint8_t out[32])
{
    memset(out, 0, 32);
    (void)snprintf((char *)out, 32, "%c%d", kind, number);
}

static inline int digest_number(const uint8_t d[32])
{
    return (int)strtol((const char *)d + 1, NULL, 10);
}

static inline void record_text(const struct gate_record *r, size_t n, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < n && at + 12 < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%u:%s", i ? " " : "", r[i].usage,
                               (const char *)r[i].digest);
}

#endif
