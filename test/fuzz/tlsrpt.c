/* Octets as what may hold a report: a message, gzip, JSON. What is read must come out of its packed form as
 * it went in; the octets as a packed report must never be believed too much. */
#include "report/tlsrpt.h"
#include "report/unwrap.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct buf json = {0}, why = {0}, packed = {0}, again = {0};
    struct str input = str_make((const char *)data, size);
    struct tlsrpt r, copy;
    if (report_unwrap(input, &json, &why) == OK && tlsrpt_parse(buf_str(&json), &a, &r, &why) == OK) {
        tlsrpt_pack(&r, &packed);
        ENSURE(tlsrpt_unpack(buf_str(&packed), &a, &copy) == OK);
        tlsrpt_pack(&copy, &again);
        ENSURE(str_equal(buf_str(&packed), buf_str(&again)));
        (void)!tlsrpt_check(&copy, r.end_ms, &why);
    }
    if (tlsrpt_unpack(input, &a, &r) == OK)
        (void)!tlsrpt_check(&r, r.end_ms, &why);
    buf_release(&json);
    buf_release(&why);
    buf_release(&packed);
    buf_release(&again);
    arena_release(&a);
    return 0;
}
