/* smtpsink: takes mail over plain SMTP or STARTTLS on several addresses, writes down its number, throws it
 * away.
 *
 * A thread per connection. With -o every message answered with 250 leaves one line "RUN-NUMBER tls|plain"
 * (from its X-Bench header; "-" without one). Nothing is stored: what it costs to receive here is what TLS
 * and SMTP cost alone, which also makes it the floor for memory of an idle session.
 */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <unistd.h>

static const char usage[] = "usage: smtpsink [options] ADDRESS:PORT...\n"
                            "  -C FILE  certificate chain (PEM); offers STARTTLS\n"
                            "  -K FILE  its private key (PEM)\n"
                            "  -o FILE  append a line for each message taken\n"
                            "  -H NAME  name in the greeting (sink.example)\n"
                            "  -h       this text\n"
                            "Runs until SIGTERM or SIGINT, then prints one line of key=value pairs.\n";

enum { STACK = 256 * 1024, WAIT = 600 };

struct sink {
    SSL_CTX *ctx;
    const char *name;
    int out;
    atomic_long connections, handshakes, messages;
};

struct door {
    struct sink *sink;
    int fd;
};

struct session {
    struct sink *sink;
    struct wire w;
    bool mail, rcpt;
};

static bool reply(struct session *s, const char *text)
{
    return wire_write(&s->w, text, strlen(text));
}

static bool ehlo(struct session *s)
{
    s->mail = s->rcpt = false;
    return wire_print(&s->w, "250-%s\r\n%s250-SIZE 52428800\r\n250-PIPELINING\r\n250 8BITMIME\r\n",
                      s->sink->name, s->sink->ctx != NULL && s->w.ssl == NULL ? "250-STARTTLS\r\n" : "");
}

static bool start_tls(struct session *s)
{
    if (s->sink->ctx == NULL || s->w.ssl != NULL)
        return reply(s, "503 5.5.1 not now\r\n");
    s->mail = s->rcpt = false;
    if (!reply(s, "220 2.0.0 go ahead\r\n") || !wire_start_tls(&s->w, s->sink->ctx, true))
        return false;
    atomic_fetch_add(&s->sink->handshakes, 1);
    return true;
}

static bool data(struct session *s)
{
    char number_[128] = "-", *line;
    size_t n;
    bool head = true;
    if (!s->rcpt)
        return reply(s, "503 5.5.1 RCPT first\r\n");
    if (!reply(s, "354 go ahead\r\n"))
        return false;
    while ((line = wire_line(&s->w, &n)) != NULL && !(n == 1 && line[0] == '.')) {
        if (n == 0)
            head = false;
        if (head && strncasecmp(line, "X-Bench: ", 9) == 0)
            snprintf(number_, sizeof number_, "%s", line + 9);
    }
    if (line == NULL)
        return false;
    char record[160];
    int k = snprintf(record, sizeof record, "%s %s\n", number_, s->w.ssl != NULL ? "tls" : "plain");
    if (s->sink->out >= 0 && write(s->sink->out, record, (size_t)k) != k)
        die("cannot write the list of messages");
    atomic_fetch_add(&s->sink->messages, 1);
    s->mail = s->rcpt = false;
    return reply(s, "250 2.0.0 taken\r\n");
}

static bool quit(struct session *s)
{
    reply(s, "221 2.0.0 bye\r\n");
    return false;
}

static bool mail(struct session *s)
{
    s->mail = true;
    s->rcpt = false;
    return reply(s, "250 2.1.0 ok\r\n");
}

static bool rcpt(struct session *s)
{
    s->rcpt = s->mail;
    return reply(s, s->mail ? "250 2.1.5 ok\r\n" : "503 5.5.1 MAIL first\r\n");
}

static bool rset(struct session *s)
{
    s->mail = s->rcpt = false;
    return reply(s, "250 2.0.0 ok\r\n");
}

static bool noop(struct session *s)
{
    return reply(s, "250 2.0.0 ok\r\n");
}

