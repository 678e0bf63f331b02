#include "wire.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netinet/tcp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>
#include <openssl/err.h>

void die(const char *format, ...)
{
    int saved = errno;
    va_list ap;
    va_start(ap, format);
    vfprintf(stderr, format, ap);
    va_end(ap);
    if (saved != 0)
        fprintf(stderr, ": %s", strerror(saved));
    fputc('\n', stderr);
    exit(1);
}

void *zalloc(size_t n)
{
    void *p = calloc(1, n);
    if (p == NULL)
        die("out of memory");
    return p;
}

double wall_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

long number(const char *text)
{
    char *end;
    errno = 0;
    long n = strtol(text, &end, 10);
    if (errno != 0 || end == text || *end != '\0' || n < 0)
        die("not a whole number: %s", text);
    return n;
}

void raise_open_files(void)
{
    struct rlimit r;
    if (getrlimit(RLIMIT_NOFILE, &r) == 0) {
        r.rlim_cur = r.rlim_max;
        setrlimit(RLIMIT_NOFILE, &r);
    }
}

struct address address_parse(const char *text)
{
    struct address a = {0};
    char host[64];
    const char *colon = strrchr(text, ':');
    bool six = text[0] == '[';
    errno = 0;
    if (colon == NULL || colon == text || (size_t)(colon - text) >= sizeof host || (six && colon[-1] != ']'))
        die("not ADDRESS:PORT: %s", text);
    size_t n = (size_t)(colon - text) - (six ? 2 : 0);
    memcpy(host, text + (six ? 1 : 0), n);
    host[n] = '\0';
    in_port_t port = htons((in_port_t)number(colon + 1));
    struct sockaddr_in *v4 = (struct sockaddr_in *)&a.sa;
    struct sockaddr_in6 *v6 = (struct sockaddr_in6 *)&a.sa;
    a.sa.ss_family = six ? AF_INET6 : AF_INET;
    a.n = six ? sizeof *v6 : sizeof *v4;
    if (six)
        v6->sin6_port = port;
    else
        v4->sin_port = port;
    if (inet_pton(a.sa.ss_family, host, six ? (void *)&v6->sin6_addr : (void *)&v4->sin_addr) != 1)
        die("not an address: %s", text);
    return a;
}

struct address address_plus(struct address base, unsigned k)
{
    if (base.sa.ss_family == AF_INET) {
        struct sockaddr_in *v4 = (struct sockaddr_in *)&base.sa;
        v4->sin_addr.s_addr = htonl(ntohl(v4->sin_addr.s_addr) + k);
    }
    return base;
}

static SSL_CTX *context(const SSL_METHOD *method)
{
    SSL_CTX *ctx = SSL_CTX_new(method);
    errno = 0;
    if (ctx == NULL)
        die("OpenSSL: cannot make a context");
    SSL_CTX_set_mode(ctx, SSL_MODE_RELEASE_BUFFERS);
    SSL_CTX_set_session_cache_mode(ctx, SSL_SESS_CACHE_OFF);
    return ctx;
}

SSL_CTX *tls_client(void)
{
    SSL_CTX *ctx = context(TLS_client_method());
    SSL_CTX_set_min_proto_version(ctx, TLS1_3_VERSION);
    SSL_CTX_set_verify(ctx, SSL_VERIFY_NONE, NULL);
    return ctx;
}

SSL_CTX *tls_server(const char *cert, const char *key)
{
    SSL_CTX *ctx = context(TLS_server_method());
    SSL_CTX_set_min_proto_version(ctx, TLS1_2_VERSION);
    errno = 0;
    if (SSL_CTX_use_certificate_chain_file(ctx, cert) != 1)
        die("no certificate chain in %s", cert);
    if (SSL_CTX_use_PrivateKey_file(ctx, key, SSL_FILETYPE_PEM) != 1)
        die("no private key for it in %s", key);
    return ctx;
}

void wire_limit(int fd, int wait_seconds)
{
    struct timeval t = {.tv_sec = wait_seconds};
    int one = 1;
    setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &t, sizeof t);
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &t, sizeof t);
    setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one);
}

