/* dnsask: the floor of every look at domains in DNS: the questions that such a look needs, asked by somebody
 * who does not read the answers.
 *
 * Standard input holds a line "DOMAIN HOST" for each domain. Asked for each: MX, CNAME, TLSA, NS and the
 * MTA-STS record of the domain and A, AAAA, TLSA, NS of its MX host at the resolver; MX at each server of the
 * domain; A, AAAA, TLSA and the name above TLSA at each server of the host. UDP with DO, a bounded number on
 * their way, a question without an answer again after two seconds.
 */
#include "wire.h"

#include <errno.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { A = 1, NS = 2, CNAME = 5, MX = 15, TXT = 16, AAAA = 28, TLSA = 52 };
enum { SERVERS_MAX = 8, QUERY_MAX = 300, WINDOW_MAX = 4096, AGAIN_S = 2, TRIES = 5 };

static const char usage[] = "usage: dnsask [-w WINDOW] -r RESOLVER -d SERVER... -m SERVER... <PAIRS\n"
                            "Addresses with port. -d serves the domains, -m their MX hosts.\n";

/* One question on its way; its place in the table is its id. */
struct asked {
    int fd, tries;
    double since;
    size_t n;
    unsigned char query[QUERY_MAX];
};

struct askers {
    int resolver, domain[SERVERS_MAX], host[SERVERS_MAX];
    size_t domains, hosts;
    long window, going, questions, again;
    double looked; /* for questions to repeat */
    struct asked *v;
    uint16_t *free;
    struct pollfd poll[1 + 2 * SERVERS_MAX];
    nfds_t fds;
};

static int connect_to(struct askers *s, const char *text)
{
    struct address to = address_parse(text);
    int fd = socket(to.sa.ss_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0), size = 4 << 20;
    if (fd < 0 || connect(fd, (struct sockaddr *)&to.sa, to.n))
        die("%s", text);
    (void)setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    s->poll[s->fds++] = (struct pollfd){fd, POLLIN, 0};
    return fd;
}

static size_t put_name(unsigned char *out, const char *name)
{
    size_t n = 0;
    while (*name) {
        size_t label = strcspn(name, ".");
        if (label == 0 || label > 63 || n + label > 253)
            die("not a domain name: %s", name);
        out[n++] = (unsigned char)label;
        memcpy(out + n, name, label);
        n += label;
        name += label + (name[label] == '.');
    }
    out[n++] = 0;
    return n;
}

static void send_query(struct asked *q)
{
    q->tries++;
    q->since = wall_seconds();
    if (send(q->fd, q->query, q->n, 0) < 0 && errno != EAGAIN && errno != ECONNREFUSED)
        die("send");
}

static void receive(struct askers *s, int fd)
{
    unsigned char answer[4096];
    while (recv(fd, answer, sizeof answer, 0) >= 12) {
        uint16_t id = (uint16_t)(answer[0] << 8 | answer[1]);
        if (id >= s->window || s->v[id].fd != fd)
            continue;
        s->v[id].fd = -1;
        s->free[--s->going] = id;
    }
}

static void repeat(struct askers *s)
{
    double now = wall_seconds();
    for (long i = 0; i < s->window; i++) {
        struct asked *q = &s->v[i];
        if (q->fd < 0 || now - q->since < AGAIN_S)
            continue;
        if (q->tries == TRIES)
            die("a question stays without an answer");
        s->again++;
        send_query(q);
    }
}

static void wait_for_answers(struct askers *s)
{
    (void)poll(s->poll, s->fds, 1000);
    if (wall_seconds() - s->looked >= 1) {
        s->looked = wall_seconds();
        repeat(s);
    }
    for (nfds_t i = 0; i < s->fds; i++)
        if (s->poll[i].revents)
            receive(s, s->poll[i].fd);
}

