#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "journal/name.h"

enum { CHUNK = 1 << 20, FILE_NAME = 64 };

struct file {
    char day[JOURNAL_DAY];
    char name[FILE_NAME];
};

static int by_day(const void *a, const void *b)
{
    const struct file *x = a, *y = b;
    int c = strcmp(x->day, y->day);
    return c ? c : strcmp(x->name, y->name);
}

static enum err list_files(const char *path, int64_t from_ms, struct buf *out, struct buf *why)
{
    char from[CLOCK_TEXT];
    clock_iso(from_ms > 0 ? from_ms : 0, from);
    DIR *dir = opendir(path);
    if (!dir)
        return err_system(why, "%s", path);
    for (const struct dirent *e; (e = readdir(dir));) {
        struct journal_name n;
        struct file f = {0};
        if (!journal_name_parse(str_of(e->d_name), &n) || strncmp(n.day, from, JOURNAL_DAY - 1) < 0 ||
            !str_copy(str_of(e->d_name), f.name, sizeof f.name))
            continue;
        memcpy(f.day, n.day, sizeof f.day);
        buf_append(out, &f, sizeof f);
    }
    (void)closedir(dir);
    if (out->n)
        qsort(out->p, out->n / sizeof(struct file), sizeof(struct file), by_day);
    return OK;
}

struct visitor {
    struct str needle;
    bool (*visit)(void *ctx, struct str line);
    void *ctx;
};

/* Shows the whole lines of these bytes that contain the needle. False: enough. */
static bool show_lines(const struct visitor *v, struct str lines)
{
    while (lines.n) {
        size_t hit = v->needle.n ? str_find(lines, v->needle) : 0;
        if (hit == SIZE_MAX)
            return true;
        size_t start = str_rfind_char(str_sub(lines, 0, hit), '\n');
        start = start == SIZE_MAX ? 0 : start + 1;
        struct str line = str_sub(lines, start, hit - start + str_find_char(str_from(lines, hit), '\n'));
        lines = str_from(lines, start + line.n + 1);
        if (line.n > 1 && line.p[0] == '{' && line.p[line.n - 1] == '}' && !v->visit(v->ctx, line))
            return false;
    }
    return true;
}

/* From where fd stands; *lines: grows by the octets of whole lines. */
static enum err read_one(int fd, const struct visitor *v, bool *go, struct buf *bytes, uint64_t *lines,
                         struct buf *why)
{
    buf_clear(bytes);
    while (*go) {
        buf_reserve(bytes, CHUNK);
        ssize_t n = read(fd, bytes->p + bytes->n, CHUNK);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return err_system(why, "reading the journal");
        if (n == 0)
            return OK; /* what is left has no line end: being written, or torn */
        bytes->n += (size_t)n;
        size_t last = str_rfind_char(buf_str(bytes), '\n');
        if (last == SIZE_MAX)
            continue;
        *go = show_lines(v, str_make(bytes->p, last + 1));
        *lines += last + 1;
        buf_drop(bytes, last + 1);
    }
    return OK;
}

/* Reads a file from an offset, which moves. A file that is gone is at its end. */
static enum err read_from(const char *dir, const char *name, const struct visitor *v, bool *go, uint64_t *at,
                          struct buf *bytes, struct buf *why)
{
    struct arena a = {0};
    const char *path = arena_printf(&a, "%s/%s", dir, name).p;
    enum err e = OK;
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    if (fd >= 0 && lseek(fd, (off_t)*at, SEEK_SET) >= 0)
        e = read_one(fd, v, go, bytes, at, why);
    else if (errno != ENOENT) /* its time is over */
        e = err_system(why, "%s", path);
    file_close(&fd);
    arena_release(&a);
    return e;
}

enum err journal_read(const char *dir, int64_t from_ms, struct str needle,
                      bool (*visit)(void *ctx, struct str line), void *ctx, struct buf *why)
{
    struct buf files = {0}, bytes = {0};
    struct visitor v = {needle, visit, ctx};
    bool go = true;
    enum err e = list_files(dir, from_ms, &files, why);
    for (size_t i = 0; e == OK && go && i < files.n / sizeof(struct file); i++) {
        struct file f;
        uint64_t at = 0;
        memcpy(&f, files.p + i * sizeof f, sizeof f);
        e = read_from(dir, f.name, &v, &go, &at, &bytes, why);
    }
    buf_release(&files);
    buf_release(&bytes);
    return e;
}

struct journal_mark_file {
    char name[FILE_NAME];
    uint64_t at;
};

static uint64_t *mark_of(struct journal_mark *m, const char *name)
{
    for (size_t i = 0; i < m->n; i++)
        if (strcmp(m->file[i].name, name) == 0)
            return &m->file[i].at;
    m->file = must_alloc(realloc(m->file, (m->n + 1) * sizeof *m->file));
    struct journal_mark_file *f = &m->file[m->n++];
    *f = (struct journal_mark_file){0};
    ENSURE(str_copy(str_of(name), f->name, sizeof f->name));
    return &f->at;
}

struct follower {
    void (*visit)(void *ctx, struct str line);
    void *ctx;
};

static bool show_all(void *ctx, struct str line)
{
    const struct follower *f = ctx;
    f->visit(f->ctx, line);
    return true;
}

enum err journal_follow(const char *dir, int64_t from_ms, struct journal_mark *mark,
                        void (*visit)(void *ctx, struct str line), void *ctx, struct buf *why)
{
    struct buf files = {0}, bytes = {0};
    struct follower follower = {visit, ctx};
    struct visitor v = {STR(""), show_all, &follower};
    bool go = true;
    enum err e = list_files(dir, from_ms, &files, why);
    for (size_t i = 0; e == OK && i < files.n / sizeof(struct file); i++) {
        struct file f;
        memcpy(&f, files.p + i * sizeof f, sizeof f);
        e = read_from(dir, f.name, &v, &go, mark_of(mark, f.name), &bytes, why);
    }
    buf_release(&files);
    buf_release(&bytes);
    return e;
}

void journal_mark_release(struct journal_mark *m)
{
    free(m->file);
    *m = (struct journal_mark){0};
}
