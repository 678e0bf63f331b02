/* Borrowed bytes: pointer and length, not NUL-terminated. Text from outside travels as struct str. ASCII case
 * only. */
#ifndef BASE_STR_H
#define BASE_STR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/banned.h"

struct str {
    const char *p;
    size_t n;
};

#define STR(literal) ((struct str){"" literal, sizeof(literal) - 1})
#define STR_NONE ((struct str){NULL, 0})
/* For printf: printf("%.*s", STR_ARG(s)). */
#define STR_ARG(s) (int)(s).n, (s).p ? (s).p : ""

static inline struct str str_of(const char *nul_terminated)
{
    return (struct str){nul_terminated, nul_terminated ? strlen(nul_terminated) : 0};
}

static inline struct str str_make(const char *p, size_t n)
{
    return (struct str){p, n};
}

static inline bool str_is_empty(struct str s)
{
    return s.n == 0;
}

bool str_equal(struct str a, struct str b);
bool str_equal_nocase(struct str a, struct str b);
/* <0, 0, >0 as memcmp, shorter first on a tie. */
int str_compare(struct str a, struct str b);
int str_compare_nocase(struct str a, struct str b);
bool str_starts(struct str s, struct str prefix);
bool str_starts_nocase(struct str s, struct str prefix);
bool str_ends(struct str s, struct str suffix);
bool str_ends_nocase(struct str s, struct str suffix);

/* The part from offset `from` (clamped), at most n bytes. */
struct str str_sub(struct str s, size_t from, size_t n);
static inline struct str str_from(struct str s, size_t from)
{
    return str_sub(s, from, SIZE_MAX);
}
/* Index of the first / last c, or SIZE_MAX. */
size_t str_find_char(struct str s, char c);
size_t str_rfind_char(struct str s, char c);
/* Index of the first occurrence of needle, or SIZE_MAX. */
size_t str_find(struct str s, struct str needle);

/* Cuts *rest at the first c: returns what is before, *rest becomes what is after (empty with p NULL when
 * there was no c). */
struct str str_cut(struct str *rest, char c);
/* Takes the next word separated by spaces and tabs; empty when there is none. */
struct str str_word(struct str *rest);
/* Without leading and trailing space, tab, CR, LF. */
struct str str_trim(struct str s);

/* Decimal only, whole string, no sign, no blanks. False when it does not fit or is not a number. */
bool str_to_u64(struct str s, uint64_t *out);
bool str_to_u32(struct str s, uint32_t *out);

/* Octets of the well-formed UTF-8 character at the start (1 for ASCII), 0 when there is none (RFC 3629). */
size_t str_utf8_length(struct str s);

/* Malloc'd NUL-terminated copy; owned by the caller. */
char *str_dup(struct str s);
/* Copies into a fixed array, NUL-terminated. False (and an empty string) when it does not fit. */
bool str_copy(struct str s, char *out, size_t size);

#endif
