/* Text codecs and checksums: hex, base64, big-endian integers, CRC-32C. Pure. */
#ifndef BASE_CODEC_H
#define BASE_CODEC_H

#include "base/buf.h"

/* Lower-case hex. */
void hex_append(struct buf *out, const void *p, size_t n);
/* Appends the bytes; blanks between digits are skipped. False when a digit is wrong or one is missing. */
bool hex_decode(struct buf *out, struct str text);
void base64_append(struct buf *out, const void *p, size_t n);
/* Strict RFC 4648: padding required, no blanks. */
bool base64_decode(struct buf *out, struct str text);

uint32_t crc32c(uint32_t crc, const void *p, size_t n);

static inline uint16_t get_u16(const void *at)
{
    const uint8_t *p = at;
    return (uint16_t)(p[0] << 8 | p[1]);
}
static inline uint32_t get_u32(const void *at)
{
    const uint8_t *p = at;
    return (uint32_t)get_u16(p) << 16 | get_u16(p + 2);
}
static inline uint64_t get_u64(const void *at)
{
    const uint8_t *p = at;
    return (uint64_t)get_u32(p) << 32 | get_u32(p + 4);
}
static inline void put_u16(void *at, uint16_t v)
{
    uint8_t *p = at;
    p[0] = (uint8_t)(v >> 8), p[1] = (uint8_t)v;
}
static inline void put_u32(void *at, uint32_t v)
{
    put_u16(at, (uint16_t)(v >> 16)), put_u16((uint8_t *)at + 2, (uint16_t)v);
}
static inline void put_u64(void *at, uint64_t v)
{
    put_u32(at, (uint32_t)(v >> 32)), put_u32((uint8_t *)at + 4, (uint32_t)v);
}
static inline void buf_add_u16(struct buf *b, uint16_t v)
{
    uint8_t w[2];
    put_u16(w, v);
    buf_append(b, w, 2);
}
static inline void buf_add_u32(struct buf *b, uint32_t v)
{
    uint8_t w[4];
    put_u32(w, v);
    buf_append(b, w, 4);
}
static inline void buf_add_u64(struct buf *b, uint64_t v)
{
    uint8_t w[8];
    put_u64(w, v);
    buf_append(b, w, 8);
}

/* Length-prefixed fields (u32 length + bytes): how stored records are packed. */
void pack_str(struct buf *b, struct str s);
/* Reading packed records: sticky error, values after the first failure are zero and empty. Strings borrow
 * from the input. */
struct unpack {
    struct str rest;
    bool bad;
};
uint8_t unpack_u8(struct unpack *u);
uint16_t unpack_u16(struct unpack *u);
uint32_t unpack_u32(struct unpack *u);
uint64_t unpack_u64(struct unpack *u);
struct str unpack_str(struct unpack *u);

#endif
