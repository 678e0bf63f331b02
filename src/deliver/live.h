/* Connections that are in use, so that a drain that takes too long can end their waits. */
#ifndef DELIVER_LIVE_H
#define DELIVER_LIVE_H

#include <pthread.h>

#include "base/base.h"

struct live_link {
    struct live_link *next, **at; /* at NULL: not in a list */
    int fd;
};

struct live {
    pthread_mutex_t mutex;
    struct live_link *first;
    bool cut;
};

void live_init(struct live *l);
void live_release(struct live *l);
/* The descriptor is shut down when live_cut is called, at once when it was called before. */
void live_add(struct live *l, struct live_link *link, int fd);
/* Before the descriptor is closed. Accepts a link that is in no list. */
void live_remove(struct live *l, struct live_link *link);
/* Ends every wait on a live connection: its dialog sees a lost connection. */
void live_cut(struct live *l);

#endif
