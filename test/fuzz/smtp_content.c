/* Content: decoding does not depend on where reads were cut, and what we send of it ends where we end it. */
#include "smtp/content.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void collect(void *ctx, const char *p, size_t n)
{
    buf_append(ctx, p, n);
}

static size_t decode(struct smtp_decoder *d, const char *p, size_t n, size_t step, struct buf *out)
{
    size_t at = 0;
    while (at < n && !d->is_done)
        at += smtp_decode(d, p + at, n - at < step ? n - at : step, collect, out);
    return at;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    const char *p = (const char *)data + 2;
    enum smtp_framing framing = data[0] & 1 ? SMTP_FRAMING_BDAT : SMTP_FRAMING_DATA;
    enum smtp_line_ends ends = data[0] & 2 ? SMTP_LINE_ENDS_NORMALISE : SMTP_LINE_ENDS_STRICT;
    struct smtp_decoder whole, cut, back;
    struct smtp_encoder e;
    struct buf a = {0}, b = {0}, wire = {0}, again = {0};
    smtp_decoder_init(&whole, framing, ends);
    smtp_decoder_init(&cut, framing, ends);
    ENSURE(decode(&whole, p, size - 2, size, &a) == decode(&cut, p, size - 2, 1 + data[1] % 16, &b));
    ENSURE(str_equal(buf_str(&a), buf_str(&b)) && whole.faults == cut.faults && whole.is_done == cut.is_done);
    smtp_encoder_init(&e, SMTP_FRAMING_DATA);
    smtp_encode(&e, a.p, a.n, collect, &wire);
    smtp_encode_finish(&e, collect, &wire);
    smtp_decoder_init(&back, SMTP_FRAMING_DATA, SMTP_LINE_ENDS_STRICT);
    ENSURE(decode(&back, wire.p, wire.n, wire.n, &again) == wire.n && back.is_done);
    ENSURE((back.faults & ~(unsigned)(SMTP_CONTENT_NUL | SMTP_CONTENT_LINE_TOO_LONG)) == 0);
    buf_release(&a), buf_release(&b), buf_release(&wire), buf_release(&again);
    return 0;
}
