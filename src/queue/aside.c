#include "queue/aside.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

enum { NAME = SEGMENT_NAME + 32 };

static void report(const char *from, const char *kept_as, uint64_t n, const char *reason, struct str problem)
{
    log_event(LOG_ERROR, "queue-damaged", LOG_TEXT("where", from), LOG_TEXT("kept", kept_as),
              LOG_NUM("bytes", n), LOG_TEXT("reason", reason), LOG_STR("problem", problem));
}

static int create(const struct layout *l, const char *from, uint64_t at, char name[NAME])
{
    (void)snprintf(name, NAME, "%s-%llu", from, (unsigned long long)at);
    return openat(l->damaged, name, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
}

static enum err finish(const struct layout *l, int fd, struct buf *why)
{
    if (fsync(fd) < 0 || fsync(l->damaged) < 0)
        return err_system(why, "syncing what was set aside");
    return OK;
}

void aside_bytes(const struct layout *l, const char *from, uint64_t at, struct str bytes)
{
    char name[NAME];
    struct buf why = {0};
    int fd = create(l, from, at, name);
    enum err e = fd < 0 ? err_system(&why, "setting aside") : file_write(fd, bytes.p, bytes.n, &why);
    if (e == OK)
        e = finish(l, fd, &why);
    report(from, e == OK ? name : "", bytes.n, "does not fit its checksum", buf_str(&why));
    file_close(&fd);
    buf_release(&why);
}

void aside_range(const struct layout *l, const char *from, int fd, uint64_t at, uint64_t n)
{
    char name[NAME], chunk[16384];
    struct buf why = {0};
    int out = create(l, from, at, name);
    enum err e = out < 0 ? err_system(&why, "setting aside") : OK;
    for (uint64_t done = 0; e == OK && done < n;) {
        size_t want = n - done < sizeof chunk ? (size_t)(n - done) : sizeof chunk;
        ssize_t got = pread(fd, chunk, want, (off_t)(at + done));
        if (got < 0)
            e = err_system(&why, "reading");
        if (got <= 0)
            break;
        e = file_write(out, chunk, (size_t)got, &why);
        done += (uint64_t)got;
    }
    if (e == OK)
        e = finish(l, out, &why);
    report(from, e == OK ? name : "", n, "does not fit its checksum", buf_str(&why));
    file_close(&out);
    buf_release(&why);
}

void aside_file(const struct layout *l, int folder, const char *name, const char *reason)
{
    struct buf why = {0};
    if (renameat(folder, name, l->damaged, name) < 0) {
        if (errno == ENOENT)
            return;
        (void)err_system(&why, "moving");
    }
    (void)fsync(l->damaged);
    report(name, why.n ? "" : name, 0, reason, buf_str(&why));
    buf_release(&why);
}
