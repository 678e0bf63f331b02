/* A signed answer to a fixed question; the corpus has one that is right. */
#include "dns/tsig.h"

#include "base/base.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct tsig_key key = {{"kedge.key", 9}, TSIG_HMAC_SHA256, {"0123456789abcdef", 16}};
    const int64_t now = 1795000000;
    struct tsig t;
    struct buf question = {0}, sentence = {0};
    struct str plain, message = str_make((const char *)data, size);
    buf_append(&question, "\x12\x34\0\0\0\1\0\0\0\0\0\0\2k7\2mx\7example\0\0\6\0\1", 31);
    tsig_init(&t, &key);
    tsig_sign(&t, &question, now);
    for (int i = 0; i < 3; i++) { /* the answer, and as what follows it in a transfer */
        enum tsig_error e = tsig_verify(&t, message, now, &plain);
        ENSURE(plain.p == message.p && plain.n <= message.n);
        ENSURE(i || e != TSIG_ERROR_NONE || tsig_end(&t) == TSIG_ERROR_NONE);
        tsig_error_sentence(&t, e, now, &sentence);
        ENSURE(sentence.n);
    }
    buf_release(&question);
    buf_release(&sentence);
    tsig_release(&t);
    return 0;
}
