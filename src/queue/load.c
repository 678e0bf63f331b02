/* From a place on disk to a message in memory. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/aside.h"
#include "queue/state.h"
#include "queue/store_priv.h"
#include "queue/stored.h"

struct queue_place {
    struct queue *queue;
    struct item *item;
    struct segment *segment; /* pinned; its file is used */
    int own;                 /* file of its own, or -1 */
    bool is_big;
    uint64_t at; /* where the content begins */
};

void load_pin(struct queue *q, struct item *i, struct load_from *from)
{
    *from = (struct load_from){.segment = i->segment,
                               .item = i,
                               .at = i->at,
                               .size = i->size,
                               .head = i->head,
                               .flags = i->flags,
                               .next_ms = i->next_ms,
                               .phase = i->phase,
                               .state = i->state};
    memcpy(from->id, i->id, sizeof i->id);
    if (i->segment)
        i->segment->pins++;
    outcome_pin(i->state);
    if (i->flags & ITEM_UNSAVED)
        for (const struct unsaved *u = q->unsaved; u; u = u->next)
            if (u->item == i)
                buf_add(&from->unsaved, buf_str(&u->state));
}

void load_unpin(struct queue *q, struct load_from *from)
{
    (void)q;
    outcome_unpin(from->state);
    if (from->segment)
        from->segment->pins--;
    buf_release(&from->unsaved);
}

