/* Recipients of accepted domains with the policy `ask`: the mailbox host says which ones there are. Its
 * answers are kept for a while; a mailbox host that cannot be reached is left in peace for some seconds, and
 * never has more than a few questions at one time. In doubt there is no answer: the sender shall come again.
 * Thread-safe. */
#ifndef SMTPD_ASK_H
#define SMTPD_ASK_H

#include "conf/conf.h"
#include "directory/directory.h"
#include "smtp/reply.h"

struct ask_question {
    const struct dir_domain *domain;
    struct str address; /* of the recipient, as the envelope would say it */
    bool needs_utf8;
    const struct conf *conf; /* limits in force */
};

/* The dialog itself; cmd fills it. OK: `reply` is what the mailbox host says to RCPT. ERR_REFUSED: it
 * answers, but cannot be brought to speak about this recipient. Other errors: it cannot be reached, or not in
 * the way that the domain demands. Texts live in the arena. */
struct ask_caller {
    void *ctx;
    enum err (*call)(void *ctx, const struct ask_question *q, struct arena *a, struct smtp_reply *reply,
                     struct buf *why);
};

enum ask_answer { ASK_UNSURE, ASK_EXISTS, ASK_UNKNOWN };

/* What a reply to RCPT says about the recipient. Pure. */
enum ask_answer ask_judge(const struct smtp_reply *reply);

struct ask;
struct ask *ask_new(const struct ask_caller *caller);
void ask_free(struct ask *k); /* accepts NULL; nobody may be asking */
enum ask_answer ask_recipient(struct ask *k, const struct ask_question *q, struct arena *a);

#endif
