#include "smtp/content.h"

/* Where a decoder or encoder stands between two octets. */
enum state {
    LINE_START,  /* at the beginning, or behind CRLF */
    AFTER_LF,    /* behind a bare LF that was made a line end: never the start of the end of data */
    MIDDLE,      /* inside a line */
    CR_HELD,     /* behind a CR: CRLF or a bare one? */
    DOT_HELD,    /* behind a dot at the start of a line */
    DOT_CR_HELD, /* behind dot CR at the start of a line */
};

/* Finds what is special inside lines. Remembers the next LF, so that the work stays linear whatever comes. */
struct scan {
    const char *at, *end, *lf;
};
enum event { EVENT_NONE, EVENT_CRLF, EVENT_BARE_LF, EVENT_BARE_CR, EVENT_CR_AT_END };

/* The next event and where it is; at `end` when there is none. */
static const char *scan_next(struct scan *s, enum event *what)
{
    if (!s->lf || s->lf < s->at) {
        s->lf = memchr(s->at, '\n', (size_t)(s->end - s->at));
        if (!s->lf)
            s->lf = s->end;
    }
    bool has_lf = s->lf != s->end;
    const char *cr = memchr(s->at, '\r', (size_t)(s->lf - s->at));
    if (!cr) {
        *what = has_lf ? EVENT_BARE_LF : EVENT_NONE;
        return s->lf;
    }
    if (cr + 1 < s->lf)
        *what = EVENT_BARE_CR;
    else
        *what = has_lf ? EVENT_CRLF : EVENT_CR_AT_END;
    return cr;
}

struct out {
    smtp_sink sink;
    void *ctx;
};

static bool has_8bit(const char *p, size_t n)
{
    uint64_t all = 0, word;
    for (; n >= sizeof word; p += sizeof word, n -= sizeof word) {
        memcpy(&word, p, sizeof word);
        all |= word;
    }
    for (; n; p++, n--)
        all |= (uint8_t)*p;
    return all & UINT64_C(0x8080808080808080);
}

void smtp_decoder_init(struct smtp_decoder *d, enum smtp_framing framing, enum smtp_line_ends line_ends)
{
    *d = (struct smtp_decoder){
        .framing = framing, .line_ends = line_ends, .line_max = SMTP_LINE_MAX, .state = LINE_START};
}

static void note(struct smtp_decoder *d, enum smtp_content_fault f)
{
    d->seen |= f;
    if (d->line_ends == SMTP_LINE_ENDS_STRICT || f == SMTP_CONTENT_NUL || f == SMTP_CONTENT_LINE_TOO_LONG)
        d->faults |= f;
}

static void emit(struct smtp_decoder *d, const struct out *o, const char *from, const char *to)
{
    size_t n = (size_t)(to - from);
    if (!n)
        return;
    if (memchr(from, '\0', n))
        note(d, SMTP_CONTENT_NUL);
    if (!d->has_8bit)
        d->has_8bit = has_8bit(from, n);
    d->size += n;
    o->sink(o->ctx, from, n);
}

static void emit_str(struct smtp_decoder *d, const struct out *o, struct str s)
{
    emit(d, o, s.p, s.p + s.n);
}

static void count_line(struct smtp_decoder *d, size_t more)
{
    d->line += more;
    if (d->line > SMTP_LINE_NOTED)
        d->has_long_line = true;
    if (d->line > d->line_max)
        note(d, SMTP_CONTENT_LINE_TOO_LONG);
}

/* A bare CR that is not in the run of octets under way. */
static void put_bare_cr(struct smtp_decoder *d, const struct out *o)
{
    note(d, SMTP_CONTENT_BARE_CR);
    emit_str(d, o, d->line_ends == SMTP_LINE_ENDS_STRICT ? STR("\r") : STR(" "));
    count_line(d, 1);
    d->state = MIDDLE;
}

/* Inside a line, up to its next event. Returns where the run of octets not yet emitted begins. */
static const char *decode_middle(struct smtp_decoder *d, struct scan *s, const struct out *o, const char *run)
{
    enum event what;
    const char *at = scan_next(s, &what);
    bool mend = d->line_ends == SMTP_LINE_ENDS_NORMALISE;
    count_line(d, (size_t)(at - s->at));
    s->at = at + 1;
    switch (what) {
    case EVENT_NONE:
        s->at = at;
        return run;
    case EVENT_CRLF:
        s->at = at + 2;
        d->line = 0;
        d->state = LINE_START;
        return run;
    case EVENT_BARE_LF:
        note(d, SMTP_CONTENT_BARE_LF);
        if (!mend)
            return run;
        emit(d, o, run, at);
        emit_str(d, o, STR("\r\n"));
        d->line = 0;
        d->state = AFTER_LF;
        return s->at;
    case EVENT_BARE_CR:
        emit(d, o, run, at);
        put_bare_cr(d, o);
        return s->at;
    case EVENT_CR_AT_END:
        emit(d, o, run, at);
        d->state = CR_HELD;
        return s->at;
    }
    return run;
}

