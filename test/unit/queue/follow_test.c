/* Damage, torn ends, recycling, moving, compaction: what happens to files. */
#include "spool.h"

#include <signal.h>
#include <sys/resource.h>

enum { RECORD = 48 + 112 + 1000 }; /* at least one octet of the content of the first record is before this */

static void damage_is_set_aside_and_the_rest_is_read(void **state)
{
    (void)state;
    char id[4][QUEUE_ID], segment[256];
    struct queue_writer *w = spool_writer(NULL);
    for (int i = 0; i < 4; i++)
        spool_enter(w, 3000, (char)('a' + i), id[i]);
    assert_int_equal(spool_files("log", segment, sizeof segment), 1);
    spool_flip(segment, RECORD);        /* content of the first */
    spool_flip(segment, 3200 * 2 + 60); /* something in the third */
    struct queue *q = spool_queue(NULL);
    struct queue_counts c;
    queue_count(q, &c);
    assert_int_equal(c.messages, 2);
    assert_int_equal(c.damaged, 2);
    assert_int_equal(spool_files("damaged", NULL, 0), 2);
    for (int i = 1; i < 4; i += 2) {
        struct queue_message *m = spool_claim(q);
        assert_string_equal(m->id, id[i]);
        spool_settle(q, m, 0, QUEUE_DELIVERED, "", 0);
    }
    queue_close(q);
    queue_writer_close(w);
}

static void a_damaged_last_header_is_noticed(void **state)
{
    (void)state;
    char id[QUEUE_ID], segment[256];
    struct queue_writer *w = spool_writer(NULL);
    spool_enter(w, 3000, 'a', id);
    queue_writer_close(w);
    assert_int_equal(spool_files("log", segment, sizeof segment), 1);
    spool_flip(segment, 0);
    struct queue *q = spool_queue(NULL);
    assert_int_equal(spool_files("damaged", NULL, 0), 1);
    queue_close(q);
}

static void a_torn_end_is_ignored(void **state)
{
    (void)state;
    char id[2][QUEUE_ID], segment[256];
    struct queue_writer *w = spool_writer(NULL);
    for (int i = 0; i < 2; i++)
        spool_enter(w, 3000, 'a', id[i]);
    queue_writer_close(w);
    assert_int_equal(spool_files("log", segment, sizeof segment), 1);
    assert_int_equal(truncate(segment, 3200), 0);
    struct queue *q = spool_queue(NULL);
    struct queue_message *m = spool_claim(q);
    assert_string_equal(m->id, id[0]);
    spool_settle(q, m, 0, QUEUE_DELIVERED, "", 0);
    spool_is_empty(q);
    queue_close(q);
}

static void segments_are_used_again(void **state)
{
    (void)state;
    char id[QUEUE_ID];
    struct queue_writer *w = spool_writer(NULL);
    struct queue *q = spool_queue(NULL);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 60; i++) { /* three segments */
            spool_enter(w, 3000, 'a', id);
            spool_settle(q, spool_claim(q), 0, QUEUE_DELIVERED, "", 0);
        }
        SPOOL_UNTIL(spool_files("log", NULL, 0) == 1);
        assert_in_range(spool_files("free", NULL, 0), 1, 4);
    }
    spool_is_empty(q);
    queue_close(q);
    queue_writer_close(w);
    q = spool_queue(NULL); /* old octets in recycled files are nothing */
    spool_is_empty(q);
    assert_int_equal(spool_files("damaged", NULL, 0), 0);
    queue_close(q);
}

/* Segments were freed, and files of what was delivered meanwhile are gone. */
static bool has_settled_down(struct queue *q)
{
    struct queue_counts c;
    queue_count(q, &c);
    return spool_files("log", NULL, 0) <= 2 && spool_files("deferred", NULL, 0) == c.deferred_files;
}

