/* Growing bytes, owned. Zero-initialise, append, release. Always NUL-terminated behind n, so buf_cstr is
 * free. */
#ifndef BASE_BUF_H
#define BASE_BUF_H

#include <stdarg.h>
#include <stddef.h>

#include "base/str.h"

struct buf {
    char *p;
    size_t n;
    size_t size;
};

void buf_release(struct buf *b);
/* Empties, keeps the memory. */
void buf_clear(struct buf *b);
/* Room for at least `more` bytes behind n. */
void buf_reserve(struct buf *b, size_t more);
void buf_append(struct buf *b, const void *p, size_t n);
void buf_add(struct buf *b, struct str s);
void buf_add_char(struct buf *b, char c);
void buf_printf(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
void buf_vprintf(struct buf *b, const char *format, va_list args) __attribute__((format(printf, 2, 0)));
/* Replaces the content; the form for `struct buf *why`. A NULL buf is allowed here: the text is dropped. */
void buf_set(struct buf *b, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Removes the first n bytes. */
void buf_drop(struct buf *b, size_t n);

static inline struct str buf_str(const struct buf *b)
{
    return (struct str){b->p, b->n};
}

static inline const char *buf_cstr(const struct buf *b)
{
    return b->p ? b->p : "";
}

#endif
