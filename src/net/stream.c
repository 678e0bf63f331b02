#include "net/stream.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <poll.h>
#include <unistd.h>

enum { HEAR_OUT_MS = 1000 }; /* what the peer says to a write that failed was said by then */

enum wait_kind { WAIT_PLAIN, WAIT_CANCELLABLE };

/* What one attempt to move octets came to: octets, or the events to wait for, or an error already noted. */
struct moved {
    size_t n;
    short wait;
    enum err e;
};

void stream_init(struct stream *s, int fd)
{
    *s = (struct stream){.fd = fd, .cancel_fd = -1, .waits_for = POLLIN};
    int flags = fcntl(fd, F_GETFL);
    if (flags >= 0 && !(flags & O_NONBLOCK))
        (void)fcntl(fd, F_SETFL, flags | O_NONBLOCK);
    int on = 1;
    (void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on); /* pipes and Unix sockets refuse: fine */
}

void stream_release(struct stream *s)
{
    if (s->ssl) {
        if (!s->write_error && SSL_is_init_finished(s->ssl)) {
            ERR_clear_error();
            (void)SSL_shutdown(s->ssl);
        }
        SSL_free(s->ssl);
    }
    free(s->in);
    buf_release(&s->out);
    file_close(&s->fd);
    *s = (struct stream)STREAM_EMPTY;
}

void stream_set_cancel(struct stream *s, int fd)
{
    s->cancel_fd = fd;
}

void stream_hear_out(struct stream *s)
{
    s->hears_out = true;
}

void stream_set_tls(struct stream *s, SSL *ssl)
{
    s->ssl = ssl;
}

/* Errors. */

static void note(struct stream *s, const char *what, int system_error)
{
    if (s->what)
        return;
    s->what = what;
    s->system_error = system_error;
}

enum err stream_fail(struct stream *s, enum err e, const char *what)
{
    note(s, what, 0);
    if (!s->read_error)
        s->read_error = e;
    if (!s->write_error)
        s->write_error = e;
    return e;
}

static enum err fail_reading(struct stream *s, enum err e, const char *what)
{
    note(s, what, 0);
    return s->read_error = e;
}

static enum err fail_system(struct stream *s, int error)
{
    note(s, NULL, error);
    switch (error) {
    case ECONNRESET:
    case EPIPE:
    case ETIMEDOUT:
    case EHOSTUNREACH:
    case ENETUNREACH:
    case ECONNREFUSED:
        s->what = error == EPIPE ? "connection closed by the peer" : "connection lost";
        return stream_fail(s, ERR_CLOSED, s->what);
    default:
        s->what = "socket error";
        return stream_fail(s, ERR_SYSTEM, s->what);
    }
}

enum err stream_error(const struct stream *s)
{
    return s->read_error ? s->read_error : s->write_error;
}

const char *stream_why(const struct stream *s)
{
    return s->what ? s->what : "";
}

/* Waiting. */

static enum err wait_for(struct stream *s, short events, deadline until, enum wait_kind kind)
{
    struct pollfd fds[2] = {{.fd = s->fd, .events = events}, {.fd = s->cancel_fd, .events = POLLIN}};
    nfds_t n = kind == WAIT_CANCELLABLE && s->cancel_fd >= 0 ? 2 : 1;
    for (;;) {
        int ms = deadline_poll_ms(until);
        if (ms == 0)
            return ERR_TIMEOUT;
        int r = poll(fds, n, ms);
        if (r > 0)
            return fds[0].revents ? OK : ERR_STOPPED;
        if (r < 0 && errno != EINTR)
            return fail_system(s, errno);
    }
}

enum err stream_wait_fd(struct stream *s, short events, deadline until)
{
    return wait_for(s, events, until, WAIT_PLAIN);
}

