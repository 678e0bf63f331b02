#include "queue/mark.h"

#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/mman.h>
#include <unistd.h>

struct mark_words {
    _Atomic uint64_t number, end;
};

static enum err open_mark(const struct layout *l, const char *producer, int flags, struct mark *out,
                          struct buf *why)
{
    char name[QUEUE_PRODUCER + 8];
    (void)snprintf(name, sizeof name, "%s.mark", producer);
    out->fd = openat(l->root, name, flags | O_CLOEXEC, 0600);
    if (out->fd < 0)
        return err_system(why, "%s/%s", l->path, name);
    return OK;
}

static enum err map_words(struct mark *m, int protection, struct buf *why)
{
    void *p = mmap(NULL, sizeof *m->words, protection, MAP_SHARED, m->fd, 0);
    if (p == MAP_FAILED)
        return err_system(why, "mapping the mark of a producer");
    m->words = p;
    return OK;
}

enum err mark_create(const struct layout *l, const char *producer, struct mark *out, struct buf *why)
{
    *out = MARK_NONE;
    enum err e = open_mark(l, producer, O_RDWR | O_CREAT, out, why);
    if (e != OK)
        return e;
    /* A lock of the open file, not of the process: deliver is producer and consumer at once. */
    struct flock lock = {.l_type = F_WRLCK, .l_whence = SEEK_SET};
    if (fcntl(out->fd, F_OFD_SETLK, &lock) < 0) {
        e = errno == EAGAIN || errno == EACCES ? ERR_BUSY
                                               : err_system(why, "locking the mark of %s", producer);
        if (e == ERR_BUSY)
            buf_set(why, "%s/%s.mark: another process writes to this queue as %s", l->path, producer,
                    producer);
    } else if (ftruncate(out->fd, sizeof *out->words) < 0) {
        e = err_system(why, "%s/%s.mark", l->path, producer);
    } else {
        e = map_words(out, PROT_READ | PROT_WRITE, why);
    }
    if (e != OK)
        mark_release(out);
    return e;
}

void mark_set(struct mark *m, struct mark_value v)
{
    /* A reader that sees the new number must not see the old end with it. */
    if (atomic_load_explicit(&m->words->number, memory_order_relaxed) != v.number) {
        atomic_store(&m->words->end, 0);
        atomic_store(&m->words->number, v.number);
    }
    atomic_store(&m->words->end, v.end);
}

enum err mark_view(const struct layout *l, const char *producer, struct mark *out, struct buf *why)
{
    *out = MARK_NONE;
    enum err e = open_mark(l, producer, O_RDONLY, out, why);
    if (e != OK)
        return e;
    if (lseek(out->fd, 0, SEEK_END) < (off_t)sizeof *out->words) {
        buf_set(why, "%s/%s.mark: too short", l->path, producer);
        e = ERR_NOT_FOUND; /* its producer is just being born */
    } else {
        e = map_words(out, PROT_READ, why);
    }
    if (e != OK)
        mark_release(out);
    return e;
}

bool mark_is_alive(const struct mark *m)
{
    struct flock lock = {.l_type = F_RDLCK, .l_whence = SEEK_SET};
    return fcntl(m->fd, F_OFD_GETLK, &lock) == 0 && lock.l_type != F_UNLCK;
}

struct mark_value mark_get(const struct mark *m)
{
    struct mark_value v;
    do {
        v.number = atomic_load(&m->words->number);
        v.end = atomic_load(&m->words->end);
    } while (atomic_load(&m->words->number) != v.number);
    return v;
}

void mark_release(struct mark *m)
{
    if (m->words)
        (void)munmap(m->words, sizeof *m->words);
    file_close(&m->fd);
    *m = MARK_NONE;
}
