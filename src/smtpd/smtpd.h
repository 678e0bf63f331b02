/*
 * smtpd: receives mail. A session is a dialog on its own thread, greeting to QUIT; it ends in the queue or in
 * a refusal with a precise code.
 *
 * Knows the server's half of RFC 5321 with PIPELINING, SIZE, 8BITMIME, SMTPUTF8, CHUNKING,
 * ENHANCEDSTATUSCODES, DSN, STARTTLS and LIMITS, every limit of the configuration, and the Received field,
 * which is all that it adds to a message. Refuses to know how mail goes on, how the queue stores it and what
 * a tenant is: `outside` asks the directory and the queue. Shared by sessions: settings (immutable, replaced
 * on reload), admission (its own lock). A session owns its stream, its arenas and its transaction; nothing of
 * it is seen by another thread.
 */
#ifndef SMTPD_SMTPD_H
#define SMTPD_SMTPD_H

#include "smtpd/backend.h"
#include "smtpd/confirm.h"
#include "smtpd/identity.h"
#include "smtpd/server.h"
#include "smtpd/settings.h"

#endif
