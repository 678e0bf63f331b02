/* Which certificate and key a handshake gets: the keystore's answer to the name that the client asked for;
 * and whether the client's own certificate is of interest: it is while some relay goes by one. */
#ifndef SMTPD_IDENTITY_H
#define SMTPD_IDENTITY_H

#include "directory/directory.h"
#include "directory/keystore.h"
#include "tls/server.h"

struct smtpd_identity {
    struct keystore *keystore;
    struct directory *directory;
};

/* For struct tls_server_conf; ctx is the struct smtpd_identity. */
bool smtpd_identity_lookup(void *ctx, struct str sni, struct arena *a, struct tls_identity *out);
bool smtpd_identity_wants_certificate(void *ctx);

#endif
