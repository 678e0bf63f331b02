/* A connection to one host, from the first packet to the point where messages can be sent: greeting, EHLO,
 * STARTTLS, judgement, EHLO again. */
#ifndef DELIVER_CONNECTION_H
#define DELIVER_CONNECTION_H

#include "deliver/live.h"
#include "deliver/outcome.h"
#include "smtp/extension.h"
#include "tls/client.h"

enum { CONNECTION_KEY = 32 };

struct connection_target {
    const struct policy_host *host;
    struct addr to;
    const struct addr *source; /* NULL: the system's choice */
    bool lmtp;
    bool clear_text_allowed; /* level none, and an earlier handshake failed long enough ago */
    enum tls_strength strength_none;
    struct str hello; /* our name */
    int64_t connect_timeout, smtp_timeout;
    struct tls_client *tls;
    struct live *live;
};

struct connection {
    struct connection *next; /* of the list it is in */
    struct stream stream;
    struct live *live;
    struct live_link link;
    uint8_t key[CONNECTION_KEY];
    struct addr to;
    bool lmtp;
    struct smtp_extensions offered; /* by the last EHLO only */
    struct tls_info tls;            /* protocol NULL: clear text */
    enum level level;               /* what was reached: not above the host's */
    bool handshake_failed;          /* and clear text was allowed */
    struct buf matched;             /* the TLSA record that matched, as text */
    int depth;                      /* of the certificate that it matched; -1 */
    int64_t smtp_timeout;
    unsigned messages;
    int64_t idle_until; /* mono */
    bool is_reused;
};

/* What may be shared: the policy's fingerprint, the address, our address, protocol and TLS options (spec: one
 * domain's weaker policy must never ride on another's connection). */
void connection_key(const struct connection_target *t, uint8_t out[CONNECTION_KEY]);

/* Empty: released is what connection_release leaves. On any blame the connection is released already. */
struct outcome connection_open(struct connection *c, const struct connection_target *t, struct arena *a);
/* QUIT without waiting for the answer, keeps the TLS session for later when the dialog went well, closes,
 * frees. */
void connection_quit(struct connection *c, struct tls_client *tls);
/* Closes at once; frees what it owns. */
void connection_release(struct connection *c);

/* The next reply, as an outcome of the stage. */
struct outcome connection_reply(struct connection *c, enum stage stage, struct arena *a);

#endif
