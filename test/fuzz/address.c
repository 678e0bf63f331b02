/* Paths of MAIL and RCPT: what is accepted is one mailbox in the borrowed text, whatever the octets. */
#include "mail/address.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena arena = {0};
    struct mail_address a;
    for (int round = 0; round < 4; round++) {
        enum mail_path_kind kind = round & 1 ? MAIL_FORWARD_PATH : MAIL_REVERSE_PATH;
        if (mail_path_parse(str_make((const char *)data, size), kind, round & 2, &a, NULL))
            continue;
        ENSURE(memchr(a.text.p, 0, a.text.n) == NULL && memchr(a.text.p, '\n', a.text.n) == NULL);
        ENSURE(a.text.n == 0 || a.domain.n == 0 || a.local.n + 1 + a.domain.n == a.text.n);
        ENSURE((round & 2) || !a.has_utf8);
        ENSURE(a.is_quoted || str_find_char(a.local, '@') == SIZE_MAX);
        ENSURE(mail_local_unquoted(&arena, &a).n <= a.local.n);
        ENSURE(str_equal(mail_domain_of(a.text), a.domain));
    }
    arena_release(&arena);
    return 0;
}
