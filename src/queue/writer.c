/* The producer's side: drafts and group commit. Sessions that commit at the same time form a batch; the first
 * of them writes and syncs for all (leader), the others wait. While a batch is being synced the next one
 * gathers, so the batch grows with the load and one session alone waits for nobody. */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/socket.h>
#include <unistd.h>

#include "queue/append.h"
#include "queue/id.h"
#include "queue/io.h"
#include "queue/record.h"
#include "queue/wake.h"

enum {
    SPILL = 256 * 1024,        /* content of a big message waits in memory up to this */
    SPILL_CROWDED = 32 * 1024, /* that of any message when drafts hold too much */
    BATCH = 256,               /* records a write; two parts each, IOV_MAX is 1024 */
    SPACE_AGE_MS = 1000,       /* how long a look at the free space counts */
};

struct queue_draft {
    struct queue_writer *writer;
    char id[QUEUE_ID];
    struct buf content; /* what is not in a file of its own yet */
    size_t held;        /* its memory, as counted in the writer */
    int big;            /* file, or -1 */
    uint64_t size;
    uint32_t check; /* of the content */
    enum err error; /* sticky; the result after the commit */
    struct buf why;
    /* the commit */
    struct buf head; /* record header and envelope */
    struct record record;
    uint64_t batch;
    bool done;
    struct queue_draft *next;
};

struct queue_writer {
    struct layout layout;
    struct queue_options options;
    struct wake wake;
    struct append append; /* the leader's */
    _Atomic uint64_t counter, space_until;
    _Atomic bool space_ok;
    _Atomic size_t held;    /* memory of all drafts */
    pthread_mutex_t lock;   /* what follows */
    pthread_cond_t turn[2]; /* of even and odd batches */
    struct queue_draft *first, **last;
    uint64_t gathering; /* number of the batch that gathers */
    bool leading;
};

static void big_name(const struct queue_draft *d, char out[QUEUE_ID + QUEUE_PRODUCER + 8])
{
    (void)snprintf(out, QUEUE_ID + QUEUE_PRODUCER + 8, "%s.%s.tmp", d->id, d->writer->append.name.producer);
}

struct sweep {
    struct queue_writer *writer;
    char suffix[QUEUE_PRODUCER + 8];
};

/* A file that was streaming in when an earlier process ended: nobody was told 250 for it. */
static bool sweep_big(void *ctx, const char *name)
{
    struct sweep *s = ctx;
    if (str_ends(str_of(name), str_of(s->suffix)))
        (void)unlinkat(s->writer->layout.big, name, 0);
    return true;
}

struct queue_writer *queue_writer_open(const char *dir, const char *producer,
                                       const struct queue_options *options, struct buf *why)
{
    struct queue_writer *w = must_alloc(calloc(1, sizeof *w));
    w->layout = LAYOUT_NONE, w->wake = WAKE_NONE;
    w->options = queue_options_fill(options);
    w->last = &w->first;
    if (layout_open(dir, LAYOUT_CREATE, &w->layout, why) != OK ||
        append_open(&w->append, &w->layout, &w->options, producer, why) != OK) {
        layout_release(&w->layout);
        free(w);
        return NULL;
    }
    wake_open_sender(&w->wake, &w->layout);
    ENSURE(pthread_mutex_init(&w->lock, NULL) == 0);
    thread_cond_init(&w->turn[0]);
    thread_cond_init(&w->turn[1]);
    /* deliver's messages are odd, those of other producers even: two processes never make the same id. */
    w->counter = (rand_u64() & ~1ULL) | (strcmp(producer, "deliver") == 0);
    struct sweep s = {.writer = w};
    (void)snprintf(s.suffix, sizeof s.suffix, ".%s.tmp", producer);
    struct buf ignored = {0};
    if (layout_list(w->layout.big, sweep_big, &s, &ignored) != OK)
        log_event(LOG_WARN, "queue-sweep-failed", LOG_STR("why", buf_str(&ignored)));
    buf_release(&ignored);
    return w;
}

void queue_writer_close(struct queue_writer *w)
{
    if (!w)
        return;
    ENSURE(!w->first && !w->leading);
    append_close(&w->append);
    wake_release(&w->wake);
    layout_release(&w->layout);
    (void)pthread_mutex_destroy(&w->lock);
    (void)pthread_cond_destroy(&w->turn[0]);
    (void)pthread_cond_destroy(&w->turn[1]);
    free(w);
}

