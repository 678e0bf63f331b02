/* What the three daemons share from start to end, so that a main reads top to bottom:
 *
 *     struct daemon d;
 *     daemon_start(&d, &(struct daemon_role){.program = "kedge-smtpd", .summary = "receives mail"}, argc,
 * argv);
 *     ... what needs root: bind port 25 ...
 *     daemon_enter(&d);            makes the folders, drops root
 *     ... open the queue, start threads; die() with a sentence when something is wrong ...
 *     daemon_run(&d, reload, ctx); READY=1; returns when it is time to stop
 *     ... drain, close ...
 *     return daemon_end(&d);
 *
 * daemon_start answers --help and --version itself, reads --config FILE (default /etc/kedge/kedge.conf;
 * KEDGE_CONFIG comes before the default), sets log, file limit and allocator, ignores SIGPIPE and blocks
 * SIGTERM, SIGINT and SIGHUP for every thread that starts later. Each of these functions dies with a sentence
 * when it cannot go on. */
#ifndef CMD_DAEMON_H
#define CMD_DAEMON_H

#include <pwd.h>

#include "base/base.h"
#include "conf/conf.h"

struct daemon_role {
    const char *program; /* "kedge-smtpd" */
    const char *summary; /* for --help: what it does, a few words */
};

struct daemon {
    const struct daemon_role *role; /* kept */
    const char *config_path;
    /* In force; changes in the thread of daemon_run alone. Every one that was stays valid until daemon_end.
     */
    const struct conf *conf;
    int stop_fd; /* becomes and stays readable when it is time to stop; for stream_set_cancel and poll */
    struct daemon_conf *confs;
};

void daemon_start(struct daemon *d, const struct daemon_role *role, int argc, char **argv);

/* Makes data_directory (0700) and run_directory (0755), owned by `user`; then, when started as root, becomes
 * `user`. Folders below are made by their modules. Started as root with a user that does not exist it
 * refuses; user = root is allowed, and said in the log. */
void daemon_enter(struct daemon *d);

/* The option user as root means it; NULL when not root. Dies when there is no such user. Valid until the next
 * call. */
const struct passwd *daemon_user(const struct conf *conf, const char *config_path);
/* Root becomes `user` for good. keeps_ports: it, and what it executes, may still bind ports below 1024. Dies
 * when it cannot. */
void daemon_become(const struct passwd *user, bool keeps_ports);
/* A folder that `owner` (NULL: this user) can use; option names where it comes from. Root gives it to the
 * owner when it is new, or empty and root's. Dies when it cannot. */
void daemon_make_folder(const char *option, const char *path, mode_t mode, const struct passwd *owner);

/* Tells the service manager READY=1, then serves signals in the calling thread. SIGHUP: the file is read
 * again; when it is in order, d->conf changes and reload(ctx, d->conf) is called (reload may be NULL), else
 * the mistakes are logged and the old one stays. SIGTERM and SIGINT: STOPPING=1, stop_fd becomes readable,
 * and this returns. A SIGINT after that, while the caller drains, ends the process at once; a SIGTERM does
 * not (a service manager may send it to all of a group, and kedge run forwards it). */
void daemon_run(struct daemon *d, void (*reload)(void *ctx, const struct conf *now), void *ctx);

/* Ends daemon_run as SIGTERM would, from any thread. */
void daemon_stop(struct daemon *d);

/* Releases what daemon_start took; gives the exit code of main (0). */
int daemon_end(struct daemon *d);

/* Paths below a folder of the configuration, in the arena: daemon_path(a, conf->data_directory, "queue"). */
char *daemon_path(struct arena *a, const char *folder, const char *name);

/* sd_notify without libsystemd; nothing happens without NOTIFY_SOCKET. */
void daemon_notify(const char *state);

#endif
