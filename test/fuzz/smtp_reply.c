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
    for (size_t i = 0; i < p.text.n; i++)
        ENSURE(p.text.p[i] == '\n' || (p.text.p[i] >= ' ' && p.text.p[i] < 127));
    ENSURE(p.text.n <= SMTP_REPLY_MAX && (step != SMTP_REPLY_DONE || p.code / 100 >= 2));
    smtp_extensions_parse(buf_str(&p.text), &e);
    smtp_extensions_format(STR("x"), &e, &out);
    smtp_reply_format(&out, 550, "5.7.1", buf_str(&p.text));
    for (struct str lines = buf_str(&out); lines.n;)
        ENSURE(str_cut(&lines, '\n').n < SMTP_REPLY_LINE_MAX);
    buf_release(&out);
    smtp_reply_parser_release(&p);
    return 0;
}
