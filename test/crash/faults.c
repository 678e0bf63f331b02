/* Preloaded into smtpd by test/crash/run: while the file $KEDGE_FAULTS/sync exists, syncing anything of a
 * queue fails; while $KEDGE_FAULTS/full exists, its disk is full. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int is_on(const char *fault)
{
    char path[512];
    const char *folder = getenv("KEDGE_FAULTS");
    return folder && snprintf(path, sizeof path, "%s/%s", folder, fault) < (int)sizeof path &&
           access(path, F_OK) == 0;
}

static int is_queue(int fd)
{
    char link[64], path[512];
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    ssize_t n = readlink(link, path, sizeof path - 1);
    path[n > 0 ? n : 0] = '\0';
    return strstr(path, "/queue") != NULL;
}

static int failing(int error)
{
    errno = error;
    return -1;
}

int fdatasync(int fd)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fdatasync");
    return is_on("sync") && is_queue(fd) ? failing(EIO) : next(fd);
}

int fsync(int fd)
{
    int (*next)(int) = (int (*)(int))dlsym(RTLD_NEXT, "fsync");
    return is_on("sync") && is_queue(fd) ? failing(EIO) : next(fd);
}

/* Programs may be built for 64-bit offsets by other names. */
#define ALLOCATE(name, off)                                                                                  \
    int name(int fd, off at, off n)                                                                          \
    {                                                                                                        \
        int (*next)(int, off, off) = (int (*)(int, off, off))dlsym(RTLD_NEXT, #name);                        \
        return is_on("full") && is_queue(fd) ? ENOSPC : next(fd, at, n);                                     \
    }
ALLOCATE(posix_fallocate, off_t)
ALLOCATE(posix_fallocate64, off64_t)

#define STATVFS(name, type)                                                                                  \
    int name(int fd, type *out)                                                                              \
    {                                                                                                        \
        int (*next)(int, type *) = (int (*)(int, type *))dlsym(RTLD_NEXT, #name);                            \
        int result = next(fd, out);                                                                          \
        if (is_on("full") && is_queue(fd))                                                                   \
            out->f_bavail = 0;                                                                               \
        return result;                                                                                       \
    }
STATVFS(fstatvfs, struct statvfs)
STATVFS(fstatvfs64, struct statvfs64)
