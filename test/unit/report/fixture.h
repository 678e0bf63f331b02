/* Reports in the forms in which they come. */
#ifndef TEST_REPORT_FIXTURE_H
#define TEST_REPORT_FIXTURE_H

#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>
#include <zlib.h>

#include "base/base.h"

static const char report_json[] =
    "{\"organization-name\":\"X\",\"report-id\":\"1\",\"date-range\":{\"start-datetime\":\"2026-11-28T00:00:"
    "00Z\","
    "\"end-datetime\":\"2026-11-28T23:59:59Z\"},\"policies\":[{\"policy\":{\"policy-type\":\"tlsa\","
    "\"policy-domain\":\"o.example\"},\"summary\":{\"total-successful-session-count\":1,"
    "\"total-failure-session-count\":0}}]}";

static __attribute__((unused)) void gzip(struct str in, struct buf *out)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
    assert_int_equal(deflateInit2(&z, 9, Z_DEFLATED, 16 + MAX_WBITS, 9, Z_DEFAULT_STRATEGY), Z_OK);
    size_t room = deflateBound(&z, in.n);
    buf_reserve(out, room);
    z.next_out = (Bytef *)out->p + out->n;
    z.avail_out = (uInt)room;
    assert_int_equal(deflate(&z, Z_FINISH), Z_STREAM_END);
    out->n += z.total_out;
    (void)deflateEnd(&z);
}

/* A part with base64 in lines, as mailers write it; eol: CRLF or LF. */
static __attribute__((unused)) void attach(struct buf *out, const char *type, struct str content,
                                           const char *eol)
{
    struct buf text = {0};
    base64_append(&text, content.p, content.n);
    buf_printf(out, "--b%sContent-Type: %s%sContent-Transfer-Encoding: base64%s%s", eol, type, eol, eol, eol);
    for (size_t at = 0; at < text.n; at += 76)
        buf_printf(out, "%.*s%s", STR_ARG(str_sub(buf_str(&text), at, 76)), eol);
    buf_release(&text);
}

#endif
