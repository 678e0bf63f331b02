/* lookup: how long an edge takes to find an accepted domain in its directory, beside a bare LMDB get of the
 * same keys in one transaction, which is the floor. The names come on standard input, one a line, and are
 * asked in an order of chance. */
#include <lmdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "directory/directory.h"

static const char usage[] =
    "usage: lookup [-n LOOKUPS] DIRECTORY <NAMES\n"
    "Prints microseconds of processor time a look-up: of the directory, of LMDB alone.\n";

/* Of this process: what else the machine does is not the directory's cost, and nothing here waits. */
static double cpu_seconds(void)
{
    struct timespec t;
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    return (double)t.tv_sec + (double)t.tv_nsec * 1e-9;
}

struct names {
    char **v;
    size_t n, size;
};

static void read_names(struct names *names)
{
    char line[512];
    while (fgets(line, sizeof line, stdin)) {
        if (names->n == names->size) {
            names->size = names->size ? 2 * names->size : 1024;
            names->v = must_alloc(realloc(names->v, names->size * sizeof *names->v));
        }
        line[strcspn(line, "\n")] = 0;
        names->v[names->n++] = str_dup(str_of(line));
    }
}

/* The same order in both halves. */
static const char *chosen(const struct names *names, uint64_t *state)
{
    *state = *state * 6364136223846793005u + 1442695040888963407u;
    return names->v[(*state >> 33) % names->n];
}

/* As smtpd does it for a recipient: a view, the domain, the end. */
static double by_directory(const char *path, const struct names *names, long n)
{
    struct buf why = {0};
    struct directory *d = directory_open(path, &why);
    if (!d)
        die(EXIT_OS, "%s", buf_cstr(&why));
    uint64_t state = 1;
    double start = cpu_seconds();
    for (long i = 0; i < n; i++) {
        struct directory_view view;
        struct dir_domain domain;
        struct arena a = {0};
        const char *name = chosen(names, &state);
        if (directory_begin(d, &view, &why))
            die(EXIT_OS, "%s", buf_cstr(&why));
        if (!directory_domain(&view, &a, str_of(name), &domain))
            die(EXIT_OS, "%s is not in the directory", name);
        directory_end(&view);
        arena_release(&a);
    }
    double took = cpu_seconds() - start;
    directory_close(d);
    return took;
}

static void want(int rc, const char *what)
{
    if (rc)
        die(EXIT_OS, "%s: %s", what, mdb_strerror(rc));
}

static double by_lmdb(const char *path, const struct names *names, long n)
{
    MDB_env *env;
    MDB_txn *txn;
    MDB_dbi dbi;
    want(mdb_env_create(&env), "create");
    want(mdb_env_open(env, path, MDB_RDONLY, 0600), path);
    want(mdb_txn_begin(env, NULL, MDB_RDONLY, &txn), "begin");
    want(mdb_dbi_open(txn, NULL, 0, &dbi), "open");
    uint64_t state = 1;
    double start = cpu_seconds();
    for (long i = 0; i < n; i++) {
        char key[600];
        int length = snprintf(key, sizeof key, "d%s", chosen(names, &state));
        MDB_val k = {(size_t)length, key}, v;
        want(mdb_get(txn, dbi, &k, &v), key);
    }
    double took = cpu_seconds() - start;
    mdb_txn_abort(txn);
    mdb_env_close(env);
    return took;
}

int main(int argc, char **argv)
{
    long n = 1000000;
    int opt;
    while ((opt = getopt(argc, argv, "n:")) != -1) {
        if (opt != 'n') {
            fputs(usage, stderr);
            return 2;
        }
        n = strtol(optarg, NULL, 10);
    }
    struct names names = {0};
    read_names(&names);
    if (argc - optind != 1 || n < 1 || !names.n) {
        fputs(usage, stderr);
        return 2;
    }
    double kedge = by_directory(argv[optind], &names, n), bare = by_lmdb(argv[optind], &names, n);
    printf("names=%zu lookups=%ld directory_us=%.4f lmdb_us=%.4f\n", names.n, n, kedge * 1e6 / (double)n,
           bare * 1e6 / (double)n);
    for (size_t i = 0; i < names.n; i++)
        free(names.v[i]);
    free(names.v);
    return 0;
}
