#include "cmd/daemon.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <grp.h>
#include <libgen.h>
#include <linux/capability.h>
#include <malloc.h>
#include <pwd.h>
#include <signal.h>
#include <stddef.h>
#include <sys/eventfd.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>
#include <openssl/crypto.h>

#define DEFAULT_CONFIG "/etc/kedge/kedge.conf"
/* FILES_MOST: fs.nr_open as kernels come; a limit above it, "unlimited" too, cannot even be kept as it is. */
enum { FILES_WANTED = 65536, FILES_MOST = 1 << 20, ARENAS_LEAST = 2, ARENAS_MOST = 16 };

struct daemon_conf {
    struct conf conf;
    struct daemon_conf *earlier;
};

static void daemon_help(const struct daemon_role *role)
{
    printf("%s %s\n\n"
           "Usage: %s [--config FILE]\n\n"
           "  --config FILE  configuration (default: $KEDGE_CONFIG, else %s)\n"
           "  --help         this text\n"
           "  --version      the version\n\n"
           "Runs in the foreground and logs to standard error. SIGTERM: finish what is going on and end. "
           "SIGHUP: read the\n"
           "configuration again. \"kedge run\" starts all daemons of one machine. See %s(8).\n",
           role->program, role->summary, role->program, DEFAULT_CONFIG, role->program);
}

static void daemon_arguments(struct daemon *d, int argc, char **argv)
{
    static const struct option options[] = {{"config", required_argument, NULL, 'c'},
                                            {"help", no_argument, NULL, 'h'},
                                            {"version", no_argument, NULL, 'V'},
                                            {0}};
    const char *from_environment = getenv("KEDGE_CONFIG");
    d->config_path = from_environment && *from_environment ? from_environment : DEFAULT_CONFIG;
    for (int c; (c = getopt_long(argc, argv, "c:hV", options, NULL)) != -1;) {
        if (c == 'h') {
            daemon_help(d->role);
            exit(EXIT_OK);
        }
        if (c == 'V') {
            printf("%s %s\n", d->role->program, KEDGE_VERSION);
            exit(EXIT_OK);
        }
        if (c != 'c')
            exit(EXIT_BAD_USAGE); /* getopt has said what is wrong */
        d->config_path = optarg;
    }
    if (optind < argc)
        die(EXIT_BAD_USAGE, "unexpected argument '%s'; try --help", argv[optind]);
}

/* Reads the configuration and makes it the one in force; false with why. */
static bool daemon_load(struct daemon *d, struct buf *why)
{
    struct daemon_conf *c = must_alloc(calloc(1, sizeof *c));
    if (conf_load(d->config_path, &c->conf, why)) {
        free(c);
        return false;
    }
    c->earlier = d->confs;
    d->confs = c;
    d->conf = &c->conf;
    static const enum log_level levels[] = {[CONF_LOG_DEBUG] = LOG_DEBUG,
                                            [CONF_LOG_INFO] = LOG_INFO,
                                            [CONF_LOG_WARN] = LOG_WARN,
                                            [CONF_LOG_ERROR] = LOG_ERROR};
    log_init(d->role->program, levels[d->conf->log_level]);
    return true;
}

/* As many as the system allows; root may allow itself more. */
static void raise_file_limit(void)
{
    struct rlimit limit;
    if (getrlimit(RLIMIT_NOFILE, &limit))
        return;
    rlim_t most = limit.rlim_max < FILES_MOST ? limit.rlim_max : FILES_MOST;
    limit.rlim_cur = limit.rlim_max = most < FILES_WANTED ? FILES_WANTED : most;
    if (most < FILES_WANTED && setrlimit(RLIMIT_NOFILE, &limit) == 0)
        return;
    limit.rlim_cur = limit.rlim_max = most;
    if (setrlimit(RLIMIT_NOFILE, &limit))
        log_event(LOG_WARN, "file-limit", LOG_TEXT("why", strerror(errno)));
}

/* One heap per thread would cost more memory than a thousand sessions; a few per processor are fast enough.
 */
static void bound_allocator(void)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    if (processors < ARENAS_LEAST)
        processors = ARENAS_LEAST;
    mallopt(M_ARENA_MAX, (int)(processors < ARENAS_MOST ? processors : ARENAS_MOST));
}

static void served_signals(sigset_t *set)
{
    sigemptyset(set);
    sigaddset(set, SIGTERM);
    sigaddset(set, SIGINT);
    sigaddset(set, SIGHUP);
}

