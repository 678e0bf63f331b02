/* What is wrong with the private primary's options is said before anything is started: afterwards it would be
 * a line among many, again and again. */
#ifndef CMD_AUTHORITY_CHECK_H
#define CMD_AUTHORITY_CHECK_H

#include "conf/conf.h"

/* The options make sense together, Knot is installed, its address is free. Dies with the option's name. */
void authority_check(const struct conf *conf);
/* Knot takes the configuration file that was made of them. Dies with its words. */
void authority_check_file(const struct conf *conf, const char *path);

#endif
