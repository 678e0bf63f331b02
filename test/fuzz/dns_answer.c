/* The first two octets choose what was asked, the rest is the message that came back. */
#include "base/codec.h"
#include "dns/message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const enum dns_type types[] = {DNS_A,     DNS_MX,  DNS_AAAA, DNS_TLSA,
                                          DNS_CNAME, DNS_TXT, DNS_SOA,  DNS_DS};
    if (size < 4)
        return 0;
    struct arena a = {0};
    struct dns_question q = {STR("example"), types[data[0] % 8]};
    struct dns_answer out;
    struct str message = str_make((const char *)data + 2, size - 2);
    if (dns_answer_parse(&a, message, get_u16(data + 2), &q, &out) == DNS_PARSED) {
        ENSURE((out.status == DNS_ERROR) == (out.error != DNS_ERROR_NONE));
        ENSURE((out.status == DNS_DATA) == (out.n > 0));
        for (size_t i = 0; i < out.n; i++)
            ENSURE(out.records[i].type == q.type);
    }
    arena_release(&a);
    return 0;
}
