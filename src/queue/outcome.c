#include "queue/outcome.h"

#include <fcntl.h>
#include <unistd.h>

#include "queue/aside.h"

enum { FILE_NAME = 2 * 17 + 1 };

static void name_of(const struct outcome_file *f, char out[FILE_NAME])
{
    ENSURE(f);
    (void)snprintf(out, FILE_NAME, "%016llx.%016llx", (unsigned long long)f->number,
                   (unsigned long long)f->stamp);
}

static bool parse_name(const char *name, struct outcome_file *out)
{
    /* the name of a segment without its producer */
    char full[FILE_NAME + 4];
    struct segment_name s;
    int n = snprintf(full, sizeof full, "o.%s", name);
    if (n >= (int)sizeof full || !segment_name_parse(str_of(full), &s) || s.abandoned)
        return false;
    *out = (struct outcome_file){.fd = -1, .number = s.number, .stamp = s.stamp};
    return true;
}

static bool add_file(void *ctx, const char *name)
{
    struct outcome *o = ctx;
    struct outcome_file found;
    if (!parse_name(name, &found))
        return true;
    struct outcome_file *f = must_alloc(malloc(sizeof *f)), **at = &o->oldest;
    *f = found;
    while (*at && (*at)->number < f->number)
        at = &(*at)->next;
    f->next = *at;
    *at = f;
    return true;
}

static uint64_t octets(uint32_t state_n)
{
    return record_align((uint64_t)RECORD_HEADER + state_n);
}

/* A record that does not fit: skip to the next that does. The torn end of the newest file is normal. */
static size_t skip_damage(struct outcome *o, const struct outcome_file *f, struct str bytes, size_t at,
                          struct outcome_replay *replay)
{
    size_t next = record_scan(bytes, f->stamp, at + RECORD_ALIGN);
    if (next == SIZE_MAX)
        return bytes.n;
    char name[FILE_NAME];
    name_of(f, name);
    replay->damaged++;
    if (!replay->read_only)
        aside_bytes(o->layout, name, at, str_sub(bytes, at, next - at));
    return next;
}

static enum err replay_file(struct outcome *o, struct outcome_file *f, struct outcome_replay *replay,
                            struct buf *why)
{
    char name[FILE_NAME];
    struct arena a = {0};
    struct buf all = {0};
    name_of(f, name);
    const char *path = arena_printf(&a, "%s/outcome/%s", o->layout->path, name).p;
    enum err e = file_read(path, SIZE_MAX, &all, why);
    f->fd = e == OK ? open(path, O_RDONLY | O_CLOEXEC) : -1;
    if (e == OK && f->fd < 0)
        e = err_system(why, "%s", path);
    struct str bytes = buf_str(&all);
    f->size = bytes.n;
    o->total += bytes.n;
    for (size_t at = 0; e == OK && at + RECORD_HEADER <= bytes.n;) {
        struct record r;
        if (record_parse(str_from(bytes, at), f->stamp, &r) == RECORD_FOUND) {
            replay->records++;
            replay->visit(replay->ctx, &r, str_sub(bytes, at + RECORD_HEADER, r.head),
                          (struct outcome_ref){f, (uint32_t)at, r.head});
            at += record_size(&r);
        } else {
            at = skip_damage(o, f, bytes, at, replay);
        }
    }
    buf_release(&all);
    arena_release(&a);
    return e;
}

enum err outcome_open(struct outcome *o, const struct layout *l, const struct queue_options *options,
                      struct outcome_replay *replay, struct buf *why)
{
    *o = (struct outcome){.layout = l, .options = options};
    enum err e = layout_list(l->outcome, add_file, o, why);
    for (struct outcome_file *f = o->oldest; f && e == OK; f = f->next) {
        e = replay_file(o, f, replay, why);
        if (e == ERR_NOT_FOUND && replay->read_only)
            e = OK; /* the consumer removed it meanwhile */
    }
    return e;
}

void outcome_release(struct outcome *o)
{
    for (struct outcome_file *f = o->oldest, *next; f; f = next) {
        next = f->next;
        file_close(&f->fd);
        free(f);
    }
    *o = (struct outcome){0};
}

