/* What a session needs of the configuration, parsed once: immutable, replaced as a whole on reload. */
#ifndef SMTPD_SETTINGS_H
#define SMTPD_SETTINGS_H

#include "conf/conf.h"
#include "net/net.h"

struct smtpd_networks {
    struct net_prefix *v;
    size_t n;
};

struct smtpd_settings {
    const struct conf *conf; /* kept: outlives the settings */
    struct str hostname;
    struct str postmaster;             /* empty: none was set */
    struct smtpd_networks proxies;     /* connections from here begin with a PROXY header */
    struct smtpd_networks normalising; /* bare line ends from here are mended */
    struct arena arena;
};

enum err smtpd_settings_new(const struct conf *conf, struct smtpd_settings **out, struct buf *why) MUST_CHECK;
void smtpd_settings_free(struct smtpd_settings *s);
bool smtpd_networks_contain(const struct smtpd_networks *n, const struct addr *a);

#endif
