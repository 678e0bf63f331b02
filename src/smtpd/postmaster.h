/* The mailbox of this edge's postmaster (RFC 5321 section 4.5.1): who gets mail for the bare address and for
 * postmaster at the host name. */
#ifndef SMTPD_POSTMASTER_H
#define SMTPD_POSTMASTER_H

#include "directory/directory.h"

/* `option` is a mailbox, or empty: postmaster at the host name. False when there is none: the mailbox's
 * domain is this machine's own name and not accepted here, so that mail for it would come back to us for
 * ever. The mailbox lives in the arena or in `option`. */
bool postmaster_find(const struct directory_view *v, struct arena *a, struct str hostname, struct str option,
                     struct str *mailbox);

/* What to tell the operator who has none. */
void postmaster_advice(struct str hostname, struct buf *out);

#endif
