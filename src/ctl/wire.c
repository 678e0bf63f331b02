#include "ctl/wire.h"

#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/file.h"

enum err ctl_address(const char *path, struct sockaddr_un *out, struct buf *why)
{
    *out = (struct sockaddr_un){.sun_family = AF_UNIX};
    if (str_copy(str_of(path), out->sun_path, sizeof out->sun_path))
        return OK;
    buf_set(why, "%s: longer than the %zu characters of a socket's name; choose a shorter run_directory",
            path, sizeof out->sun_path - 1);
    return ERR_REFUSED;
}

enum err ctl_connect(const char *path, int *out, struct buf *why)
{
    struct sockaddr_un sun;
    enum err e = ctl_address(path, &sun, why);
    if (e != OK)
        return e;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_system(why, "socket");
    if (connect(fd, (struct sockaddr *)&sun, sizeof sun) < 0) {
        bool absent = errno == ENOENT || errno == ECONNREFUSED;
        e = err_system(why, "%s", path);
        file_close(&fd);
        return absent ? ERR_NOT_FOUND : e;
    }
    *out = fd;
    return OK;
}

enum err ctl_send(int fd, const json_t *line, deadline until, struct buf *why)
{
    char *text = json_dumps(line, JSON_COMPACT);
    if (!text) {
        buf_set(why, "the message cannot be written as JSON");
        return ERR_MALFORMED;
    }
    size_t n = strlen(text);
    text[n++] = '\n'; /* in the place of the NUL */
    enum err e = OK;
    for (size_t done = 0; done < n && e == OK;) {
        ssize_t sent = send(fd, text + done, n - done, MSG_NOSIGNAL | MSG_DONTWAIT);
        if (sent > 0) {
            done += (size_t)sent;
            continue;
        }
        struct pollfd p = {fd, POLLOUT, 0};
        if (errno != EAGAIN && errno != EINTR)
            e = err_system(why, "send");
        else if (poll(&p, 1, deadline_poll_ms(until)) == 0)
            e = ERR_TIMEOUT;
    }
    free(text);
    return e;
}

static enum err fill(struct ctl_reader *r, deadline until, struct buf *why)
{
    struct pollfd p[2] = {{r->fd, POLLIN, 0}, {r->cancel, POLLIN, 0}};
    int ready = poll(p, 2, deadline_poll_ms(until));
    if (ready == 0) {
        buf_set(why, "no answer in time");
        return ERR_TIMEOUT;
    }
    if (ready < 0)
        return errno == EINTR ? OK : err_system(why, "poll");
    if (p[1].revents)
        return ERR_CLOSED;
    buf_reserve(&r->in, 4096);
    ssize_t n = recv(r->fd, r->in.p + r->in.n, 4096, MSG_DONTWAIT);
    if (n < 0)
        return errno == EAGAIN || errno == EINTR ? OK : err_system(why, "receive");
    if (n == 0) {
        buf_set(why, "the other side closed the connection");
        return ERR_CLOSED;
    }
    r->in.n += (size_t)n;
    return OK;
}

enum err ctl_read_line(struct ctl_reader *r, deadline until, struct str *line, struct buf *why)
{
    buf_drop(&r->in, r->taken);
    r->taken = 0;
    size_t most = r->most ? r->most : CTL_LINE_MAX;
    for (size_t searched = 0;;) {
        size_t at = str_find_char(str_from(buf_str(&r->in), searched), '\n');
        if (at != SIZE_MAX) {
            *line = str_sub(buf_str(&r->in), 0, searched + at);
            r->taken = line->n + 1;
            return OK;
        }
        searched = r->in.n;
        if (searched > most) {
            buf_set(why, "a line of more than %zu bytes", most);
            return ERR_FULL;
        }
        enum err e = fill(r, until, why);
        if (e != OK)
            return e;
    }
}

void ctl_reader_release(struct ctl_reader *r)
{
    buf_release(&r->in);
}
