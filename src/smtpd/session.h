/* One inbound session: from greeting to QUIT on the calling thread. */
#ifndef SMTPD_SESSION_H
#define SMTPD_SESSION_H

#include "smtpd/outside.h"
#include "smtpd/settings.h"
#include "tls/tls.h"

struct smtpd_session_args {
    const struct smtpd_settings *settings;
    const struct smtpd_outside *outside;
    struct tls_server *tls; /* NULL: STARTTLS is not offered */
    struct stream *stream;  /* connected, PROXY header gone; released by the caller */
    struct addr peer;
    int stop_fd; /* readable when the process drains; -1: none */
};

void smtpd_session_run(const struct smtpd_session_args *args);

#endif