/* At the start of a line or behind octets that were held back: one octet decides. */
static const char *decode_edge(struct smtp_decoder *d, struct scan *s, const struct out *o, const char *run)
{
    char c = *s->at;
    switch (d->state) {
    case DOT_HELD:
        if (c != '\r') {
            d->state = MIDDLE; /* the dot was stuffing */
            return run;
        }
        d->state = DOT_CR_HELD;
        return ++s->at;
    case DOT_CR_HELD:
        if (c != '\n') {
            put_bare_cr(d, o);
            return run;
        }
        d->is_done = true;
        return ++s->at;
    case CR_HELD:
        if (c != '\n') {
            put_bare_cr(d, o);
            return run;
        }
        emit_str(d, o, STR("\r\n"));
        d->line = 0;
        d->state = LINE_START;
        return ++s->at;
    default: /* LINE_START, AFTER_LF */
        if (c != '.' || d->framing == SMTP_FRAMING_BDAT) {
            d->state = MIDDLE;
            return run;
        }
        emit(d, o, run, s->at);
        d->state = d->state == LINE_START ? DOT_HELD : MIDDLE;
        return ++s->at;
    }
}

size_t smtp_decode(struct smtp_decoder *d, const char *p, size_t n, smtp_sink sink, void *ctx)
{
    if (!n)
        return 0;
    struct out o = {sink, ctx};
    struct scan s = {.at = p, .end = p + n};
    const char *run = p;
    while (s.at < s.end && !d->is_done)
        run = d->state == MIDDLE ? decode_middle(d, &s, &o, run) : decode_edge(d, &s, &o, run);
    emit(d, &o, run, s.at);
    return (size_t)(s.at - p);
}

void smtp_decode_finish(struct smtp_decoder *d, smtp_sink sink, void *ctx)
{
    struct out o = {sink, ctx};
    if (d->state == CR_HELD)
        put_bare_cr(d, &o);
    d->is_done = true;
}

void smtp_encoder_init(struct smtp_encoder *e, enum smtp_framing framing)
{
    *e = (struct smtp_encoder){.framing = framing, .state = LINE_START};
}

static void send(const struct out *o, const char *from, const char *to)
{
    if (to > from)
        o->sink(o->ctx, from, (size_t)(to - from));
}

static const char *encode_middle(struct smtp_encoder *e, struct scan *s, const struct out *o, const char *run)
{
    enum event what;
    const char *at = scan_next(s, &what);
    s->at = at + (what == EVENT_NONE ? 0 : what == EVENT_CRLF ? 2 : 1);
    switch (what) {
    case EVENT_CRLF:
        e->state = LINE_START;
        return run;
    case EVENT_BARE_LF:
        send(o, run, at);
        o->sink(o->ctx, "\r\n", 2);
        e->state = LINE_START;
        return s->at;
    case EVENT_BARE_CR:
        send(o, run, at);
        o->sink(o->ctx, " ", 1);
        return s->at;
    case EVENT_CR_AT_END:
        send(o, run, at);
        e->state = CR_HELD;
        return s->at;
    default:
        return run;
    }
}

void smtp_encode(struct smtp_encoder *e, const char *p, size_t n, smtp_sink sink, void *ctx)
{
    if (!n)
        return;
    struct out o = {sink, ctx};
    struct scan s = {.at = p, .end = p + n};
    const char *run = p;
    while (s.at < s.end) {
        if (e->state == MIDDLE) {
            run = encode_middle(e, &s, &o, run);
        } else if (e->state == CR_HELD) {
            bool is_crlf = *s.at == '\n';
            sink(ctx, is_crlf ? "\r\n" : " ", is_crlf ? 2 : 1);
            e->state = is_crlf ? LINE_START : MIDDLE;
            run = s.at += is_crlf;
        } else { /* LINE_START */
            if (*s.at == '.' && e->framing == SMTP_FRAMING_DATA) {
                send(&o, run, s.at);
                sink(ctx, ".", 1);
                run = s.at;
            }
            e->state = MIDDLE;
        }
    }
    send(&o, run, s.at);
}

void smtp_encode_finish(struct smtp_encoder *e, smtp_sink sink, void *ctx)
{
    if (e->state != LINE_START)
        sink(ctx, "\r\n", 2); /* a CR held back is taken for the start of it */
    if (e->framing == SMTP_FRAMING_DATA)
        sink(ctx, ".\r\n", 3);
    e->state = LINE_START;
}