void daemon_start(struct daemon *d, const struct daemon_role *role, int argc, char **argv)
{
    *d = (struct daemon){.role = role, .stop_fd = -1};
    log_init(role->program, LOG_INFO);
    daemon_arguments(d, argc, argv);
    struct buf why = {0};
    if (!daemon_load(d, &why))
        die(EXIT_CONFIG, "%s\nTry: kedge config --check --config %s", buf_cstr(&why), d->config_path);
    buf_release(&why);
    bound_allocator();
    raise_file_limit();
    umask(0077);
    signal(SIGPIPE, SIG_IGN);
    /* A thread that is still leaving while we exit must not find OpenSSL taken apart. */
    (void)OPENSSL_init_crypto(OPENSSL_INIT_NO_ATEXIT, NULL);
    sigset_t set;
    served_signals(&set);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    d->stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (d->stop_fd < 0)
        die(EXIT_OS, "cannot make an event descriptor: %s", strerror(errno));
}

/* Only root can put something else in the folder's place. */
static bool lies_with_root(const char *path)
{
    struct arena a = {0};
    struct stat st;
    bool is_roots = stat(dirname(arena_cstr(&a, str_of(path))), &st) == 0 && st.st_uid == 0 &&
                    !(st.st_mode & (S_IWGRP | S_IWOTH));
    arena_release(&a);
    return is_roots;
}

static bool is_empty(int fd)
{
    DIR *d = fdopendir(dup(fd));
    size_t n = 0;
    while (d && readdir(d))
        n++;
    if (d)
        (void)closedir(d);
    return d && n <= 2;
}

/* What is in use by somebody else is not taken from them, whatever the configuration says. */
static void give_folder(const char *option, const char *path, int fd, const struct passwd *owner)
{
    struct stat st;
    if (fstat(fd, &st))
        die(EXIT_OS, "option %s: %s: %s", option, path, strerror(errno));
    if (st.st_uid == owner->pw_uid)
        return;
    if (st.st_uid != 0 || !is_empty(fd))
        die(EXIT_OS,
            "option %s: %s belongs to uid %u and is not empty; if it is meant for user %s: chown -R %s %s",
            option, path, (unsigned)st.st_uid, owner->pw_name, owner->pw_name, path);
    if (fchown(fd, owner->pw_uid, owner->pw_gid))
        die(EXIT_OS, "option %s: cannot give %s to user %s: %s", option, path, owner->pw_name,
            strerror(errno));
}

void daemon_make_folder(const char *option, const char *path, mode_t mode, const struct passwd *owner)
{
    struct buf why = {0};
    bool is_new = access(path, F_OK) != 0;
    if (file_make_dirs(path, mode, &why))
        die(EXIT_OS, "option %s: %s", option, buf_cstr(&why));
    buf_release(&why);
    if (!owner && access(path, R_OK | W_OK | X_OK))
        die(EXIT_OS,
            "option %s: %s cannot be written by user %u: %s; give it to that user, or start as root with the "
            "option "
            "user set",
            option, path, (unsigned)geteuid(), strerror(errno));
    int fd =
        open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | (owner && !lies_with_root(path) ? O_NOFOLLOW : 0));
    /* The umask stands in the way; a folder that was there keeps its owner's choice. */
    if (fd < 0 || (is_new && fchmod(fd, mode)))
        die(EXIT_OS, "option %s: %s: %s", option, path,
            errno == ELOOP || errno == ENOTDIR ? "a link that others than root made is not followed"
                                               : strerror(errno));
    if (owner)
        give_folder(option, path, fd, owner);
    file_close(&fd);
}

static bool keep_ports(void)
{
    struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
    struct __user_cap_data_struct sets[_LINUX_CAPABILITY_U32S_3] = {{0}};
    sets[0].permitted = sets[0].effective = sets[0].inheritable = 1U << CAP_NET_BIND_SERVICE;
    return syscall(SYS_capset, &head, sets) == 0 &&
           prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, CAP_NET_BIND_SERVICE, 0, 0) == 0;
}

void daemon_become(const struct passwd *user, bool keeps_ports)
{
    int signo = 0;
    pid_t parent = getppid();
    (void)prctl(PR_GET_PDEATHSIG, &signo);
    (void)prctl(PR_SET_KEEPCAPS, keeps_ports ? 1 : 0);
    if (initgroups(user->pw_name, user->pw_gid) || setgid(user->pw_gid) || setuid(user->pw_uid))
        die(EXIT_OS, "option user: cannot become %s: %s", user->pw_name, strerror(errno));
    if (user->pw_uid != 0 && setuid(0) == 0)
        die(EXIT_OS, "option user: became %s, but root's rights are still there", user->pw_name);
    if (keeps_ports && !keep_ports())
        log_event(LOG_WARN, "no-low-ports", LOG_TEXT("why", strerror(errno)));
    (void)prctl(PR_SET_PDEATHSIG, signo); /* the kernel forgets it with the old user */
    if (signo && getppid() != parent)
        die(EXIT_OS, "the process that started this one is gone");
}

