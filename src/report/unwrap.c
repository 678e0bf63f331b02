#include "report/unwrap.h"

#include <zlib.h>

#include "mail/mime.h"

enum { CHUNK = 64 * 1024, FREE_RATIO = 1 << 20 };

enum form { FORM_JSON, FORM_GZIP, FORM_OTHER };

static enum form form_of(struct str s)
{
    if (str_starts(s, STR("\x1f\x8b")))
        return FORM_GZIP;
    if (str_starts(s, STR("\xef\xbb\xbf")))
        s = str_from(s, 3);
    s = str_trim(str_sub(s, 0, 4096));
    return s.n && s.p[0] == '{' ? FORM_JSON : FORM_OTHER;
}

static enum err too_large(struct buf *why, const char *what)
{
    buf_set(why, "the report is larger than %d MiB %s", REPORT_JSON_MAX >> 20, what);
    return ERR_FULL;
}

/* One more piece; Z_OK to go on. */
static int inflate_piece(z_stream *z, struct buf *out)
{
    buf_reserve(out, CHUNK);
    z->next_out = (Bytef *)out->p + out->n;
    z->avail_out = CHUNK;
    int rc = inflate(z, Z_NO_FLUSH);
    out->n += CHUNK - z->avail_out;
    return rc;
}

static enum err gunzip(struct str in, struct buf *out, struct buf *why)
{
    z_stream z = {.next_in = (Bytef *)(uintptr_t)in.p, .avail_in = (uInt)in.n};
    size_t before = out->n;
    enum err e = OK;
    int rc = Z_OK;
    ENSURE(inflateInit2(&z, 16 + MAX_WBITS) == Z_OK); /* 16: gzip alone */
    while (!e && rc == Z_OK) {
        rc = inflate_piece(&z, out);
        size_t n = out->n - before;
        if (n > REPORT_JSON_MAX)
            e = too_large(why, "when unpacked");
        else if (n > FREE_RATIO && n / REPORT_RATIO_MAX > in.n) {
            buf_set(why, "the gzip unpacks to more than %d times its size", REPORT_RATIO_MAX);
            e = ERR_FULL;
        } else if (rc != Z_OK && rc != Z_STREAM_END) {
            buf_set(why, "the gzip is damaged after %lu of %zu octets", z.total_in, in.n);
            e = ERR_MALFORMED;
        }
    }
    (void)inflateEnd(&z);
    return e;
}

static enum err open_plain(struct str s, struct buf *json, struct buf *why)
{
    if (form_of(s) == FORM_GZIP)
        return gunzip(s, json, why);
    if (s.n > REPORT_JSON_MAX)
        return too_large(why, "");
    buf_add(json, s);
    return OK;
}

/* ---- mail ---- */

struct search {
    struct buf *json, *why;
    unsigned found;
};

/* Reports come as application/tlsrpt+gzip or +json, and as application/gzip, /json, /octet-stream. */
static enum err look_at_part(void *ctx, const struct mime_part *part)
{
    struct search *s = ctx;
    struct buf content = {0};
    if (!str_starts(part->type, STR("application/")))
        return OK;
    enum err e = mime_decode(part, &content, s->why);
    if (!e && form_of(buf_str(&content)) != FORM_OTHER && s->found++ == 0)
        e = open_plain(buf_str(&content), s->json, s->why);
    buf_release(&content);
    return e;
}

/* Mailboxes store LF alone; a pipe may put "From ..." in front. */
static void to_crlf(struct str in, struct buf *out)
{
    if (str_starts(in, STR("From ")))
        (void)str_cut(&in, '\n');
    while (in.n) {
        struct str line = str_cut(&in, '\n');
        if (str_ends(line, STR("\r")))
            line.n--;
        buf_add(out, line);
        buf_add(out, STR("\r\n"));
    }
}

static enum err open_message(struct str input, struct buf *json, struct buf *why)
{
    struct search s = {json, why, 0};
    struct arena a = {0};
    struct buf message = {0};
    to_crlf(input, &message);
    enum err e = mime_walk(buf_str(&message), &a, look_at_part, &s, why);
    if (!e && s.found != 1) {
        buf_set(why,
                s.found ? "the message has %u reports attached; one is expected"
                        : "it is neither JSON nor gzip, and as a message it has no report attached",
                s.found);
        e = ERR_MALFORMED;
    }
    buf_release(&message);
    arena_release(&a);
    return e;
}

enum err report_unwrap(struct str input, struct buf *json, struct buf *why)
{
    if (input.n > REPORT_INPUT_MAX) {
        buf_set(why, "it is larger than %d MiB", REPORT_INPUT_MAX >> 20);
        return ERR_FULL;
    }
    if (!str_trim(input).n) {
        buf_set(why, "it is empty");
        return ERR_MALFORMED;
    }
    return form_of(input) == FORM_OTHER ? open_message(input, json, why) : open_plain(input, json, why);
}
