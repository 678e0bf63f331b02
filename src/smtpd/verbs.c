/* The verbs: what each demands, and the handlers of those that carry no mail. */
#include "smtpd/session_priv.h"

static void verb_hello(struct session *s, const struct smtp_command *c)
{
    bool literal = c->args.n && c->args.p[0] == '[';
    if (literal ? !mail_literal_is_valid(c->args) : !mail_domain_is_valid(c->args, false)) {
        session_answer(s, ANSWER_hello_argument);
        return;
    }
    transaction_reset(s);
    buf_clear(&s->helo);
    buf_add(&s->helo, c->args);
    if (c->verb == SMTP_HELO) {
        s->hello = HELLO_HELO;
        stream_printf(s->stream, "250 %s\r\n", s->conf->hostname);
        return;
    }
    s->hello = HELLO_EHLO;
    struct smtp_extensions e = {.bits = session_offered(s),
                                .size = (uint64_t)s->conf->max_message_size,
                                .mail_max = (uint32_t)s->conf->max_messages,
                                .rcpt_max = (uint32_t)s->conf->max_recipients};
    struct buf reply = {0};
    smtp_extensions_format(s->settings->hostname, &e, &reply);
    stream_add(s->stream, buf_str(&reply));
    buf_release(&reply);
}

static void verb_rset(struct session *s, const struct smtp_command *c)
{
    (void)c;
    transaction_reset(s);
    session_answer(s, ANSWER_ok);
}

static void verb_noop(struct session *s, const struct smtp_command *c)
{
    (void)c;
    session_answer(s, ANSWER_ok);
}

static void verb_help(struct session *s, const struct smtp_command *c)
{
    (void)c;
    session_answer(s, ANSWER_help);
}

static void verb_vrfy(struct session *s, const struct smtp_command *c)
{
    (void)c;
    session_answer(s, ANSWER_vrfy);
}

static void verb_refused(struct session *s, const struct smtp_command *c)
{
    (void)c;
    session_answer(s, ANSWER_not_implemented);
}

static void verb_quit(struct session *s, const struct smtp_command *c)
{
    (void)c;
    session_answer(s, ANSWER_bye);
    session_drop(s, "quit");
}

static void verb_starttls(struct session *s, const struct smtp_command *c)
{
    (void)c;
    if (s->has_tls || !s->tls) {
        session_answer(s, s->has_tls ? ANSWER_tls_already : ANSWER_not_implemented);
        return;
    }
    deadline until = session_deadline(s, s->conf->command_timeout);
    struct buf why = {0};
    session_answer(s, ANSWER_start_tls);
    enum err e = stream_flush(s->stream, until);
    if (!e)
        e = tls_accept(s->stream, s->tls, until, &s->tls_info, &why);
    if (e) {
        log_event(LOG_INFO, "handshake-failed", LOG_TEXT("peer", s->peer_text),
                  LOG_TEXT("why", buf_cstr(&why)));
        session_drop(s, "handshake");
    }
    /* RFC 3207 section 4.2: whatever was said before is forgotten. */
    s->has_tls = !e;
    s->hello = HELLO_NONE;
    buf_clear(&s->helo);
    transaction_reset(s);
    buf_release(&why);
}

/* What a verb demands before its handler runs. */
enum demand {
    ENDS_GROUP = 1,  /* RFC 2920 section 3.1: nothing may be sent behind it before its reply */
    NEEDS_HELLO = 2, /* EHLO or HELO first */
};

static const struct {
    void (*handle)(struct session *s, const struct smtp_command *c);
    unsigned demands;
} verbs[SMTP_VERB_COUNT] = {
    [SMTP_UNKNOWN] = {NULL, 0},
    [SMTP_HELO] = {verb_hello, ENDS_GROUP},
    [SMTP_EHLO] = {verb_hello, ENDS_GROUP},
    [SMTP_LHLO] = {verb_refused, ENDS_GROUP},
    [SMTP_MAIL] = {verb_mail, NEEDS_HELLO},
    [SMTP_RCPT] = {verb_rcpt, NEEDS_HELLO},
    [SMTP_DATA] = {verb_data, ENDS_GROUP | NEEDS_HELLO},
    [SMTP_BDAT] = {verb_bdat, 0}, /* checks for itself: the chunk must be consumed in any case */
    [SMTP_RSET] = {verb_rset, 0},
    [SMTP_NOOP] = {verb_noop, ENDS_GROUP},
    [SMTP_QUIT] = {verb_quit, 0}, /* what is behind it is never read */
    [SMTP_VRFY] = {verb_vrfy, ENDS_GROUP},
    [SMTP_EXPN] = {verb_refused, ENDS_GROUP},
    [SMTP_HELP] = {verb_help, ENDS_GROUP},
    [SMTP_STARTTLS] = {verb_starttls, ENDS_GROUP},
    [SMTP_AUTH] = {verb_refused, ENDS_GROUP},
    [SMTP_ETRN] = {verb_refused, ENDS_GROUP},
    [SMTP_TURN] = {verb_refused, ENDS_GROUP},
};

/* RFC 5321 section 4.5.3.1.4 allows 512 octets; only MAIL and RCPT grow with their extensions. */
static bool is_too_long(const struct smtp_command *c, struct str line)
{
    return line.n + 2 > 512 && c->verb != SMTP_MAIL && c->verb != SMTP_RCPT;
}

static bool is_syntax_good(struct session *s, const struct smtp_command *c, enum smtp_syntax syntax)
{
    switch (syntax) {
    case SMTP_SYNTAX_OK:
        return true;
    case SMTP_SYNTAX_UNKNOWN:
        session_answer(s, ANSWER_unknown);
        break;
    case SMTP_SYNTAX_PARAM:
        session_answer(s, ANSWER_parameter);
        break;
    case SMTP_SYNTAX_ARGS:
    case SMTP_SYNTAX_TOO_MANY:
        session_answer(s, c->verb == SMTP_HELO || c->verb == SMTP_EHLO ? ANSWER_hello_argument
                                                                       : ANSWER_arguments);
        if (c->verb == SMTP_BDAT) /* how many octets of content follow is not known */
            session_drop(s, "bdat-syntax");
        break;
    }
    return false;
}

void session_dispatch(struct session *s, struct str line)
{
    struct smtp_command c;
    const char *why = NULL;
    enum smtp_syntax syntax = smtp_command_parse(line, &c, &why);
    /* Who has not said EHLO cannot know that we take groups; behind BDAT comes its chunk. */
    bool ends_group = (verbs[c.verb].demands & ENDS_GROUP) ||
                      (s->hello != HELLO_EHLO && c.verb != SMTP_QUIT && c.verb != SMTP_BDAT);
    if (ends_group && stream_buffered(s->stream)) {
        session_answer(s, ANSWER_pipelining);
        session_drop(s, "pipelining");
    } else if (is_too_long(&c, line)) {
        session_answer(s, ANSWER_line_long);
    } else if (!is_syntax_good(s, &c, syntax)) {
        return;
    } else if ((verbs[c.verb].demands & NEEDS_HELLO) && s->hello == HELLO_NONE) {
        session_answer(s, ANSWER_hello_first);
    } else {
        verbs[c.verb].handle(s, &c);
    }
}
