/* What an authoritative server says: an answer, the message of a transfer, the answer to an update. Whatever
 * is read can be printed, and written and read again as the same. */
#include "base/codec.h"
#include "dns/update.h"
#include "dns/zone_message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check(void *ctx, const struct dns_raw *record)
{
    struct buf wire = {0};
    struct dns_rr rr;
    struct dns_raw again;
    dns_raw_text(&wire, record);
    ENSURE(wire.n > record->owner.n);
    buf_clear(&wire);
    if (dns_raw_write(&wire, record)) {
        struct dns_reader r = {.message = (const uint8_t *)wire.p, .end = wire.n};
        ENSURE(dns_read_rr(&r, &rr) && r.at == r.end && dns_raw_from_rr(ctx, &rr, &again));
        ENSURE(dns_raw_compare(record, &again) == 0 && record->ttl == again.ttl);
    }
    buf_release(&wire);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct arena a = {0};
    struct str message = str_make((const char *)data, size);
    uint16_t id = size >= 2 ? get_u16(data) : 0;
    struct dns_question q = {STR("k7.mx.example"), DNS_TLSA};
    struct authority_answer answer;
    enum err e = OK;
    enum dns_rcode rcode;
    if (authority_answer_parse(&a, message, id, &q, 1795000000, &e, &answer) == DNS_PARSED && e == OK) {
        for (size_t i = 0; i < answer.n; i++)
            check(&a, &answer.records[i]);
        for (size_t i = 0; i < answer.signature_count; i++)
            (void)dns_signature_verify(&answer.signatures[i], answer.records, answer.n, message);
    }
    struct dns_transfer t = {.zone = q.name, .id = id, .each = check, .ctx = &a};
    while (dns_transfer_feed(&t, message) == DNS_TRANSFER_MORE && t.id == id)
        t.id++;
    (void)dns_update_parse(message, id, &rcode);
    arena_release(&a);
    return 0;
}
