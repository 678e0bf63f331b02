#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "smtp/content.h"

enum { CR = SMTP_CONTENT_BARE_CR, LF = SMTP_CONTENT_BARE_LF, NUL = SMTP_CONTENT_NUL };

static void collect(void *ctx, const char *p, size_t n)
{
    assert_true(n > 0);
    buf_append(ctx, p, n);
}

/* What a decoder made of some octets. */
struct result {
    struct buf content;
    unsigned faults, seen;
    size_t consumed;
    bool is_done;
};

/* Feeds copies of exact size, so that AddressSanitizer sees a read behind the end. */
static size_t feed(struct smtp_decoder *d, struct str piece, struct buf *to)
{
    char *copy = must_alloc(malloc(piece.n + !piece.n));
    memcpy(copy, piece.p, piece.n);
    size_t n = smtp_decode(d, copy, piece.n, collect, to);
    free(copy);
    return n;
}

static struct result decode(struct str wire, enum smtp_framing framing, enum smtp_line_ends ends,
                            size_t first, size_t step)
{
    struct smtp_decoder d;
    struct result r = {0};
    smtp_decoder_init(&d, framing, ends);
    for (size_t at = 0, want = first; at < wire.n && !d.is_done; want = step) {
        struct str piece = str_sub(wire, at, want);
        size_t n = feed(&d, piece, &r.content);
        assert_true(n == piece.n || d.is_done);
        at += n;
        r.consumed = at;
    }
    if (framing == SMTP_FRAMING_BDAT)
        smtp_decode_finish(&d, collect, &r.content);
    r.faults = d.faults;
    r.seen = d.seen;
    r.is_done = d.is_done;
    assert_int_equal(d.size, r.content.n);
    return r;
}

struct row {
    const char *what;
    struct str wire;
    struct str content;
    unsigned faults;
    size_t behind; /* octets of the wire that do not belong to the content; SIZE_MAX: its end never comes */
};

#define NEVER SIZE_MAX
static const struct row strict[] = {
    {"a message", STR("a: b\r\n\r\ntext\r\n.\r\n"), STR("a: b\r\n\r\ntext\r\n"), 0, 0},
    {"nothing at all", STR(".\r\n"), STR(""), 0, 0},
    {"what is behind stays", STR("x\r\n.\r\nQUIT\r\n"), STR("x\r\n"), 0, 6},
    {"stuffed dots", STR("..\r\n...\r\n..a\r\n.\r\n"), STR(".\r\n..\r\n.a\r\n"), 0, 0},
    {"a lone dot in front is stuffing too", STR(".a\r\n.\r\n"), STR("a\r\n"), 0, 0},
    {"dots elsewhere", STR("a.\r\nb..c\r\n.\r\n"), STR("a.\r\nb..c\r\n"), 0, 0},
    {"8-bit", STR("\xff\xfe\r\n.\r\n"), STR("\xff\xfe\r\n"), 0, 0},
    /* smuggling: none of these ends the content */
    {"LF.LF", STR("a\n.\nMAIL"), STR("a\n.\nMAIL"), LF, NEVER},
    {"LF.CRLF", STR("a\n.\r\nMAIL"), STR("a\n.\r\nMAIL"), LF, NEVER},
    {"CR.CRLF", STR("a\r.\r\nMAIL"), STR("a\r.\r\nMAIL"), CR, NEVER},
    {"CR.CR", STR("a\r.\rMAIL"), STR("a\r.\rMAIL"), CR, NEVER},
    {"CRLF.LF", STR("a\r\n.\nMAIL"), STR("a\r\n\nMAIL"), LF, NEVER},
    {"CRLF.CR", STR("a\r\n.\rMAIL"), STR("a\r\n\rMAIL"), CR, NEVER},
    {"CRLF.CRCRLF", STR("a\r\n.\r\r\nMAIL"), STR("a\r\n\r\r\nMAIL"), CR, NEVER},
    {"LFCR.CRLF", STR("a\n\r.\r\nMAIL"), STR("a\n\r.\r\nMAIL"), CR | LF, NEVER},
    {"CRLF NUL.CRLF", STR("a\r\n\0.\r\nMAIL"), STR("a\r\n\0.\r\nMAIL"), NUL, NEVER},
    {"CRLF.NUL CRLF", STR("a\r\n.\0\r\nMAIL"), STR("a\r\n\0\r\nMAIL"), NUL, NEVER},
    {"CR NUL LF.CRLF", STR("a\r\0\n.\r\nMAIL"), STR("a\r\0\n.\r\nMAIL"), CR | LF | NUL, NEVER},
    {"dot in the middle", STR("a.\r\nMAIL"), STR("a.\r\nMAIL"), 0, NEVER},
    /* CR CR LF does not collapse: the first CR is bare, the CRLF behind it is a line end */
    {"CRCRLF", STR("a\r\r\nb\r\n.\r\n"), STR("a\r\r\nb\r\n"), CR, 0},
    {"CRCRLF.CRLF", STR("a\r\r\n.\r\nQUIT"), STR("a\r\r\n"), CR, 4},
    {"LF first, then a proper end", STR("a\nb\r\n.\r\n"), STR("a\nb\r\n"), LF, 0},
    {"LF LF", STR("a\n\nb\r\n.\r\n"), STR("a\n\nb\r\n"), LF, 0},
    {"NUL", STR("a\0b\r\n.\r\n"), STR("a\0b\r\n"), NUL, 0},
    {"NUL behind the end is not ours", STR("a\r\n.\r\n\0"), STR("a\r\n"), 0, 1},
};

