#include "mail/header.h"

/* What one field line contributes, judged by its beginning. */
static void end_line(struct header_scan *h)
{
    struct str line = {h->line, h->line_n};
    h->line_n = 0;
    if (line.n && (line.p[0] == ' ' || line.p[0] == '\t')) {
        if (h->id_open && !h->message_id[0])
            (void)str_copy(str_trim(line), h->message_id, sizeof h->message_id);
        return;
    }
    h->id_open = false;
    struct str value = line, name = str_trim(str_cut(&value, ':'));
    if (str_equal_nocase(name, STR("Received")) && value.p) {
        h->received++;
    } else if (str_equal_nocase(name, STR("Message-ID")) && value.p && !h->message_id[0]) {
        h->id_open = true;
        (void)str_copy(str_trim(value), h->message_id, sizeof h->message_id);
    }
}

void header_scan(struct header_scan *h, struct str piece)
{
    while (piece.n && !h->ended) {
        const char *lf = memchr(piece.p, '\n', piece.n);
        struct str part = str_sub(piece, 0, lf ? (size_t)(lf - piece.p) + 1 : piece.n);
        piece = str_from(piece, part.n);
        h->octets += part.n;
        for (size_t i = 0; i < part.n && !h->has_8bit; i++)
            h->has_8bit = (unsigned char)part.p[i] > 127;
        size_t room = sizeof h->line - h->line_n, take = part.n < room ? part.n : room;
        memcpy(h->line + h->line_n, part.p, take);
        h->line_n += take;
        if (!lf)
            return;
        if (h->line_n <= 2) /* CRLF alone */
            h->ended = true;
        else
            end_line(h);
    }
}

struct str header_section(struct str message)
{
    if (str_starts(message, STR("\r\n")))
        return str_sub(message, 0, 0);
    size_t end = str_find(message, STR("\r\n\r\n"));
    return end == SIZE_MAX ? message : str_sub(message, 0, end + 2);
}

bool header_value(struct str section, struct str name, struct arena *a, struct str *out)
{
    while (section.n) {
        size_t end = 0;
        do { /* a field ends at the first line break that no blank follows */
            size_t lf = str_find_char(str_from(section, end), '\n');
            end = lf == SIZE_MAX ? section.n : end + lf + 1;
        } while (end < section.n && (section.p[end] == ' ' || section.p[end] == '\t'));
        struct str value = str_sub(section, 0, end), field = str_cut(&value, ':');
        section = str_from(section, end);
        if (!value.p || !str_equal_nocase(str_trim(field), name))
            continue;
        char *p = arena_alloc(a, value.n + 1);
        size_t n = 0;
        for (size_t i = 0; i < value.n; i++)
            if (value.p[i] != '\r' && value.p[i] != '\n')
                p[n++] = value.p[i];
        *out = str_trim(str_make(p, n));
        return true;
    }
    return false;
}
