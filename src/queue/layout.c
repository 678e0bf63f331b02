#include "queue/layout.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FOLDER_MODE = 0700 };

static enum err open_folder(struct layout *l, const char *name, enum layout_mode mode, int *out,
                            struct buf *why)
{
    if (mode == LAYOUT_CREATE && mkdirat(l->root, name, FOLDER_MODE) < 0 && errno != EEXIST)
        return err_system(why, "mkdir %s/%s", l->path, name);
    *out = openat(l->root, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    return *out < 0 ? err_system(why, "%s/%s", l->path, name) : OK;
}

enum err layout_open(const char *path, enum layout_mode mode, struct layout *out, struct buf *why)
{
    *out = LAYOUT_NONE;
    enum err e = mode == LAYOUT_CREATE ? file_make_dirs(path, FOLDER_MODE, why) : OK;
    if (e != OK)
        return e;
    out->path = str_dup(str_of(path));
    out->root = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (out->root < 0)
        e = err_system(why, "%s", path);
#define X(name)                                                                                              \
    if (e == OK)                                                                                             \
        e = open_folder(out, #name, mode, &out->name, why);
    LAYOUT_TABLE(X)
#undef X
    if (e == OK && mode == LAYOUT_CREATE && fsync(out->root) < 0)
        e = err_system(why, "fsync %s", path);
    if (e != OK)
        layout_release(out);
    return e;
}

void layout_release(struct layout *l)
{
#define X(name) file_close(&l->name);
    LAYOUT_TABLE(X)
#undef X
    file_close(&l->root);
    free(l->path);
    l->path = NULL;
}

enum err layout_list(int folder, bool (*visit)(void *ctx, const char *name), void *ctx, struct buf *why)
{
    int fd = openat(folder, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    DIR *dir = fd < 0 ? NULL : fdopendir(fd);
    if (!dir) {
        enum err e = err_system(why, "reading a folder of the queue");
        file_close(&fd);
        return e;
    }
    enum err e = OK;
    for (bool go = true; go;) {
        errno = 0;
        const struct dirent *entry = readdir(dir);
        if (!entry) {
            if (errno)
                e = err_system(why, "reading a folder of the queue");
            break;
        }
        if (entry->d_name[0] != '.')
            go = visit(ctx, entry->d_name);
    }
    (void)closedir(dir);
    return e;
}

void segment_name_format(const struct segment_name *s, char out[SEGMENT_NAME])
{
    int n = snprintf(out, SEGMENT_NAME, "%s.%016llx.%016llx", s->producer, (unsigned long long)s->number,
                     (unsigned long long)s->stamp);
    if (s->abandoned)
        n += snprintf(out + n, SEGMENT_NAME - (size_t)n, ".%016llx", (unsigned long long)s->end);
    ENSURE(n < SEGMENT_NAME);
}

static bool take_hex(struct str *rest, uint64_t *out)
{
    struct str field = str_cut(rest, '.');
    struct buf bytes = {0};
    bool ok = field.n == 16 && hex_decode(&bytes, field) && bytes.n == 8;
    *out = ok ? get_u64(bytes.p) : 0;
    buf_release(&bytes);
    return ok;
}

bool segment_name_parse(struct str name, struct segment_name *out)
{
    *out = (struct segment_name){0};
    struct str producer = str_cut(&name, '.');
    if (!producer.n || !str_copy(producer, out->producer, sizeof out->producer) ||
        !take_hex(&name, &out->number) || !take_hex(&name, &out->stamp))
        return false;
    out->abandoned = name.p != NULL;
    return !out->abandoned || (take_hex(&name, &out->end) && name.p == NULL);
}