/* The next hop sees canonical line ends, and only CRLF.CRLF ends the content here too. */
static const struct row normalising[] = {
    {"a message", STR("a\r\n..b\r\n.\r\n"), STR("a\r\n.b\r\n"), 0, 0},
    {"LF lines", STR("a\nb\n\r\n.\r\n"), STR("a\r\nb\r\n\r\n"), 0, 0},
    {"LF.LF", STR("a\n.\nMAIL\r\n.\r\n"), STR("a\r\n\r\nMAIL\r\n"), 0, 0},
    {"LF.CRLF", STR("a\n.\r\nMAIL"), STR("a\r\n\r\nMAIL"), 0, NEVER},
    {"CR.CRLF", STR("a\r.\r\nMAIL"), STR("a .\r\nMAIL"), 0, NEVER},
    {"CRLF.LF", STR("a\r\n.\nMAIL"), STR("a\r\n\r\nMAIL"), 0, NEVER},
    {"CRLF.CR", STR("a\r\n.\rMAIL"), STR("a\r\n MAIL"), 0, NEVER},
    {"stuffing behind LF", STR("a\n..b\r\n.\r\n"), STR("a\r\n.b\r\n"), 0, 0},
    {"CRCRLF", STR("a\r\r\n.\r\n"), STR("a \r\n"), 0, 0},
    {"NUL cannot be mended", STR("a\0b\r\n.\r\n"), STR("a\0b\r\n"), NUL, 0},
};

static const struct row chunks[] = {
    {"dots mean nothing", STR("a\r\n.\r\n..b\r\n"), STR("a\r\n.\r\n..b\r\n"), 0, 0},
    {"no line end at the end", STR("a\r\nb"), STR("a\r\nb"), 0, 0},
    {"bare LF", STR("a\nb"), STR("a\nb"), LF, 0},
    {"CR at the very end", STR("a\r\nb\r"), STR("a\r\nb\r"), CR, 0},
    {"NUL", STR("\0"), STR("\0"), NUL, 0},
    {"empty", STR(""), STR(""), 0, 0},
};

static void check(const struct row *row, const struct result *r, size_t first, size_t step)
{
    bool ends = row->behind != NEVER;
    size_t consumed = ends ? row->wire.n - row->behind : row->wire.n;
    if (!str_equal(buf_str(&r->content), row->content) || r->faults != row->faults ||
        r->consumed != consumed || r->is_done != ends)
        fail_msg("%s, pieces of %zu then %zu: got '%.*s', faults %u, %zu consumed, done %d", row->what, first,
                 step, STR_ARG(buf_str(&r->content)), r->faults, r->consumed, r->is_done);
}

/* Every row whole, in pieces of every size, and cut in two at every octet. */
static void check_rows(const struct row *rows, size_t n, enum smtp_framing framing, enum smtp_line_ends ends)
{
    for (size_t i = 0; i < n; i++) {
        for (size_t step = 1; step <= rows[i].wire.n + 1; step++) {
            for (int cut = 0; cut < 2; cut++) {
                size_t behind = cut ? rows[i].wire.n + 1 : step;
                struct result r = decode(rows[i].wire, framing, ends, step, behind);
                check(&rows[i], &r, step, behind);
                buf_release(&r.content);
            }
        }
    }
}

