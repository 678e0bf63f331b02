/* logappend: the floor of durable storage: records appended to a preallocated log, one fdatasync for each
 * batch. */
#include "wire.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static const char usage[] =
    "usage: logappend [-n RECORDS] [-s BYTES] [-b RECORDS_PER_SYNC] FILE\n"
    "FILE is created, written and removed. Prints processor seconds per 1000 records.\n";

int main(int argc, char **argv)
{
    long n = 10000, size = 10240, batch = 16;
    int opt;
    while ((opt = getopt(argc, argv, "n:s:b:")) != -1) {
        switch (opt) {
        case 'n':
            n = number(optarg);
            break;
        case 's':
            size = number(optarg);
            break;
        case 'b':
            batch = number(optarg);
            break;
        default:
            fputs(usage, stderr);
            return 2;
        }
    }
    if (argc - optind != 1 || n < 1 || size < 1 || batch < 1) {
        fputs(usage, stderr);
        return 2;
    }
    char *record = zalloc((size_t)size);
    memset(record, 'r', (size_t)size);
    int fd = open(argv[optind], O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (fd < 0)
        die("%s", argv[optind]);
    if ((errno = posix_fallocate(fd, 0, n * size)) != 0 || fsync(fd) != 0)
        die("cannot allocate %s", argv[optind]);
    double start = wall_seconds(), cpu = cpu_seconds();
    for (long i = 0; i < n; i++) {
        if (pwrite(fd, record, (size_t)size, i * size) != size)
            die("write");
        if (((i + 1) % batch == 0 || i + 1 == n) && fdatasync(fd) != 0)
            die("fdatasync");
    }
    cpu = cpu_seconds() - cpu;
    printf("records=%ld batch=%ld cpu=%.4f rate=%.0f\n", n, batch, cpu * 1000 / (double)n,
           (double)n / (wall_seconds() - start));
    close(fd);
    unlink(argv[optind]);
    free(record);
    return 0;
}