enum err outcome_prepare(struct outcome *o, struct outcome_file **out, struct buf *why)
{
    struct outcome_file *f = must_alloc(calloc(1, sizeof *f));
    struct outcome_file *newest = o->oldest;
    while (newest && newest->next)
        newest = newest->next;
    uint64_t now = (uint64_t)clock_wall();
    f->number = newest && newest->number >= now ? newest->number + 1 : now;
    f->stamp = rand_u64();
    char name[FILE_NAME];
    name_of(f, name);
    f->fd = openat(o->layout->outcome, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    enum err e = f->fd < 0 ? err_system(why, "making an outcome log") : OK;
    if (e == OK && o->options->io->sync_folder(o->layout->outcome) < 0)
        e = err_system(why, "syncing the folder of outcome logs");
    if (e != OK) {
        file_close(&f->fd);
        free(f);
        return e;
    }
    /* Space in advance, so that a full disk does not stop outcomes at once; not having it is no failure. */
    (void)fallocate(f->fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)o->options->outcome_size);
    *out = f;
    return OK;
}

void outcome_adopt(struct outcome *o, struct outcome_file *f)
{
    struct outcome_file **at = &o->oldest;
    while (*at)
        at = &(*at)->next;
    *at = f;
    o->current = f;
}

enum err outcome_append(struct outcome *o, enum record_kind kind, const char *id, struct str state,
                        struct outcome_ref *ref, struct buf *why)
{
    static const uint8_t zeros[RECORD_ALIGN];
    struct outcome_file *f = o->current;
    struct record r = {.kind = kind, .head = (uint32_t)state.n, .check = crc32c(0, state.p, state.n)};
    memcpy(r.id, id, QUEUE_ID - 1);
    uint64_t size = record_size(&r);
    if (f->size + size > UINT32_MAX) {
        buf_set(why, "the outcome log is too long");
        return ERR_FULL;
    }
    struct buf record = {0};
    uint8_t header[RECORD_HEADER];
    record_write_header(&r, f->stamp, header);
    buf_append(&record, header, sizeof header);
    buf_add(&record, state);
    buf_append(&record, zeros, size - record.n);
    enum err e = file_write_at(f->fd, record.p, record.n, (off_t)f->size, why);
    buf_release(&record);
    if (e != OK)
        return e;
    outcome_refer(o, ref, (struct outcome_ref){f, (uint32_t)f->size, (uint32_t)state.n});
    f->size += size;
    o->total += size;
    o->dirty = true;
    return OK;
}

void outcome_forget(struct outcome *o, struct outcome_ref *ref)
{
    if (ref->file) {
        o->live -= octets(ref->n);
        ref->file->refs--;
    }
    *ref = (struct outcome_ref){0};
}

void outcome_refer(struct outcome *o, struct outcome_ref *ref, struct outcome_ref to)
{
    outcome_forget(o, ref);
    *ref = to;
    o->live += octets(to.n);
    to.file->refs++;
}

void outcome_pin(struct outcome_ref ref)
{
    if (ref.file)
        ref.file->pins++;
}

static void free_if_gone(struct outcome_file *f)
{
    if (f->gone && !f->pins) {
        file_close(&f->fd);
        free(f);
    }
}

void outcome_unpin(struct outcome_ref ref)
{
    if (!ref.file)
        return;
    ref.file->pins--;
    free_if_gone(ref.file);
}

enum err outcome_read(struct outcome_ref ref, struct buf *out)
{
    size_t n = (size_t)octets(ref.n), start = out->n;
    struct record r;
    buf_reserve(out, n);
    ssize_t got = pread(ref.file->fd, out->p + start, n, ref.at);
    if (got != (ssize_t)n || record_parse(str_make(out->p + start, n), ref.file->stamp, &r) != RECORD_FOUND)
        return ERR_CORRUPT;
    memmove(out->p + start, out->p + start + RECORD_HEADER, ref.n);
    out->n += ref.n;
    return OK;
}

bool outcome_is_mostly_dead(const struct outcome *o)
{
    return o->oldest != o->current && o->total > o->options->outcome_size && o->total / 4 > o->live;
}

void outcome_drop_oldest(struct outcome *o)
{
    struct outcome_file *f = o->oldest;
    ENSURE(f != o->current);
    char name[FILE_NAME];
    name_of(f, name);
    (void)unlinkat(o->layout->outcome, name, 0);
    o->oldest = f->next;
    o->total -= f->size;
    f->gone = true;
    free_if_gone(f);
}
