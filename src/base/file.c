#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/arena.h"

void file_close(int *fd)
{
    if (*fd >= 0)
        (void)close(*fd);
    *fd = -1;
}

enum err file_read(const char *path, size_t max, struct buf *out, struct buf *why)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return err_system(why, "%s", path);
    enum err e = OK;
    for (size_t total = 0;;) {
        buf_reserve(out, 16384);
        ssize_t n = read(fd, out->p + out->n, 16384);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            e = err_system(why, "%s", path);
        if (n <= 0)
            break;
        total += (size_t)n;
        out->n += (size_t)n;
        out->p[out->n] = '\0';
        if (total > max) {
            buf_set(why, "%s: larger than %zu bytes", path, max);
            e = ERR_FULL;
            break;
        }
    }
    file_close(&fd);
    return e;
}

enum err file_write_at(int fd, const void *p, size_t n, off_t at, struct buf *why)
{
    for (const char *from = p; n;) {
        ssize_t done = pwrite(fd, from, n, at);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_system(why, "write");
        from += done, at += done, n -= (size_t)done;
    }
    return OK;
}

enum err file_write(int fd, const void *p, size_t n, struct buf *why)
{
    for (const char *from = p; n;) {
        ssize_t done = write(fd, from, n);
        if (done < 0 && errno == EINTR)
            continue;
        if (done < 0)
            return err_system(why, "write");
        from += done, n -= (size_t)done;
    }
    return OK;
}

static struct str folder_of(struct str path)
{
    size_t slash = str_rfind_char(path, '/');
    if (slash == SIZE_MAX)
        return STR(".");
    return slash ? str_sub(path, 0, slash) : STR("/");
}

enum err file_sync_dir(const char *path, struct buf *why)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return err_system(why, "%s", path);
    enum err e = fsync(fd) < 0 ? err_system(why, "fsync %s", path) : OK;
    file_close(&fd);
    return e;
}

enum err file_replace(const char *path, struct str content, mode_t mode, struct buf *why)
{
    struct arena a = {0};
    const char *temporary = arena_printf(&a, "%s.tmp.%d", path, (int)getpid()).p;
    const char *folder = arena_cstr(&a, folder_of(str_of(path)));
    enum err e;
    (void)unlink(temporary); /* of a process that had our number and crashed */
    int fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
    if (fd < 0) {
        e = err_system(why, "%s", temporary);
        goto out;
    }
    if ((e = file_write(fd, content.p, content.n, why)) != OK)
        goto out;
    if (fchmod(fd, mode) < 0 || fsync(fd) < 0) {
        e = err_system(why, "%s", temporary);
        goto out;
    }
    if (rename(temporary, path) < 0) {
        e = err_system(why, "rename %s to %s", temporary, path);
        goto out;
    }
    e = file_sync_dir(folder, why);
out:
    if (fd >= 0 && e != OK)
        (void)unlink(temporary);
    file_close(&fd);
    arena_release(&a);
    return e;
}

enum err file_make_dirs(const char *path, mode_t mode, struct buf *why)
{
    if (mkdir(path, mode) == 0 || errno == EEXIST) {
        struct stat st;
        if (stat(path, &st) == 0 && !S_ISDIR(st.st_mode)) {
            buf_set(why, "%s: exists and is not a folder", path);
            return ERR_EXISTS;
        }
        return OK;
    }
    if (errno != ENOENT)
        return err_system(why, "mkdir %s", path);
    struct arena a = {0};
    enum err e = file_make_dirs(arena_cstr(&a, folder_of(str_of(path))), mode, why);
    arena_release(&a);
    if (e == OK && mkdir(path, mode) < 0 && errno != EEXIST)
        e = err_system(why, "mkdir %s", path);
    return e;
}
