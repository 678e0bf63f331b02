/* smtpload: sends numbered messages over many connections and counts what was acknowledged.
 *
 * A thread per connection. A message counts as acknowledged when the server answered 250 to its final dot, as
 * in doubt when the dot was sent and no answer came, as failed otherwise. Every message carries "X-Bench:
 * RUN-NUMBER", which smtpsink writes down: the two files together tell lost and doubled messages exactly.
 */
#include "wire.h"

#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <errno.h>

static const char usage[] =
    "usage: smtpload [options] ADDRESS:PORT\n"
    "  -c N      connections at a time (20)\n"
    "  -m N      messages in total (1000)\n"
    "  -n N      messages on a connection (1)\n"
    "  -s BYTES  size of a message with its header (10240)\n"
    "  -p        do not use STARTTLS\n"
    "  -l        one command at a time, no pipelining\n"
    "  -f TEXT   sender (s@load.example)\n"
    "  -r TEXT   recipient (u%n@sink.example); %n is the message's number, %m that number modulo -M\n"
    "  -M N      modulus of %m (1000)\n"
    "  -b A:0/K  source addresses: K of them from A on\n"
    "  -i RUN    name of this run in X-Bench (a number from the clock)\n"
    "  -a FILE   write the number of every acknowledged message\n"
    "  -I N      instead of sending: open N sessions, say so, hold them until standard input ends, then QUIT "
    "each\n"
    "  -w SECS   longest wait for the server (30)\n"
    "  -h        this text\n"
    "Prints one line of key=value pairs. Exit status: 0 all acknowledged (or all sessions alive), 1 not, 2 "
    "usage.\n";

struct load {
    long connections, messages, per_connection, size, modulus, idle;
    bool plain, lockstep;
    int wait;
    const char *from, *to, *run;
    struct address server, source;
    unsigned sources;
    SSL_CTX *ctx;
    FILE *acked_file;
    char *body;
    struct wire *held;
    atomic_long next, acked, doubt, failed, opened, alive;
    atomic_uint next_source;
    pthread_mutex_t lock; /* of acked_file and of what is said on stderr */
    int said;
};

enum end { ACKED, REFUSED, DOUBT, BROKEN };

static void say(struct load *l, const char *stage, int code)
{
    pthread_mutex_lock(&l->lock);
    if (l->said++ < 5)
        fprintf(stderr, "smtpload: %s: %s %d\n", stage, code == 0 ? "connection broken" : "refused with",
                code);
    pthread_mutex_unlock(&l->lock);
}

static bool expect(struct load *l, struct wire *w, const char *stage, int wanted)
{
    int code = wire_reply(w, NULL, NULL);
    if (code != wanted)
        say(l, stage, code);
    return code == wanted;
}

/* Connects and talks until MAIL may be said. */
static bool session_open(struct load *l, struct wire *w, bool *pipelining)
{
    struct address from;
    if (l->sources > 0)
        from = address_plus(l->source, atomic_fetch_add(&l->next_source, 1) % l->sources);
    if (!wire_connect(w, &l->server, l->sources > 0 ? &from : NULL, l->wait)) {
        say(l, "connect", 0);
        return false;
    }
    atomic_fetch_add(&l->opened, 1);
    if (!expect(l, w, "greeting", 220) || !wire_print(w, "EHLO load.example\r\n"))
        return false;
    if (!l->plain) {
        if (!expect(l, w, "EHLO", 250) || !wire_print(w, "STARTTLS\r\n") || !expect(l, w, "STARTTLS", 220))
            return false;
        if (!wire_start_tls(w, l->ctx, false)) {
            say(l, "TLS", 0);
            return false;
        }
        if (!wire_print(w, "EHLO load.example\r\n"))
            return false;
    }
    if (wire_reply(w, "PIPELINING", pipelining) != 250) {
        say(l, "EHLO", 0);
        return false;
    }
    *pipelining = *pipelining && !l->lockstep;
    return true;
}

/* Writes `template` with its %n and %m filled in. */
static int fill(const struct load *l, char *out, size_t cap, const char *template, long number_)
{
    size_t n = 0;
    for (; *template != '\0' && n + 24 < cap; template ++) {
        if (template[0] == '%' && (template[1] == 'n' || template[1] == 'm'))
            n += (size_t)snprintf(out + n, cap - n, "%ld",
                                  *++template == 'n' ? number_ : number_ % l->modulus);
        else
            out[n++] = *template;
    }
    out[n] = '\0';
    return (int)n;
}

