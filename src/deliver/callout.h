/* Asks a mailbox host whether it takes a recipient: a transaction from the null sender that ends before its
 * content. The connection is made as a delivery would make it, with the level that the domain demands. */
#ifndef DELIVER_CALLOUT_H
#define DELIVER_CALLOUT_H

#include "deliver/connection.h"
#include "deliver/settings.h"

struct callout {
    const struct settings *settings;
    const struct dns_source *source;
    struct tls_client *tls;
    struct live *live;
};

struct callout_question {
    const struct dir_domain *domain;
    struct str address;
    bool needs_utf8;
    int64_t timeout_ms; /* of the connection, and of each reply */
};

/* Blame nobody or recipient: outcome.reply is the answer to RCPT. Any other: there was none, and why. Texts
 * live in the arena. */
struct outcome callout_rcpt(const struct callout *c, const struct callout_question *q, struct arena *a);

#endif
