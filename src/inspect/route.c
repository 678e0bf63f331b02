#include "inspect/route.h"

#include <errno.h>

bool route_exists(const struct addr *to)
{
    struct addr at = *to;
    addr_set_port(&at, 9); /* any will do: connecting a UDP socket only looks up the route */
    int fd = socket(at.ss.ss_family, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return false;
    bool found = connect(fd, (const struct sockaddr *)&at.ss, at.n) == 0 ||
                 (errno != ENETUNREACH && errno != EADDRNOTAVAIL && errno != EAFNOSUPPORT);
    file_close(&fd);
    return found;
}
