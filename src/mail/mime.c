#include "mail/mime.h"

#include "mail/header.h"

struct walk {
    struct arena *a;
    enum err (*leaf)(void *ctx, const struct mime_part *part);
    void *ctx;
    struct buf *why;
    unsigned depth, parts;
};

static struct str skip_blanks(struct str s)
{
    while (s.n && (s.p[0] == ' ' || s.p[0] == '\t'))
        s = str_from(s, 1);
    return s;
}

/* A token or a quoted string at the start of *rest; without its quotes. */
static struct str take_word(struct str *rest, struct arena *a)
{
    struct str s = skip_blanks(*rest);
    size_t n = 0, at = 1;
    if (!s.n || s.p[0] != '"') {
        while (n < s.n && s.p[n] != ';' && s.p[n] != ' ' && s.p[n] != '\t')
            n++;
        *rest = str_from(s, n);
        return str_sub(s, 0, n);
    }
    char *p = arena_alloc(a, s.n);
    for (; at < s.n && s.p[at] != '"'; at++) {
        if (s.p[at] == '\\' && at + 1 < s.n)
            at++;
        p[n++] = s.p[at];
    }
    *rest = str_from(s, at + 1);
    return str_make(p, n);
}

bool mime_parameter(struct str value, struct str name, struct arena *a, struct str *out)
{
    struct str rest = value;
    (void)str_cut(&rest, ';');
    while (rest.n) {
        size_t equals = str_find_char(rest, '=');
        if (equals == SIZE_MAX)
            return false;
        struct str attribute = str_trim(str_sub(rest, 0, equals));
        rest = str_from(rest, equals + 1);
        *out = take_word(&rest, a);
        if (str_equal_nocase(attribute, name))
            return true;
        (void)str_cut(&rest, ';');
    }
    return false;
}

static enum err walk_entity(struct walk *w, struct str entity);

/* "--boundary" or "--boundary--", blanks behind. */
static bool is_delimiter(struct str line, struct str boundary, bool *last)
{
    if (!str_starts(line, STR("--")) || !str_starts(str_from(line, 2), boundary))
        return false;
    struct str rest = str_trim(str_from(line, 2 + boundary.n));
    *last = str_equal(rest, STR("--"));
    return !rest.n || *last;
}

/* What lies between two delimiters; a last one that is missing is the end. */
static enum err walk_parts(struct walk *w, struct str body, struct str boundary)
{
    struct str rest = body;
    const char *begin = NULL;
    enum err e = OK;
    bool last = false;
    while (!e && !last && rest.n) {
        struct str line = str_cut(&rest, '\n');
        if (!is_delimiter(line, boundary, &last))
            continue;
        if (begin) { /* the line break before the delimiter is the delimiter's */
            size_t n = (size_t)(line.p - begin);
            e = walk_entity(w, str_make(begin, n >= 2 ? n - 2 : 0));
        }
        begin = rest.p;
    }
    if (!e && !last && begin)
        e = walk_entity(w, str_make(begin, (size_t)(body.p + body.n - begin)));
    return e;
}

static struct str lower_word(struct str value, struct arena *a)
{
    struct str rest = value;
    return arena_lower(a, str_trim(str_cut(&rest, ';')));
}

static enum err walk_entity(struct walk *w, struct str entity)
{
    struct str section = header_section(entity), type = STR("text/plain"), encoding = STR_NONE, boundary;
    struct str body = str_from(entity, section.n + 2);
    enum err e = OK;
    if (w->depth >= MIME_DEPTH_MAX || ++w->parts > MIME_PARTS_MAX) {
        buf_set(w->why, "the message has more than %d parts, or parts in parts more than %d deep",
                MIME_PARTS_MAX, MIME_DEPTH_MAX);
        return ERR_MALFORMED;
    }
    (void)header_value(section, STR("Content-Type"), w->a, &type);
    (void)header_value(section, STR("Content-Transfer-Encoding"), w->a, &encoding);
    struct mime_part part = {lower_word(type, w->a), lower_word(encoding, w->a), body};
    w->depth++;
    if (str_starts(part.type, STR("multipart/")) && mime_parameter(type, STR("boundary"), w->a, &boundary) &&
        boundary.n)
        e = walk_parts(w, body, boundary);
    else if (str_equal(part.type, STR("message/rfc822")))
        e = walk_entity(w, body);
    else
        e = w->leaf(w->ctx, &part);
    w->depth--;
    return e;
}

enum err mime_walk(struct str message, struct arena *a,
                   enum err (*leaf)(void *ctx, const struct mime_part *part), void *ctx, struct buf *why)
{
    struct walk w = {.a = a, .leaf = leaf, .ctx = ctx, .why = why};
    return walk_entity(&w, message);
}

static enum err decode_base64(struct str body, struct buf *out, struct buf *why)
{
    struct buf text = {0};
    for (size_t i = 0; i < body.n; i++)
        if (!strchr(" \t\r\n", body.p[i]) || !body.p[i])
            buf_add_char(&text, body.p[i]);
    bool good = base64_decode(out, buf_str(&text));
    buf_release(&text);
    if (good)
        return OK;
    buf_set(why, "a part's base64 is damaged");
    return ERR_MALFORMED;
}

static void decode_quoted(struct str body, struct buf *out)
{
    while (body.n) {
        size_t equals = str_find_char(body, '=');
        struct str plain = str_sub(body, 0, equals);
        buf_add(out, plain);
        body = str_from(body, plain.n);
        if (!str_starts(body, STR("=\r\n"))) /* a soft line break is nothing; so are wrong digits */
            (void)hex_decode(out, str_sub(body, 1, 2));
        body = str_from(body, 3);
    }
}

enum err mime_decode(const struct mime_part *part, struct buf *out, struct buf *why)
{
    if (str_equal(part->encoding, STR("base64")))
        return decode_base64(part->body, out, why);
    if (str_equal(part->encoding, STR("quoted-printable")))
        decode_quoted(part->body, out);
    else
        buf_add(out, part->body);
    return OK;
}
