/* The private primary of the MX zones that `kedge run` starts: a Knot that signs with ECDSA P-256, rolls its
 * keys, and takes changes from whoever has the TSIG key in data_directory/authority/key. */
#ifndef CMD_AUTHORITY_CONF_H
#define CMD_AUTHORITY_CONF_H

#include <pwd.h>

#include "conf/conf.h"

/* Makes data_directory/authority with the key (once) and knot.conf (each time), for this user; dies with the
 * option's name when it cannot. */
void authority_conf_write(const struct conf *conf);
/* Of knot.conf; malloc'd. */
char *authority_conf_path(const struct conf *conf);

#endif
