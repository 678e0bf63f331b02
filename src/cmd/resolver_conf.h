/* The configuration of the private validating resolver that `kedge run` starts: an Unbound that only this
 * machine may ask, with sizes for a mail system. */
#ifndef CMD_RESOLVER_CONF_H
#define CMD_RESOLVER_CONF_H

#include "conf/conf.h"

/* Writes run_directory/resolver.conf for this user; dies when it cannot. */
void resolver_conf_write(const struct conf *conf);
/* Of that file; malloc'd. */
char *resolver_conf_path(const struct conf *conf);

#endif
