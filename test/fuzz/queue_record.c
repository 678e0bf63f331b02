/* What the queue reads back from disk: records and their scan, states, headers of deferred messages, names.
 * Damaged bytes must be refused, never believed. */
#include "queue/layout.h"
#include "queue/record.h"
#include "queue/state.h"
#include "queue/stored.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str bytes = {(const char *)data, size};
    uint64_t stamp = size >= 16 ? get_u64(data + 8) : 1; /* of the first record: so that some fit */
    struct record r;
    for (size_t at = 0; at < size && record_parse(str_from(bytes, at), stamp, &r) == RECORD_FOUND;)
        at += record_size(&r);
    for (size_t at = 0; (at = record_scan(bytes, stamp, at)) != SIZE_MAX;)
        at += RECORD_ALIGN;
    struct queue_message m = {0}, stored = {0};
    struct state_brief brief;
    struct stored_content content;
    if (state_unpack(bytes, 1, &m) == OK)
        ENSURE(state_peek(bytes, &brief) && brief.attempts == m.attempts && brief.held == m.held);
    size_t header = stored_header_size(bytes);
    if (header && stored_read_header(str_sub(bytes, 0, header), &stored, &content) == OK)
        ENSURE(stored.envelope && queue_id_is_valid(str_of(stored.id)));
    struct segment_name name;
    (void)segment_name_parse(bytes, &name);
    arena_release(&m.arena);
    arena_release(&stored.arena);
    return 0;
}
