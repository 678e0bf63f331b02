/* kedge run: all of one machine in the foreground: kedge-control, kedge-smtpd, kedge-deliver and, when asked
 * for, a private resolver and a private primary of the MX zones. Each child has a process group of its own,
 * so that a Ctrl-C reaches this process alone, which then stops them in order. A child that ends is started
 * again, later and later. */
#include <errno.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "cmd/authority_conf.h"
#include "cmd/authority_zone.h"
#include "cmd/commands.h"
#include "cmd/daemon.h"
#include "cmd/resolver_conf.h"

enum { CHILDREN_MAX = 6, WAIT_FIRST_MS = 1000, WAIT_MOST_MS = 60000, GOOD_RUN_MS = 60000, STOP_MS = 90000 };

struct child {
    const char *name;
    char *argv[5];
    int (*work)(const struct conf *conf); /* instead of argv: done in the child */
    pid_t pid;                            /* 0: not running */
    int64_t started, next_start, wait;
    bool is_ready;
    bool is_mute; /* tells no readiness */
};

struct run {
    const struct conf *conf;
    const char *config_path;
    struct child child[CHILDREN_MAX];
    size_t count;
    int signals, notify;
    char notify_name[64]; /* abstract socket, "@..." */
    bool told_ready;      /* from then on the daemons survive each other */
    bool stopping;
    deadline kill_at;
    int code; /* to end with */
};

static void run_open(struct run *r)
{
    sigset_t set;
    sigemptyset(&set);
    sigaddset(&set, SIGTERM), sigaddset(&set, SIGINT), sigaddset(&set, SIGHUP), sigaddset(&set, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    r->signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    r->notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    struct sockaddr_un at = {.sun_family = AF_UNIX};
    int n = snprintf(r->notify_name, sizeof r->notify_name, "@kedge-run-%ld", (long)getpid());
    memcpy(at.sun_path + 1, r->notify_name + 1, (size_t)n - 1);
    int on = 1;
    if (r->signals < 0 || r->notify < 0 || setsockopt(r->notify, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) ||
        bind(r->notify, (const struct sockaddr *)&at,
             (socklen_t)(offsetof(struct sockaddr_un, sun_path) + (size_t)n)))
        die(EXIT_OS, "cannot prepare: %s", strerror(errno));
}

/* The daemons stand where this program stands, in a build folder as after an installation; else in PATH. */
static char *program_path(const char *name)
{
    char self[4096];
    struct buf path = {0};
    ssize_t n = readlink("/proc/self/exe", self, sizeof self - 1);
    self[n > 0 ? n : 0] = 0;
    buf_printf(&path, "%s/%s", dirname(self), name);
    if (n <= 0 || access(buf_cstr(&path), X_OK))
        buf_set(&path, "%s", name);
    return path.p;
}

static struct child *add_child(struct run *r, const char *name)
{
    ENSURE(r->count < CHILDREN_MAX);
    struct child *c = &r->child[r->count++];
    *c = (struct child){.name = name, .wait = WAIT_FIRST_MS};
    return c;
}

static void add_daemon(struct run *r, const char *name, const char *config)
{
    struct child *c = add_child(r, name);
    c->argv[0] = program_path(name);
    c->argv[1] = str_dup(STR("--config"));
    c->argv[2] = str_dup(str_of(config));
}

static void add_resolver(struct run *r, const struct conf *conf)
{
    struct child *c = add_child(r, "resolver");
    c->is_mute = true;
    c->argv[0] = str_dup(str_of(conf->resolver_program));
    c->argv[1] = str_dup(STR("-d"));
    c->argv[2] = str_dup(STR("-c"));
    c->argv[3] = resolver_conf_path(conf);
}

/* What lies in the user's folders is written, and tried, by the user. Dies when that did not go well. */
static void write_as_user(const struct run *r, void (*write_conf)(const struct conf *conf))
{
    const struct passwd *user = daemon_user(r->conf, r->config_path);
    daemon_make_folder("data_directory", r->conf->data_directory, 0700, user);
    daemon_make_folder("run_directory", r->conf->run_directory, 0755, user);
    if (!user || user->pw_uid == 0) {
        write_conf(r->conf);
        return;
    }
    int status = 0;
    pid_t pid = fork();
    if (pid == 0) {
        daemon_become(user, true); /* whether its port is free is tried, too */
        write_conf(r->conf);
        _exit(EXIT_OK);
    }
    if (pid < 0 || waitpid(pid, &status, 0) != pid)
        die(EXIT_OS, "cannot write the configuration of a private server: %s", strerror(errno));
    if (!WIFEXITED(status) || WEXITSTATUS(status) != EXIT_OK)
        exit(WIFEXITED(status) ? WEXITSTATUS(status) : EXIT_OS); /* it has said why */
}

/* The primary, and a child that makes its zones as soon as it answers, and tends them. */
static void add_authority(struct run *r)
{
    struct child *c = add_child(r, "authority");
    c->is_mute = true;
    c->argv[0] = str_dup(str_of(r->conf->authority_program));
    c->argv[1] = str_dup(STR("-c"));
    c->argv[2] = authority_conf_path(r->conf);
    c = add_child(r, "authority-zones");
    c->is_mute = true;
    c->work = authority_zones_tend;
}

/* The daemons bind their ports and then drop root by themselves. The others never have it: they read what
 * lies in folders of the user. */
static void drop_root(const struct run *r, const struct child *c)
{
    const struct passwd *user = c->is_mute ? daemon_user(r->conf, r->config_path) : NULL;
    if (user && user->pw_uid != 0)
        daemon_become(user, !c->work);
}

/* In the child: never returns. */
static _Noreturn void become_child(const struct run *r, const struct child *c, pid_t parent)
{
    sigset_t none;
    sigemptyset(&none);
    setpgid(0, 0);
    prctl(PR_SET_PDEATHSIG, SIGTERM); /* nobody is left behind when this process is killed */
    if (getppid() != parent)
        _exit(EXIT_OS);
    drop_root(r, c);
    pthread_sigmask(SIG_SETMASK, &none, NULL);
    if (c->work)
        _exit(c->work(r->conf));
    setenv("NOTIFY_SOCKET", r->notify_name, 1);
    execvp(c->argv[0], c->argv);
    fprintf(stderr, "kedge run: cannot start %s: %s\n", c->argv[0], strerror(errno));
    _exit(EXIT_CONFIG);
}

static void start(struct run *r, struct child *c)
{
    pid_t parent = getpid();
    c->started = clock_mono();
    c->is_ready = c->is_mute;
    c->pid = fork();
    if (c->pid == 0)
        become_child(r, c, parent);
    if (c->pid < 0) {
        log_event(LOG_ERROR, "cannot-fork", LOG_TEXT("child", c->name), LOG_TEXT("why", strerror(errno)));
        c->pid = 0;
        c->next_start = c->started + c->wait;
        return;
    }
    log_event(LOG_INFO, "started", LOG_TEXT("child", c->name), LOG_NUM("pid", c->pid));
}

static void signal_all(const struct run *r, int signo)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->child[i].pid)
            kill(r->child[i].pid, signo);
}

