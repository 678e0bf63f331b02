#include "spool.h"

static void commit_claim_settle(void **state)
{
    (void)state;
    char id[QUEUE_ID];
    struct queue_writer *w = spool_writer(NULL);
    struct queue *q = spool_queue(NULL);
    spool_enter(w, 5000, 'a', id);
    struct queue_message *m = spool_claim(q);
    assert_string_equal(m->id, id);
    assert_true(str_equal(m->envelope->id, str_of(id)));
    assert_true(str_equal(m->envelope->rcpt[0].address, STR("r@there.example")));
    assert_int_equal(m->envelope->size, 5000);
    assert_int_equal(m->rcpt[0].status, QUEUE_PENDING);
    spool_has_content(m, 5000, 'a');
    spool_settle(q, m, 0, QUEUE_DELIVERED, "250 ok", 0);
    spool_is_empty(q);
    queue_close(q);
    queue_writer_close(w);
}

static void the_first_message_does_not_wait(void **state)
{
    (void)state;
    char id[QUEUE_ID];
    struct queue *q = spool_queue(NULL); /* knows no producer yet */
    struct queue_writer *w = spool_writer(NULL);
    for (int i = 0; i < 60; i++) { /* across segments */
        struct queue_message *m;
        spool_enter(w, 3000, 'a', id);
        assert_int_equal(queue_claim(q, deadline_in(500), &m), OK);
        spool_settle(q, m, 0, QUEUE_DELIVERED, "", 0);
    }
    queue_close(q);
    queue_writer_close(w);
}

static void one_producer_of_a_name(void **state)
{
    (void)state;
    struct buf why = {0};
    struct queue_writer *w = spool_writer(NULL);
    assert_null(queue_writer_open(spool_path, "smtpd", NULL, &why));
    assert_true(str_find(buf_str(&why), STR("another process")) != SIZE_MAX);
    struct queue_writer *other = queue_writer_open(spool_path, "deliver", NULL, &why);
    assert_non_null(other);
    queue_writer_close(other);
    queue_writer_close(w);
    w = spool_writer(NULL); /* the lock went with it */
    queue_writer_close(w);
    buf_release(&why);
}

static void big_messages_have_files(void **state)
{
    (void)state;
    char id[QUEUE_ID];
    struct queue_writer *w = spool_writer(NULL);
    struct queue *q = spool_queue(NULL);
    spool_enter(w, 700000, 'b', id);
    assert_int_equal(spool_files("big", NULL, 0), 1);
    struct queue_message *m = spool_claim(q);
    spool_has_content(m, 700000, 'b');
    spool_settle(q, m, 0, QUEUE_DELIVERED, "", 0);
    SPOOL_UNTIL(spool_files("big", NULL, 0) == 0);
    /* one that is given up leaves nothing, neither does one of a process that died */
    struct queue_draft *d = queue_draft_new(w);
    static char chunk[100000];
    queue_draft_write(d, chunk, sizeof chunk);
    char path[256];
    (void)snprintf(path, sizeof path, "%s/big/%s.smtpd.tmp", spool_path, queue_draft_id(d));
    assert_int_equal(access(path, F_OK), 0);
    queue_draft_drop(d);
    assert_int_not_equal(access(path, F_OK), 0);
    queue_close(q);
    queue_writer_close(w);
}

static void left_over_big_files(void **state)
{
    (void)state;
    char path[256];
    queue_writer_close(spool_writer(NULL));
    (void)snprintf(path, sizeof path, "%s/big/0mk3zz89abcdef.smtpd.tmp", spool_path);
    int fd = open(path, O_CREAT | O_WRONLY, 0600);
    assert_true(fd >= 0);
    (void)close(fd);
    queue_writer_close(spool_writer(NULL));
    assert_int_not_equal(access(path, F_OK), 0);
}

