#include "smtpd/session_priv.h"

/* MAIL and RCPT with the parameters of every extension stay below this; other commands have the 512 of RFC
 * 5321. */
enum { COMMAND_LINE_MAX = 2048 };
/* How long a last reply may take to go out. */
enum { FAREWELL_MS = 5000 };

void session_answer(struct session *s, enum answer a)
{
    const struct answer_row *row = answer_row(a);
    stream_printf(s->stream, "%u %s %s\r\n", row->code, row->status, row->text);
    if (row->code < 400)
        return;
    s->refusal = row->name;
    s->refusals++;
    if (row->code >= 500 && ++s->errors >= (uint64_t)s->conf->max_errors && !s->closing)
        session_end(s, ANSWER_errors_full);
}

void session_end(struct session *s, enum answer a)
{
    const struct answer_row *row = answer_row(a);
    s->closing = true;
    session_drop(s, row->name);
    stream_printf(s->stream, "%u %s %s %s\r\n", row->code, row->status, s->conf->hostname, row->text);
}

void session_drop(struct session *s, const char *reason)
{
    if (!s->end_reason)
        s->end_reason = reason;
    s->closing = true;
}

uint32_t session_offered(const struct session *s)
{
    if (s->hello != HELLO_EHLO)
        return 0;
    uint32_t bits = SMTP_EXT_PIPELINING | SMTP_EXT_SIZE | SMTP_EXT_ENHANCEDSTATUSCODES | SMTP_EXT_8BITMIME |
                    SMTP_EXT_SMTPUTF8 | SMTP_EXT_CHUNKING | SMTP_EXT_DSN | SMTP_EXT_LIMITS;
    return s->tls && !s->has_tls ? bits | SMTP_EXT_STARTTLS : bits;
}

deadline session_deadline(const struct session *s, int64_t ms)
{
    deadline d = deadline_in(ms);
    return d < s->end ? d : s->end;
}

/* The next line that is a line. False when the session is over. */
static bool read_command(struct session *s, struct str *line)
{
    unsigned faults = 0;
    /* A transaction is finished before we stop for good. */
    stream_set_cancel(s->stream, s->t.has_mail ? -1 : s->stop_fd);
    enum err e = stream_read_line(s->stream, COMMAND_LINE_MAX, session_deadline(s, s->conf->command_timeout),
                                  line, &faults);
    if (e == ERR_STOPPED) {
        session_end(s, ANSWER_stopping);
    } else if (e == ERR_TIMEOUT) {
        session_end(s, deadline_is_over(s->end) ? ANSWER_session_timeout : ANSWER_command_timeout);
    } else if (e) {
        session_drop(s, e == ERR_CLOSED ? "closed" : "broken");
    } else if (++s->commands > (uint64_t)s->conf->max_commands) {
        session_end(s, ANSWER_commands_full);
    } else if (faults & STREAM_LINE_TOO_LONG) {
        session_answer(s, ANSWER_line_long);
        *line = STR_NONE;
    } else if (faults) {
        session_answer(s, ANSWER_line_bare);
        *line = STR_NONE;
    }
    return !s->closing;
}

static void dialog(struct session *s)
{
    struct str line;
    stream_printf(s->stream, "220 %s ESMTP Kedge\r\n", s->conf->hostname);
    while (!s->closing && read_command(s, &line))
        if (line.p)
            session_dispatch(s, line);
    (void)stream_flush(s->stream, deadline_in(FAREWELL_MS));
}

void smtpd_session_run(const struct smtpd_session_args *args)
{
    struct session s = {.settings = args->settings,
                        .conf = args->settings->conf,
                        .outside = args->outside,
                        .tls = args->tls,
                        .stream = args->stream,
                        .peer = args->peer,
                        .stop_fd = args->stop_fd,
                        .end = deadline_in(args->settings->conf->session_timeout),
                        .started_ms = clock_mono()};
    addr_ip_format(&s.peer, s.peer_text);
    dialog(&s);
    record_session(&s);
    transaction_reset(&s);
    buf_release(&s.helo);
}
