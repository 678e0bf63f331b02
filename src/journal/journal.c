#include "journal/journal.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "journal/name.h"

enum {
    BUFFER = 8 << 20,
    RETENTION_DAYS = 90,
    GATHER_MS = 50, /* between two writes: lines gather, one write takes them all */
};

struct journal {
    char *dir;
    char producer[JOURNAL_PRODUCER];
    struct journal_options options;
    /* the thread's */
    int fd;
    char day[JOURNAL_DAY];
    struct buf writing;
    bool disk_refused; /* said once, until it goes well again */

    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t more, written;
    struct buf waiting;
    uint64_t taken_in, taken_out; /* lines */
    uint64_t dropped, unsaid;     /* lines; those not mentioned in the file yet */
    unsigned flushing;
    bool closing;
    pthread_t thread;
};

static void remove_old(const struct journal *j)
{
    char oldest[CLOCK_TEXT];
    clock_iso(clock_wall() - j->options.retention_ms, oldest);
    DIR *dir = opendir(j->dir);
    if (!dir)
        return;
    for (const struct dirent *e; (e = readdir(dir));) {
        struct journal_name n;
        if (journal_name_parse(str_of(e->d_name), &n) && strncmp(n.day, oldest, JOURNAL_DAY - 1) < 0)
            (void)unlinkat(dirfd(dir), e->d_name, 0);
    }
    (void)closedir(dir);
}

/* The file of today; a line that a crash left without its end is ended. */
static enum err open_today(struct journal *j, struct buf *why)
{
    char now[CLOCK_TEXT];
    clock_iso(clock_wall(), now);
    if (j->fd >= 0 && strncmp(now, j->day, JOURNAL_DAY - 1) == 0)
        return OK;
    file_close(&j->fd);
    (void)str_copy(str_make(now, JOURNAL_DAY - 1), j->day, sizeof j->day);
    struct arena a = {0};
    const char *path = arena_printf(&a, "%s/%s-%s.jsonl", j->dir, j->producer, j->day).p;
    j->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC, 0640);
    enum err e = j->fd < 0 ? err_system(why, "%s", path) : OK;
    char last = '\n';
    off_t size = j->fd < 0 ? 0 : lseek(j->fd, 0, SEEK_END);
    if (size > 0 && pread(j->fd, &last, 1, size - 1) == 1 && last != '\n')
        e = file_write(j->fd, "\n", 1, why);
    arena_release(&a);
    if (e == OK)
        remove_old(j);
    else
        file_close(&j->fd);
    return e;
}

/* All or nothing: a line that the disk took half is taken back. */
static enum err write_lines(struct journal *j, uint64_t unsaid, struct buf *why)
{
    enum err e = open_today(j, why);
    if (e != OK)
        return e;
    off_t before = lseek(j->fd, 0, SEEK_END);
    if (unsaid) {
        struct buf line = {0};
        struct json_out w;
        journal_begin(&w, &line, "events-dropped");
        json_num(&w, "count", (int64_t)unsaid);
        json_close(&w, '}');
        buf_add_char(&line, '\n');
        e = file_write(j->fd, line.p, line.n, why);
        buf_release(&line);
    }
    if (e == OK)
        e = file_write(j->fd, j->writing.p, j->writing.n, why);
    if (e != OK && before >= 0 && ftruncate(j->fd, before) < 0)
        file_close(&j->fd); /* begins with a line end next time */
    return e;
}

static void complain(struct journal *j, enum err e, const struct buf *why)
{
    if (e != OK && !j->disk_refused)
        log_event(LOG_ERROR, "journal-write-failed", LOG_TEXT("folder", j->dir),
                  LOG_STR("why", buf_str(why)));
    if (e == OK && j->disk_refused)
        log_event(LOG_WARN, "journal-writes-again", LOG_TEXT("folder", j->dir));
    j->disk_refused = e != OK;
}

