/* A scripted SMTP server on loopback. One script for each connection, in order; a script is a list of steps:
 *     "220 hello"      sends the line (CRLF is added; "\n" inside separates lines of one packet)
 *     "<EHLO"          reads a line that must begin with EHLO (any case)
 *     "<."             reads content up to and including the final dot
 *     "<BDAT"          reads a BDAT command and its octets
 *     "!"              closes; also the end of a script
 * Everything read is kept in `heard`; a line that is not the expected one is noted in `wrong` and ends the
 * script. */
#ifndef TEST_DELIVER_PEER_H
#define TEST_DELIVER_PEER_H

#include <pthread.h>
#include <unistd.h>

#include "net/listen.h"
#include "net/stream.h"

enum { PEER_SCRIPTS = 4 };

struct peer {
    const char *const *script[PEER_SCRIPTS];
    struct addr at;
    int fd;
    pthread_t thread;
    struct buf heard;
    char wrong[512];
    unsigned connections;
};

static bool peer_read_bdat(struct peer *p, struct stream *s, struct str line)
{
    struct str rest = line;
    uint32_t left;
    (void)str_word(&rest);
    if (!str_to_u32(str_word(&rest), &left))
        return false;
    while (left > 0) {
        char piece[4096];
        size_t got;
        if (stream_read(s, piece, left < sizeof piece ? left : sizeof piece, deadline_in(5000), &got) != OK)
            return false;
        buf_append(&p->heard, piece, got);
        left -= (uint32_t)got;
    }
    return true;
}

static bool peer_hear(struct peer *p, struct stream *s, const char *wanted)
{
    struct str line;
    unsigned faults;
    for (;;) {
        enum err e = stream_read_line(s, STREAM_LINE_MAX, deadline_in(5000), &line, &faults);
        if (e != OK) {
            (void)snprintf(p->wrong, sizeof p->wrong, "wanted %s, got %s", wanted, err_text(e));
            return false;
        }
        buf_printf(&p->heard, "%.*s\n", STR_ARG(line));
        if (strcmp(wanted, ".") != 0 || str_equal(line, STR(".")))
            break;
    }
    if (!str_starts_nocase(line, str_of(wanted))) {
        (void)snprintf(p->wrong, sizeof p->wrong, "wanted %s, got %.*s", wanted, STR_ARG(line));
        return false;
    }
    return strcmp(wanted, "BDAT") != 0 || peer_read_bdat(p, s, line);
}

static void peer_play(struct peer *p, struct stream *s, const char *const *step)
{
    for (; *step && strcmp(*step, "!") != 0; step++) {
        if (**step == '<') {
            (void)stream_flush(s, deadline_in(5000));
            if (!peer_hear(p, s, *step + 1))
                return;
            continue;
        }
        for (const char *c = *step; *c; c++)
            if (*c == '\n')
                stream_write(s, "\r\n", 2);
            else
                stream_write(s, c, 1);
        stream_write(s, "\r\n", 2);
    }
    (void)stream_flush(s, deadline_in(5000));
}

static void *peer_run(void *arg)
{
    struct peer *p = arg;
    for (int i = 0; i < PEER_SCRIPTS && p->script[i]; i++) {
        struct stream s;
        int fd = accept(p->fd, NULL, NULL);
        if (fd < 0)
            break;
        p->connections++;
        stream_init(&s, fd);
        peer_play(p, &s, p->script[i]);
        stream_release(&s);
    }
    return NULL;
}

static void peer_start(struct peer *p)
{
    ENSURE(addr_parse(STR("127.0.0.1:0"), 0, &p->at));
    p->fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    ENSURE(p->fd >= 0 && bind(p->fd, (const struct sockaddr *)&p->at.ss, p->at.n) == 0 &&
           listen(p->fd, 16) == 0);
    p->at.n = sizeof p->at.ss;
    ENSURE(getsockname(p->fd, (struct sockaddr *)&p->at.ss, &p->at.n) == 0);
    ENSURE(pthread_create(&p->thread, NULL, peer_run, p) == 0);
}

/* Ends the peer; `wrong` and `heard` can be read from here on. */
static void peer_stop(struct peer *p)
{
    (void)shutdown(p->fd, SHUT_RDWR);
    (void)pthread_join(p->thread, NULL);
    (void)close(p->fd);
}

#endif