static const struct verb {
    const char *name;
    bool (*run)(struct session *s); /* false ends the session */
} verbs[] = {{"MAIL", mail}, {"RCPT", rcpt}, {"DATA", data}, {"QUIT", quit},         {"EHLO", ehlo},
             {"HELO", ehlo}, {"RSET", rset}, {"NOOP", noop}, {"STARTTLS", start_tls}};

static bool obey(struct session *s, const char *line)
{
    for (size_t i = 0; i < sizeof verbs / sizeof verbs[0]; i++)
        if (strncasecmp(line, verbs[i].name, strlen(verbs[i].name)) == 0)
            return verbs[i].run(s);
    return reply(s, "502 5.5.1 unknown command\r\n");
}

static void *serve(void *arg)
{
    struct session *s = arg;
    size_t n;
    wire_limit(s->w.fd, WAIT);
    bool going = wire_print(&s->w, "220 %s ESMTP\r\n", s->sink->name);
    while (going) {
        const char *line = wire_line(&s->w, &n);
        going = line != NULL && obey(s, line);
    }
    wire_close(&s->w);
    free(s);
    return NULL;
}

static void *listen_at(void *arg)
{
    struct door *door = arg;
    pthread_attr_t attr;
    pthread_attr_init(&attr);
    pthread_attr_setstacksize(&attr, STACK);
    pthread_attr_setdetachstate(&attr, PTHREAD_CREATE_DETACHED);
    for (;;) {
        pthread_t t;
        int fd = accept4(door->fd, NULL, NULL, SOCK_CLOEXEC);
        if (fd < 0 && errno != ECONNABORTED && errno != EINTR)
            die("accept");
        if (fd < 0)
            continue;
        atomic_fetch_add(&door->sink->connections, 1);
        struct session *s = zalloc(sizeof *s);
        s->sink = door->sink;
        s->w.fd = fd;
        if ((errno = pthread_create(&t, &attr, serve, s)) != 0)
            die("thread");
    }
}

static void open_door(struct door *door, struct sink *sink, const char *text)
{
    struct address a = address_parse(text);
    int one = 1;
    pthread_t t;
    *door = (struct door){.sink = sink, .fd = socket(a.sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0)};
    if (door->fd < 0 || setsockopt(door->fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one) != 0 ||
        bind(door->fd, (struct sockaddr *)&a.sa, a.n) != 0 || listen(door->fd, 4096) != 0)
        die("%s", text);
    if ((errno = pthread_create(&t, NULL, listen_at, door)) != 0)
        die("thread");
}

int main(int argc, char **argv)
{
    struct sink sink = {.name = "sink.example", .out = -1};
    const char *cert = NULL, *key = NULL, *out = NULL;
    int opt, got;
    while ((opt = getopt(argc, argv, "C:K:o:H:h")) != -1) {
        switch (opt) {
        case 'C':
            cert = optarg;
            break;
        case 'K':
            key = optarg;
            break;
        case 'o':
            out = optarg;
            break;
        case 'H':
            sink.name = optarg;
            break;
        case 'h':
            fputs(usage, stdout);
            return 0;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (optind == argc || (cert == NULL) != (key == NULL)) {
        fputs(usage, stderr);
        return 2;
    }
    sigset_t stop;
    sigemptyset(&stop);
    sigaddset(&stop, SIGTERM);
    sigaddset(&stop, SIGINT);
    pthread_sigmask(SIG_BLOCK, &stop, NULL);
    signal(SIGPIPE, SIG_IGN);
    raise_open_files();
    if (cert != NULL)
        sink.ctx = tls_server(cert, key);
    if (out != NULL && (sink.out = open(out, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644)) < 0)
        die("%s", out);
    struct door *doors = zalloc((size_t)(argc - optind) * sizeof *doors);
    for (int i = optind; i < argc; i++)
        open_door(&doors[i - optind], &sink, argv[i]);
    printf("ready\n");
    fflush(stdout);
    sigwait(&stop, &got);
    printf("messages=%ld connections=%ld handshakes=%ld cpu=%.3f\n", atomic_load(&sink.messages),
           atomic_load(&sink.connections), atomic_load(&sink.handshakes), cpu_seconds());
    fflush(stdout);
    _exit(0); /* sessions may still run: nothing of theirs is torn down under them */
}
