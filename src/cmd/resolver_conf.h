/* The configuration of the private validating resolver that `kedge run` starts: an Unbound that only this
 * machine may ask, with sizes for a mail system. */
#ifndef CMD_RESOLVER_CONF_H
#define CMD_RESOLVER_CONF_H

#include "conf/conf.h"

/* Writes run_directory/resolver.conf; dies when it cannot. Returns its path, malloc'd. */
char *resolver_conf_write(const struct conf *conf);

#endif
