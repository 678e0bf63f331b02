/* Listens, admits, and gives each connection a thread with a session. */
#ifndef SMTPD_SERVER_H
#define SMTPD_SERVER_H

#include "smtpd/outside.h"
#include "smtpd/settings.h"
#include "tls/tls.h"

enum { SMTPD_LISTENERS_MAX = 64 };

struct smtpd_server;

struct smtpd_server_args {
    const int *listeners; /* fds of net_listen; the server owns them from here on */
    size_t listener_count;
    struct smtpd_settings *settings;     /* owned from here on */
    const struct smtpd_outside *outside; /* kept */
    struct tls_server *tls;              /* kept */
    int stop_fd; /* readable: no more connections, sessions end when their transaction does */
};

enum err smtpd_server_start(const struct smtpd_server_args *args, struct smtpd_server **out,
                            struct buf *why) MUST_CHECK;
/* New sessions use these settings; running ones keep theirs. Owned from here on. */
void smtpd_server_reload(struct smtpd_server *s, struct smtpd_settings *settings);
/* After stop_fd has become readable: waits until every session has ended; how many have not at the deadline.
 */
size_t smtpd_server_drain(struct smtpd_server *s, deadline until);
/* Only when none was left. */
void smtpd_server_free(struct smtpd_server *s);

#endif