static bool send_content(struct load *l, struct wire *w, const char *to, long seq, char *space)
{
    char date[64];
    time_t now = time(NULL);
    struct tm tm;
    strftime(date, sizeof date, "%a, %d %b %Y %H:%M:%S +0000", gmtime_r(&now, &tm));
    int head = snprintf(space, 1024,
                        "From: <%s>\r\nTo: <%s>\r\nSubject: load %ld\r\nDate: %s\r\n"
                        "Message-ID: <%s-%ld@load.example>\r\nX-Bench: %s-%ld\r\n\r\n",
                        l->from, to, seq, date, l->run, seq, l->run, seq);
    size_t n = (size_t)head;
    if (l->size > head) { /* the end of the body, which ends in CRLF */
        n = (size_t)l->size;
        memcpy(space + head, l->body + head, n - (size_t)head);
        if (space[head] == '\n')
            space[head] = 'x';
    }
    memcpy(space + n, ".\r\n", sizeof ".\r\n");
    return wire_write(w, space, n + 3);
}

static enum end send_message(struct load *l, struct wire *w, long seq, bool pipelining, char *space)
{
    char to[256], commands[1024];
    fill(l, to, sizeof to, l->to, seq);
    const char *const step[][3] = {{"MAIL FROM:<", l->from, ">"}, {"RCPT TO:<", to, ">"}, {"DATA", "", ""}};
    const int wanted[] = {250, 250, 354};
    int all = 0;
    for (int i = 0; pipelining && i < 3; i++)
        all += snprintf(commands + all, sizeof commands - (size_t)all, "%s%s%s\r\n", step[i][0], step[i][1],
                        step[i][2]);
    if (pipelining && !wire_write(w, commands, (size_t)all))
        return BROKEN;
    for (int i = 0; i < 3; i++) {
        if (!pipelining && !wire_print(w, "%s%s%s\r\n", step[i][0], step[i][1], step[i][2]))
            return BROKEN;
        if (!expect(l, w, step[i][0], wanted[i]))
            return BROKEN; /* a refusal too: the rest of the group is not worth untangling in a load tool */
    }
    if (!send_content(l, w, to, seq, space))
        return BROKEN;
    int code = wire_reply(w, NULL, NULL);
    if (code != 250)
        say(l, "end of data", code);
    return code == 250 ? ACKED : code == 0 ? DOUBT : REFUSED;
}

static void settle(struct load *l, long seq, enum end end)
{
    atomic_fetch_add(end == ACKED ? &l->acked : end == DOUBT ? &l->doubt : &l->failed, 1);
    if (end == ACKED && l->acked_file != NULL) {
        pthread_mutex_lock(&l->lock);
        fprintf(l->acked_file, "%s-%ld\n", l->run, seq);
        pthread_mutex_unlock(&l->lock);
    }
}

static void *sender(void *arg)
{
    struct load *l = arg;
    struct wire w = {.fd = -1};
    char *space = zalloc((size_t)l->size + 1100);
    long seq = atomic_fetch_add(&l->next, 1);
    while (seq < l->messages) {
        bool pipelining = false;
        enum end end = session_open(l, &w, &pipelining) ? ACKED : BROKEN;
        if (end == BROKEN) {
            settle(l, seq, BROKEN);
            seq = atomic_fetch_add(&l->next, 1);
        }
        for (long k = 0; end == ACKED && k < l->per_connection && seq < l->messages; k++) {
            end = send_message(l, &w, seq, pipelining, space);
            settle(l, seq, end);
            seq = atomic_fetch_add(&l->next, 1);
        }
        if (end == ACKED && wire_print(&w, "QUIT\r\n"))
            wire_reply(&w, NULL, NULL);
        wire_close(&w);
    }
    free(space);
    return NULL;
}

static void *holder(void *arg)
{
    struct load *l = arg;
    long k;
    while ((k = atomic_fetch_add(&l->next, 1)) < l->idle) {
        bool pipelining;
        l->held[k].fd = -1;
        if (!session_open(l, &l->held[k], &pipelining)) {
            atomic_fetch_add(&l->failed, 1);
            wire_close(&l->held[k]);
        }
    }
    return NULL;
}

static void run_threads(struct load *l, void *(*body)(void *))
{
    pthread_t *t = zalloc((size_t)l->connections * sizeof *t);
    for (long i = 0; i < l->connections; i++)
        if ((errno = pthread_create(&t[i], NULL, body, l)) != 0)
            die("thread");
    for (long i = 0; i < l->connections; i++)
        pthread_join(t[i], NULL);
    free(t);
}

