/* One look at one address of an MX host: connect, EHLO, STARTTLS, judge what is shown, ask whether mail for a
 * domain would be taken, QUIT. Never a message. Other than a delivery it goes on whatever the certificate is,
 * and asks for one algorithm alone when told to. */
#ifndef INSPECT_DIAL_H
#define INSPECT_DIAL_H

#include "inspect/facts.h"
#include "tls/client.h"

struct dial_conf {
    struct tls_client *tls;
    const struct addr *source; /* NULL: the system chooses */
    struct str hello;          /* our name */
    struct str host;           /* whom we expect there */
    struct str domain;         /* RCPT TO:<postmaster@domain>; empty: not asked */
    const struct dns_answer *tlsa;
    int64_t connect_ms, smtp_ms;
};

/* d->to and d->asked are set; the rest is filled in, texts in the arena. */
void dial(const struct dial_conf *conf, struct facts_dial *d, struct arena *a);

#endif
