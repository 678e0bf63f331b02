/* Reading the producers' logs as they grow. */
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/aside.h"
#include "queue/store_priv.h"

enum { CHUNK = 1 << 20 };

static struct producer *producer_of(struct queue *q, const char *name)
{
    for (struct producer *p = q->producers; p; p = p->next)
        if (strcmp(p->name, name) == 0)
            return p;
    struct producer *p = must_alloc(calloc(1, sizeof *p));
    memcpy(p->name, name, sizeof p->name);
    p->mark = MARK_NONE;
    p->alive = true; /* until we looked: nothing of it is read before */
    p->next = q->producers;
    q->producers = p;
    return p;
}

/* Returns whether a producer has begun a new segment or ended. */
static bool look_at_marks(struct queue *q)
{
    bool changed = false;
    for (struct producer *p = q->producers; p; p = p->next) {
        uint64_t before = p->seen.number;
        bool was_alive = p->alive;
        if (p->mark.fd < 0 && mark_view(&q->layout, p->name, &p->mark, NULL) != OK) {
            p->alive = false;
            p->seen = (struct mark_value){0};
        } else {
            p->alive = mark_is_alive(&p->mark);
            p->seen = mark_get(&p->mark);
        }
        changed |= p->seen.number != before || p->alive != was_alive;
    }
    return changed;
}

static void add_segment(struct queue *q, const struct segment_name *name, const char *file)
{
    int fd = openat(q->layout.log, file, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return; /* freed or renamed this moment */
    struct segment *s = must_alloc(calloc(1, sizeof *s));
    s->name = *name;
    s->fd = fd;
    struct segment **at = &q->segments;
    while (*at && (*at)->name.number <= name->number)
        at = &(*at)->next;
    (void)producer_of(q, name->producer);
    (void)pthread_mutex_lock(&q->lock);
    s->next = *at;
    *at = s;
    (void)pthread_mutex_unlock(&q->lock);
}

static bool see_segment(void *ctx, const char *file)
{
    struct queue *q = ctx;
    struct segment_name name;
    if (!segment_name_parse(str_of(file), &name))
        return true;
    for (struct segment *s = q->segments; s; s = s->next)
        if (s->name.stamp == name.stamp) {
            if (name.abandoned && !s->name.abandoned)
                s->name.end = name.end, s->name.abandoned = true;
            return true;
        }
    add_segment(q, &name, file);
    return true;
}

/* Where the reading of a segment ends for now; *complete: nothing will come behind it. */
static uint64_t limit_of(struct queue *q, const struct segment *s, bool *complete)
{
    const struct producer *p = producer_of(q, s->name.producer);
    struct stat st;
    *complete = !p->alive || p->seen.number > s->name.number;
    if (!*complete)
        return p->seen.number == s->name.number ? p->seen.end : 0;
    if (s->name.abandoned)
        return s->name.end;
    return fstat(s->fd, &st) == 0 ? (uint64_t)st.st_size : 0;
}

static void count_damage(struct queue *q)
{
    (void)pthread_mutex_lock(&q->lock);
    q->counts.damaged++;
    (void)pthread_mutex_unlock(&q->lock);
}

static void set_aside(struct queue *q, const struct segment *s, uint64_t to)
{
    char name[SEGMENT_NAME];
    count_damage(q);
    if (q->read_only)
        return;
    segment_name_format(&s->name, name);
    aside_range(&q->layout, name, s->fd, s->read_to, to - s->read_to);
}

static ssize_t read_chunk(struct queue *q, const struct segment *s, uint64_t at, uint64_t n)
{
    buf_clear(&q->reading);
    buf_reserve(&q->reading, (size_t)n);
    while (q->reading.n < n) {
        ssize_t got =
            pread(s->fd, q->reading.p + q->reading.n, (size_t)n - q->reading.n, (off_t)(at + q->reading.n));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0) {
            char name[SEGMENT_NAME];
            segment_name_format(&s->name, name);
            log_event(LOG_ERROR, "queue-read-failed", LOG_TEXT("segment", name), LOG_NUM("at", at),
                      LOG_TEXT("why", strerror(errno)));
            return -1;
        }
        if (got == 0)
            break;
        q->reading.n += (size_t)got;
    }
    return (ssize_t)q->reading.n;
}

/* The next good header behind what is damaged, or the limit. */
static uint64_t resync(struct queue *q, const struct segment *s, uint64_t limit)
{
    for (uint64_t at = s->read_to + RECORD_ALIGN; at + RECORD_HEADER <= limit;) {
        uint64_t n = limit - at < CHUNK ? limit - at : CHUNK;
        if (read_chunk(q, s, at, n) < RECORD_HEADER)
            break;
        size_t found = record_scan(buf_str(&q->reading), s->name.stamp, 0);
        if (found != SIZE_MAX)
            return at + found;
        if (n < CHUNK)
            break;
        at += CHUNK - RECORD_HEADER; /* a multiple of the alignment */
    }
    return limit;
}