static int hold_idle(struct load *l)
{
    l->held = zalloc((size_t)l->idle * sizeof *l->held);
    run_threads(l, holder);
    printf("held=%ld failed=%ld\n", l->idle - atomic_load(&l->failed), atomic_load(&l->failed));
    fflush(stdout);
    char c;
    ssize_t more;
    do
        more = read(STDIN_FILENO, &c, 1);
    while (more > 0);
    for (long k = 0; k < l->idle; k++) {
        if (l->held[k].fd >= 0 && wire_print(&l->held[k], "QUIT\r\n") &&
            wire_reply(&l->held[k], NULL, NULL) == 221)
            atomic_fetch_add(&l->alive, 1);
        wire_close(&l->held[k]);
    }
    free(l->held);
    printf("alive=%ld\n", atomic_load(&l->alive));
    return atomic_load(&l->alive) == l->idle ? 0 : 1;
}

static int send_all(struct load *l)
{
    double start = wall_seconds();
    run_threads(l, sender);
    double seconds = wall_seconds() - start;
    printf("acked=%ld doubt=%ld failed=%ld connections=%ld seconds=%.3f rate=%.1f cpu=%.3f\n",
           atomic_load(&l->acked), atomic_load(&l->doubt), atomic_load(&l->failed), atomic_load(&l->opened),
           seconds, (double)atomic_load(&l->acked) / seconds, cpu_seconds());
    return atomic_load(&l->acked) == l->messages ? 0 : 1;
}

/* Lines of 76 characters, CRLF; the last two bytes are a CRLF whatever the size. */
static char *make_body(long size)
{
    static const char letters[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    char *body = zalloc((size_t)size + 2);
    unsigned x = 1;
    for (long i = size - 1, column = 0; i >= 0; i--, column = (column + 1) % 78) {
        x = x * 1664525u + 1013904223u;
        body[i] = column == 0 ? '\n' : column == 1 ? '\r' : letters[x >> 26];
    }
    return body;
}

static void parse_source(struct load *l, char *text)
{
    char *slash = strchr(text, '/');
    if (slash != NULL)
        *slash = '\0';
    l->sources = slash != NULL ? (unsigned)number(slash + 1) : 1;
    l->source = address_parse(text);
}

static void parse_options(struct load *l, int argc, char **argv)
{
    int opt;
    const char *acked = NULL;
    while ((opt = getopt(argc, argv, "c:m:n:s:plf:r:M:b:i:a:I:w:h")) != -1) {
        switch (opt) {
        case 'c':
            l->connections = number(optarg);
            break;
        case 'm':
            l->messages = number(optarg);
            break;
        case 'n':
            l->per_connection = number(optarg);
            break;
        case 's':
            l->size = number(optarg);
            break;
        case 'p':
            l->plain = true;
            break;
        case 'l':
            l->lockstep = true;
            break;
        case 'f':
            l->from = optarg;
            break;
        case 'r':
            l->to = optarg;
            break;
        case 'M':
            l->modulus = number(optarg);
            break;
        case 'b':
            parse_source(l, optarg);
            break;
        case 'i':
            l->run = optarg;
            break;
        case 'a':
            acked = optarg;
            break;
        case 'I':
            l->idle = number(optarg);
            break;
        case 'w':
            l->wait = (int)number(optarg);
            break;
        case 'h':
            fputs(usage, stdout);
            exit(0);
        default:
            fputs(usage, stderr);
            exit(2);
        }
    }
    if (argc - optind != 1 || l->connections < 1 || l->per_connection < 1 || l->modulus < 1) {
        fputs(usage, stderr);
        exit(2);
    }
    l->server = address_parse(argv[optind]);
    if (acked != NULL && (l->acked_file = fopen(acked, "we")) == NULL)
        die("%s", acked);
}

int main(int argc, char **argv)
{
    char run[32];
    snprintf(run, sizeof run, "%lx", (long)time(NULL));
    struct load l = {.connections = 20,
                     .messages = 1000,
                     .per_connection = 1,
                     .size = 10240,
                     .modulus = 1000,
                     .wait = 30,
                     .from = "s@load.example",
                     .to = "u%n@sink.example",
                     .run = run,
                     .lock = PTHREAD_MUTEX_INITIALIZER};
    parse_options(&l, argc, argv);
    signal(SIGPIPE, SIG_IGN);
    raise_open_files();
    l.ctx = tls_client();
    l.body = make_body(l.size);
    int status = l.idle > 0 ? hold_idle(&l) : send_all(&l);
    if (l.acked_file != NULL && fclose(l.acked_file) != 0)
        die("cannot write the list of acknowledged messages");
    free(l.body);
    SSL_CTX_free(l.ctx);
    return status;
}
