/* handshake: the floor of every STARTTLS session: connections that do a full TLS 1.3 handshake (P-256) and
 * end.
 *
 * The server is this process, the client a child, so that each side's processor time is its own. Prints
 * seconds per 1000 connections for both.
 */
#include "wire.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>
#include <netinet/in.h>
#include <arpa/inet.h>

static const char usage[] = "usage: handshake -C CERTIFICATE -K KEY [-n CONNECTIONS]\n";

static _Noreturn void client(const struct address *server, long n)
{
    SSL_CTX *ctx = tls_client();
    for (long i = 0; i < n; i++) {
        struct wire w;
        size_t len;
        if (!wire_connect(&w, server, NULL, 30) || !wire_start_tls(&w, ctx, false) ||
            wire_line(&w, &len) == NULL)
            die("handshake: client failed");
        wire_close(&w);
    }
    exit(0);
}

static void serve(int door, SSL_CTX *ctx, long n)
{
    for (long i = 0; i < n; i++) {
        struct wire w = {.fd = accept4(door, NULL, NULL, SOCK_CLOEXEC)};
        if (w.fd < 0)
            die("accept");
        wire_limit(w.fd, 30);
        if (!wire_start_tls(&w, ctx, true) || !wire_write(&w, ".\r\n", 3))
            die("handshake: server failed");
        wire_close(&w);
    }
}

int main(int argc, char **argv)
{
    const char *cert = NULL, *key = NULL;
    long n = 2000;
    int opt;
    while ((opt = getopt(argc, argv, "C:K:n:")) != -1) {
        switch (opt) {
        case 'C':
            cert = optarg;
            break;
        case 'K':
            key = optarg;
            break;
        case 'n':
            n = number(optarg);
            break;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (cert == NULL || key == NULL || n < 1) {
        fputs(usage, stderr);
        return 2;
    }
    struct address a = address_parse("127.0.0.1:0");
    int door = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (door < 0 || bind(door, (struct sockaddr *)&a.sa, a.n) != 0 || listen(door, 16) != 0 ||
        getsockname(door, (struct sockaddr *)&a.sa, &a.n) != 0)
        die("cannot listen on 127.0.0.1");
    SSL_CTX *ctx = tls_server(cert, key);
    double before = cpu_seconds();
    pid_t child = fork();
    if (child < 0)
        die("fork");
    if (child == 0)
        client(&a, n);
    serve(door, ctx, n);
    double server = cpu_seconds() - before;
    int status;
    if (waitpid(child, &status, 0) != child || status != 0)
        die("handshake: client failed");
    struct rusage r;
    getrusage(RUSAGE_CHILDREN, &r);
    double peer = (double)(r.ru_utime.tv_sec + r.ru_stime.tv_sec) +
                  (double)(r.ru_utime.tv_usec + r.ru_stime.tv_usec) * 1e-6;
    printf("connections=%ld server=%.4f client=%.4f\n", n, server * 1000 / (double)n,
           peer * 1000 / (double)n);
    SSL_CTX_free(ctx);
    close(door);
    return 0;
}