static void ask(struct askers *s, int fd, const char *prefix, const char *name, int type)
{
    char whole[QUERY_MAX];
    if (snprintf(whole, sizeof whole, "%s%s", prefix, name) > 250)
        die("not a domain name: %s", name);
    while (s->going == s->window)
        wait_for_answers(s);
    uint16_t id = s->free[s->going++];
    struct asked *q = &s->v[id];
    *q = (struct asked){.fd = fd};
    bool recurse = fd == s->resolver;
    const unsigned char head[12] = {
        (unsigned char)(id >> 8), (unsigned char)id, recurse, 0, 0, 1, 0, 0, 0, 0, 0, 1};
    const unsigned char tail[15] = {0, (unsigned char)type, 0, 1, 0, 0, 41, 4, 208, 0, 0, 128, 0, 0, 0};
    memcpy(q->query, head, sizeof head);
    q->n = sizeof head;
    q->n += put_name(q->query + q->n, whole);
    memcpy(q->query + q->n, tail, sizeof tail);
    q->n += sizeof tail;
    s->questions++;
    send_query(q);
}

static void ask_for(struct askers *s, const char *domain, const char *host)
{
    ask(s, s->resolver, "", domain, MX);
    ask(s, s->resolver, "", domain, CNAME);
    ask(s, s->resolver, "_25._tcp.", domain, TLSA);
    ask(s, s->resolver, "", domain, NS);
    ask(s, s->resolver, "_mta-sts.", domain, TXT);
    ask(s, s->resolver, "", host, A);
    ask(s, s->resolver, "", host, AAAA);
    ask(s, s->resolver, "_25._tcp.", host, TLSA);
    ask(s, s->resolver, "", host, NS);
    for (size_t i = 0; i < s->domains; i++)
        ask(s, s->domain[i], "", domain, MX);
    for (size_t i = 0; i < s->hosts; i++) {
        ask(s, s->host[i], "", host, A);
        ask(s, s->host[i], "", host, AAAA);
        ask(s, s->host[i], "_25._tcp.", host, TLSA);
        ask(s, s->host[i], "_tcp.", host, TLSA);
    }
}

static void read_options(struct askers *s, int argc, char **argv)
{
    int opt;
    while ((opt = getopt(argc, argv, "w:r:d:m:")) != -1) {
        if (opt == 'w')
            s->window = number(optarg);
        else if (opt == 'r')
            s->resolver = connect_to(s, optarg);
        else if (opt == 'd' && s->domains < SERVERS_MAX)
            s->domain[s->domains++] = connect_to(s, optarg);
        else if (opt == 'm' && s->hosts < SERVERS_MAX)
            s->host[s->hosts++] = connect_to(s, optarg);
        else
            s->window = 0;
    }
    if (s->resolver >= 0 && s->window > 0 && s->window <= WINDOW_MAX && optind == argc)
        return;
    fputs(usage, stderr);
    exit(2);
}

int main(int argc, char **argv)
{
    struct askers s = {.resolver = -1, .window = 64};
    char line[600], domain[256], host[256];
    long domains = 0;
    read_options(&s, argc, argv);
    s.v = zalloc((size_t)s.window * sizeof *s.v);
    s.free = zalloc((size_t)s.window * sizeof *s.free);
    for (long i = 0; i < s.window; i++) {
        s.v[i].fd = -1;
        s.free[i] = (uint16_t)i;
    }
    double start = wall_seconds(), cpu = cpu_seconds();
    while (fgets(line, sizeof line, stdin)) {
        if (sscanf(line, "%255s %255s", domain, host) != 2)
            die("not a domain and a host: %s", line);
        ask_for(&s, domain, host);
        domains++;
    }
    while (s.going)
        wait_for_answers(&s);
    printf("domains=%ld questions=%ld again=%ld seconds=%.3f cpu=%.3f\n", domains, s.questions, s.again,
           wall_seconds() - start, cpu_seconds() - cpu);
    free(s.v);
    free(s.free);
    return 0;
}