bool queue_writer_space_ok(struct queue_writer *w)
{
    uint64_t now = (uint64_t)clock_mono(), space = 0;
    if (now >= atomic_load(&w->space_until)) {
        atomic_store(&w->space_until, now + SPACE_AGE_MS);
        bool ok = w->options.io->free_space(w->layout.root, &space) == 0 && space >= w->options.disk_reserve;
        atomic_store(&w->space_ok, ok);
    }
    return atomic_load(&w->space_ok);
}

/* ---- drafts ---- */

struct queue_draft *queue_draft_new(struct queue_writer *w)
{
    struct queue_draft *d = must_alloc(calloc(1, sizeof *d));
    d->writer = w;
    d->big = -1;
    queue_id_make(clock_wall(), atomic_fetch_add(&w->counter, 2), d->id);
    return d;
}

const char *queue_draft_id(const struct queue_draft *d)
{
    return d->id;
}

uint64_t queue_draft_size(const struct queue_draft *d)
{
    return d->size;
}

static void count_memory(struct queue_draft *d)
{
    size_t now = d->content.size;
    if (now > d->held)
        atomic_fetch_add(&d->writer->held, now - d->held);
    else if (now < d->held)
        atomic_fetch_sub(&d->writer->held, d->held - now);
    d->held = now;
}

void queue_draft_drop(struct queue_draft *d)
{
    if (!d)
        return;
    if (d->big >= 0) {
        char name[QUEUE_ID + QUEUE_PRODUCER + 8];
        big_name(d, name);
        (void)unlinkat(d->writer->layout.big, name, 0);
        file_close(&d->big);
    }
    buf_release(&d->content);
    count_memory(d);
    buf_release(&d->head);
    buf_release(&d->why);
    free(d);
}

