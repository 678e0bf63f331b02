/* Tells control over its socket what this edge serves: within a second when that changes, else every 10 s. A
 * control that is away or slow disturbs nobody: this has a thread of its own. */
#ifndef SMTPD_CONFIRM_H
#define SMTPD_CONFIRM_H

#include "smtpd/serving.h"

struct confirm;

struct confirm_args {
    struct keystore *keystore; /* all are kept */
    struct tls_server *tls;
    const char *socket; /* control's */
    struct str edge;    /* our name */
    int stop_fd;        /* readable: the thread ends */
};

enum err confirm_start(const struct confirm_args *args, struct confirm **out, struct buf *why) MUST_CHECK;
/* After stop_fd became readable. Accepts NULL. */
void confirm_free(struct confirm *c);

#endif
