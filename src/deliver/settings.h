/* What deliver needs of the configuration, parsed once; immutable, replaced as a whole on reload. */
#ifndef DELIVER_SETTINGS_H
#define DELIVER_SETTINGS_H

#include "conf/conf.h"
#include "deliver/schedule.h"
#include "policy/policy.h"
#include "tls/client.h"

struct settings {
    struct settings *earlier; /* replaced ones stay valid until the end */
    const struct conf *conf;
    struct arena arena;
    struct str hello; /* our host name, in the form of dns/name.h */
    struct addr source4, source6;
    struct schedule schedule;
    struct policy_self self;
    enum policy_insecure_mx insecure_mx;
    enum tls_strength strength_none;
};

struct settings *settings_new(const struct conf *conf);
/* The weakest TLS where clear text would be allowed, too. */
enum tls_strength settings_strength_none(const struct conf *conf);
void settings_free(struct settings *s); /* and all earlier ones */
/* Our address to connect from, NULL for the system's choice. */
const struct addr *settings_source(const struct settings *s, const struct addr *to);

#endif