bool stream_is_readable(struct stream *s, deadline until)
{
    if (stream_buffered(s) || s->read_error || (s->ssl && SSL_has_pending(s->ssl)))
        return true;
    struct pollfd fd = {.fd = s->fd, .events = POLLIN};
    int r;
    do
        r = poll(&fd, 1, deadline_poll_ms(until));
    while (r < 0 && errno == EINTR);
    return r != 0;
}

/* Moving octets. */

static struct moved tls_result(struct stream *s, int r, size_t n)
{
    if (r > 0)
        return (struct moved){.n = n};
    int error = errno;
    switch (SSL_get_error(s->ssl, r)) {
    case SSL_ERROR_WANT_READ:
        return (struct moved){.wait = POLLIN};
    case SSL_ERROR_WANT_WRITE:
        return (struct moved){.wait = POLLOUT};
    case SSL_ERROR_ZERO_RETURN:
        return (struct moved){.e = fail_reading(s, ERR_CLOSED, "connection closed by the peer")};
    case SSL_ERROR_SYSCALL:
        return (struct moved){.e = fail_system(s, error ? error : ECONNRESET)};
    default:
        if (ERR_GET_REASON(ERR_peek_error()) == SSL_R_UNEXPECTED_EOF_WHILE_READING)
            return (struct moved){.e =
                                      stream_fail(s, ERR_CLOSED, "connection closed by the peer inside TLS")};
        return (struct moved){.e = stream_fail(s, ERR_TLS, "TLS error on an established connection")};
    }
}

static struct moved read_once(struct stream *s, char *to, size_t room)
{
    if (s->ssl) {
        size_t n = 0;
        ERR_clear_error();
        int r = SSL_read_ex(s->ssl, to, room, &n);
        return tls_result(s, r, n);
    }
    for (;;) {
        ssize_t n = recv(s->fd, to, room, 0);
        if (n > 0)
            return (struct moved){.n = (size_t)n};
        if (n == 0)
            return (struct moved){.e = fail_reading(s, ERR_CLOSED, "connection closed by the peer")};
        if (errno == EAGAIN)
            return (struct moved){.wait = POLLIN};
        if (errno != EINTR)
            return (struct moved){.e = fail_system(s, errno)};
    }
}

static struct moved write_once(struct stream *s, const char *p, size_t n)
{
    if (s->ssl) {
        size_t done = 0;
        ERR_clear_error();
        int r = SSL_write_ex(s->ssl, p, n, &done);
        return tls_result(s, r, done);
    }
    for (;;) {
        ssize_t done = send(s->fd, p, n, MSG_NOSIGNAL);
        if (done >= 0)
            return (struct moved){.n = (size_t)done};
        if (errno == EAGAIN)
            return (struct moved){.wait = POLLOUT};
        if (errno != EINTR)
            return (struct moved){.e = fail_system(s, errno)};
    }
}

/* Output. */

void stream_write(struct stream *s, const void *p, size_t n)
{
    if (!s->write_error)
        buf_append(&s->out, p, n);
}

void stream_add(struct stream *s, struct str text)
{
    stream_write(s, text.p, text.n);
}

void stream_printf(struct stream *s, const char *format, ...)
{
    if (s->write_error)
        return;
    va_list args;
    va_start(args, format);
    buf_vprintf(&s->out, format, args);
    va_end(args);
}

size_t stream_unsent(const struct stream *s)
{
    return s->out.n;
}

enum err stream_flush(struct stream *s, deadline until)
{
    size_t sent = 0;
    enum err read_error = s->read_error;
    while (!s->write_error && sent < s->out.n) {
        struct moved m = write_once(s, s->out.p + sent, s->out.n - sent);
        sent += m.n;
        s->octets_out += m.n;
        if (m.e && !s->write_error)
            s->write_error = m.e; /* TLS closed by the peer while we write */
        if (!m.wait)
            continue;
        enum err e = wait_for(s, m.wait, until, WAIT_PLAIN);
        if (e)
            (void)stream_fail(s, e, "timed out sending");
    }
    if (s->hears_out)
        s->read_error = read_error;
    buf_release(&s->out);
    return s->write_error;
}