static bool has_file(const struct queue_draft *d)
{
    char path[256];
    (void)snprintf(path, sizeof path, "%s/big/%s.smtpd.tmp", spool_path, queue_draft_id(d));
    return access(path, F_OK) == 0;
}

/* Beyond the budget of all drafts content goes to files long before it is big. */
static void drafts_share_a_budget(void **state)
{
    (void)state;
    struct queue_options o = spool_options();
    o.segment_size = 1 << 20;
    o.draft_memory = 200000;
    struct queue_writer *w = spool_writer(&o);
    struct queue *q = spool_queue(&o);
    struct queue_draft *waiting[3], *d;
    char part[20000], id[QUEUE_ID];
    memset(part, 'c', sizeof part);
    for (int i = 0; i < 3; i++) {
        waiting[i] = queue_draft_new(w);
        for (int k = 0; k < 3; k++)
            queue_draft_write(waiting[i], part, sizeof part);
        assert_false(has_file(waiting[i]));
    }
    d = queue_draft_new(w);
    queue_draft_write(d, part, sizeof part);
    assert_false(has_file(d)); /* small ones stay */
    for (int k = 0; k < 4; k++)
        queue_draft_write(d, part, sizeof part);
    assert_true(has_file(d));
    struct envelope_rcpt rcpt = {.address = STR("r@there.example")};
    struct envelope e = {.received_ms = clock_wall(), .rcpt = &rcpt, .nrcpt = 1};
    assert_int_equal(queue_draft_commit(d, &e, id, NULL), OK);
    struct queue_message *m = spool_claim(q);
    spool_has_content(m, 5 * sizeof part, 'c');
    spool_settle(q, m, 0, QUEUE_DELIVERED, "", 0);
    for (int i = 0; i < 3; i++)
        queue_draft_drop(waiting[i]);
    d = queue_draft_new(w); /* what they held may be held again */
    for (int k = 0; k < 5; k++)
        queue_draft_write(d, part, sizeof part);
    assert_false(has_file(d));
    queue_draft_drop(d);
    queue_close(q);
    queue_writer_close(w);
}

/* ---- faults ---- */

static _Atomic int syncs, sync_fails, allocate_fails;
static _Atomic uint64_t space = UINT64_MAX;

static int faulty_sync(int fd)
{
    syncs++;
    if (!sync_fails)
        return fdatasync(fd);
    errno = EIO;
    return -1;
}
static int faulty_allocate(int fd, off_t size)
{
    return allocate_fails ? ENOSPC : queue_io_system.allocate(fd, size);
}
static int faulty_space(int fd, uint64_t *out)
{
    (void)fd;
    *out = space;
    return 0;
}
static const struct queue_io faulty = {faulty_sync, fsync, faulty_allocate, faulty_space};

static struct queue_options faulty_options(void)
{
    struct queue_options o = spool_options();
    o.io = &faulty;
    o.disk_reserve = 1000;
    return o;
}

static void failing_sync_is_an_error_and_loses_nothing(void **state)
{
    (void)state;
    struct queue_options o = faulty_options();
    char id[QUEUE_ID], before[QUEUE_ID], after[QUEUE_ID], name[256];
    struct queue_writer *w = spool_writer(&o);
    spool_enter(w, 100, 'a', before);
    sync_fails = 1;
    assert_int_equal(spool_commit(w, 100, 'x', id, "r@there.example", NULL), ERR_SYSTEM);
    sync_fails = 0;
    /* the segment is abandoned where it was good */
    assert_int_equal(spool_files("log", name, sizeof name), 1);
    assert_non_null(strstr(strchr(name, '.'), ".0000000000000"));
    spool_enter(w, 100, 'b', after);
    assert_int_equal(spool_files("log", NULL, 0), 2);
    struct queue *q = spool_queue(NULL);
    for (int i = 0; i < 2; i++) {
        struct queue_message *m = spool_claim(q);
        assert_string_equal(m->id, i ? after : before);
        spool_has_content(m, 100, i ? 'b' : 'a');
        spool_settle(q, m, 0, QUEUE_DELIVERED, "", 0);
    }
    spool_is_empty(q); /* what was answered 451 is not there */
    SPOOL_UNTIL(spool_files("log", NULL, 0) == 1);
    assert_int_equal(spool_files("free", NULL, 0), 0); /* never trusted again */
    queue_close(q);
    queue_writer_close(w);
}

