/* wire: one SMTP connection of the bench tools, plain or TLS, blocking with a time limit on each wait.
 *
 * Knows sockets, TLS and lines; knows no SMTP. The tools measure others, so they are kept apart from src/: a
 * fault or a speed-up there must not change the ruler. Nothing is verified on the client side: the tools only
 * load.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/socket.h>
#include <openssl/ssl.h>

enum { WIRE_BUFFER = 4096 };

/* Bytes in[at..end) are read and not yet consumed. A new wire is zeroed but for fd. */
struct wire {
    int fd;
    SSL *ssl;
    size_t at, end;
    char in[WIRE_BUFFER];
};

struct address {
    struct sockaddr_storage sa;
    socklen_t n;
};

/* Prints the message and the system's own words for errno (when not 0), then exits 1. */
_Noreturn void die(const char *format, ...) __attribute__((format(printf, 1, 2)));

void *zalloc(size_t n); /* zeroed, or die */
double wall_seconds(void);
double cpu_seconds(void);      /* user and system time of this process, all threads, ended ones too */
long number(const char *text); /* a whole number of 0 or more, or die */
void raise_open_files(void);   /* to the hard limit: thousands of connections are the point */
struct address address_parse(const char *text); /* "127.0.0.1:25", "[::1]:25", or die */
struct address address_plus(struct address base,
                            unsigned k); /* the k-th address after base (IPv4), port kept */

SSL_CTX *tls_client(void);                              /* TLS 1.3, no verification */
SSL_CTX *tls_server(const char *cert, const char *key); /* PEM files; TLS 1.2 and later */

bool wire_connect(struct wire *w, const struct address *to, const struct address *from, int wait_seconds);
void wire_limit(int fd, int wait_seconds);
bool wire_start_tls(struct wire *w, SSL_CTX *ctx, bool server);
/* One line without its CRLF, NUL-terminated, valid until the next call; NULL at the end, on error or when too
 * long. */
char *wire_line(struct wire *w, size_t *n);
bool wire_write(struct wire *w, const void *p, size_t n);
bool wire_print(struct wire *w, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* Reads a reply of one line or more; its code, or 0 when the connection broke. `has`, when not NULL, is set
 * to whether a line of it carries `keyword` behind the code. */
int wire_reply(struct wire *w, const char *keyword, bool *has);
void wire_close(struct wire *w);