const struct passwd *daemon_user(const struct conf *conf, const char *config_path)
{
    if (geteuid() != 0)
        return NULL;
    if (!conf->user || !*conf->user)
        die(EXIT_CONFIG, "%s: started as root, and the option user is empty; name the user to run as",
            config_path);
    const struct passwd *user = getpwnam(conf->user);
    if (!user)
        die(EXIT_CONFIG,
            "%s: option user: there is no user '%s'; make it (adduser --system --group %s) or name "
            "another",
            config_path, conf->user, conf->user);
    return user;
}

void daemon_enter(struct daemon *d)
{
    const struct passwd *user = daemon_user(d->conf, d->config_path);
    daemon_make_folder("data_directory", d->conf->data_directory, 0700, user);
    daemon_make_folder("run_directory", d->conf->run_directory, 0755, user);
    if (user && user->pw_uid != 0)
        daemon_become(user, false);
    else if (user)
        log_event(LOG_WARN, "runs-as-root", LOG_TEXT("why", "option user = root"));
    prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

void daemon_notify(const char *state)
{
    const char *path = getenv("NOTIFY_SOCKET");
    struct sockaddr_un to = {.sun_family = AF_UNIX};
    size_t n = path ? strlen(path) : 0;
    if (n < 2 || n >= sizeof to.sun_path || (*path != '/' && *path != '@'))
        return;
    memcpy(to.sun_path, path, n);
    if (*path == '@')
        to.sun_path[0] = 0; /* abstract */
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return;
    if (sendto(fd, state, strlen(state), MSG_NOSIGNAL, (const struct sockaddr *)&to,
               (socklen_t)(offsetof(struct sockaddr_un, sun_path) + n)) < 0)
        log_event(LOG_WARN, "notify", LOG_TEXT("socket", path), LOG_TEXT("why", strerror(errno)));
    file_close(&fd);
}

static void daemon_reload(struct daemon *d, void (*reload)(void *ctx, const struct conf *now), void *ctx)
{
    struct buf why = {0};
    struct buf state = {0};
    buf_printf(&state, "RELOADING=1\nMONOTONIC_USEC=%lld", (long long)clock_mono() * 1000);
    daemon_notify(buf_cstr(&state));
    if (daemon_load(d, &why)) {
        log_event(LOG_INFO, "reloaded", LOG_TEXT("file", d->config_path));
        if (reload)
            reload(ctx, d->conf);
    } else {
        log_event(LOG_ERROR, "reload-refused", LOG_STR("why", str_trim(buf_str(&why))));
    }
    daemon_notify("READY=1");
    buf_release(&state);
    buf_release(&why);
}

void daemon_run(struct daemon *d, void (*reload)(void *ctx, const struct conf *now), void *ctx)
{
    daemon_notify("READY=1");
    log_event(LOG_INFO, "ready", LOG_TEXT("version", KEDGE_VERSION), LOG_TEXT("config", d->config_path));
    sigset_t set;
    served_signals(&set);
    int signo;
    for (;;) {
        if (sigwait(&set, &signo))
            continue;
        if (signo != SIGHUP)
            break;
        daemon_reload(d, reload, ctx);
    }
    daemon_notify("STOPPING=1");
    log_event(LOG_INFO, "stopping", LOG_TEXT("signal", signo == SIGINT ? "INT" : "TERM"));
    ENSURE(eventfd_write(d->stop_fd, 1) == 0);
    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    pthread_sigmask(SIG_UNBLOCK, &set, NULL); /* the second one ends the process */
}

void daemon_stop(struct daemon *d)
{
    (void)d;
    kill(getpid(), SIGTERM);
}

int daemon_end(struct daemon *d)
{
    log_event(LOG_INFO, "stopped");
    while (d->confs) {
        struct daemon_conf *c = d->confs;
        d->confs = c->earlier;
        conf_release(&c->conf);
        free(c);
    }
    d->conf = NULL;
    file_close(&d->stop_fd);
    return EXIT_OK;
}

char *daemon_path(struct arena *a, const char *folder, const char *name)
{
    return arena_cstr(a, arena_printf(a, "%s/%s", folder, name));
}
