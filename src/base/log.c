#include "base/log.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <unistd.h>

#include "base/clock.h"

static const char *_Atomic program_name = "kedge";
static _Atomic int least_level = LOG_INFO;

void log_init(const char *program, enum log_level least)
{
    atomic_store(&program_name, program);
    atomic_store(&least_level, (int)least);
}

bool log_is_on(enum log_level level)
{
    return (int)level >= atomic_load_explicit(&least_level, memory_order_relaxed);
}

static bool needs_quotes(struct str s)
{
    if (s.n == 0)
        return true;
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c <= ' ' || c == '"' || c == '=' || c == '\\' || c == 0x7f)
            return true;
    }
    return false;
}

static void append_quoted(struct buf *line, struct str s)
{
    buf_add_char(line, '"');
    for (size_t i = 0; i < s.n; i++) {
        unsigned char c = (unsigned char)s.p[i];
        if (c == '"' || c == '\\') {
            buf_add_char(line, '\\');
            buf_add_char(line, (char)c);
        } else if (c == '\n') {
            buf_add(line, STR("\\n"));
        } else if (c < ' ' || c == 0x7f) {
            buf_printf(line, "\\x%02x", c);
        } else {
            buf_add_char(line, (char)c);
        }
    }
    buf_add_char(line, '"');
}

void log_append_field(struct buf *line, struct log_field field)
{
    buf_add_char(line, ' ');
    buf_add(line, str_of(field.key));
    buf_add_char(line, '=');
    if (field.is_number)
        buf_printf(line, "%" PRId64, field.number);
    else if (needs_quotes(field.text))
        append_quoted(line, field.text);
    else
        buf_add(line, field.text);
}

void log_write(enum log_level level, const char *event, const struct log_field *fields, size_t count)
{
    static const char *const names[] = {"debug", "info", "warn", "error"};
    char stamp[CLOCK_TEXT];
    clock_iso(clock_wall(), stamp);
    struct buf line = {0};
    buf_printf(&line, "time=%s level=%s program=%s event=%s", stamp, names[level], program_name, event);
    for (size_t i = 0; i < count; i++)
        log_append_field(&line, fields[i]);
    buf_add_char(&line, '\n');
    (void)!write(STDERR_FILENO, line.p, line.n); /* nowhere to report that logging failed */
    buf_release(&line);
}
