#include "queue/append.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

/* The first number of a process is a time, so that numbers grow although names of freed segments are
 * forgotten. */
struct highest {
    const char *producer;
    uint64_t number;
};

static bool see_number(void *ctx, const char *name)
{
    struct highest *h = ctx;
    struct segment_name s;
    if (segment_name_parse(str_of(name), &s) && str_equal(str_of(s.producer), str_of(h->producer)) &&
        s.number > h->number)
        h->number = s.number;
    return true;
}

enum err append_open(struct append *a, const struct layout *l, const struct queue_options *options,
                     const char *producer, struct buf *why)
{
    *a = (struct append){.layout = l, .options = options, .mark = MARK_NONE, .fd = -1};
    if (!str_copy(str_of(producer), a->name.producer, sizeof a->name.producer)) {
        buf_set(why, "the producer's name %s is too long", producer);
        return ERR_USAGE;
    }
    enum err e = mark_create(l, producer, &a->mark, why);
    if (e != OK)
        return e;
    struct highest h = {producer, (uint64_t)clock_wall()};
    if ((e = layout_list(l->log, see_number, &h, why)) != OK) {
        append_close(a);
        return e;
    }
    a->name.number = h.number + 1;
    mark_set(&a->mark, (struct mark_value){a->name.number, 0});
    return OK;
}

void append_close(struct append *a)
{
    file_close(&a->fd);
    mark_release(&a->mark);
}

uint64_t append_room(const struct append *a)
{
    return a->fd < 0 ? 0 : a->options->segment_size - a->end;
}

static enum err sync_folder(const struct append *a, int folder, const char *name, struct buf *why)
{
    return a->options->io->sync_folder(folder) < 0
               ? err_system(why, "fsync of the folder %s of the queue", name)
               : OK;
}

/* Moves a file from free/ to its new name in log/ and opens it. */
static enum err take(struct append *a, const char *from, const char *to, struct buf *why)
{
    if (renameat(a->layout->free, from, a->layout->log, to) < 0)
        return err_system(why, "taking a log segment");
    a->fd = openat(a->layout->log, to, O_WRONLY | O_CLOEXEC);
    return a->fd < 0 ? err_system(why, "opening the log segment %s", to) : OK;
}

struct candidate {
    const struct append *append;
    char name[64];
};

static bool find_free(void *ctx, const char *name)
{
    struct candidate *c = ctx;
    struct stat st;
    if (!(name[0] >= '0' && name[0] <= '9') || !str_copy(str_of(name), c->name, sizeof c->name))
        return true; /* one that is being made has a letter first */
    if (fstatat(c->append->layout->free, name, &st, AT_SYMLINK_NOFOLLOW) == 0 && S_ISREG(st.st_mode) &&
        (uint64_t)st.st_size == c->append->options->segment_size)
        return false;
    c->name[0] = '\0';
    return true;
}

static enum err make_new(struct append *a, const char *to, struct buf *why)
{
    char name[QUEUE_PRODUCER + 8];
    (void)snprintf(name, sizeof name, "new.%s", a->name.producer);
    int fd = openat(a->layout->free, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return err_system(why, "making a log segment");
    enum err e = OK;
    int failed = a->options->io->allocate(fd, (off_t)a->options->segment_size);
    if (failed) {
        errno = failed;
        e = err_system(why, "allocating %zu bytes for a log segment", a->options->segment_size);
    } else if (a->options->io->sync(fd) < 0) {
        e = err_system(why, "syncing a new log segment");
    }
    file_close(&fd);
    if (e == OK)
        e = take(a, name, to, why);
    if (e != OK)
        (void)unlinkat(a->layout->free, name, 0);
    return e;
}

enum err append_roll(struct append *a, struct buf *why)
{
    file_close(&a->fd);
    a->end = 0;
    a->name.number++;
    do
        a->name.stamp = rand_u64();
    while (!a->name.stamp);
    char to[SEGMENT_NAME];
    segment_name_format(&a->name, to);
    struct candidate c = {.append = a};
    enum err e = layout_list(a->layout->free, find_free, &c, why);
    /* Another producer may be faster: then there is always a new one. */
    if (e == OK && (!c.name[0] || take(a, c.name, to, why) != OK))
        e = make_new(a, to, why);
    if (e == OK)
        e = sync_folder(a, a->layout->log, "log", why);
    if (e == OK)
        e = sync_folder(a, a->layout->free, "free", why);
    if (e != OK) {
        if (a->fd >= 0)
            (void)unlinkat(a->layout->log, to, 0); /* nothing is in it */
        file_close(&a->fd);
        return e;
    }
    mark_set(&a->mark, (struct mark_value){a->name.number, 0});
    return OK;
}

static void abandon(struct append *a, struct buf *why)
{
    char from[SEGMENT_NAME], to[SEGMENT_NAME];
    segment_name_format(&a->name, from);
    struct segment_name ended = a->name;
    ended.abandoned = true, ended.end = a->end;
    segment_name_format(&ended, to);
    int failed =
        a->end ? renameat(a->layout->log, from, a->layout->log, to) : unlinkat(a->layout->log, from, 0);
    if (failed == 0)
        failed = a->options->io->sync_folder(a->layout->log);
    log_event(LOG_ERROR, "queue-segment-abandoned", LOG_TEXT("segment", from), LOG_NUM("synced", a->end),
              LOG_TEXT("renamed", failed == 0 ? "yes" : "no"), LOG_STR("why", buf_str(why)));
    file_close(&a->fd);
}

static enum err write_all(int fd, struct iovec *parts, size_t count, uint64_t at, struct buf *why)
{
    while (count) {
        ssize_t n = pwritev(fd, parts, (int)count, (off_t)at);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_system(why, "writing to the log");
        at += (uint64_t)n;
        for (size_t left = (size_t)n; count && left >= parts->iov_len; parts++, count--)
            left -= parts->iov_len, n = (ssize_t)left;
        if (count && n) {
            parts->iov_base = (char *)parts->iov_base + n;
            parts->iov_len -= (size_t)n;
        }
    }
    return OK;
}

enum err append_write(struct append *a, struct iovec *parts, size_t count, uint64_t total, struct buf *why)
{
    ENSURE(total <= append_room(a));
    enum err e = write_all(a->fd, parts, count, a->end, why);
    if (e == OK && a->options->io->sync(a->fd) < 0)
        e = err_system(why, "syncing the log");
    if (e != OK) {
        abandon(a, why);
        return e;
    }
    a->end += total;
    mark_set(&a->mark, (struct mark_value){a->name.number, a->end});
    return OK;
}