static void unfinished_messages_move_to_files(void **state)
{
    (void)state;
    struct queue_options o = spool_options();
    o.live_segments = 1;
    char id[60][QUEUE_ID], big[QUEUE_ID];
    struct queue_writer *w = spool_writer(&o);
    struct queue *q = spool_queue(&o);
    spool_enter(w, 200000, 'B', big);
    for (int i = 0; i < 60; i++)
        spool_enter(w, 3000, 'a', id[i]);
    for (int i = 0; i < 61; i++) /* every fifth is deferred */
        spool_settle(q, spool_claim(q), 0, i % 5 ? QUEUE_DELIVERED : QUEUE_DEFERRED, "try later",
                     clock_wall() + 3600000);
    /* two finished segments remain at most: one kept, one being written */
    SPOOL_UNTIL(has_settled_down(q));
    size_t moved = spool_files("deferred", NULL, 0);
    assert_in_range(moved, 5, 13);
    struct queue_counts c;
    queue_count(q, &c);
    assert_int_equal(c.messages, 13);
    assert_int_equal(c.deferred_files, moved);
    for (int round = 0; round < 2; round++) {
        queue_close(q);
        q = spool_queue(&o);
        queue_count(q, &c);
        assert_int_equal(c.messages, 13);
        assert_int_equal(c.deferred_files, moved);
    }
    struct queue_message *m;
    assert_int_equal(queue_look(q, big, &m, NULL), OK);
    assert_true(str_equal(m->rcpt[0].text, STR("try later")));
    spool_has_content(m, 200000, 'B');
    queue_message_free(m);
    assert_int_equal(queue_retry_all(q, STR_NONE), 13);
    for (int i = 0; i < 13; i++) {
        m = spool_claim(q);
        assert_int_equal(m->attempts, 1);
        spool_has_content(m, m->content_size, m->content_size > 3000 ? 'B' : 'a');
        spool_settle(q, m, 0, QUEUE_DELIVERED, "", 0);
    }
    spool_is_empty(q);
    SPOOL_UNTIL(spool_files("deferred", NULL, 0) == 0 && spool_files("big", NULL, 0) == 0);
    queue_close(q);
    q = spool_queue(&o);
    spool_is_empty(q);
    queue_close(q);
    queue_writer_close(w);
}

static void a_damaged_deferred_file_is_set_aside(void **state)
{
    (void)state;
    struct queue_options o = spool_options();
    o.segment_age_ms = 1;
    char id[2][QUEUE_ID], path[256];
    for (int i = 0; i < 2; i++) {
        struct queue_writer *w = spool_writer(&o);
        spool_enter(w, 3000, 'a', id[i]);
        queue_writer_close(w);
        struct queue *q = spool_queue(&o);
        spool_settle(q, spool_claim(q), 0, QUEUE_DEFERRED, "", clock_wall() + 3600000);
        SPOOL_UNTIL(spool_files("deferred", path, sizeof path) == 1);
        queue_close(q);
        if (i == 0)
            spool_flip(path, 30); /* the header: found at start */
        else
            spool_flip(path,
                       lseek(open(path, O_RDONLY | O_CLOEXEC), 0, SEEK_END) - 5); /* content: when claimed */
        q = spool_queue(&o);
        (void)queue_retry_all(q, STR_NONE);
        spool_is_empty(q);
        struct queue_counts c;
        queue_count(q, &c);
        assert_int_equal(c.damaged, 1);
        assert_int_equal(spool_files("deferred", NULL, 0), 0);
        assert_int_equal(spool_files("damaged", NULL, 0), i + 1);
        queue_close(q);
        q = spool_queue(&o);
        spool_is_empty(q);
        queue_close(q);
    }
}

static void the_outcome_log_does_not_grow_for_ever(void **state)
{
    (void)state;
    struct queue_options o = spool_options();
    o.outcome_size = 16384;
    char id[10][QUEUE_ID];
    struct queue_writer *w = spool_writer(&o);
    struct queue *q = spool_queue(&o);
    for (int i = 0; i < 10; i++)
        spool_enter(w, 10, 'a', id[i]);
    struct stat st;
    uint64_t written = 0, total;
    for (int round = 0; round < 4; round++) {
        for (int k = 0; k < 40; k++)
            for (int i = 0; i < 10; i++, written += 150)
                spool_settle(q, spool_claim(q), 0, QUEUE_DEFERRED, "a sentence about what happened", 0);
        (void)usleep(1200000);
    }
    char path[256];
    total = 0;
    size_t files = spool_files("outcome", path, sizeof path);
    assert_int_equal(stat(path, &st), 0);
    total += (uint64_t)st.st_size * files;
    assert_true(written > 200000);
    assert_true(total < 120000);
    queue_close(q);
    q = spool_queue(&o);
    uint32_t attempts = 0;
    for (int i = 0; i < 10; i++) {
        struct queue_message *m = spool_claim(q);
        attempts += m->attempts;
        spool_settle(q, m, 0, QUEUE_DELIVERED, "", 0);
    }
    assert_int_equal(attempts, 1600);
    spool_is_empty(q);
    queue_close(q);
    queue_writer_close(w);
}

/* A claimed message keeps its segment; others of it move, are done, and their outcomes are rewritten away.
 * After a crash the segment must not bring them back. */
