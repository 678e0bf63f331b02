/* Memory that ends together: one arena per session, message, job or request; released in one place. Not
 * thread-safe. Under AddressSanitizer every allocation is a malloc of its own, so that overruns are seen. */
#ifndef BASE_ARENA_H
#define BASE_ARENA_H

#include <stdarg.h>
#include <stddef.h>

#include "base/str.h"

struct arena {
    struct arena_block *last;
};

/* Zeroed, aligned for any type. */
void *arena_alloc(struct arena *a, size_t n);
#define ARENA_NEW(a, type) ((type *)arena_alloc((a), sizeof(type)))
#define ARENA_ARRAY(a, type, count) ((type *)arena_alloc_array((a), (count), sizeof(type)))
void *arena_alloc_array(struct arena *a, size_t count, size_t size);
/* Copies; the copy is NUL-terminated behind n. */
struct str arena_str(struct arena *a, struct str s);
char *arena_cstr(struct arena *a, struct str s);
/* Copy with A-Z as a-z. */
struct str arena_lower(struct arena *a, struct str s);
struct str arena_printf(struct arena *a, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Frees everything; the arena can be used again. */
void arena_release(struct arena *a);

#endif
