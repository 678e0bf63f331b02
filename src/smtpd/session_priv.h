/* The session's state and the pieces of its dialog. Private to smtpd. */
#ifndef SMTPD_SESSION_PRIV_H
#define SMTPD_SESSION_PRIV_H

#include "smtp/smtp.h"
#include "smtpd/session.h"

enum hello { HELLO_NONE, HELLO_HELO, HELLO_EHLO };

/* Content under way, DATA or BDAT. */
struct content {
    void *draft; /* NULL: none, or refused already */
    struct smtp_decoder decoder;
    struct header_scan header;
    uint64_t size;       /* octets of the content, without our trace field */
    enum answer refusal; /* ANSWER_ok: none so far */
    deadline started;
    uint64_t arrived; /* octets on the wire, for the floor on the rate */
};

/* MAIL to the end of the message. Everything resets together. */
struct transaction {
    bool has_mail, in_bdat;
    bool rcpt_refused; /* some recipient was */
    struct envelope envelope;
    size_t rcpt_room;
    struct content content;
    struct arena arena;
};

struct session {
    const struct smtpd_settings *settings;
    const struct conf *conf;
    const struct smtpd_outside *outside;
    struct tls_server *tls;
    struct stream *stream;
    struct addr peer;
    char peer_text[ADDR_TEXT];
    int stop_fd;
    deadline end;
    int64_t started_ms;

    enum hello hello;
    struct buf helo;
    bool has_tls;
    struct tls_info tls_info;
    struct transaction t;

    bool closing;
    const char *end_reason; /* static text for the summary */
    const char *refusal;    /* name of the last one */
    uint32_t commands, errors, refusals, messages, recipients;
    uint64_t octets;
};

/* session.c */
void session_answer(struct session *s, enum answer a);
/* Answers and ends the session. */
void session_end(struct session *s, enum answer a);
/* Ends it without a word. */
void session_drop(struct session *s, const char *reason);
uint32_t session_offered(const struct session *s);
deadline session_deadline(const struct session *s, int64_t ms);

/* verbs.c */
void session_dispatch(struct session *s, struct str line);

/* transaction.c */
void verb_mail(struct session *s, const struct smtp_command *c);
void verb_rcpt(struct session *s, const struct smtp_command *c);
void transaction_reset(struct session *s);

/* content.c */
void verb_data(struct session *s, const struct smtp_command *c);
void verb_bdat(struct session *s, const struct smtp_command *c);
void content_release(struct session *s);

/* trace.c */
struct trace_facts {
    struct str helo, peer, hostname;
    bool is_ehlo, is_utf8;
    const struct tls_info *tls; /* NULL: clear text */
    const char *id;
    int64_t now_ms;
};
void trace_write(const struct trace_facts *f, struct buf *out);

/* record.c */
void record_message(struct session *s, const char *id);
void record_session(struct session *s);

#endif
