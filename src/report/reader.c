#include "report/reader.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "report/confine_priv.h"
#include "report/unwrap.h"

enum {
    READ_MS = 20000,
    ANSWER_MAX = 48 << 20, /* all details, with names of full length */
    SENTENCE_MAX = 400,
};
static char reader_name[] = "kedge-report-reader";

/* ---- the reader ---- */

static void read_input(struct buf *in)
{
    for (;;) {
        buf_reserve(in, 1 << 16);
        ssize_t n = read(STDIN_FILENO, in->p + in->n, 1 << 16);
        if (n <= 0 || in->n > REPORT_INPUT_MAX)
            return;
        in->n += (size_t)n;
    }
}

/* The answer: an octet (enum err), then the packed report or a sentence. */
static void answer(enum err e, struct str text)
{
    char code = (char)e;
    struct buf why = {0};
    if (file_write(STDOUT_FILENO, &code, 1, &why) || file_write(STDOUT_FILENO, text.p, text.n, &why))
        _exit(EXIT_FAILED);
    _exit(EXIT_OK);
}

void report_reader_main(int argc, char **argv)
{
    if (argc != 1 || strcmp(argv[0], reader_name) != 0)
        return;
    if (!report_confine())
        answer(ERR_SYSTEM, STR("the process that reads reports cannot be locked up"));
    struct buf in = {0}, json = {0}, why = {0}, packed = {0};
    struct arena a = {0};
    struct tlsrpt r;
    read_input(&in);
    enum err e = report_unwrap(buf_str(&in), &json, &why);
    if (!e)
        e = tlsrpt_parse(buf_str(&json), &a, &r, &why);
    if (!e)
        tlsrpt_pack(&r, &packed);
    answer(e, e ? buf_str(&why) : buf_str(&packed));
}

/* ---- who starts it ---- */

struct child {
    pid_t pid;
    int in, out; /* its standard input, a file in memory; the end of its output that is ours */
};

/* Between fork and exec: only what is safe there. */
_Noreturn static void become_reader(int in, int out)
{
    static char *const argv[] = {reader_name, NULL}, *const envp[] = {NULL};
    int null = open("/dev/null", O_WRONLY);
    if (null < 0 || dup2(in, STDIN_FILENO) < 0 || dup2(out, STDOUT_FILENO) < 0 ||
        dup2(null, STDERR_FILENO) < 0)
        _exit(EXIT_OS);
    (void)close_range(STDERR_FILENO + 1, ~0U, 0);
    (void)execve("/proc/self/exe", argv, envp);
    _exit(EXIT_OS);
}

static enum err start(struct str input, struct child *c, struct buf *why)
{
    int ends[2] = {-1, -1};
    enum err e = OK;
    *c = (struct child){-1, memfd_create("report", MFD_CLOEXEC), -1};
    if (c->in < 0 || pipe2(ends, O_CLOEXEC))
        return err_system(why, "making room for a report");
    e = file_write_at(c->in, input.p, input.n, 0, why);
    if (!e && (c->pid = fork()) == 0)
        become_reader(c->in, ends[1]);
    if (!e && c->pid < 0)
        e = err_system(why, "starting the process that reads reports");
    file_close(&ends[1]);
    c->out = ends[0];
    return e;
}

/* Until it closes its end. False when it takes too long or says too much. */
static bool collect(int fd, struct buf *out)
{
    deadline until = deadline_in(READ_MS);
    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        int ready = poll(&p, 1, deadline_poll_ms(until));
        if (ready < 0 && errno == EINTR)
            continue;
        if (ready <= 0 || out->n > ANSWER_MAX)
            return false;
        buf_reserve(out, 1 << 16);
        ssize_t n = read(fd, out->p + out->n, 1 << 16);
        if (n < 0)
            return false;
        if (n == 0)
            return true;
        out->n += (size_t)n;
    }
}

/* Its sentence quotes the report: plain characters only. */
static void quote(struct str sentence, struct buf *why)
{
    struct buf plain = {0};
    sentence = str_sub(sentence, 0, SENTENCE_MAX);
    for (size_t i = 0; i < sentence.n; i++)
        buf_add_char(&plain, sentence.p[i] >= ' ' && sentence.p[i] < 0x7f ? sentence.p[i] : '?');
    buf_set(why, "%s", buf_cstr(&plain));
    buf_release(&plain);
}

static enum err judge(int status, bool complete, struct str said, struct arena *a, struct tlsrpt *out,
                      struct buf *why)
{
    if (!complete || WIFSIGNALED(status)) {
        buf_set(why,
                "reading it took more time or memory than a report may take, or did what a reader may "
                "not do (the reader's end: %s %d)",
                WIFSIGNALED(status) ? "signal" : "status", WIFSIGNALED(status) ? WTERMSIG(status) : status);
        return ERR_MALFORMED;
    }
    if (WEXITSTATUS(status) != EXIT_OK || !said.n) {
        buf_set(why, "the process that reads reports could not be started; it needs /proc");
        return ERR_SYSTEM;
    }
    enum err e = (enum err)said.p[0];
    if (e == OK && tlsrpt_unpack(str_from(said, 1), a, out) == OK)
        return OK;
    quote(e ? str_from(said, 1) : STR("what was read from it makes no report"), why);
    return e == ERR_FULL || e == ERR_SYSTEM ? e : ERR_MALFORMED;
}

enum err report_read(struct str input, struct arena *a, struct tlsrpt *out, struct buf *why)
{
    struct child c;
    struct buf said = {0};
    int status = 0;
    enum err e = start(input, &c, why);
    if (!e) {
        bool complete = collect(c.out, &said);
        if (!complete)
            (void)kill(c.pid, SIGKILL);
        while (waitpid(c.pid, &status, 0) < 0 && errno == EINTR)
            ;
        e = judge(status, complete, buf_str(&said), a, out, why);
    }
    file_close(&c.in);
    file_close(&c.out);
    buf_release(&said);
    return e;
}
