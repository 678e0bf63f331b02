#include "cmd/knotc.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <sys/wait.h>
#include <unistd.h>

enum { WORDS_MAX = 16 };

void knotc_open(struct knotc *k, const struct conf *conf)
{
    char *copy = str_dup(str_of(conf->authority_program));
    buf_set(&k->program, "%s/knotc", dirname(copy));
    buf_set(&k->socket, "%s/authority/knot.sock", conf->data_directory);
    free(copy);
}

void knotc_close(struct knotc *k)
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

bool knotc_run(struct knotc *k, const char *const *words)
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
