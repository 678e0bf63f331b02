#include "deliver/live.h"

#include <sys/socket.h>

void live_init(struct live *l)
{
    *l = (struct live){0};
    ENSURE(pthread_mutex_init(&l->mutex, NULL) == 0);
}

void live_release(struct live *l)
{
    ENSURE(!l->first);
    pthread_mutex_destroy(&l->mutex);
}

void live_add(struct live *l, struct live_link *link, int fd)
{
    pthread_mutex_lock(&l->mutex);
    *link = (struct live_link){.next = l->first, .at = &l->first, .fd = fd};
    if (l->first)
        l->first->at = &link->next;
    l->first = link;
    if (l->cut)
        (void)shutdown(fd, SHUT_RDWR);
    pthread_mutex_unlock(&l->mutex);
}

void live_remove(struct live *l, struct live_link *link)
{
    if (!link->at)
        return;
    pthread_mutex_lock(&l->mutex);
    *link->at = link->next;
    if (link->next)
        link->next->at = link->at;
    *link = (struct live_link){.fd = -1};
    pthread_mutex_unlock(&l->mutex);
}

void live_cut(struct live *l)
{
    pthread_mutex_lock(&l->mutex);
    l->cut = true;
    for (struct live_link *at = l->first; at; at = at->next)
        (void)shutdown(at->fd, SHUT_RDWR);
    pthread_mutex_unlock(&l->mutex);
}