static void what_moved_and_was_done_does_not_come_back(void **state)
{
    (void)state;
    struct queue_options o = spool_options();
    o.segment_age_ms = 1;
    o.outcome_size = 4096;
    char id[2][QUEUE_ID];
    struct queue_writer *w = spool_writer(&o);
    for (int i = 0; i < 2; i++)
        spool_enter(w, 300, 'a', id[i]);
    queue_writer_close(w); /* finishes the segment */
    struct queue *q = spool_queue(&o);
    struct queue_message *kept = spool_claim(q), *other = spool_claim(q);
    spool_settle(q, other, 0, QUEUE_DEFERRED, "", clock_wall() + 3600000);
    SPOOL_UNTIL(spool_files("deferred", NULL, 0) == 1);
    assert_int_equal(queue_retry(q, id[1], NULL), OK);
    spool_settle(q, spool_claim(q), 0, QUEUE_DELIVERED, "", 0);
    SPOOL_UNTIL(spool_files("deferred", NULL, 0) == 0);
    char before[256], now[256];
    assert_int_equal(spool_files("outcome", before, sizeof before), 1);
    for (int round = 0; round < 3; round++) { /* much that is dead */
        struct queue_result r = {.rcpt = 0, .status = QUEUE_DEFERRED, .text = STR("again")};
        for (int i = 0; i < 100; i++)
            assert_int_equal(
                queue_progress(q, kept, &(struct queue_settlement){.results = &r, .count = 1}, NULL), OK);
        (void)usleep(1200000);
    }
    (void)spool_files("outcome", now, sizeof now);
    assert_string_not_equal(before, now);
    assert_int_equal(spool_files("log", NULL, 0), 1);
    queue_put_back(q, kept, clock_wall() + 3600000);
    queue_close(q);
    q = spool_queue(&o);
    struct queue_counts c;
    queue_count(q, &c);
    assert_int_equal(c.messages, 1);
    queue_close(q);
}

static int log_folder_fails(int fd)
{
    char link[64], path[256] = "";
    (void)snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
    assert_true(readlink(link, path, sizeof path - 1) > 0);
    if (!str_ends(str_of(path), STR("/log")))
        return fsync(fd);
    errno = EIO;
    return -1;
}

static size_t outcome_files(const char *first)
{
    return access(first, F_OK) == 0 ? spool_files("outcome", NULL, 0) : 0;
}

/* A freed segment may be in log/ again after a power cut until that folder is synced: the outcomes of its
 * messages stay until then. */
static void outcomes_outlive_their_segment(void **state)
{
    (void)state;
    struct queue_io io = queue_io_system;
    io.sync_folder = log_folder_fails;
    struct queue_options o = spool_options();
    o.outcome_size = 4096;
    o.io = &io;
    char id[QUEUE_ID], first[256];
    struct queue_writer *w = spool_writer(NULL);
    spool_enter(w, 300, 'a', id);
    struct queue *q = spool_queue(&o);
    struct queue_message *m = spool_claim(q);
    assert_int_equal(spool_files("outcome", first, sizeof first), 1);
    struct queue_result r = {.rcpt = 0, .status = QUEUE_DEFERRED, .text = STR("again")};
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 100; i++)
            assert_int_equal(
                queue_progress(q, m, &(struct queue_settlement){.results = &r, .count = 1}, NULL), OK);
        (void)usleep(1200000);
        assert_true(outcome_files(first) >= 2); /* a new one was begun, the first is still there */
    }
    queue_put_back(q, m, clock_wall() + 3600000);
    queue_close(q);
    o.io = NULL;
    q = spool_queue(&o);
    SPOOL_UNTIL(outcome_files(first) == 0);
    queue_close(q);
    queue_writer_close(w);
}

static void outcomes_wait_for_a_full_disk(void **state)
{
    (void)state;
    char id[QUEUE_ID];
    struct queue_writer *w = spool_writer(NULL);
    spool_enter(w, 10, 'a', id);
    struct queue *q = spool_queue(NULL);
    struct queue_message *m = spool_claim(q);
    /* a limit on the size of files stands in for a full disk */
    struct queue_result r = {.rcpt = 0, .status = QUEUE_DEFERRED, .text = STR("remember me")};
    struct rlimit before, none;
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    none = (struct rlimit){.rlim_cur = 0, .rlim_max = before.rlim_max};
    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &none), 0);
    enum err e = queue_settle(q, m, &(struct queue_settlement){.results = &r, .count = 1}, NULL);
    (void)usleep(1200000); /* the queue tries again, in vain */
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(e, ERR_FULL);
    m = spool_claim(q);
    assert_true(str_equal(m->rcpt[0].text, STR("remember me")));
    queue_put_back(q, m, clock_wall() + 3600000);
    (void)usleep(1200000);
    queue_close(q);
    q = spool_queue(NULL);
    m = spool_claim(q);
    assert_true(str_equal(m->rcpt[0].text, STR("remember me")));
    queue_put_back(q, m, 0);
    queue_close(q);
    queue_writer_close(w);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, spool_setup, spool_teardown)
    const struct CMUnitTest tests[] = {
        T(damage_is_set_aside_and_the_rest_is_read),
        T(a_damaged_last_header_is_noticed),
        T(a_torn_end_is_ignored),
        T(segments_are_used_again),
        T(unfinished_messages_move_to_files),
        T(a_damaged_deferred_file_is_set_aside),
        T(the_outcome_log_does_not_grow_for_ever),
        T(what_moved_and_was_done_does_not_come_back),
        T(outcomes_outlive_their_segment),
        T(outcomes_wait_for_a_full_disk),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
