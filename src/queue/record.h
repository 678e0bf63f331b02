/* A record of a log: a header of 48 octets, a first part (envelope, or state), a second part (content), zeros
 * up to the next multiple of 16. Complete or ignored: the header carries the stamp of its segment, which is
 * random and new for every use of a file, and checksums over itself and over both parts. What does not fit is
 * not a record, so old octets in a recycled segment and a torn end are never mistaken for one. Pure. */
#ifndef QUEUE_RECORD_H
#define QUEUE_RECORD_H

#include "queue/queue.h"

enum { RECORD_HEADER = 48, RECORD_ALIGN = 16 };

enum record_kind {
    RECORD_MESSAGE = 1, /* envelope, content */
    RECORD_BIG = 2,     /* envelope, checksum (u32) of the content, which is big/<id> */
    RECORD_STATE = 3,   /* packed state of a message, nothing */
    RECORD_DONE = 4,    /* nothing, nothing: every recipient has its outcome */
};

struct record {
    enum record_kind kind;
    char id[QUEUE_ID];
    uint32_t head, body; /* octets of the two parts */
    uint32_t check;      /* CRC-32C over both */
};

static inline uint64_t record_align(uint64_t n)
{
    return (n + RECORD_ALIGN - 1) & ~(uint64_t)(RECORD_ALIGN - 1);
}
/* Octets in the log. */
static inline uint64_t record_size(const struct record *r)
{
    return record_align((uint64_t)RECORD_HEADER + r->head + r->body);
}

void record_write_header(const struct record *r, uint64_t stamp, uint8_t out[RECORD_HEADER]);
/* False when these octets are not the header of a record with that stamp. */
bool record_read_header(const uint8_t header[RECORD_HEADER], uint64_t stamp, struct record *out);

enum record_found {
    RECORD_FOUND, /* *out is set; its parts are complete and fit their checksum */
    RECORD_MORE,  /* a good header, but its parts reach behind the bytes given */
    RECORD_NONE,  /* not a record */
};
/* What is at the beginning of the bytes. */
enum record_found record_parse(struct str bytes, uint64_t stamp, struct record *out);
/* Offset of the first good header at a multiple of RECORD_ALIGN in bytes, from `from`; SIZE_MAX when there is
 * none. */
size_t record_scan(struct str bytes, uint64_t stamp, size_t from);

#endif