/* What runs in a child of this program has no ear for it. */
static void reload_all(const struct run *r)
{
    for (size_t i = 0; i < r->count; i++)
        if (r->child[i].pid && !r->child[i].work)
            kill(r->child[i].pid, SIGHUP);
}

static void stop(struct run *r, int code)
{
    if (r->stopping)
        return;
    r->stopping = true;
    r->code = code;
    r->kill_at = deadline_in(STOP_MS);
    daemon_notify("STOPPING=1");
    signal_all(r, SIGTERM);
}

static void ended(struct run *r, struct child *c, int status)
{
    int code = WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    int64_t now = clock_mono();
    c->pid = 0;
    if (r->stopping)
        return;
    log_event(LOG_ERROR, "ended", LOG_TEXT("child", c->name), LOG_NUM("code", code),
              LOG_NUM("signal", WIFSIGNALED(status) ? WTERMSIG(status) : 0));
    if ((code == EXIT_CONFIG || code == EXIT_BAD_USAGE) && !r->told_ready) {
        stop(r, code); /* trying again cannot mend a configuration; it has said what is wrong */
        return;
    }
    if (now - c->started > GOOD_RUN_MS)
        c->wait = WAIT_FIRST_MS;
    c->next_start = now + c->wait;
    c->wait = c->wait * 2 < WAIT_MOST_MS ? c->wait * 2 : WAIT_MOST_MS;
}

static void reap(struct run *r)
{
    int status;
    for (pid_t pid; (pid = waitpid(-1, &status, WNOHANG)) > 0;)
        for (size_t i = 0; i < r->count; i++)
            if (r->child[i].pid == pid)
                ended(r, &r->child[i], status);
}

