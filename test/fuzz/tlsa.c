/* Octets as a TLSA record, and as the text of one; what is usable must be accepted by the judge. */
#include "dane/dane.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct buf text = {0};
    struct str bytes = str_make((const char *)data, size);
    struct tlsa t[2] = {0};
    if (size >= 3)
        t[0] = (struct tlsa){data[0] % 5, data[1] % 3, data[2] % 4, str_from(bytes, 3)};
    if (dane_tlsa_parse(bytes, &a, &t[1], NULL) == OK) {
        struct tlsa again;
        dane_tlsa_format(&text, &t[1]);
        ENSURE(dane_tlsa_parse(buf_str(&text), &a, &again, NULL) == OK && str_equal(again.data, t[1].data));
    }
    struct tlsa_set usable;
    struct dane_verdict verdict;
    dane_usable(&(struct tlsa_set){t, 2}, &a, &usable);
    dane_judge_chain(NULL, &usable, &(struct dane_identity){.base = STR("mx.example")}, DANE_NOW, &verdict);
    ENSURE(!verdict.match && verdict.reason == (usable.n ? DANE_NO_MATCH : DANE_UNUSABLE));
    buf_release(&text);
    arena_release(&a);
    return 0;
}
