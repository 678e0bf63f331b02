#include "base/codec.h"

void hex_append(struct buf *out, const void *p, size_t n)
{
    static const char digits[] = "0123456789abcdef";
    const uint8_t *from = p;
    buf_reserve(out, n * 2);
    for (size_t i = 0; i < n; i++) {
        buf_add_char(out, digits[from[i] >> 4]);
        buf_add_char(out, digits[from[i] & 15]);
    }
}

static int hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    c = (char)(c | 0x20);
    return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

bool hex_decode(struct buf *out, struct str text)
{
    int high = -1;
    for (size_t i = 0; i < text.n; i++) {
        if (text.p[i] == ' ' || text.p[i] == '\t')
            continue;
        int d = hex_digit(text.p[i]);
        if (d < 0)
            return false;
        if (high < 0) {
            high = d;
        } else {
            buf_add_char(out, (char)(high << 4 | d));
            high = -1;
        }
    }
    return high < 0;
}

static const char base64_digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_append(struct buf *out, const void *p, size_t n)
{
    const uint8_t *from = p;
    for (size_t i = 0; i < n; i += 3) {
        uint32_t v = (uint32_t)from[i] << 16;
        if (i + 1 < n)
            v |= (uint32_t)from[i + 1] << 8;
        if (i + 2 < n)
            v |= from[i + 2];
        buf_add_char(out, base64_digits[v >> 18]);
        buf_add_char(out, base64_digits[v >> 12 & 63]);
        buf_add_char(out, i + 1 < n ? base64_digits[v >> 6 & 63] : '=');
        buf_add_char(out, i + 2 < n ? base64_digits[v & 63] : '=');
    }
}

bool base64_decode(struct buf *out, struct str text)
{
    if (text.n % 4)
        return false;
    size_t pad = 0;
    while (pad < 2 && pad < text.n && text.p[text.n - 1 - pad] == '=')
        pad++;
    for (size_t i = 0; i < text.n; i += 4) {
        uint32_t v = 0;
        size_t keep = i + 4 == text.n ? 4 - pad : 4;
        for (size_t k = 0; k < keep; k++) {
            const char *d = text.p[i + k] ? strchr(base64_digits, text.p[i + k]) : NULL;
            if (!d)
                return false;
            v |= (uint32_t)(d - base64_digits) << (18 - 6 * k);
        }
        uint8_t bytes[3] = {(uint8_t)(v >> 16), (uint8_t)(v >> 8), (uint8_t)v};
        for (size_t k = keep - 1; k < 3; k++)
            if (bytes[k])
                return false; /* stray bits: not canonical */
        buf_append(out, bytes, keep - 1);
    }
    return true;
}

#if defined(__x86_64__)
__attribute__((target("sse4.2"))) static uint32_t crc_hardware(uint32_t crc, const uint8_t *p, size_t n)
{
    uint64_t c = crc;
    for (; n >= 8; p += 8, n -= 8) {
        uint64_t word;
        memcpy(&word, p, 8);
        c = __builtin_ia32_crc32di(c, word);
    }
    for (; n; p++, n--)
        c = __builtin_ia32_crc32qi((uint32_t)c, *p);
    return (uint32_t)c;
}
#endif

static uint32_t crc_portable(uint32_t crc, const uint8_t *p, size_t n)
{
    for (; n; p++, n--) {
        crc ^= *p;
        for (int k = 0; k < 8; k++)
            crc = crc & 1 ? crc >> 1 ^ 0x82f63b78u : crc >> 1;
    }
    return crc;
}

uint32_t crc32c(uint32_t crc, const void *p, size_t n)
{
#if defined(__x86_64__)
    if (__builtin_cpu_supports("sse4.2"))
        return ~crc_hardware(~crc, p, n);
#endif
    return ~crc_portable(~crc, p, n);
}

void pack_str(struct buf *b, struct str s)
{
    buf_add_u32(b, (uint32_t)s.n);
    buf_add(b, s);
}

static const uint8_t *take(struct unpack *u, size_t n)
{
    static const uint8_t zeros[8];
    if (u->bad || u->rest.n < n) {
        u->bad = true;
        u->rest = STR_NONE;
        return zeros;
    }
    const uint8_t *p = (const uint8_t *)u->rest.p;
    u->rest = str_from(u->rest, n);
    return p;
}

uint8_t unpack_u8(struct unpack *u)
{
    return *take(u, 1);
}

uint16_t unpack_u16(struct unpack *u)
{
    return get_u16(take(u, 2));
}

uint32_t unpack_u32(struct unpack *u)
{
    return get_u32(take(u, 4));
}

uint64_t unpack_u64(struct unpack *u)
{
    return get_u64(take(u, 8));
}

struct str unpack_str(struct unpack *u)
{
    size_t n = unpack_u32(u);
    const uint8_t *p = take(u, n);
    return u->bad ? STR_NONE : (struct str){(const char *)p, n};
}
