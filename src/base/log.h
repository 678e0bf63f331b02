/* logfmt on stderr, one event a line: level=info event=session-end peer=192.0.2.1 ... ; the only place that
 * escapes. Never bodies, keys or tokens. Thread-safe: a line is one write(2). */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdint.h>

#include "base/buf.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARN, LOG_ERROR };

/* Lines below the level are dropped. Program name and level are set once at start-up by cmd. */
void log_init(const char *program, enum log_level least);
bool log_is_on(enum log_level level);

/* log_event(LOG_INFO, "event-name", LOG_STR("peer", s), LOG_NUM("bytes", n), LOG_TEXT("why", cstr)); keys are
 * literals. */
struct log_field {
    const char *key;
    struct str text; /* used when !is_number */
    int64_t number;
    bool is_number;
};
#define LOG_STR(k, s) ((struct log_field){.key = (k), .text = (s)})
#define LOG_TEXT(k, cstr) ((struct log_field){.key = (k), .text = str_of(cstr)})
#define LOG_NUM(k, v) ((struct log_field){.key = (k), .number = (int64_t)(v), .is_number = true})
void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count);
#define log_event(level, event, ...)                                                                         \
    do {                                                                                                     \
        if (log_is_on(level)) {                                                                              \
            const struct log_field log_fields_[] = {{0}, ##__VA_ARGS__};                                     \
            log_write((level), (event), log_fields_ + 1, sizeof log_fields_ / sizeof *log_fields_ - 1);      \
        }                                                                                                    \
    } while (0)

/* key=value with logfmt quoting, appended to a line under construction. */
void log_append_field(struct buf *line, struct log_field field);

#endif
