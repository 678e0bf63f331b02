/* A byte stream with deadlines over a non-blocking socket, written as if it blocked; TLS is switched on in
 * place.
 *
 * Sticky errors: after the first failure of a direction its calls keep failing with the same error. End of
 * file and a read timeout stop reading only, so that a last reply (421) can still be written; a reset or a
 * TLS failure stops both (but see stream_hear_out). A dialog may ignore the results of writes and look where
 * it reads.
 *
 * Output is collected and goes out in one write when stream_flush is called or when a read has to wait: a
 * group of pipelined commands is answered with one packet. Buffers exist only while they hold something: an
 * idle stream owns no heap memory of its own. */
#ifndef NET_STREAM_H
#define NET_STREAM_H

#include <openssl/types.h>

#include "net/addr.h"

/* What one read from the system takes at most; the longest line that stream_read_line can give. */
enum { STREAM_BUFFER = 16 * 1024, STREAM_LINE_MAX = STREAM_BUFFER / 2 };

struct stream {
    int fd;        /* -1: closed */
    int cancel_fd; /* -1: none */
    SSL *ssl;      /* owned; NULL: clear text */
    char *in;      /* STREAM_BUFFER octets, or NULL */
    uint32_t in_from, in_to;
    struct buf out;
    enum err read_error, write_error;
    short waits_for;                /* POLLIN, or POLLOUT when TLS must write before it can read */
    bool hears_out;                 /* see stream_hear_out */
    bool eager;                     /* the last read filled its buffer: try before polling */
    const char *what;               /* static text of the first failure */
    int system_error;               /* its errno, or 0 */
    uint64_t octets_in, octets_out; /* application octets so far */
};

/* Takes the fd over (made non-blocking, TCP_NODELAY). */
void stream_init(struct stream *s, int fd);
/* An empty stream; stream_release accepts it. */
#define STREAM_EMPTY                                                                                         \
    {                                                                                                        \
        .fd = -1, .cancel_fd = -1                                                                            \
    }
/* Closes: sends close_notify when TLS is on and still healthy, does not wait for the peer's. Output not
 * flushed is dropped. Accepts an empty stream, leaves one. */
void stream_release(struct stream *s);

/* Connects to an address, from `source` (may be NULL; its port may be 0). s becomes a fresh stream.
 * ERR_TIMEOUT, ERR_CLOSED (refused, unreachable, reset: the peer's side), ERR_SYSTEM (ours: source address,
 * descriptors). */
enum err stream_connect(struct stream *s, const struct addr *to, const struct addr *source, deadline until,
                        struct buf *why) MUST_CHECK;

/* stream_read_line gives ERR_STOPPED while this fd (an eventfd, say) is readable, but only when it would wait
 * for the first octet of a line: a dialog is told between commands, never inside one. Borrowed; not sticky.
 */
void stream_set_cancel(struct stream *s, int fd);

/* From here on a failed write leaves reading as it is: what the peer said before it stopped listening ("552
 * too large", and closes) is read, then comes the end of file. For clients; a server whose answers get lost
 * must not take further commands. */
void stream_hear_out(struct stream *s);

/* What was wrong with a line. */
enum stream_fault {
    STREAM_LINE_BARE_LF = 1,  /* it ended with LF instead of CRLF */
    STREAM_LINE_BARE_CR = 2,  /* CR inside */
    STREAM_LINE_NUL = 4,      /* NUL inside */
    STREAM_LINE_TOO_LONG = 8, /* more than max octets with CRLF: line holds the first, the rest is gone */
};
/* The next line without its line end; borrowed until the next call on s. `max` counts CRLF (512 for SMTP), at
 * most STREAM_LINE_MAX. A line is over at its first LF, good or bare, so that the answer is prompt; the
 * caller refuses whatever has a fault. OK, or the sticky error (ERR_CLOSED at the end of file, also within a
 * line).
 */
enum err stream_read_line(struct stream *s, size_t max, deadline until, struct str *line,
                          unsigned *faults) MUST_CHECK;

/* All octets that are there, at least one, waiting for it when there is none; borrowed until the next call on
 * s other than stream_consume. Nothing is consumed. */
enum err stream_fill(struct stream *s, deadline until, struct str *bytes) MUST_CHECK;
/* The same, but waits until at least `least` (<= STREAM_BUFFER) octets are there. */
enum err stream_fill_least(struct stream *s, size_t least, deadline until, struct str *bytes) MUST_CHECK;
/* Drops the first n octets of what stream_fill showed. */
void stream_consume(struct stream *s, size_t n);
/* Copies at least 1, at most n octets. */
enum err stream_read(struct stream *s, void *to, size_t n, deadline until, size_t *got) MUST_CHECK;

/* Octets received, decrypted and not consumed yet. Not 0 behind STARTTLS (server) or behind its 220 (client):
 * somebody injects; close. */
size_t stream_buffered(const struct stream *s);
/* Whether something came (octets, end of file, error, a TLS message) before the deadline; sends nothing. */
bool stream_is_readable(struct stream *s, deadline until);

/* Collects; dropped after an error. */
void stream_write(struct stream *s, const void *p, size_t n);
void stream_add(struct stream *s, struct str text);
void stream_printf(struct stream *s, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Octets collected and not sent: senders of long content flush when this passes some 64 KiB. */
size_t stream_unsent(const struct stream *s);
/* Sends all that is collected. The error may be ignored: it is sticky. */
enum err stream_flush(struct stream *s, deadline until);

/* From here on everything goes through the session, whose handshake is complete; s owns it. tls/ calls this.
 */
void stream_set_tls(struct stream *s, SSL *ssl);
/* Waits until the fd is readable (POLLIN) or writable (POLLOUT); for handshakes. */
enum err stream_wait_fd(struct stream *s, short events, deadline until) MUST_CHECK;
/* Marks both directions as failed, with a static text. */
enum err stream_fail(struct stream *s, enum err e, const char *what);

/* The first failure, OK when there was none. */
enum err stream_error(const struct stream *s);
/* Its sentence ("connection reset by peer"); "" when there was none. */
const char *stream_why(const struct stream *s);

#endif
