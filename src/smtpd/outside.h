/* What a session asks of the world: may this recipient be taken, and a place for the message. backend.c
 * answers with the directory and the queue; tests and fuzzers answer from tables. */
#ifndef SMTPD_OUTSIDE_H
#define SMTPD_OUTSIDE_H

#include "mail/mail.h"
#include "net/net.h"
#include "smtpd/answer.h"
#include "smtpd/settings.h"

struct smtpd_question {
    const struct mail_address *rcpt; /* a bare postmaster has no domain */
    struct str sender;               /* empty: the null path */
    const struct addr *peer;
    const uint8_t *certificate;            /* SHA-256 of the client's certificate; NULL: none */
    const struct smtpd_settings *settings; /* of the session */
};

struct smtpd_verdict {
    enum answer answer; /* ANSWER_recipient_ok, or the refusal */
    struct str address; /* what the envelope says */
    struct str tenant;  /* who relays out; empty for a domain of ours */
};

struct smtpd_outside {
    void *ctx;
    /* Text of the verdict lives in the arena or in the question. */
    struct smtpd_verdict (*judge)(void *ctx, const struct smtpd_question *q, struct arena *a);
    bool (*has_space)(void *ctx);
    void *(*draft_new)(void *ctx);
    const char *(*draft_id)(const void *draft);
    void (*draft_write)(void *draft, const void *p, size_t n);
    /* OK: on stable storage. The draft is gone in every case. */
    enum err (*draft_commit)(void *draft, const struct envelope *e, struct buf *why);
    void (*draft_drop)(void *draft);
    /* One event for the journal. */
    void (*record)(void *ctx, struct str line);
};

#endif