#define ROWS(a) (a), sizeof(a) / sizeof *(a)

static void strict_data(void **state)
{
    (void)state;
    check_rows(ROWS(strict), SMTP_FRAMING_DATA, SMTP_LINE_ENDS_STRICT);
}

static void normalised_data(void **state)
{
    (void)state;
    check_rows(ROWS(normalising), SMTP_FRAMING_DATA, SMTP_LINE_ENDS_NORMALISE);
}

static void counted_chunks(void **state)
{
    (void)state;
    check_rows(ROWS(chunks), SMTP_FRAMING_BDAT, SMTP_LINE_ENDS_STRICT);
}

/* An octet at a time, written to be obviously right: strict DATA. */
static struct result plainly(struct str wire)
{
    struct result r = {0};
    bool line_start = true;
    size_t i = 0;
    while (i < wire.n) {
        struct str rest = str_from(wire, i);
        if (line_start && str_starts(rest, STR(".\r\n"))) {
            r.is_done = true;
            i += 3;
            break;
        }
        if (line_start && rest.p[0] == '.') {
            i++;
            line_start = false;
            continue;
        }
        line_start = str_starts(rest, STR("\r\n"));
        if (line_start) {
            buf_append(&r.content, "\r\n", 2);
            i += 2;
            continue;
        }
        char c = rest.p[0];
        r.faults |= c == '\r' ? CR : c == '\n' ? LF : c == '\0' ? NUL : 0;
        buf_add_char(&r.content, c);
        i++;
    }
    r.consumed = i;
    return r;
}

/* All strings of eight of the octets that matter, against the plain decoder, whole and cut somewhere. */
static void every_short_string(void **state)
{
    static const char octets[] = {'\r', '\n', '.', 'x', '\0'};
    enum { LENGTH = 8, KINDS = sizeof octets };
    (void)state;
    size_t count = 1;
    for (int i = 0; i < LENGTH; i++)
        count *= KINDS;
    for (size_t number = 0; number < count; number++) {
        char text[LENGTH + 5];
        for (size_t i = 0, rest = number; i < LENGTH; i++, rest /= KINDS)
            text[i] = octets[rest % KINDS];
        memcpy(text + LENGTH, "\r\n.\r\n", 5); /* no held octet at the end: the plain one holds none */
        struct str wire = str_make(text, sizeof text);
        struct result good = plainly(wire);
        struct row row = {"short string", wire, buf_str(&good.content), good.faults, wire.n - good.consumed};
        size_t cut = 1 + number % (sizeof text - 1);
        struct result got = decode(wire, SMTP_FRAMING_DATA, SMTP_LINE_ENDS_STRICT, cut, sizeof text);
        check(&row, &got, cut, sizeof text);
        buf_release(&got.content);
        buf_release(&good.content);
    }
}

static void long_lines_are_noted_and_limited(void **state)
{
    (void)state;
    static char line[SMTP_LINE_MAX + 8];
    struct smtp_decoder d;
    struct buf out = {0};
    memset(line, 'x', sizeof line);
    smtp_decoder_init(&d, SMTP_FRAMING_DATA, SMTP_LINE_ENDS_STRICT);
    memcpy(line + 998, "\r\n", 2);
    assert_int_equal(smtp_decode(&d, line, 1000, collect, &out), 1000);
    assert_false(d.has_long_line);
    assert_int_equal(smtp_decode(&d, line, 500, collect, &out), 500);
    assert_false(d.has_long_line);
    memset(line, 'x', sizeof line);
    assert_int_equal(smtp_decode(&d, line, 499, collect, &out), 499);
    assert_true(d.has_long_line);
    assert_int_equal(d.faults, 0);
    (void)smtp_decode(&d, line, SMTP_LINE_MAX - 999, collect, &out);
    assert_int_equal(d.faults, 0);
    (void)smtp_decode(&d, line, 1, collect, &out);
    assert_int_equal(d.faults, SMTP_CONTENT_LINE_TOO_LONG);
    assert_int_equal(out.n, 1000 + SMTP_LINE_MAX + 1);
    assert_false(d.has_8bit);
    (void)smtp_decode(&d, "aaaaaaaaa\x80", 10, collect, &out);
    assert_true(d.has_8bit);
    buf_release(&out);
}