/* One round, lock held on entry and exit. */
static void write_waiting(struct journal *j)
{
    struct buf lines = j->waiting, why = {0};
    j->waiting = j->writing;
    j->writing = lines;
    uint64_t count = j->taken_in - j->taken_out, unsaid = j->unsaid;
    (void)pthread_mutex_unlock(&j->lock);
    enum err e = write_lines(j, unsaid, &why);
    complain(j, e, &why);
    buf_release(&why);
    buf_clear(&j->writing);
    (void)pthread_mutex_lock(&j->lock);
    j->taken_out += count;
    if (e == OK) {
        j->unsaid -= unsaid;
    } else {
        j->dropped += count;
        j->unsaid += count;
    }
    (void)pthread_cond_broadcast(&j->written);
}

static void run(void *arg)
{
    struct journal *j = arg;
    (void)pthread_mutex_lock(&j->lock);
    for (;;) {
        while (!j->waiting.n && !j->closing)
            (void)thread_cond_wait(&j->more, &j->lock, DEADLINE_NEVER);
        if (!j->waiting.n)
            break;
        write_waiting(j);
        for (deadline rest = deadline_in(GATHER_MS); !j->closing && !j->flushing;)
            if (!thread_cond_wait(&j->more, &j->lock, rest))
                break;
    }
    (void)pthread_mutex_unlock(&j->lock);
}

struct journal *journal_open(const char *dir, const char *producer, const struct journal_options *options,
                             struct buf *why)
{
    if (file_make_dirs(dir, 0750, why) != OK)
        return NULL;
    struct journal *j = must_alloc(calloc(1, sizeof *j));
    j->options = options ? *options : (struct journal_options){0};
    if (!j->options.retention_ms)
        j->options.retention_ms = RETENTION_DAYS * INT64_C(86400000);
    if (!j->options.buffer)
        j->options.buffer = BUFFER;
    j->dir = str_dup(str_of(dir));
    j->fd = -1;
    ENSURE(str_copy(str_of(producer), j->producer, sizeof j->producer));
    ENSURE(pthread_mutex_init(&j->lock, NULL) == 0);
    thread_cond_init(&j->more);
    thread_cond_init(&j->written);
    if (open_today(j, why) == OK && thread_start_joinable(run, j, &j->thread, why) == OK)
        return j;
    file_close(&j->fd);
    free(j->dir);
    free(j);
    return NULL;
}

void journal_close(struct journal *j)
{
    if (!j)
        return;
    (void)pthread_mutex_lock(&j->lock);
    j->closing = true;
    (void)pthread_cond_signal(&j->more);
    (void)pthread_mutex_unlock(&j->lock);
    (void)pthread_join(j->thread, NULL);
    file_close(&j->fd);
    buf_release(&j->waiting);
    buf_release(&j->writing);
    (void)pthread_mutex_destroy(&j->lock);
    (void)pthread_cond_destroy(&j->more);
    (void)pthread_cond_destroy(&j->written);
    free(j->dir);
    free(j);
}

void journal_append(struct journal *j, struct str line)
{
    if (!j)
        return;
    (void)pthread_mutex_lock(&j->lock);
    if (j->waiting.n + line.n + 1 > j->options.buffer) {
        j->dropped++;
        j->unsaid++;
    } else {
        bool was_empty = j->waiting.n == 0;
        buf_add(&j->waiting, line);
        buf_add_char(&j->waiting, '\n');
        j->taken_in++;
        if (was_empty)
            (void)pthread_cond_signal(&j->more);
    }
    (void)pthread_mutex_unlock(&j->lock);
}

void journal_flush(struct journal *j)
{
    if (!j)
        return;
    (void)pthread_mutex_lock(&j->lock);
    uint64_t until = j->taken_in;
    j->flushing++;
    (void)pthread_cond_signal(&j->more);
    while (j->taken_out < until)
        (void)thread_cond_wait(&j->written, &j->lock, DEADLINE_NEVER);
    j->flushing--;
    (void)pthread_mutex_unlock(&j->lock);
}

uint64_t journal_dropped(struct journal *j)
{
    if (!j)
        return 0;
    (void)pthread_mutex_lock(&j->lock);
    uint64_t n = j->dropped;
    (void)pthread_mutex_unlock(&j->lock);
    return n;
}

void journal_begin(struct json_out *w, struct buf *out, const char *event)
{
    char now[CLOCK_TEXT];
    clock_iso(clock_wall(), now);
    *w = (struct json_out){.to = out};
    json_open(w, NULL, '{');
    json_text(w, "time", now);
    json_text(w, "event", event);
}
