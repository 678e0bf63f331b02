/* Replies and EHLO: whatever the lines are, what is kept is printable and within its caps. */
#include "smtp/smtp.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct str rest = str_make((const char *)data, size);
    struct smtp_reply_parser p = {0};
    struct smtp_extensions e;
    struct buf out = {0};
    const char *why;
    enum smtp_reply_step step = SMTP_REPLY_MORE;
    while (step == SMTP_REPLY_MORE && rest.p)
        step = smtp_reply_feed(&p, str_cut(&rest, '\n'), &why);
    for (struct str text = buf_str(&p.text); text.n; text = str_from(text, str_utf8_length(text))) {
        ENSURE(str_utf8_length(text)); /* well-formed, and without control characters */
        ENSURE(text.p[0] == '\n' || ((unsigned char)text.p[0] >= ' ' && text.p[0] != 127));
    }
    ENSURE(p.text.n <= SMTP_REPLY_MAX && (step != SMTP_REPLY_DONE || p.code / 100 >= 2));
    smtp_extensions_parse(buf_str(&p.text), &e);
    smtp_extensions_format(STR("x"), &e, &out);
    for (struct str lines = buf_str(&out); lines.n;)
        ENSURE(str_cut(&lines, '\n').n < SMTP_REPLY_LINE_MAX);
    buf_release(&out);
    smtp_reply_parser_release(&p);
    return 0;
}