static void read_signals(struct run *r)
{
    struct signalfd_siginfo s;
    while (read(r->signals, &s, sizeof s) == (ssize_t)sizeof s) {
        if (s.ssi_signo == SIGCHLD)
            reap(r);
        else if (s.ssi_signo == SIGHUP)
            reload_all(r);
        else if (r->stopping && s.ssi_signo == SIGINT)
            signal_all(r, SIGKILL); /* Ctrl-C for the second time: what is acknowledged is on disk */
        else
            stop(r, EXIT_OK);
    }
}

/* READY=1 of a child, known by the kernel's word on who sent it. */
static void read_notification(struct run *r)
{
    char text[256];
    union {
        char bytes[CMSG_SPACE(sizeof(struct ucred))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {text, sizeof text};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof control};
    ssize_t n = recvmsg(r->notify, &m, MSG_CMSG_CLOEXEC);
    struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&m) : NULL;
    if (!c || c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_CREDENTIALS ||
        str_find(str_make(text, (size_t)n), STR("READY=1")) == SIZE_MAX)
        return;
    struct ucred from;
    memcpy(&from, CMSG_DATA(c), sizeof from);
    bool all = true;
    for (size_t i = 0; i < r->count; i++) {
        if (r->child[i].pid == from.pid)
            r->child[i].is_ready = true;
        all &= r->child[i].is_ready;
    }
    if (all && !r->told_ready) {
        r->told_ready = true;
        log_event(LOG_INFO, "all-ready");
        daemon_notify("READY=1");
    }
}

/* Starts what is due; false when nothing runs any more and nothing shall. */
static bool tend(struct run *r, deadline *next)
{
    bool any = false;
    *next = r->stopping ? r->kill_at : DEADLINE_NEVER;
    if (r->stopping && deadline_is_over(r->kill_at)) {
        signal_all(r, SIGKILL);
        *next = DEADLINE_NEVER;
    }
    for (size_t i = 0; i < r->count; i++) {
        struct child *c = &r->child[i];
        if (!c->pid && !r->stopping && clock_mono() >= c->next_start)
            start(r, c);
        if (!c->pid && !r->stopping && c->next_start < *next)
            *next = c->next_start;
        any |= c->pid != 0;
    }
    return any || !r->stopping;
}

static int run_all(struct run *r)
{
    deadline next;
    while (tend(r, &next)) {
        struct pollfd p[2] = {{.fd = r->signals, .events = POLLIN}, {.fd = r->notify, .events = POLLIN}};
        if (poll(p, 2, deadline_poll_ms(next)) < 0 && errno != EINTR)
            die(EXIT_OS, "poll: %s", strerror(errno));
        if (p[1].revents)
            read_notification(r);
        if (p[0].revents)
            read_signals(r);
    }
    return r->code;
}

static void run_close(struct run *r)
{
    for (size_t i = 0; i < r->count; i++)
        for (size_t a = 0; r->child[i].argv[a]; a++)
            free(r->child[i].argv[a]);
    file_close(&r->signals);
    file_close(&r->notify);
}

int cmd_run(const struct cli *cli, int argc, char **argv)
{
    if (argc > 1) {
        bool asked = strcmp(argv[1], "--help") == 0;
        fputs("Usage: kedge run [--config FILE]\n\nStarts kedge-control, kedge-smtpd, kedge-deliver and, "
              "with resolver_private = yes, a\n"
              "validating resolver and, with authority_private = yes, the primary of the MX zones, in the "
              "foreground.\n"
              "Ctrl-C or SIGTERM: finish and end. SIGHUP: read the configuration again.\n",
              asked ? stdout : stderr);
        return asked ? EXIT_OK : EXIT_BAD_USAGE;
    }
    struct run r = {.signals = -1, .notify = -1};
    struct conf conf;
    cli_conf(cli, &conf);
    r.conf = &conf;
    r.config_path = cli->config_path;
    log_init("kedge-run", LOG_INFO);
    run_open(&r);
    if (conf.authority_private) {
        write_as_user(&r, authority_conf_write);
        add_authority(&r);
    }
    add_daemon(&r, "kedge-control", cli->config_path);
    if (conf.resolver_private) {
        write_as_user(&r, resolver_conf_write);
        add_resolver(&r, &conf);
    }
    add_daemon(&r, "kedge-smtpd", cli->config_path);
    add_daemon(&r, "kedge-deliver", cli->config_path);
    int code = run_all(&r);
    run_close(&r);
    conf_release(&conf);
    return code;
}
