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

static void add_clean(struct buf *out, struct str text)
{
    buf_reserve(out, text.n);
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        buf_add_char(out, c == '\t' ? ' ' : c >= ' ' && c < 127 ? c : '?');
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

/* How much of the text fits a line with `room` octets: up to a blank when there is one. */
static size_t fold(struct str text, size_t room)
{
    if (text.n <= room)
        return text.n;
    size_t blank = str_rfind_char(str_sub(text, 0, room), ' ');
    return blank == SIZE_MAX || blank == 0 ? room : blank;
}

void smtp_reply_format(struct buf *out, unsigned code, const char *status, struct str text)
{
    struct str lead = str_of(status);
    size_t room = SMTP_REPLY_LINE_MAX - 2 - 4 - (lead.n ? lead.n + 1 : 0);
    struct str rest = text;
    do {
        struct str line = str_cut(&rest, '\n');
        do {
            size_t n = fold(line, room);
            bool more = n < line.n || rest.p;
            buf_printf(out, "%03u%c", code, more ? '-' : ' ');
            if (lead.n)
                buf_printf(out, "%.*s ", STR_ARG(lead));
            add_clean(out, str_sub(line, 0, n));
            buf_append(out, "\r\n", 2);
            line = str_from(line, n);
            if (line.n && line.p[0] == ' ')
                line = str_from(line, 1);
        } while (line.n);
    } while (rest.p);
}