bool wire_connect(struct wire *w, const struct address *to, const struct address *from, int wait_seconds)
{
    int one = 1;
    w->ssl = NULL;
    w->at = w->end = 0;
    w->fd = socket(to->sa.ss_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (w->fd < 0)
        return false;
    wire_limit(w->fd, wait_seconds);
    if (from != NULL) {
        setsockopt(w->fd, IPPROTO_IP, IP_BIND_ADDRESS_NO_PORT, &one, sizeof one);
        if (bind(w->fd, (const struct sockaddr *)&from->sa, from->n) != 0)
            return false;
    }
    return connect(w->fd, (const struct sockaddr *)&to->sa, to->n) == 0;
}

bool wire_start_tls(struct wire *w, SSL_CTX *ctx, bool server)
{
    if (w->at != w->end) /* bytes in clear text behind STARTTLS */
        return false;
    w->ssl = SSL_new(ctx);
    if (w->ssl == NULL || SSL_set_fd(w->ssl, w->fd) != 1)
        return false;
    int done = server ? SSL_accept(w->ssl) : SSL_connect(w->ssl);
    ERR_clear_error();
    return done == 1;
}

static bool refill(struct wire *w)
{
    if (w->at > 0) {
        memmove(w->in, w->in + w->at, w->end - w->at);
        w->end -= w->at;
        w->at = 0;
    }
    if (w->end == sizeof w->in)
        return false;
    ssize_t n;
    do
        n = w->ssl != NULL ? SSL_read(w->ssl, w->in + w->end, (int)(sizeof w->in - w->end))
                           : recv(w->fd, w->in + w->end, sizeof w->in - w->end, 0);
    while (n < 0 && w->ssl == NULL && errno == EINTR);
    if (n <= 0) {
        ERR_clear_error();
        return false;
    }
    w->end += (size_t)n;
    return true;
}

char *wire_line(struct wire *w, size_t *n)
{
    size_t seen = 0;
    for (;;) {
        char *start = w->in + w->at;
        char *lf = memchr(start + seen, '\n', w->end - w->at - seen);
        if (lf != NULL) {
            *n = (size_t)(lf - start);
            w->at += *n + 1;
            if (*n > 0 && lf[-1] == '\r')
                (*n)--;
            start[*n] = '\0';
            return start;
        }
        seen = w->end - w->at;
        if (!refill(w))
            return NULL;
    }
}

bool wire_write(struct wire *w, const void *p, size_t n)
{
    const char *at = p;
    while (n > 0) {
        ssize_t k = w->ssl != NULL ? SSL_write(w->ssl, at, (int)n) : send(w->fd, at, n, MSG_NOSIGNAL);
        if (k < 0 && w->ssl == NULL && errno == EINTR)
            continue;
        if (k <= 0) {
            ERR_clear_error();
            return false;
        }
        at += k;
        n -= (size_t)k;
    }
    return true;
}

bool wire_print(struct wire *w, const char *format, ...)
{
    char text[1024];
    va_list ap;
    va_start(ap, format);
    int n = vsnprintf(text, sizeof text, format, ap);
    va_end(ap);
    return n > 0 && (size_t)n < sizeof text && wire_write(w, text, (size_t)n);
}

int wire_reply(struct wire *w, const char *keyword, bool *has)
{
    if (has != NULL)
        *has = false;
    for (;;) {
        size_t n;
        const char *line = wire_line(w, &n);
        if (line == NULL || n < 3)
            return 0;
        if (has != NULL && n > 4 && strncmp(line + 4, keyword, strlen(keyword)) == 0)
            *has = true;
        if (line[3] != '-')
            return (line[0] - '0') * 100 + (line[1] - '0') * 10 + (line[2] - '0');
    }
}

void wire_close(struct wire *w)
{
    if (w->ssl != NULL) {
        if (SSL_is_init_finished(w->ssl))
            SSL_shutdown(w->ssl);
        ERR_clear_error();
        SSL_free(w->ssl);
        w->ssl = NULL;
    }
    if (w->fd >= 0)
        close(w->fd);
    w->fd = -1;
}
