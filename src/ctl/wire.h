/* What both ends of a control socket share: addresses, and lines of JSON under deadlines. */
#ifndef CTL_WIRE_H
#define CTL_WIRE_H

#include <sys/socket.h>
#include <sys/un.h>

#include "ctl/ctl.h"

enum { CTL_LINE_MAX = 16 << 20, CTL_STRANGER_LINE_MAX = 64 << 10 };

enum err ctl_address(const char *path, struct sockaddr_un *out, struct buf *why) MUST_CHECK;
/* A connected non-blocking socket. ERR_NOT_FOUND when nobody listens. */
enum err ctl_connect(const char *path, int *fd, struct buf *why) MUST_CHECK;
enum err ctl_send(int fd, const json_t *line, deadline until, struct buf *why) MUST_CHECK;

struct ctl_reader {
    int fd;
    int cancel; /* readable or hung up: give up with ERR_CLOSED; -1 when unused */
    struct buf in;
    size_t taken; /* bytes of `in` that the last line used */
    size_t most;  /* bytes of a line; 0: CTL_LINE_MAX */
};
/* The next line without its LF; borrowed until the next call. ERR_CLOSED at the end. */
enum err ctl_read_line(struct ctl_reader *r, deadline until, struct str *line, struct buf *why) MUST_CHECK;
void ctl_reader_release(struct ctl_reader *r);

#endif