/* Moves what waits in memory to the message's own file. */
static void spill(struct queue_draft *d)
{
    if (d->big < 0) {
        char name[QUEUE_ID + QUEUE_PRODUCER + 8];
        big_name(d, name);
        d->big = openat(d->writer->layout.big, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
        if (d->big < 0)
            d->error = err_system(&d->why, "making a file for a big message");
    }
    if (d->error == OK)
        d->error = file_write(d->big, d->content.p, d->content.n, &d->why);
    buf_release(&d->content);
}

/* Ten thousand sessions that each stop short of a big message would fill the memory of the machine. */
static bool must_spill(const struct queue_draft *d)
{
    const struct queue_options *o = &d->writer->options;
    size_t most = d->big >= 0 ? SPILL : o->big_message;
    if (most > SPILL_CROWDED && atomic_load(&d->writer->held) > o->draft_memory)
        most = SPILL_CROWDED;
    return d->content.n > most;
}

void queue_draft_write(struct queue_draft *d, const void *p, size_t n)
{
    if (d->error != OK)
        return;
    d->check = crc32c(d->check, p, n);
    d->size += n;
    buf_append(&d->content, p, n);
    count_memory(d);
    if (must_spill(d)) {
        spill(d);
        count_memory(d);
    }
}

/* The big file is complete, durable and has its final name before the log speaks of it. */
static void finish_big(struct queue_draft *d)
{
    struct queue_writer *w = d->writer;
    char name[QUEUE_ID + QUEUE_PRODUCER + 8];
    spill(d);
    if (d->error == OK && w->options.io->sync(d->big) < 0)
        d->error = err_system(&d->why, "syncing a big message");
    big_name(d, name);
    if (d->error == OK && renameat(w->layout.big, name, w->layout.big, d->id) < 0)
        d->error = err_system(&d->why, "naming a big message");
    if (d->error != OK)
        return;
    if (w->options.io->sync_folder(w->layout.big) < 0) {
        d->error = err_system(&d->why, "syncing the folder of big messages");
        (void)unlinkat(w->layout.big, d->id, 0);
    }
    file_close(&d->big);
    uint8_t check[4];
    put_u32(check, d->check);
    buf_append(&d->content, check, sizeof check);
}

/* Makes the record but for its stamp, which the segment gives. */
static void make_record(struct queue_draft *d, const struct envelope *envelope)
{
    static const uint8_t zeros[RECORD_HEADER];
    struct envelope e = *envelope;
    e.id = str_of(d->id);
    e.size = d->size;
    buf_append(&d->head, zeros, RECORD_HEADER);
    envelope_pack(&e, &d->head);
    size_t head = d->head.n - RECORD_HEADER;
    bool is_big =
        d->big >= 0 || record_align(RECORD_HEADER + head + d->content.n) > d->writer->options.segment_size;
    if (is_big)
        finish_big(d);
    d->record = (struct record){
        .kind = is_big ? RECORD_BIG : RECORD_MESSAGE,
        .head = (uint32_t)head,
        .body = (uint32_t)d->content.n,
        .check = crc32c(crc32c(0, d->head.p + RECORD_HEADER, head), d->content.p, d->content.n),
    };
    memcpy(d->record.id, d->id, QUEUE_ID);
    uint64_t size = record_size(&d->record);
    if (d->error == OK && size > d->writer->options.segment_size) {
        d->error = ERR_FULL;
        buf_set(&d->why, "an envelope of %zu octets does not fit into a log segment", head);
    }
    buf_append(&d->content, zeros, (size_t)(size - RECORD_HEADER - head - d->content.n));
}

/* ---- group commit ---- */

/* Writes as many drafts as fit into the current segment with one sync; returns the first that is left. */
static struct queue_draft *write_run(struct queue_writer *w, struct queue_draft *list)
{
    struct iovec parts[2 * BATCH];
    size_t n = 0;
    uint64_t total = 0, room = append_room(&w->append);
    struct buf why = {0};
    enum err e = OK;
    if (record_size(&list->record) > room) {
        e = append_roll(&w->append, &why);
        room = append_room(&w->append);
    }
    struct queue_draft *d = list;
    for (; d && n < 2 * BATCH && e == OK; d = d->next) {
        uint64_t size = record_size(&d->record);
        if (size > room - total)
            break;
        record_write_header(&d->record, w->append.name.stamp, (uint8_t *)d->head.p);
        parts[n++] = (struct iovec){d->head.p, d->head.n};
        parts[n++] = (struct iovec){d->content.p, d->content.n};
        total += size;
    }
    if (e == OK)
        e = append_write(&w->append, parts, n, total, &why);
    else
        d = NULL; /* no segment for anybody */
    for (struct queue_draft *written = list; written != d; written = written->next) {
        written->error = e;
        buf_set(&written->why, "%s", buf_cstr(&why));
    }
    buf_release(&why);
    return d;
}

static void lead(struct queue_writer *w)
{
    struct queue_draft *list = w->first;
    w->first = NULL, w->last = &w->first;
    uint64_t batch = w->gathering++;
    w->leading = true;
    (void)pthread_mutex_unlock(&w->lock);
    for (struct queue_draft *d = list; d;)
        d = write_run(w, d);
    wake_send(&w->wake);
    (void)pthread_mutex_lock(&w->lock);
    w->leading = false;
    for (struct queue_draft *d = list, *next; d; d = next) {
        next = d->next; /* its owner may free it once it is done, after the unlock */
        d->done = true;
    }
    (void)pthread_cond_broadcast(&w->turn[batch & 1]);
    (void)pthread_cond_signal(&w->turn[w->gathering & 1]); /* one of the next batch leads it */
}

enum err queue_draft_commit(struct queue_draft *d, const struct envelope *envelope, char id[QUEUE_ID],
                            struct buf *why)
{
    struct queue_writer *w = d->writer;
    if (d->error == OK)
        make_record(d, envelope);
    if (d->error == OK) {
        (void)pthread_mutex_lock(&w->lock);
        d->batch = w->gathering;
        *w->last = d, w->last = &d->next;
        while (!d->done)
            if (w->leading)
                (void)pthread_cond_wait(&w->turn[d->batch & 1], &w->lock);
            else
                lead(w);
        (void)pthread_mutex_unlock(&w->lock);
        if (d->error != OK && d->record.kind == RECORD_BIG)
            (void)unlinkat(w->layout.big, d->id, 0);
    }
    enum err e = d->error;
    memcpy(id, d->id, QUEUE_ID);
    if (e != OK)
        buf_set(why, "%s", buf_cstr(&d->why));
    queue_draft_drop(d);
    return e;
}