/* Input. */

size_t stream_buffered(const struct stream *s)
{
    return s->in_to - s->in_from + (s->ssl ? (size_t)SSL_pending(s->ssl) : 0);
}

static void drop_empty_buffer(struct stream *s)
{
    if (s->in_from != s->in_to)
        return;
    free(s->in);
    s->in = NULL;
    s->in_from = s->in_to = 0;
}

static void make_room(struct stream *s)
{
    if (!s->in)
        s->in = must_alloc(malloc(STREAM_BUFFER));
    if (s->in_from && (s->in_from == s->in_to || s->in_to > STREAM_BUFFER / 2)) {
        memmove(s->in, s->in + s->in_from, s->in_to - s->in_from);
        s->in_to -= s->in_from;
        s->in_from = 0;
    }
    ENSURE(s->in_to < STREAM_BUFFER);
}

/* Flushes, gives idle memory back and waits until a read may succeed. */
static enum err wait_for_input(struct stream *s, deadline until, enum wait_kind kind)
{
    drop_empty_buffer(s);
    if (s->out.n)
        (void)stream_flush(s, until);
    if (s->read_error)
        return s->read_error;
    if (s->write_error && deadline_in(HEAR_OUT_MS) < until)
        until = deadline_in(HEAR_OUT_MS);
    enum err e = wait_for(s, s->waits_for, until, kind);
    return e == ERR_TIMEOUT ? fail_reading(s, e, "timed out waiting for the peer") : e;
}

/* Appends at least one octet to the buffer. Polls first: mostly the peer needs a moment, and a read in vain
 * is a system call too. */
static enum err fill(struct stream *s, deadline until, enum wait_kind kind)
{
    bool poll_first = !s->eager && !(s->ssl && SSL_has_pending(s->ssl));
    for (;;) {
        if (s->read_error)
            return s->read_error;
        if (!poll_first && deadline_is_over(until))
            return fail_reading(s, ERR_TIMEOUT, "timed out waiting for the peer");
        if (poll_first) {
            enum err e = wait_for_input(s, until, kind);
            if (e)
                return e;
        }
        poll_first = true;
        make_room(s);
        size_t room = STREAM_BUFFER - s->in_to;
        struct moved m = read_once(s, s->in + s->in_to, room);
        s->in_to += (uint32_t)m.n;
        s->octets_in += m.n;
        s->eager = m.n == room;
        s->waits_for = m.wait ? m.wait : POLLIN;
        if (m.n || m.e)
            return m.e;
    }
}

enum err stream_fill_least(struct stream *s, size_t least, deadline until, struct str *bytes)
{
    ENSURE(least && least <= STREAM_BUFFER);
    while (s->in_to - s->in_from < least) {
        if (s->in_from && s->in_from + least > STREAM_BUFFER) {
            memmove(s->in, s->in + s->in_from, s->in_to - s->in_from);
            s->in_to -= s->in_from;
            s->in_from = 0;
        }
        enum err e = fill(s, until, WAIT_PLAIN);
        if (e)
            return e;
    }
    *bytes = str_make(s->in + s->in_from, s->in_to - s->in_from);
    return OK;
}

enum err stream_fill(struct stream *s, deadline until, struct str *bytes)
{
    return stream_fill_least(s, 1, until, bytes);
}

void stream_consume(struct stream *s, size_t n)
{
    ENSURE(n <= s->in_to - s->in_from);
    s->in_from += (uint32_t)n;
}

enum err stream_read(struct stream *s, void *to, size_t n, deadline until, size_t *got)
{
    struct str bytes;
    *got = 0;
    enum err e = stream_fill(s, until, &bytes);
    if (e)
        return e;
    *got = bytes.n < n ? bytes.n : n;
    memcpy(to, bytes.p, *got);
    stream_consume(s, *got);
    return OK;
}