/* What is at read_to is not a record. Returns false when the log ends here. */
static bool skip_damage(struct queue *q, struct segment *s, uint64_t limit, bool complete, bool has_header)
{
    uint64_t next = resync(q, s, limit);
    if (next == limit && complete) {
        /* The end, most likely: behind it is nothing, a torn record nobody was promised, or another use's
         * octets. */
        const struct producer *p = producer_of(q, s->name.producer);
        uint64_t promised = p->seen.number == s->name.number && p->seen.end <= limit ? p->seen.end : 0;
        if (promised > s->read_to)
            set_aside(q, s, promised);
        else if (has_header)
            set_aside(q, s, limit - s->read_to < CHUNK ? limit : s->read_to + CHUNK);
        s->read_to = limit;
        return false;
    }
    set_aside(q, s, next);
    s->read_to = next;
    return true;
}

static struct item *make_item(uint64_t at, const struct record *r, struct str bytes)
{
    struct item *i = must_alloc(calloc(1, sizeof *i));
    memcpy(i->id, r->id, sizeof i->id);
    i->at = at, i->head = r->head, i->size = r->body;
    i->next_ms = queue_id_time(r->id);
    if (r->kind == RECORD_BIG) {
        struct arena a = {0};
        struct envelope e;
        i->flags = ITEM_BIG;
        if (envelope_unpack(str_sub(bytes, RECORD_HEADER, r->head), &a, &e) == OK)
            i->size = e.size;
        arena_release(&a);
    }
    return i;
}

static void enter_all(struct queue *q, struct segment *s, struct item *list)
{
    if (!list)
        return;
    (void)pthread_mutex_lock(&q->lock);
    for (struct item *next; list; list = next) {
        next = list->next;
        list->next = NULL;
        list->segment = s;
        store_enter(q, list);
    }
    (void)pthread_mutex_unlock(&q->lock);
}

/* Reads one chunk's records. False: nothing more for now. */
static bool read_records(struct queue *q, struct segment *s, uint64_t limit, bool complete)
{
    struct record r = {0};
    uint64_t want = limit - s->read_to < CHUNK ? limit - s->read_to : CHUNK;
    ssize_t got = read_chunk(q, s, s->read_to, want);
    if (got < 0)
        return false;
    enum record_found found = record_parse(buf_str(&q->reading), s->name.stamp, &r);
    if (found == RECORD_MORE && record_size(&r) <= limit - s->read_to) {
        if (read_chunk(q, s, s->read_to, record_size(&r)) < 0)
            return false;
        found = record_parse(buf_str(&q->reading), s->name.stamp, &r);
    }
    struct item *list = NULL, **last = &list;
    size_t at = 0;
    while (found == RECORD_FOUND) {
        struct str bytes = str_from(buf_str(&q->reading), at);
        if (r.kind == RECORD_MESSAGE || r.kind == RECORD_BIG) {
            *last = make_item(s->read_to + at, &r, bytes);
            last = &(*last)->next;
        }
        at += record_size(&r);
        found = record_parse(str_from(buf_str(&q->reading), at), s->name.stamp, &r);
    }
    enter_all(q, s, list);
    s->read_to += at;
    if (at || s->read_to >= limit)
        return s->read_to < limit;
    struct record ignored;
    bool has_header = q->reading.n >= RECORD_HEADER &&
                      record_read_header((const uint8_t *)q->reading.p, s->name.stamp, &ignored);
    return skip_damage(q, s, limit, complete, has_header) && s->read_to < limit;
}

static void read_segment(struct queue *q, struct segment *s, enum follow_how how)
{
    bool complete;
    uint64_t limit = limit_of(q, s, &complete);
    if (complete && how != FOLLOW_FOLDER)
        return; /* first look whether it was abandoned */
    while (s->read_to < limit && read_records(q, s, limit, complete))
        continue;
    if (complete && s->read_to >= limit) {
        (void)pthread_mutex_lock(&q->lock);
        s->finished = true;
        s->finished_mono = clock_mono();
        (void)pthread_mutex_unlock(&q->lock);
    }
}

/* New segments, and which are finished. The marks are read before the folder: a segment that is finished by
 * its mark has its final name in the folder. A producer that was not known yet has no mark then: once more.
 */
static bool look_at_folder(struct queue *q)
{
    const struct producer *known;
    do {
        known = q->producers;
        (void)look_at_marks(q);
        if (layout_list(q->layout.log, see_segment, q, NULL) != OK)
            return false;
    } while (q->producers != known);
    return true;
}

bool follow(struct queue *q, enum follow_how how)
{
    bool moved = false;
    if (look_at_marks(q))
        how = FOLLOW_FOLDER;
    if (how == FOLLOW_FOLDER && !look_at_folder(q))
        how = FOLLOW_MARKS;
    for (struct segment *s = q->segments; s; s = s->next) {
        uint64_t before = s->read_to;
        if (!s->finished)
            read_segment(q, s, how);
        moved |= s->read_to != before;
    }
    return moved;
}