static void full_disk(void **state)
{
    (void)state;
    struct queue_options o = faulty_options();
    char id[QUEUE_ID];
    struct queue_writer *w = spool_writer(&o);
    allocate_fails = 1;
    assert_int_equal(spool_commit(w, 100, 'x', id, "r@there.example", NULL), ERR_FULL);
    allocate_fails = 0;
    assert_int_equal(spool_files("log", NULL, 0), 0);
    assert_int_equal(spool_files("free", NULL, 0), 0);
    spool_enter(w, 100, 'a', id);
    /* allocated segments take messages although the disk is full */
    allocate_fails = 1;
    spool_enter(w, 100, 'a', id);
    allocate_fails = 0;
    space = 999;
    assert_false(queue_writer_space_ok(w));
    space = 1000;
    assert_false(queue_writer_space_ok(w)); /* looked up once a second */
    (void)usleep(1010000);
    assert_true(queue_writer_space_ok(w));
    queue_writer_close(w);
}

/* ---- group commit ---- */

enum { THREADS = 12, EACH = 40 };

struct session {
    struct queue_writer *writer;
    char id[EACH][QUEUE_ID];
};

static int slow_sync(int fd)
{
    syncs++;
    (void)usleep(2000);
    return fdatasync(fd);
}

static void *session_run(void *arg)
{
    struct session *s = arg;
    for (int i = 0; i < EACH; i++)
        if (spool_commit(s->writer, 300 + (size_t)i * 100, 's', s->id[i], "r@there.example", NULL) != OK)
            s->id[i][0] = '\0';
    return NULL;
}

static void one_sync_serves_many(void **state)
{
    (void)state;
    struct queue_io io = queue_io_system;
    io.sync = slow_sync;
    struct queue_options o = spool_options();
    o.io = &io;
    struct queue_writer *w = spool_writer(&o);
    struct queue *q = spool_queue(NULL);
    static struct session sessions[THREADS];
    pthread_t threads[THREADS];
    syncs = 0;
    for (int i = 0; i < THREADS; i++) {
        sessions[i].writer = w;
        assert_int_equal(pthread_create(&threads[i], NULL, session_run, &sessions[i]), 0);
    }
    struct map seen = {0};
    for (int i = 0; i < THREADS * EACH; i++) {
        struct queue_message *m = spool_claim(q);
        assert_null(map_put(&seen, str_of(m->id), q)); /* none twice */
        spool_has_content(m, m->content_size, 's');
        spool_settle(q, m, 0, QUEUE_DELIVERED, "", 0);
    }
    for (int i = 0; i < THREADS; i++) {
        (void)pthread_join(threads[i], NULL);
        for (int k = 0; k < EACH; k++)
            assert_ptr_equal(map_get(&seen, str_of(sessions[i].id[k])), q);
    }
    assert_true(syncs < THREADS * EACH / 2);
    spool_is_empty(q);
    map_release(&seen);
    queue_close(q);
    queue_writer_close(w);
}

int main(void)
{
#define T(f) cmocka_unit_test_setup_teardown(f, spool_setup, spool_teardown)
    const struct CMUnitTest tests[] = {
        T(commit_claim_settle),
        T(the_first_message_does_not_wait),
        T(one_producer_of_a_name),
        T(big_messages_have_files),
        T(left_over_big_files),
        T(drafts_share_a_budget),
        T(failing_sync_is_an_error_and_loses_nothing),
        T(full_disk),
        T(one_sync_serves_many),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
