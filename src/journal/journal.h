/*
 * journal: what happened at this edge, one JSON object a line, a file for each producer and UTC day:
 * <dir>/<producer>-YYYY-MM-DD.jsonl. Written by smtpd (sessions, receptions) and deliver (attempts,
 * outcomes); read by control for reports and by `kedge trace`.
 *
 * Knows files, days, retention, losing events rather than mail. Refuses to know what an event means. A line
 * is an object with at least "time" (RFC 3339, UTC) and "event"; what concerns a message has "queue_id".
 *
 * Appending never blocks: lines wait in memory (bounded) for a thread. What does not fit, and what the disk
 * refuses, is dropped and counted; the next line that can be written is preceded by one that says how many.
 */
#ifndef JOURNAL_JOURNAL_H
#define JOURNAL_JOURNAL_H

#include "base/base.h"

struct journal;

struct journal_options {
    int64_t retention_ms; /* days that were over before are removed, of all producers; 0: 90 days */
    size_t buffer;        /* bytes that may wait; 0: 8 MiB */
};

/* Creates dir when missing. NULL with a sentence in why. Thread-safe from here on. */
struct journal *journal_open(const char *dir, const char *producer, const struct journal_options *options,
                             struct buf *why);
/* Writes what waits (one try) and ends. Accepts NULL. */
void journal_close(struct journal *j);
/* One event: a complete JSON object without line end. Copied. NULL journal: dropped. */
void journal_append(struct journal *j, struct str line);
/* Waits until what was appended before is in the file, or dropped. */
void journal_flush(struct journal *j);
uint64_t journal_dropped(struct journal *j);

/* Begins an event in out: {"time":"...","event":"..." and leaves the object open in w for the caller's
 * members and json_close(w, '}'). */
void journal_begin(struct json_out *w, struct buf *out, const char *event);

/* Calls visit with each line that contains `needle` (empty: all), in files of all producers whose day is >=
 * the day of from_ms, day by day; lines that are not complete are left out. False from visit ends it. */
enum err journal_read(const char *dir, int64_t from_ms, struct str needle,
                      bool (*visit)(void *ctx, struct str line), void *ctx, struct buf *why) MUST_CHECK;

/* How far each file was read. Begin with {0}. */
struct journal_mark {
    struct journal_mark_file *file;
    size_t n;
};
/* journal_read of what came since the last time. Lines of different files come in no order of time. */
enum err journal_follow(const char *dir, int64_t from_ms, struct journal_mark *mark,
                        void (*visit)(void *ctx, struct str line), void *ctx, struct buf *why) MUST_CHECK;
void journal_mark_release(struct journal_mark *m);

#endif
