/*
 * queue: the durable spool between the two halves of Kedge. Producers (smtpd; deliver for its bounces) append
 * messages to logs of preallocated segments; one consumer (deliver) follows the logs, hands messages to its
 * workers when they are due and keeps the state of each until every recipient has an outcome.
 *
 * Knows files, records, group commit, replay, the schedule. Refuses to know SMTP, DNS, why an attempt failed
 * and when to try again: those are the caller's words, stored as they are. Nobody outside knows that segments
 * exist. Every file has one writer: a log its producer, everything else the consumer.
 *
 * The promise: queue_draft_commit returns OK only when envelope and content are on stable storage, names of
 * files included, under the strict POSIX reading (what was not synced may be gone after a power cut).
 * Outcomes are synced lazily: a crash may duplicate an attempt, it never loses a message.
 */
#ifndef QUEUE_QUEUE_H
#define QUEUE_QUEUE_H

#include "base/base.h"
#include "mail/envelope.h"

struct queue;        /* the consumer's side, or a reader's */
struct queue_writer; /* a producer's side */
struct queue_draft;
struct queue_place;

enum { QUEUE_ID = 15 }; /* 14 of [0-9a-z], sortable by time, and NUL */

/* Zero means the default everywhere. */
struct queue_options {
    size_t segment_size;    /* bytes of a log segment; 64 MiB */
    size_t big_message;     /* larger content gets a file of its own; 1 MiB, at most a quarter of a segment */
    size_t draft_memory;    /* bytes that drafts may hold in all; beyond it they go to files early; 256 MiB */
    uint64_t disk_reserve;  /* bytes that must stay free on the file system; 64 MiB */
    unsigned live_segments; /* segments kept for unfinished messages before these move to deferred/; 16 */
    int64_t segment_age_ms; /* the same by age of a finished segment; 5 min */
    size_t outcome_size;    /* the outcome log is rewritten when it exceeds this and is mostly dead; 8 MiB */
    bool quiet;             /* no summary of the replay in the log (commands) */
    const struct queue_io *io; /* tests inject faults here; NULL: the system's calls */
};

/* Fault injection: the calls whose failure the queue must survive. */
struct queue_io {
    int (*sync)(int fd);                          /* fdatasync(2) */
    int (*sync_folder)(int fd);                   /* fsync(2) */
    int (*allocate)(int fd, off_t size);          /* posix_fallocate(3) from 0: returns the error number */
    int (*free_space)(int dir_fd, uint64_t *out); /* fstatvfs(3) */
};

/* ---- producers -------------------------------------------------------------------------------------- */

/* Opens (and creates) the queue in dir for the producer of that name ([a-z]+, one process at a time: ERR_BUSY
 * in why otherwise). NULL with a sentence in why when it cannot. Thread-safe from here on. */
struct queue_writer *queue_writer_open(const char *dir, const char *producer,
                                       const struct queue_options *options, struct buf *why);
/* No draft may be open. */
void queue_writer_close(struct queue_writer *w);
/* False when a message should be refused early (452): less than the reserve is free. Cheap; looked up at most
 * once a second. */
bool queue_writer_space_ok(struct queue_writer *w);

/* A message under way. One thread at a time. The id is known from the start (for the Received field). */
struct queue_draft *queue_draft_new(struct queue_writer *w);
const char *queue_draft_id(const struct queue_draft *d);
/* Appends content; canonical CRLF lines, no dot-stuffing. Errors are sticky and come out of commit. */
void queue_draft_write(struct queue_draft *d, const void *p, size_t n);
uint64_t queue_draft_size(const struct queue_draft *d);
/* Blocks until synced; one sync serves all that wait. `id` and `size` of the envelope are set by the queue,
 * the rest is stored as given. OK: ours for ever. ERR_FULL: no space (452). Anything else: 451. The draft is
 * freed in every case. */
enum err queue_draft_commit(struct queue_draft *d, const struct envelope *envelope, char id[QUEUE_ID],
                            struct buf *why) MUST_CHECK;
void queue_draft_drop(struct queue_draft *d);

/* ---- the consumer ----------------------------------------------------------------------------------- */

#define QUEUE_STATUS_TABLE(X)                                                                                \
    X(QUEUE_PENDING, "pending", "not attempted yet")                                                         \
    X(QUEUE_DEFERRED, "deferred", "will be attempted again")                                                 \
    X(QUEUE_DELIVERED, "delivered", "the next hop took responsibility")                                      \
    X(QUEUE_BOUNCED, "bounced", "failed for good; the sender was told")                                      \
    X(QUEUE_DISCARDED, "discarded", "removed by an operator's explicit command")

enum queue_status {
#define X(name, text, sentence) name,
    QUEUE_STATUS_TABLE(X)
#undef X
};
const char *queue_status_name(enum queue_status s);
/* delivered, bounced and discarded are final. */
static inline bool queue_status_is_final(enum queue_status s)
{
    return s >= QUEUE_DELIVERED;
}

/* What is remembered of one recipient, across restarts. */
struct queue_recipient {
    enum queue_status status;
    uint32_t attempts;
    int64_t last_ms;   /* wall clock of the last attempt; 0: none */
    int64_t next_ms;   /* wall clock; before it no attempt is due. 0: due with the message */
    int64_t warned_ms; /* when the sender was told of its delay; 0: not yet */
    struct str reason; /* stable reason code of the last attempt ("tlsa-no-match") */
    struct str text;   /* sentence or reply of the peer */
};

