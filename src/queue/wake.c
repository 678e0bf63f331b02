#include "queue/wake.h"

#include <poll.h>
#include <unistd.h>

static void set_address(struct wake *w, const struct layout *l)
{
    w->to = (struct sockaddr_un){.sun_family = AF_UNIX};
    int n = snprintf(w->to.sun_path, sizeof w->to.sun_path, "%s/wake", l->path);
    if (n >= (int)sizeof w->to.sun_path) /* a deep folder: go through the descriptor instead */
        (void)snprintf(w->to.sun_path, sizeof w->to.sun_path, "/proc/self/fd/%d/wake", l->root);
}

void wake_open_sender(struct wake *w, const struct layout *l)
{
    w->fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    set_address(w, l);
}

void wake_send(const struct wake *w)
{
    if (w->fd >= 0)
        (void)sendto(w->fd, "n", 1, MSG_NOSIGNAL, (const struct sockaddr *)&w->to, sizeof w->to);
}

enum err wake_open_receiver(struct wake *w, const struct layout *l, struct buf *why)
{
    wake_open_sender(w, l);
    if (w->fd < 0)
        return err_system(why, "socket");
    (void)unlinkat(l->root, "wake", 0); /* we hold the lock: it is an earlier process's */
    if (bind(w->fd, (const struct sockaddr *)&w->to, sizeof w->to) < 0) {
        enum err e = err_system(why, "%s/wake", l->path);
        wake_release(w);
        return e;
    }
    return OK;
}

bool wake_wait(const struct wake *w, int ms)
{
    struct pollfd p = {.fd = w->fd, .events = POLLIN};
    char c;
    if (poll(&p, 1, ms) <= 0)
        return false;
    while (recv(w->fd, &c, 1, 0) >= 0)
        continue;
    return true;
}

void wake_release(struct wake *w)
{
    file_close(&w->fd);
}
