/* Delivery status notifications: RFC 3461 (who wants one), 3464 (what it looks like), 3462
 * (multipart/report), 3834 (automatic mail), 6533 (with UTF-8 addresses). Pure: the whole notification goes
 * into a buf with CRLF line ends; it travels with the null sender to the sender of the original. */
#ifndef MAIL_DSN_H
#define MAIL_DSN_H

#include "mail/envelope.h"

#define DSN_ACTION_TABLE(X)                                                                                  \
    X(DSN_FAILED, "failed")                                                                                  \
    X(DSN_DELAYED, "delayed")                                                                                \
    X(DSN_DELIVERED, "delivered") /* accepted by the mailbox host */                                         \
    X(DSN_RELAYED, "relayed")     /* accepted by a host that does not speak DSN: nobody will report further */

enum dsn_action {
#define X(name, text) name,
    DSN_ACTION_TABLE(X)
#undef X
};
const char *dsn_action_text(enum dsn_action action);

/* One recipient's fate. Everything but address, action and status may be empty or 0. */
struct dsn_rcpt {
    struct str address;
    struct str orcpt; /* as in the envelope */
    enum dsn_action action;
    struct str status;          /* "5.7.1": three numbers, class as the action demands */
    struct str reason;          /* stable reason code */
    struct str sentence;        /* what happened, for a human */
    const struct str *evidence; /* lines for an operator */
    size_t evidence_count;
    struct str remote_mta; /* host name that spoke; empty when none was reached */
    struct str diagnostic; /* that host's reply, cleaned, without its type */
    int64_t last_attempt_ms;
    int64_t retry_until_ms; /* delayed only */
};

struct dsn {
    struct str reporting_mta; /* our host name */
    int64_t now_ms;
    struct str unique;               /* of this notification: Message-ID and boundary are made of it */
    const struct envelope *envelope; /* of the original */
    const struct dsn_rcpt *rcpt;     /* at least one */
    size_t rcpt_count;
    struct str message;  /* content of the original, or its beginning with is_cut */
    bool is_cut;         /* message is not all of it: only its header is returned */
    size_t max_returned; /* larger messages return the header only; 0: always the header only */
};

/* What the notification's own envelope must say. */
struct dsn_needs {
    bool smtputf8, body_8bit;
};

/* Does the recipient want to hear of this (RFC 3461 section 6.2)? Never for the null sender. */
bool dsn_is_wanted(const struct envelope *e, size_t rcpt, enum dsn_action action);
struct dsn_needs dsn_write(const struct dsn *d, struct buf *out);

#endif
