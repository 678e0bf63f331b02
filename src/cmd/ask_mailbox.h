/* How smtpd asks mailbox hosts about recipients: with deliver's connections, which it does not know. */
#ifndef CMD_ASK_MAILBOX_H
#define CMD_ASK_MAILBOX_H

#include <stdatomic.h>

#include "deliver/callout.h"
#include "dns/resolver.h"
#include "smtpd/ask.h"

struct ask_mailbox {
    _Atomic(struct settings *) settings;
    struct dns_source source;
    struct tls_client *tls;
    struct live live;
    struct ask *ask;
};

/* The resolver is kept. ERR when the CA file cannot be read. */
enum err ask_mailbox_start(struct ask_mailbox *m, const struct conf *conf, struct resolver *resolver,
                           struct buf *why) MUST_CHECK;
void ask_mailbox_reload(struct ask_mailbox *m, const struct conf *conf);
/* Ends the waits of calls that are under way. */
void ask_mailbox_cut(struct ask_mailbox *m);
void ask_mailbox_stop(struct ask_mailbox *m);

#endif
