#include "base/arena.h"

#include <stdio.h>

#include "base/die.h"

#if defined(__SANITIZE_ADDRESS__)
#define ONE_BLOCK_EACH 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define ONE_BLOCK_EACH 1
#endif
#endif
#ifndef ONE_BLOCK_EACH
#define ONE_BLOCK_EACH 0
#endif

enum { BLOCK_BYTES = 2048, BLOCK_MAX = 65536 };

struct arena_block {
    struct arena_block *before;
    size_t used, size;
    _Alignas(max_align_t) char data[];
};

static struct arena_block *add_block(struct arena *a, size_t n)
{
    size_t size = a->last ? a->last->size * 2 : BLOCK_BYTES;
    if (size > BLOCK_MAX)
        size = BLOCK_MAX;
    if (ONE_BLOCK_EACH || size < n)
        size = n;
    struct arena_block *b = must_alloc(malloc(sizeof *b + size));
    *b = (struct arena_block){.before = a->last, .size = size};
    a->last = b;
    return b;
}

void *arena_alloc(struct arena *a, size_t n)
{
    ENSURE(n < SIZE_MAX / 2);
    size_t step = _Alignof(max_align_t);
    size_t want = ONE_BLOCK_EACH ? n : (n + step - 1) / step * step;
    struct arena_block *b = a->last;
    if (ONE_BLOCK_EACH || !b || b->size - b->used < want)
        b = add_block(a, want);
    void *p = b->data + b->used;
    b->used += want;
    memset(p, 0, n);
    return p;
}

void *arena_alloc_array(struct arena *a, size_t count, size_t size)
{
    size_t n;
    ENSURE(!__builtin_mul_overflow(count, size, &n));
    return arena_alloc(a, n);
}

char *arena_cstr(struct arena *a, struct str s)
{
    char *p = arena_alloc(a, s.n + 1);
    if (s.n)
        memcpy(p, s.p, s.n);
    return p;
}

struct str arena_str(struct arena *a, struct str s)
{
    return (struct str){arena_cstr(a, s), s.n};
}

struct str arena_lower(struct arena *a, struct str s)
{
    char *p = arena_cstr(a, s);
    for (size_t i = 0; i < s.n; i++)
        if (p[i] >= 'A' && p[i] <= 'Z')
            p[i] |= 0x20;
    return (struct str){p, s.n};
}

struct str arena_printf(struct arena *a, const char *format, ...)
{
    va_list args, again;
    va_start(args, format);
    va_copy(again, args);
    int n = vsnprintf(NULL, 0, format, args);
    va_end(args);
    ENSURE(n >= 0);
    char *p = arena_alloc(a, (size_t)n + 1);
    (void)vsnprintf(p, (size_t)n + 1, format, again);
    va_end(again);
    return (struct str){p, (size_t)n};
}

void arena_release(struct arena *a)
{
    for (struct arena_block *b = a->last, *before; b; b = before) {
        before = b->before;
        free(b);
    }
    a->last = NULL;
}