static enum err read_exactly(int fd, uint64_t at, size_t n, struct buf *out, struct buf *why)
{
    buf_reserve(out, n);
    while (n) {
        ssize_t got = pread(fd, out->p + out->n, n, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_system(why, "reading from the queue");
        if (got == 0) {
            buf_set(why, "a file of the queue is too short");
            return ERR_CORRUPT;
        }
        out->n += (size_t)got, at += (uint64_t)got, n -= (size_t)got;
    }
    return OK;
}

/* CRC-32C of size octets of a file. */
static enum err check_content(int fd, uint64_t at, uint64_t size, uint32_t expected, struct buf *why)
{
    char chunk[16384];
    uint32_t check = 0;
    while (size) {
        ssize_t got = pread(fd, chunk, size < sizeof chunk ? (size_t)size : sizeof chunk, (off_t)at);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_system(why, "reading content from the queue");
        if (got == 0)
            break;
        check = crc32c(check, chunk, (size_t)got);
        at += (uint64_t)got, size -= (uint64_t)got;
    }
    if (size == 0 && check == expected)
        return OK;
    buf_set(why, "the stored content does not fit its checksum");
    return ERR_CORRUPT;
}

static enum err open_big(struct queue_message *m, const struct load_from *from, struct buf *why)
{
    m->place->own = openat(m->place->queue->layout.big, from->id, O_RDONLY | O_CLOEXEC);
    m->place->at = 0;
    m->place->is_big = true;
    return m->place->own < 0 ? err_system(why, "big/%s", from->id) : OK;
}

static enum err load_from_segment(struct queue_message *m, const struct load_from *from,
                                  enum load_depth depth, struct buf *why)
{
    struct record r;
    struct buf bytes = {0};
    enum err e = read_exactly(from->segment->fd, from->at, (size_t)RECORD_HEADER + from->head, &bytes, why);
    if (e == OK && (!record_read_header((const uint8_t *)bytes.p, from->segment->name.stamp, &r) ||
                    r.head != from->head || memcmp(r.id, from->id, QUEUE_ID) != 0))
        e = ERR_CORRUPT;
    if (e == OK) {
        struct envelope *envelope = ARENA_NEW(&m->arena, struct envelope);
        struct str packed = arena_str(&m->arena, str_make(bytes.p + RECORD_HEADER, from->head));
        e = envelope_unpack(packed, &m->arena, envelope);
        m->envelope = envelope;
    }
    if (e == OK && r.kind == RECORD_BIG) {
        buf_clear(&bytes);
        e = read_exactly(from->segment->fd, from->at + RECORD_HEADER + from->head, 4, &bytes, why);
        if (e == OK)
            e = open_big(m, from, why);
        if (e == OK && depth == LOAD_VERIFIED)
            e = check_content(m->place->own, 0, from->size, get_u32(bytes.p), why);
    } else if (e == OK) {
        m->place->at = from->at + RECORD_HEADER + from->head;
    }
    if (e == ERR_CORRUPT)
        buf_set(why, "a record of the log was changed after it was read first");
    buf_release(&bytes);
    return e;
}

static enum err read_stored_header(int fd, struct buf *bytes, size_t *header, struct buf *why)
{
    enum { STEP = 16384, MOST = 64 << 20 };
    for (;;) {
        buf_reserve(bytes, STEP);
        ssize_t got = pread(fd, bytes->p + bytes->n, STEP, (off_t)bytes->n);
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return err_system(why, "reading a deferred message");
        size_t searched = bytes->n ? bytes->n - 1 : 0;
        bytes->n += (size_t)got;
        size_t found = stored_header_size(str_from(buf_str(bytes), searched));
        if (found) {
            *header = searched + found;
            return OK;
        }
        if (got == 0 || bytes->n > MOST) {
            buf_set(why, "a deferred message has no end of its header");
            return ERR_CORRUPT;
        }
    }
}

static enum err load_from_file(struct queue_message *m, const struct load_from *from, enum load_depth depth,
                               struct buf *why)
{
    struct stored_content content = {0};
    struct buf bytes = {0};
    size_t header = 0;
    struct stat st;
    int fd = openat(m->place->queue->layout.deferred, from->id, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_system(why, "deferred/%s", from->id);
    m->place->own = fd;
    enum err e = read_stored_header(fd, &bytes, &header, why);
    if (e == OK)
        e = stored_read_header(str_make(bytes.p, header), m, &content);
    if (e == OK && strcmp(m->id, from->id) != 0)
        e = ERR_CORRUPT;
    if (e == OK && content.is_big) {
        file_close(&m->place->own);
        e = open_big(m, from, why);
    } else if (e == OK) {
        m->place->at = header;
    }
    if (e == OK && (fstat(m->place->own, &st) < 0 || (uint64_t)st.st_size != m->place->at + content.size))
        e = ERR_CORRUPT;
    if (e == OK && depth == LOAD_VERIFIED)
        e = check_content(m->place->own, m->place->at, content.size, content.check, why);
    if (e == ERR_CORRUPT)
        buf_set(why, "deferred/%s does not fit its checksum", from->id);
    buf_release(&bytes);
    return e;
}

/* The newest state: what the disk did not take, else the outcome log's, else what came with the message, else
 * that of a fresh message. */
static void load_state(struct queue_message *m, const struct load_from *from)
{
    struct buf state = {0};
    bool known = m->rcpt != NULL;
    enum err e = OK;
    if (from->unsaved.n)
        e = state_unpack(buf_str(&from->unsaved), m->envelope->nrcpt, m);
    else if (from->state.file && (e = outcome_read(from->state, &state)) == OK)
        e = state_unpack(buf_str(&state), m->envelope->nrcpt, m);
    else if (!known && e == OK) {
        m->rcpt = ARENA_ARRAY(&m->arena, struct queue_recipient, m->envelope->nrcpt);
        m->next_ms = m->envelope->received_ms;
    }
    if (e != OK) {
        /* Recipients may get it twice; that is better than never. */
        log_event(LOG_ERROR, "queue-state-damaged", LOG_TEXT("id", from->id));
        m->rcpt = ARENA_ARRAY(&m->arena, struct queue_recipient, m->envelope->nrcpt);
    }
    buf_release(&state);
}

enum err load_message(struct queue *q, const struct load_from *from, enum load_depth depth,
                      struct queue_message **out, struct buf *why)
{
    struct queue_message *m = must_alloc(calloc(1, sizeof *m));
    m->place = ARENA_NEW(&m->arena, struct queue_place);
    *m->place = (struct queue_place){.queue = q, .item = from->item, .own = -1};
    memcpy(m->id, from->id, QUEUE_ID);
    m->content_size = from->size;
    enum err e = from->segment ? load_from_segment(m, from, depth, why) : load_from_file(m, from, depth, why);
    if (e != OK) {
        file_close(&m->place->own);
        arena_release(&m->arena);
        free(m);
        return e;
    }
    load_state(m, from);
    if (from->phase != ITEM_ORPHAN) { /* memory knows better than the disk what was not worth writing */
        m->held = from->flags & ITEM_HELD;
        m->next_ms = from->next_ms;
    }
    m->claimed = from->phase == ITEM_CLAIMED;
    if (from->segment) {
        (void)pthread_mutex_lock(&q->lock);
        m->place->segment = from->segment;
        from->segment->pins++;
        (void)pthread_mutex_unlock(&q->lock);
    }
    *out = m;
    return OK;
}

struct item *load_item_of(const struct queue_message *m)
{
    return m->place->item;
}

bool load_is_big(const struct queue_message *m)
{
    return m->place->is_big;
}

void load_damaged(struct queue *q, struct item *i, const struct load_from *from, struct str problem)
{
    if (from->segment) {
        char name[SEGMENT_NAME];
        segment_name_format(&from->segment->name, name);
        uint64_t body = from->flags & ITEM_BIG ? 4 : from->size;
        aside_range(&q->layout, name, from->segment->fd, from->at,
                    record_align(RECORD_HEADER + from->head + body));
    } else {
        aside_file(&q->layout, q->layout.deferred, from->id, "does not fit its checksum");
    }
    if (from->flags & ITEM_BIG)
        aside_file(&q->layout, q->layout.big, from->id, "content of a damaged message");
    log_event(LOG_ERROR, "queue-message-damaged", LOG_TEXT("id", from->id), LOG_STR("why", problem));
    (void)pthread_mutex_lock(&q->lock);
    (void)store_record(q, i, RECORD_DONE, STR_NONE, NULL); /* kept in memory when the disk refuses */
    store_done(q, i);
    q->counts.damaged++;
    (void)pthread_mutex_unlock(&q->lock);
}

void queue_message_free(struct queue_message *m)
{
    if (!m)
        return;
    struct queue *q = m->place->queue;
    if (m->place->segment) {
        (void)pthread_mutex_lock(&q->lock);
        m->place->segment->pins--;
        (void)pthread_mutex_unlock(&q->lock);
    }
    file_close(&m->place->own);
    arena_release(&m->arena);
    free(m);
}

ssize_t queue_content_read(struct queue_message *m, uint64_t at, void *p, size_t n, struct buf *why)
{
    if (at >= m->content_size)
        return 0;
    if (n > m->content_size - at)
        n = (size_t)(m->content_size - at);
    int fd = m->place->own >= 0 ? m->place->own : m->place->segment->fd;
    for (;;) {
        ssize_t got = pread(fd, p, n, (off_t)(m->place->at + at));
        if (got > 0)
            return got;
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            (void)err_system(why, "reading the content of %s", m->id);
        else
            buf_set(why, "the content of %s ends early", m->id);
        return -1;
    }
}
