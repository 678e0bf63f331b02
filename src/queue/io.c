#include "queue/io.h"

#include <errno.h>
#include <fcntl.h>
#include <sys/statvfs.h>
#include <unistd.h>

static int allocate(int fd, off_t size)
{
    return posix_fallocate(fd, 0, size);
}

static int free_space(int dir_fd, uint64_t *out)
{
    struct statvfs s;
    if (fstatvfs(dir_fd, &s) < 0)
        return -1;
    *out = (uint64_t)s.f_bavail * s.f_frsize;
    return 0;
}

const struct queue_io queue_io_system = {fdatasync, fsync, allocate, free_space};

struct queue_options queue_options_fill(const struct queue_options *o)
{
    struct queue_options f = o ? *o : (struct queue_options){0};
    if (!f.segment_size)
        f.segment_size = 64U << 20;
    f.segment_size = (f.segment_size + 4095) & ~(size_t)4095;
    if (!f.big_message)
        f.big_message = 1U << 20;
    if (f.big_message > f.segment_size / 4)
        f.big_message = f.segment_size / 4;
    if (!f.draft_memory)
        f.draft_memory = 256U << 20;
    if (!f.disk_reserve)
        f.disk_reserve = 64U << 20;
    if (!f.live_segments)
        f.live_segments = 16;
    if (!f.segment_age_ms)
        f.segment_age_ms = 5LL * 60 * 1000;
    if (!f.outcome_size)
        f.outcome_size = 8U << 20;
    if (!f.io)
        f.io = &queue_io_system;
    return f;
}