/* The line of `length` octets with its LF, at in_from; what is above max was dropped before. */
static struct str cut_line(struct stream *s, size_t length, size_t max, unsigned *faults)
{
    struct str line = {s->in + s->in_from, length - 1};
    stream_consume(s, length);
    if (line.n && line.p[line.n - 1] == '\r')
        line.n--;
    else
        *faults |= STREAM_LINE_BARE_LF;
    if (length > max) {
        *faults |= STREAM_LINE_TOO_LONG;
        line.n = max - 2;
    }
    if (memchr(line.p, '\r', line.n))
        *faults |= STREAM_LINE_BARE_CR;
    if (memchr(line.p, '\0', line.n))
        *faults |= STREAM_LINE_NUL;
    return line;
}

enum err stream_read_line(struct stream *s, size_t max, deadline until, struct str *line, unsigned *faults)
{
    ENSURE(max >= 2 && max <= STREAM_LINE_MAX);
    size_t searched = 0;
    *line = STR_NONE;
    *faults = 0;
    for (;;) {
        size_t n = s->in_to - s->in_from;
        const char *at = n ? s->in + s->in_from : NULL;
        const char *lf = n > searched ? memchr(at + searched, '\n', n - searched) : NULL;
        if (lf) {
            *line = cut_line(s, (size_t)(lf - at) + 1, max, faults);
            return OK;
        }
        if (n > max) { /* keep its beginning and its last octet, which may be the CR of CRLF */
            s->in[s->in_from + max] = s->in[s->in_to - 1];
            s->in_to = s->in_from + (uint32_t)max + 1;
            n = max + 1;
        }
        searched = n;
        enum err e = fill(s, until, n ? WAIT_PLAIN : WAIT_CANCELLABLE);
        if (e)
            return e;
    }
}

/* Connecting. */

static enum err connect_failed(const struct addr *to, int error, struct buf *why)
{
    char text[ADDR_TEXT];
    errno = error;
    enum err e = err_system(why, "cannot connect to %s", addr_format(to, text));
    switch (error) {
    case ECONNREFUSED:
    case ECONNRESET:
    case ENETUNREACH:
    case EHOSTUNREACH:
    case EHOSTDOWN:
    case ENETDOWN:
        return ERR_CLOSED;
    default:
        return e;
    }
}

static enum err bind_source(int fd, const struct addr *source, struct buf *why)
{
    char text[ADDR_TEXT];
    int on = 1;
    /* Without this option a source address with port 0 takes one port from all destinations. */
    (void)setsockopt(fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &on, sizeof on);
    if (bind(fd, (const struct sockaddr *)&source->ss, source->n) == 0)
        return OK;
    (void)err_system(why, "cannot send from %s (check source_address)", addr_ip_format(source, text));
    return ERR_SYSTEM;
}

enum err stream_connect(struct stream *s, const struct addr *to, const struct addr *source, deadline until,
                        struct buf *why)
{
    *s = (struct stream)STREAM_EMPTY;
    int fd = socket(to->ss.ss_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return err_system(why, "cannot open a socket");
    stream_init(s, fd);
    enum err e = source && source->n ? bind_source(fd, source, why) : OK;
    if (!e && connect(fd, (const struct sockaddr *)&to->ss, to->n) < 0) {
        int error = errno;
        socklen_t n = sizeof error;
        if (error == EINPROGRESS) {
            if (wait_for(s, POLLOUT, until, WAIT_PLAIN) == ERR_TIMEOUT)
                error = ETIMEDOUT;
            else if (getsockopt(fd, SOL_SOCKET, SO_ERROR, &error, &n) < 0)
                error = errno;
        }
        e = error ? connect_failed(to, error, why) : OK;
    }
    if (e)
        stream_release(s);
    return e;
}
