#include "tenant/label.h"

#include <openssl/sha.h>

enum { LABEL_MAX = 63, TAIL = 8, TAIL_BYTES = 5 };

static bool is_letter_or_digit(char c)
{
    return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

/* Eight characters of the hash in base32, other ones for each attempt. */
static void tail_of(struct str domain, unsigned attempt, char out[TAIL])
{
    static const char digits[] = "abcdefghijklmnopqrstuvwxyz234567";
    uint8_t hash[SHA256_DIGEST_LENGTH];
    uint64_t bits = 0;
    ENSURE(attempt < MX_LABEL_TRIES);
    SHA256((const uint8_t *)domain.p, domain.n, hash);
    for (size_t i = 0; i < TAIL_BYTES; i++)
        bits = bits << 8 | hash[attempt * TAIL_BYTES + i];
    for (size_t i = 0; i < TAIL; i++)
        out[i] = digits[bits >> (5 * (TAIL - 1 - i)) & 31];
}

struct str mx_label(struct arena *a, struct str domain, unsigned attempt)
{
    /* "xn--..." with more behind it would be an A-label that stands for nothing: IDNA refuses such names. */
    struct str prefix = str_starts(domain, STR("xn--")) ? STR("idn-") : STR_NONE;
    char *label = arena_alloc(a, prefix.n + domain.n + 1 + TAIL);
    size_t n = 0;
    for (size_t i = 0; i < prefix.n; i++)
        label[n++] = prefix.p[i];
    for (size_t i = 0; i < domain.n; i++) {
        char c = domain.p[i];
        bool keep = is_letter_or_digit(c) || (c == '-' && n > 0);
        if (keep || (n > 0 && label[n - 1] != '-')) /* no hyphen in front, and no two for "_." */
            label[n++] = (char)(keep ? c : '-');
    }
    bool hashed = attempt > 0 || n > LABEL_MAX || n == 0 || label[n - 1] == '-';
    if (!hashed)
        return str_make(label, n);
    if (n > LABEL_MAX - 1 - TAIL)
        n = LABEL_MAX - 1 - TAIL;
    while (n > 0 && label[n - 1] == '-')
        n--;
    if (n > 0)
        label[n++] = '-';
    tail_of(domain, attempt, label + n);
    return str_make(label, n + TAIL);
}
