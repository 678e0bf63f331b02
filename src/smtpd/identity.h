/* Which certificate and key a handshake gets: the keystore's answer to the name that the client asked for. */
#ifndef SMTPD_IDENTITY_H
#define SMTPD_IDENTITY_H

#include "directory/keystore.h"
#include "tls/server.h"

/* A tls_lookup; ctx is the struct keystore. */
bool smtpd_identity_lookup(void *ctx, struct str sni, struct arena *a, struct tls_identity *out);

#endif