/* A message as claimed or walked over. Valid until settled, put back or released. */
struct queue_message {
    char id[QUEUE_ID];
    const struct envelope *envelope; /* all recipients, also the finished ones */
    struct queue_recipient *rcpt;    /* envelope->nrcpt of them, same order */
    uint64_t content_size;
    uint32_t attempts; /* claims that were settled */
    int64_t next_ms;   /* wall clock of the next attempt */
    bool held;
    bool claimed;              /* walk only: an attempt is under way */
    struct arena arena;        /* the caller may use it for what ends with the message */
    struct queue_place *place; /* private */
};

/* Opens the queue as its consumer: takes the lock (ERR_BUSY when another process has it), replays logs and
 * outcomes, says in the log how much, starts the thread that follows the logs. */
enum err queue_open(const char *dir, const struct queue_options *options, struct queue **out,
                    struct buf *why) MUST_CHECK;
/* Every claimed message must have been given back. Syncs the outcomes. */
void queue_close(struct queue *q);
/* Makes waiting and later claims return ERR_CLOSED. */
void queue_stop(struct queue *q);
bool queue_is_stopping(struct queue *q);

/* Waits for the next message that is new or due. Fresh messages are not starved by a backlog of retries. OK,
 * ERR_TIMEOUT, ERR_CLOSED. A message whose stored bytes turn out damaged is set aside and skipped. */
enum err queue_claim(struct queue *q, deadline d, struct queue_message **out) MUST_CHECK;

struct queue_result {
    size_t rcpt; /* index */
    enum queue_status status;
    struct str reason, text;
    int64_t next_ms;   /* as in struct queue_recipient */
    int64_t warned_ms; /* 0: as before */
};
struct queue_settlement {
    const struct queue_result *results;
    size_t count;
    int64_t next_ms; /* wall clock of the next attempt, if a recipient is left */
};
/* Writes down the outcomes and ends the claim: the message is freed. When no recipient is left the message is
 * done. Bounces must have been committed before. Recipients not named stay as they are. On error the outcome
 * is kept in memory only, which is all that was promised. */
enum err queue_settle(struct queue *q, struct queue_message *m, const struct queue_settlement *s,
                      struct buf *why);
/* The same, but the claim goes on (a message with many destinations records each as it ends). */
enum err queue_progress(struct queue *q, struct queue_message *m, const struct queue_settlement *s,
                        struct buf *why);
/* Ends the claim as if it had not been; due again at next_ms (wall). Nothing is written. */
void queue_put_back(struct queue *q, struct queue_message *m, int64_t next_ms);

/* Content of a message: read at any offset, as often as wanted, while the message is valid. Returns the bytes
 * read (0 at the end), or -1 with why set when the storage fails. */
ssize_t queue_content_read(struct queue_message *m, uint64_t at, void *p, size_t n, struct buf *why);

/* ---- operators -------------------------------------------------------------------------------------- */

struct queue_counts {
    size_t messages; /* in the queue, in whatever state */
    size_t fresh, waiting, claimed, held;
    uint64_t bytes;         /* content of all */
    int64_t oldest_ms;      /* received; 0: empty */
    uint64_t entered, done; /* since the start of this process */
    uint64_t damaged;
    size_t segments, free_segments, deferred_files;
};
void queue_count(struct queue *q, struct queue_counts *out);

/* By id; ERR_NOT_FOUND. Retry makes every unfinished recipient due. While an attempt is under way it does
 * nothing, the others take effect when the attempt ends. A held message stays held through a retry and is
 * attempted when it is released. */
enum err queue_retry(struct queue *q, const char *id, struct buf *why) MUST_CHECK;
enum err queue_hold(struct queue *q, const char *id, struct buf *why) MUST_CHECK;
enum err queue_release(struct queue *q, const char *id, struct buf *why) MUST_CHECK;
/* Discards: every unfinished recipient becomes discarded. `by` is remembered as the reason's text. */
enum err queue_remove(struct queue *q, const char *id, struct str by, struct buf *why) MUST_CHECK;
/* Makes due at once, in all messages that are not held, the unfinished recipients in that domain (empty: all
 * of them). Returns in how many messages. */
size_t queue_retry_all(struct queue *q, struct str domain);

/* One message for looking at; freed with queue_message_free. */
enum err queue_look(struct queue *q, const char *id, struct queue_message **out, struct buf *why) MUST_CHECK;
void queue_message_free(struct queue_message *m);
/* Calls visit for each message, oldest first; false from visit ends the walk. */
void queue_walk(struct queue *q, bool (*visit)(void *ctx, struct queue_message *m), void *ctx);
/* The same functions on a queue opened for reading only by any process, consumer running or not: a snapshot
 * that takes no lock and changes nothing. queue_look, queue_walk, queue_count, queue_close only. */
enum err queue_open_readonly(const char *dir, struct queue **out, struct buf *why) MUST_CHECK;

/* True for text of the form of an id. */
bool queue_id_is_valid(struct str id);
/* Milliseconds of Unix time in an id. */
int64_t queue_id_time(const char *id);

#endif
