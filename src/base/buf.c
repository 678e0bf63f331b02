#include "base/buf.h"

#include <stdio.h>

#include "base/die.h"

void buf_release(struct buf *b)
{
    free(b->p);
    *b = (struct buf){0};
}

void buf_clear(struct buf *b)
{
    b->n = 0;
    if (b->p)
        b->p[0] = '\0';
}

void buf_reserve(struct buf *b, size_t more)
{
    ENSURE(more < SIZE_MAX / 4 && b->n < SIZE_MAX / 4);
    size_t need = b->n + more + 1;
    if (need <= b->size)
        return;
    size_t size = b->size ? b->size : 64;
    while (size < need)
        size *= 2;
    b->p = must_alloc(realloc(b->p, size));
    b->size = size;
}

void buf_append(struct buf *b, const void *p, size_t n)
{
    buf_reserve(b, n);
    if (n)
        memcpy(b->p + b->n, p, n);
    b->n += n;
    b->p[b->n] = '\0';
}

void buf_add(struct buf *b, struct str s)
{
    buf_append(b, s.p, s.n);
}

void buf_add_char(struct buf *b, char c)
{
    buf_append(b, &c, 1);
}

void buf_vprintf(struct buf *b, const char *format, va_list args)
{
    va_list again;
    va_copy(again, args);
    buf_reserve(b, 64);
    int n = vsnprintf(b->p + b->n, b->size - b->n, format, args);
    ENSURE(n >= 0);
    if ((size_t)n >= b->size - b->n) {
        buf_reserve(b, (size_t)n);
        n = vsnprintf(b->p + b->n, b->size - b->n, format, again);
    }
    va_end(again);
    b->n += (size_t)n;
}

void buf_printf(struct buf *b, const char *format, ...)
{
    va_list args;
    va_start(args, format);
    buf_vprintf(b, format, args);
    va_end(args);
}

void buf_set(struct buf *b, const char *format, ...)
{
    if (!b)
        return;
    /* The arguments may point into b itself: "opening: %s" around an earlier reason. */
    struct buf fresh = {0};
    va_list args;
    va_start(args, format);
    buf_vprintf(&fresh, format, args);
    va_end(args);
    buf_release(b);
    *b = fresh;
}

void buf_drop(struct buf *b, size_t n)
{
    if (n >= b->n) {
        buf_clear(b);
        return;
    }
    memmove(b->p, b->p + n, b->n - n);
    b->n -= n;
    b->p[b->n] = '\0';
}
