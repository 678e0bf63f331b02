/* The edge dials its own public names, every edge_probe_interval: which ones, control says; what it last said
 * holds while it is away. What is wrong is an alarm in the log at once, and all of it goes to control. */
#ifndef CMD_PROBE_SELF_H
#define CMD_PROBE_SELF_H

#include "conf/conf.h"
#include "directory/keystore.h"
#include "dns/resolver.h"

struct probe_self;

struct probe_self_args {
    const struct conf *conf; /* all are kept */
    struct keystore *keystore;
    struct resolver *resolver;
    const char *socket; /* control's */
    struct str edge;    /* our name */
    int stop_fd;        /* readable: the thread ends after the name it is at */
};

/* OK and *out NULL when the interval is 0. */
enum err probe_self_start(const struct probe_self_args *args, struct probe_self **out,
                          struct buf *why) MUST_CHECK;
/* After stop_fd became readable. Accepts NULL. */
void probe_self_free(struct probe_self *p);

#endif
