#include "queue/record.h"

/* Header: 0 magic u32 | 4 kind u8 | 5 version u8 | 6 zero u16 | 8 stamp u64 | 16 head u32 | 20 body u32 |
 * 24 check u32 | 28 id[14] | 42 zero u16 | 44 CRC-32C of 0..43 */
enum { MAGIC = 0x4b71a5c3, VERSION = 1, AT_CRC = 44 };

void record_write_header(const struct record *r, uint64_t stamp, uint8_t out[RECORD_HEADER])
{
    memset(out, 0, RECORD_HEADER);
    put_u32(out, MAGIC);
    out[4] = (uint8_t)r->kind;
    out[5] = VERSION;
    put_u64(out + 8, stamp);
    put_u32(out + 16, r->head);
    put_u32(out + 20, r->body);
    put_u32(out + 24, r->check);
    memcpy(out + 28, r->id, QUEUE_ID - 1);
    put_u32(out + AT_CRC, crc32c(0, out, AT_CRC));
}

bool record_read_header(const uint8_t header[RECORD_HEADER], uint64_t stamp, struct record *out)
{
    if (get_u32(header) != MAGIC || get_u64(header + 8) != stamp || header[5] != VERSION ||
        get_u32(header + AT_CRC) != crc32c(0, header, AT_CRC))
        return false;
    *out = (struct record){
        .kind = (enum record_kind)header[4],
        .head = get_u32(header + 16),
        .body = get_u32(header + 20),
        .check = get_u32(header + 24),
    };
    memcpy(out->id, header + 28, QUEUE_ID - 1);
    return out->kind >= RECORD_MESSAGE && out->kind <= RECORD_DONE &&
           queue_id_is_valid(str_make(out->id, QUEUE_ID - 1));
}

enum record_found record_parse(struct str bytes, uint64_t stamp, struct record *out)
{
    const uint8_t *p = (const uint8_t *)bytes.p;
    if (bytes.n < RECORD_HEADER || !record_read_header(p, stamp, out))
        return RECORD_NONE;
    if (bytes.n < record_size(out))
        return RECORD_MORE;
    uint32_t check = crc32c(0, p + RECORD_HEADER, (size_t)out->head + out->body);
    return check == out->check ? RECORD_FOUND : RECORD_NONE;
}

size_t record_scan(struct str bytes, uint64_t stamp, size_t from)
{
    struct record ignored;
    for (size_t at = record_align(from); at + RECORD_HEADER <= bytes.n; at += RECORD_ALIGN)
        if (record_read_header((const uint8_t *)bytes.p + at, stamp, &ignored))
            return at;
    return SIZE_MAX;
}
