#include "smtp/reply.h"

static bool is_digit(char c)
{
    return c >= '0' && c <= '9';
}

/* "5.1.1" in front of the text, of the same class as the code. */
static void parse_status(struct str text, unsigned code, uint16_t status[3])
{
    struct str rest = text, word = str_cut(&rest, ' ');
    uint32_t part[3];
    for (int i = 0; i < 3; i++) {
        struct str number = str_cut(&word, '.');
        if (number.n > 3 || !str_to_u32(number, &part[i]))
            return;
    }
    if (word.p || part[0] != code / 100)
        return;
    for (int i = 0; i < 3; i++)
        status[i] = (uint16_t)part[i];
}

/* Characters that no terminal and no reader of a log is fooled by: no C1 controls, no marks that are
 * invisible or turn the direction of writing around. */
static bool is_printable(struct str c)
{
    const unsigned char *p = (const unsigned char *)c.p;
    if (c.n == 1)
        return p[0] >= ' ' && p[0] < 127;
    if (c.n == 2)
        return p[0] != 0xc2 || p[1] >= 0xa0;
    if (c.n == 3 && p[0] == 0xe2 && (p[1] == 0x80 || p[1] == 0x81))
        return p[1] == 0x80 ? p[2] < 0x8b || (p[2] > 0x8f && p[2] < 0xa8) || p[2] > 0xae
                            : p[2] < 0xa0 || p[2] > 0xaf; /* U+200B-200F, 2028-202E, 2060-206F */
    return c.n != 3 || memcmp(p, "\xef\xbb\xbf", 3) != 0;
}

static void add_clean(struct buf *out, struct str text)
{
    buf_reserve(out, text.n);
    while (text.n) {
        size_t n = str_utf8_length(text);
        if (text.p[0] == '\t')
            buf_add_char(out, ' ');
        else if (n && is_printable(str_sub(text, 0, n)))
            buf_append(out, text.p, n);
        else
            buf_add_char(out, '?');
        text = str_from(text, n ? n : 1);
    }
}

enum smtp_reply_step smtp_reply_feed(struct smtp_reply_parser *p, struct str line, const char **why)
{
    *why = "";
    p->octets += line.n + 2;
    if (line.n < 3 || line.p[0] < '2' || line.p[0] > '5' || !is_digit(line.p[1]) || !is_digit(line.p[2]) ||
        (line.n > 3 && line.p[3] != ' ' && line.p[3] != '-')) {
        *why = "the peer sent something that is no SMTP reply";
        return SMTP_REPLY_BAD;
    }
    if (p->octets > SMTP_REPLY_MAX) {
        *why = "the peer's reply is longer than 64 KiB";
        return SMTP_REPLY_BAD;
    }
    unsigned code = (unsigned)((line.p[0] - '0') * 100 + (line.p[1] - '0') * 10 + (line.p[2] - '0'));
    struct str text = str_from(line, 4);
    if (!p->code) {
        p->code = code;
        parse_status(text, code, p->status);
    } else if (p->code != code) {
        *why = "the lines of the peer's reply carry different codes";
        return SMTP_REPLY_BAD;
    } else {
        buf_add_char(&p->text, '\n');
    }
    add_clean(&p->text, text);
    return line.n > 3 && line.p[3] == '-' ? SMTP_REPLY_MORE : SMTP_REPLY_DONE;
}

void smtp_reply_parser_release(struct smtp_reply_parser *p)
{
    buf_release(&p->text);
    *p = (struct smtp_reply_parser){0};
}

static enum err read_reply(struct stream *s, deadline until, struct smtp_reply_parser *p)
{
    for (;;) {
        struct str line;
        unsigned faults;
        const char *text;
        enum err e = stream_read_line(s, SMTP_REPLY_LINE_MAX, until, &line, &faults);
        if (e)
            return e;
        if (faults & (STREAM_LINE_BARE_LF | STREAM_LINE_NUL))
            return stream_fail(s, ERR_MALFORMED, "the peer's reply has a bare line feed or a NUL");
        switch (smtp_reply_feed(p, line, &text)) {
        case SMTP_REPLY_BAD:
            return stream_fail(s, ERR_MALFORMED, text);
        case SMTP_REPLY_DONE:
            return OK;
        case SMTP_REPLY_MORE:
            break;
        }
    }
}

enum err smtp_reply_read(struct stream *s, deadline until, struct arena *a, struct smtp_reply *out,
                         struct buf *why)
{
    struct smtp_reply_parser p = {0};
    *out = (struct smtp_reply){0};
    enum err e = read_reply(s, until, &p);
    if (e) {
        buf_set(why, "%s", *stream_why(s) ? stream_why(s) : err_text(e));
    } else {
        out->code = p.code;
        memcpy(out->status, p.status, sizeof out->status);
        out->text = arena_str(a, buf_str(&p.text));
    }
    smtp_reply_parser_release(&p);
    return e;
}

void smtp_reply_describe(const struct smtp_reply *r, struct buf *out)
{
    buf_printf(out, "%u ", r->code);
    for (size_t i = 0; i < r->text.n; i++)
        buf_add_char(out, r->text.p[i] == '\n' ? ' ' : r->text.p[i]);
}