/* A megabyte of bare line ends must not cost quadratic time: this test would run for minutes. */
static void hostile_content_stays_linear(void **state)
{
    (void)state;
    enum { SIZE = 4 << 20 };
    char *wire = must_alloc(malloc(SIZE));
    for (int kind = 0; kind < 2; kind++) {
        memset(wire, kind ? '\r' : '\n', SIZE);
        struct smtp_decoder d;
        struct buf out = {0};
        smtp_decoder_init(&d, SMTP_FRAMING_DATA, SMTP_LINE_ENDS_NORMALISE);
        int64_t start = clock_mono();
        assert_int_equal(smtp_decode(&d, wire, SIZE, collect, &out), SIZE);
        assert_true(clock_mono() - start < 20000);
        buf_release(&out);
    }
    free(wire);
}

static struct buf encoded(struct str content, enum smtp_framing framing, size_t step)
{
    struct smtp_encoder e;
    struct buf wire = {0};
    smtp_encoder_init(&e, framing);
    for (size_t at = 0; at < content.n; at += step) {
        struct str piece = str_sub(content, at, step);
        smtp_encode(&e, piece.p, piece.n, collect, &wire);
    }
    smtp_encode_finish(&e, collect, &wire);
    return wire;
}

static void encoding(void **state)
{
    (void)state;
    static const struct {
        struct str content, data, bdat;
    } rows[] = {
        {STR(""), STR(".\r\n"), STR("")},
        {STR("a\r\n"), STR("a\r\n.\r\n"), STR("a\r\n")},
        {STR("a"), STR("a\r\n.\r\n"), STR("a\r\n")},
        {STR(".\r\n..\r\n.a\r\n"), STR("..\r\n...\r\n..a\r\n.\r\n"), STR(".\r\n..\r\n.a\r\n")},
        {STR("a\n.\nb\n"), STR("a\r\n..\r\nb\r\n.\r\n"), STR("a\r\n.\r\nb\r\n")},
        {STR("a\n.\r\nb"), STR("a\r\n..\r\nb\r\n.\r\n"), STR("a\r\n.\r\nb\r\n")},
        {STR("a\r.\r\nb"), STR("a .\r\nb\r\n.\r\n"), STR("a .\r\nb\r\n")},
        {STR("a\r\r\n"), STR("a \r\n.\r\n"), STR("a \r\n")},
        {STR("a\r"), STR("a\r\n.\r\n"), STR("a\r\n")},
        {STR("a..b\r\n"), STR("a..b\r\n.\r\n"), STR("a..b\r\n")},
    };
    for (size_t i = 0; i < sizeof rows / sizeof *rows; i++) {
        for (size_t step = 1; step <= rows[i].content.n + 1; step++) {
            struct buf data = encoded(rows[i].content, SMTP_FRAMING_DATA, step);
            struct buf bdat = encoded(rows[i].content, SMTP_FRAMING_BDAT, step);
            if (!str_equal(buf_str(&data), rows[i].data) || !str_equal(buf_str(&bdat), rows[i].bdat))
                fail_msg("row %zu in steps of %zu: '%s' '%s'", i, step, buf_cstr(&data), buf_cstr(&bdat));
            buf_release(&data);
            buf_release(&bdat);
        }
    }
}

/* Whatever we were given, what we send is one message to a strict reader. */
static void what_we_send_ends_where_we_end_it(void **state)
{
    (void)state;
    static const char octets[] = {'\r', '\n', '.', 'x'};
    enum { LENGTH = 8, KINDS = sizeof octets };
    for (size_t number = 0; number < (size_t)1 << (2 * LENGTH); number++) {
        char text[LENGTH];
        for (size_t i = 0; i < LENGTH; i++)
            text[i] = octets[number >> (2 * i) & (KINDS - 1)];
        struct buf wire = encoded(str_make(text, LENGTH), SMTP_FRAMING_DATA, 1 + number % LENGTH);
        struct result r = decode(buf_str(&wire), SMTP_FRAMING_DATA, SMTP_LINE_ENDS_STRICT, wire.n, wire.n);
        assert_true(r.is_done && r.faults == 0 && r.consumed == wire.n);
        buf_release(&r.content);
        buf_release(&wire);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(strict_data),
        cmocka_unit_test(normalised_data),
        cmocka_unit_test(counted_chunks),
        cmocka_unit_test(every_short_string),
        cmocka_unit_test(long_lines_are_noted_and_limited),
        cmocka_unit_test(hostile_content_stays_linear),
        cmocka_unit_test(encoding),
        cmocka_unit_test(what_we_send_ends_where_we_end_it),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
