#include "cmd/authority_zone.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/base.h"

enum { WORDS_MAX = 16, START_MS = 60000, PAUSE_MS = 100 };

struct knotc {
    struct buf program, socket;
    struct buf said; /* by the last command, on both outputs */
};

static void knotc_open(struct knotc *k, const struct conf *conf)
{
    char *copy = str_dup(str_of(conf->authority_program));
    buf_set(&k->program, "%s/knotc", dirname(copy));
    buf_set(&k->socket, "%s/authority/knot.sock", conf->data_directory);
    free(copy);
}

static void knotc_close(struct knotc *k)
{
    buf_release(&k->program);
    buf_release(&k->socket);
    buf_release(&k->said);
}

static _Noreturn void become_knotc(const struct knotc *k, const char *const *words, int out)
{
    const char *first[] = {buf_cstr(&k->program), "-b", "-s", buf_cstr(&k->socket)};
    enum { FIRST = sizeof first / sizeof *first };
    char *argv[FIRST + WORDS_MAX + 1] = {0};
    for (size_t i = 0; i < FIRST; i++)
        argv[i] = str_dup(str_of(first[i]));
    for (size_t i = 0; words[i]; i++)
        argv[FIRST + i] = str_dup(str_of(words[i]));
    dup2(out, STDOUT_FILENO);
    dup2(out, STDERR_FILENO);
    execv(argv[0], argv);
    dprintf(STDERR_FILENO, "%s: %s", argv[0], strerror(errno));
    _exit(EXIT_OS);
}

/* Runs one command to its end; false when it fails. The words end with NULL. */
static bool knotc_run(struct knotc *k, const char *const *words)
{
    int pipes[2], status = -1;
    char chunk[4096];
    buf_clear(&k->said);
    if (pipe2(pipes, O_CLOEXEC)) {
        buf_set(&k->said, "pipe: %s", strerror(errno));
        return false;
    }
    pid_t pid = fork();
    if (pid == 0)
        become_knotc(k, words, pipes[1]);
    file_close(&pipes[1]);
    for (ssize_t n; pid > 0 && ((n = read(pipes[0], chunk, sizeof chunk)) > 0 || (n < 0 && errno == EINTR));)
        if (n > 0)
            buf_append(&k->said, chunk, (size_t)n);
    file_close(&pipes[0]);
    while (pid > 0 && waitpid(pid, &status, 0) < 0 && errno == EINTR)
        ;
    return pid > 0 && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}
#define KNOTC(k, ...) knotc_run((k), (const char *const[]){__VA_ARGS__, NULL})

static bool wait_for_knot(struct knotc *k)
{
    deadline until = deadline_in(START_MS);
    while (!KNOTC(k, "status")) {
        if (deadline_is_over(until))
            return false;
        usleep(PAUSE_MS * 1000);
    }
    return true;
}

static bool add_soa(struct knotc *k, const char *zone, const char *server)
{
    struct buf mname = {0}, rname = {0};
    buf_set(&mname, "%s.", server);
    buf_set(&rname, "hostmaster.%s.", zone);
    bool fine = KNOTC(k, "zone-set", zone, "@", "3600", "SOA", buf_cstr(&mname), buf_cstr(&rname), "1",
                      "3600", "600", "604800", "60");
    buf_release(&mname);
    buf_release(&rname);
    return fine;
}

static bool has_server(struct str listed, const char *server)
{
    struct buf end = {0};
    buf_set(&end, " %s.", server);
    bool found = false;
    for (struct str line = str_cut(&listed, '\n'); line.n; line = str_cut(&listed, '\n'))
        found |= str_ends_nocase(line, buf_str(&end));
    buf_release(&end);
    return found;
}

/* Whether the NS records are those of the option. */
static bool has_servers(struct knotc *k, const char *zone, const struct conf_list *servers)
{
    if (!KNOTC(k, "zone-read", zone, "@", "NS"))
        return false;
    size_t lines = 0;
    for (size_t i = 0; i < k->said.n; i++)
        lines += k->said.p[i] == '\n';
    bool all = lines == servers->n;
    for (size_t i = 0; i < servers->n; i++)
        all &= has_server(buf_str(&k->said), servers->v[i]);
    return all;
}

static bool set_servers(struct knotc *k, const char *zone, const struct conf_list *servers)
{
    struct buf name = {0};
    bool fine = true;
    (void)KNOTC(k, "zone-unset", zone, "@", "NS"); /* a new zone has none */
    for (size_t i = 0; fine && i < servers->n; i++) {
        buf_set(&name, "%s.", servers->v[i]);
        fine = KNOTC(k, "zone-set", zone, "@", "3600", "NS", buf_cstr(&name));
    }
    buf_release(&name);
    return fine;
}

static bool make_zone(struct knotc *k, const char *zone, const struct conf_list *servers)
{
    bool is_new = !KNOTC(k, "zone-read", zone, "@", "SOA");
    if (!is_new && has_servers(k, zone, servers))
        return true;
    (void)KNOTC(k, "zone-abort", zone); /* what an earlier run left half done */
    bool fine = KNOTC(k, "zone-begin", zone) && (!is_new || add_soa(k, zone, servers->v[0])) &&
                set_servers(k, zone, servers) && KNOTC(k, "zone-commit", zone);
    if (fine)
        log_event(LOG_INFO, is_new ? "zone-made" : "zone-servers-changed", LOG_TEXT("zone", zone));
    return fine;
}

/* "[zone.] zone. 0 CDS 52926 13 2 6E4D..." */
static void log_ds(struct knotc *k, const char *zone)
{
    if (!KNOTC(k, "zone-read", zone, "@", "CDS"))
        return;
    struct str lines = buf_str(&k->said);
    for (struct str line = str_cut(&lines, '\n'); line.n; line = str_cut(&lines, '\n')) {
        size_t at = str_find(line, STR(" CDS "));
        if (at != SIZE_MAX)
            log_event(LOG_INFO, "zone-ds", LOG_TEXT("zone", zone), LOG_STR("ds", str_from(line, at + 5)));
    }
}

int authority_zones_make(const struct conf *conf)
{
    struct knotc k = {0};
    knotc_open(&k, conf);
    bool fine = wait_for_knot(&k);
    for (size_t i = 0; fine && i < conf->authority_zone.n; i++) {
        fine = make_zone(&k, conf->authority_zone.v[i], &conf->authority_server);
        if (fine)
            log_ds(&k, conf->authority_zone.v[i]);
    }
    if (!fine)
        log_event(LOG_ERROR, "zones-not-made", LOG_STR("why", str_trim(buf_str(&k.said))));
    knotc_close(&k);
    return fine ? EXIT_OK : EXIT_FAILED;
}
