/* A queue in a folder of its own, and short words for what tests do to it. */
#ifndef TEST_SPOOL_H
#define TEST_SPOOL_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/stat.h>
#include <unistd.h>

#include "queue/io.h"
#include "queue/queue.h"

static char spool_path[64];

static void spool_remove(const char *path)
{
    DIR *dir = opendir(path);
    if (dir) {
        for (const struct dirent *e; (e = readdir(dir));) {
            char below[512];
            if (strcmp(e->d_name, ".") == 0 || strcmp(e->d_name, "..") == 0)
                continue;
            assert_true(snprintf(below, sizeof below, "%s/%s", path, e->d_name) < (int)sizeof below);
            spool_remove(below);
        }
        (void)closedir(dir);
        (void)rmdir(path);
    } else {
        (void)unlink(path);
    }
}

static __attribute__((unused)) int spool_setup(void **state)
{
    (void)state;
    log_init("test", LOG_ERROR + 1);
    (void)snprintf(spool_path, sizeof spool_path, "/tmp/kedge-queue-XXXXXX");
    return mkdtemp(spool_path) ? 0 : -1;
}

static __attribute__((unused)) int spool_teardown(void **state)
{
    (void)state;
    spool_remove(spool_path);
    return 0;
}

/* Small, so that tests cross every border; nothing moves unless a test asks for it. */
static struct queue_options spool_options(void)
{
    return (struct queue_options){.segment_size = 65536,
                                  .disk_reserve = 1,
                                  .quiet = true,
                                  .live_segments = 100,
                                  .segment_age_ms = INT64_MAX / 2};
}

static __attribute__((unused)) struct queue_writer *spool_writer(const struct queue_options *o)
{
    struct buf why = {0};
    struct queue_options small = spool_options();
    struct queue_writer *w = queue_writer_open(spool_path, "smtpd", o ? o : &small, &why);
    if (!w)
        fail_msg("%s", buf_cstr(&why));
    return w;
}

static __attribute__((unused)) struct queue *spool_queue(const struct queue_options *o)
{
    struct buf why = {0};
    struct queue_options small = spool_options();
    struct queue *q = NULL;
    if (queue_open(spool_path, o ? o : &small, &q, &why) != OK)
        fail_msg("%s", buf_cstr(&why));
    return q;
}

/* Commits a message of n octets to one recipient for each address; NULL ends them. */
static __attribute__((unused)) enum err spool_commit(struct queue_writer *w, size_t n, char fill,
                                                     char id[QUEUE_ID], const char *to, const char *to2)
{
    struct envelope_rcpt rcpt[2] = {{.address = str_of(to)}, {.address = str_of(to2)}};
    struct envelope e = {.received_ms = clock_wall(),
                         .tenant = STR("acme"),
                         .sender = STR("s@sender.example"),
                         .rcpt = rcpt,
                         .nrcpt = to2 ? 2 : 1};
    struct queue_draft *d = queue_draft_new(w);
    char chunk[1000];
    memset(chunk, fill, sizeof chunk);
    for (size_t left = n; left;) {
        size_t now = left < sizeof chunk ? left : sizeof chunk;
        queue_draft_write(d, chunk, now);
        left -= now;
    }
    assert_int_equal(queue_draft_size(d), n);
    struct buf why = {0};
    enum err result = queue_draft_commit(d, &e, id, &why);
    assert_int_equal(result == OK, why.n == 0);
    buf_release(&why);
    return result;
}

static __attribute__((unused)) void spool_enter(struct queue_writer *w, size_t n, char fill,
                                                char id[QUEUE_ID])
{
    assert_int_equal(spool_commit(w, n, fill, id, "r@there.example", NULL), OK);
}

static __attribute__((unused)) struct queue_message *spool_claim(struct queue *q)
{
    struct queue_message *m = NULL;
    assert_int_equal(queue_claim(q, deadline_in(5000), &m), OK);
    return m;
}

static __attribute__((unused)) void spool_is_empty(struct queue *q)
{
    struct queue_message *m;
    struct queue_counts c;
    assert_int_equal(queue_claim(q, deadline_in(30), &m), ERR_TIMEOUT);
    queue_count(q, &c);
    assert_int_equal(c.messages, 0);
}

static __attribute__((unused)) void spool_settle(struct queue *q, struct queue_message *m, size_t rcpt,
                                                 enum queue_status status, const char *text, int64_t next_ms)
{
    struct queue_result r = {
        .rcpt = rcpt, .status = status, .reason = STR("some-reason"), .text = str_of(text)};
    struct buf why = {0};
    assert_int_equal(
        queue_settle(q, m, &(struct queue_settlement){.results = &r, .count = 1, .next_ms = next_ms}, &why),
        OK);
    buf_release(&why);
}

static __attribute__((unused)) void spool_has_content(struct queue_message *m, size_t n, char fill)
{
    struct buf why = {0};
    char chunk[4096];
    uint64_t at = 0;
    assert_int_equal(m->content_size, n);
    for (ssize_t got; (got = queue_content_read(m, at, chunk, sizeof chunk, &why)) != 0;) {
        assert_true(got > 0);
        for (ssize_t i = 0; i < got; i++)
            assert_int_equal(chunk[i], fill);
        at += (uint64_t)got;
    }
    assert_int_equal(at, n);
}

/* Number of files in a folder of the queue; the path of the last of them. */
static __attribute__((unused)) size_t spool_files(const char *folder, char *last, size_t size)
{
    char path[256];
    size_t n = 0;
    (void)snprintf(path, sizeof path, "%s/%s", spool_path, folder);
    DIR *dir = opendir(path);
    assert_non_null(dir);
    for (const struct dirent *e; (e = readdir(dir));)
        if (e->d_name[0] != '.' && !strstr(e->d_name, ".tmp")) { /* complete ones only */
            n++;
            if (last)
                assert_true(snprintf(last, size, "%s/%s", path, e->d_name) < (int)size);
        }
    (void)closedir(dir);
    return n;
}

static __attribute__((unused)) void spool_flip(const char *path, off_t at)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);
    char c;
    assert_true(fd >= 0);
    assert_int_equal(pread(fd, &c, 1, at), 1);
    c = (char)(c ^ 1);
    assert_int_equal(pwrite(fd, &c, 1, at), 1);
    (void)close(fd);
}

/* Waits for what the queue's own thread does each second. */
#define SPOOL_UNTIL(condition)                                                                               \
    do {                                                                                                     \
        deadline spool_end = deadline_in(10000);                                                             \
        while (!(condition)) {                                                                               \
            assert_false(deadline_is_over(spool_end));                                                       \
            (void)usleep(20000);                                                                             \
        }                                                                                                    \
    } while (0)

#endif
