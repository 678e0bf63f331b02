#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/die.h"
#include "base/file.h"
#include "base/log.h"
#include "base/thread.h"
#include "ctl/wire.h"

/* Strangers may ask, and no more: they must not take the room of those who may change something. */
enum { IDLE_MS = 60000, REFUSAL_MS = 100, CALLERS_MAX = 64, STRANGERS_MAX = 8 };

struct ctl_server {
    char *path;
    int listener;
    int stop[2]; /* closing the writing end wakes everybody */
    const struct ctl_verb *verbs;
    size_t verb_count;
    void *ctx;
    pthread_t acceptor;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t all_gone;
    unsigned callers, strangers;
};

struct ctl_reply {
    int fd;
    bool is_lost; /* a line could not be sent, or in part only: another one would be garbage */
    json_t *result;
};

struct caller {
    struct ctl_server *server;
    int fd;
    struct ctl_peer peer;
};

/* Neither root nor this daemon's user. */
static bool is_stranger(const struct ctl_peer *peer)
{
    return peer->uid != 0 && peer->uid != geteuid();
}

bool ctl_reply_progress(struct ctl_reply *r, json_t *line)
{
    struct buf ignored = {0};
    r->is_lost = r->is_lost || ctl_send(r->fd, line, deadline_in(IDLE_MS), &ignored) != OK;
    json_decref(line);
    buf_release(&ignored);
    return !r->is_lost;
}

void ctl_reply_result(struct ctl_reply *r, json_t *result)
{
    json_decref(r->result);
    r->result = result;
}

static const struct ctl_verb *find_verb(const struct ctl_server *s, const char *name)
{
    for (size_t i = 0; name && i < s->verb_count; i++)
        if (strcmp(s->verbs[i].name, name) == 0)
            return &s->verbs[i];
    return NULL;
}

static enum err run_verb(struct ctl_server *s, const struct ctl_peer *peer, json_t *request,
                         struct ctl_reply *reply, struct buf *why)
{
    const char *name = json_string_value(json_object_get(request, "verb"));
    const struct ctl_verb *verb = find_verb(s, name);
    if (!verb) {
        buf_set(why, "this daemon knows no verb \"%s\"", name ? name : "");
        return ERR_USAGE;
    }
    if (!verb->read_only && is_stranger(peer)) {
        buf_set(why, "%s is for root and for the daemon's own user (uid %u); you are uid %u", name,
                (unsigned)geteuid(), (unsigned)peer->uid);
        return ERR_REFUSED;
    }
    return verb->handle(s->ctx, peer, request, reply, why);
}

static bool answer(struct ctl_server *s, int fd, const struct ctl_peer *peer, struct str line)
{
    struct buf why = {0};
    struct ctl_reply reply = {.fd = fd};
    json_error_t error;
    json_t *request = json_loadb(line.p, line.n, JSON_REJECT_DUPLICATES, &error);
    enum err e;
    if (json_is_object(request)) {
        e = run_verb(s, peer, request, &reply, &why);
    } else {
        e = ERR_MALFORMED;
        buf_set(&why, "the request is not a JSON object: %s", request ? "another type" : error.text);
    }
    json_t *last =
        e == OK ? json_pack("{s:b, s:o}", "ok", 1, "result", reply.result ? reply.result : json_null())
                : json_pack("{s:b, s:i, s:s%}", "ok", 0, "error", (int)e, "why", buf_cstr(&why), why.n);
    if (e != OK)
        json_decref(reply.result);
    if (!last) /* why was not UTF-8 */
        last = json_pack("{s:b, s:i, s:s}", "ok", 0, "error", (int)e, "why", err_text(e));
    bool sent = !reply.is_lost && ctl_send(fd, last, deadline_in(IDLE_MS), &why) == OK;
    json_decref(last);
    json_decref(request);
    buf_release(&why);
    return sent;
}

static void leave(struct caller *c)
{
    struct ctl_server *s = c->server;
    bool stranger = is_stranger(&c->peer);
    file_close(&c->fd);
    free(c);
    (void)pthread_mutex_lock(&s->lock);
    s->strangers -= stranger;
    if (--s->callers == 0)
        (void)pthread_cond_broadcast(&s->all_gone);
    (void)pthread_mutex_unlock(&s->lock);
}

static void serve_caller(void *arg)
{
    struct caller *c = arg;
    struct ctl_reader in = {.fd = c->fd, .cancel = c->server->stop[0]};
    struct str line;
    if (is_stranger(&c->peer))
        in.most = CTL_STRANGER_LINE_MAX;
    while (ctl_read_line(&in, deadline_in(IDLE_MS), &line, NULL) == OK &&
           answer(c->server, c->fd, &c->peer, line))
        ;
    ctl_reader_release(&in);
    leave(c);
}

static bool enter(struct ctl_server *s, const struct ctl_peer *peer)
{
    (void)pthread_mutex_lock(&s->lock);
    bool stranger = is_stranger(peer);
    bool room = s->callers < CALLERS_MAX && (!stranger || s->strangers < STRANGERS_MAX);
    s->callers += room;
    s->strangers += room && stranger;
    (void)pthread_mutex_unlock(&s->lock);
    return room;
}

static bool read_peer(int fd, struct ctl_peer *out)
{
    struct ucred cred;
    socklen_t n = sizeof cred;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &cred, &n))
        return false;
    *out = (struct ctl_peer){cred.uid, cred.gid, cred.pid};
    return true;
}

static void turn_away(int fd)
{
    struct buf ignored = {0};
    json_t *busy = json_pack("{s:b, s:i, s:s}", "ok", 0, "error", (int)ERR_BUSY, "why",
                             "too many callers at once; try again in a moment");
    (void)!ctl_send(fd, busy, deadline_in(REFUSAL_MS), &ignored);
    json_decref(busy);
    buf_release(&ignored);
}

static void accept_callers(void *arg)
{
    struct ctl_server *s = arg;
    for (;;) {
        struct pollfd p[2] = {{s->listener, POLLIN, 0}, {s->stop[0], POLLIN, 0}};
        if (poll(p, 2, -1) < 0 && errno != EINTR)
            return;
        if (p[1].revents)
            return;
        int fd = accept4(s->listener, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
        if (fd < 0) { /* without descriptors nobody can be heard for a while */
            if (errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == ENOBUFS)
                (void)poll(&p[1], 1, REFUSAL_MS);
            continue;
        }
        struct ctl_peer peer = {0};
        bool known = read_peer(fd, &peer);
        if (!known || !enter(s, &peer)) {
            if (known)
                turn_away(fd);
            file_close(&fd);
            continue;
        }
        struct caller *c = must_alloc(malloc(sizeof *c));
        *c = (struct caller){s, fd, peer};
        struct buf why = {0};
        if (thread_start(serve_caller, c, &why) != OK) {
            log_event(LOG_WARN, "ctl-refused", LOG_STR("why", buf_str(&why)));
            leave(c);
        }
        buf_release(&why);
    }
}

/* A socket file that nobody answers on is left over from a crash. */
static enum err make_way(const char *path, struct buf *why)
{
    int fd = -1;
    enum err e = ctl_connect(path, &fd, NULL);
    file_close(&fd);
    if (e == OK) {
        buf_set(
            why,
            "%s: another daemon answers there already; stop it first, or give this one another run_directory",
            path);
        return ERR_BUSY;
    }
    (void)unlink(path);
    return OK;
}

static enum err listen_on(const char *path, mode_t mode, int *out, struct buf *why)
{
    struct sockaddr_un sun;
    enum err e = ctl_address(path, &sun, why);
    if (e != OK || (e = make_way(path, why)) != OK)
        return e;
    int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || bind(fd, (struct sockaddr *)&sun, sizeof sun) < 0 || chmod(path, mode) < 0 ||
        listen(fd, 64) < 0) {
        e = err_system(why, "%s", path);
        file_close(&fd);
        return e;
    }
    *out = fd;
    return OK;
}

enum err ctl_server_start(const char *path, mode_t mode, const struct ctl_verb *verbs, size_t count,
                          void *ctx, struct ctl_server **out, struct buf *why)
{
    int listener, stop[2];
    enum err e = listen_on(path, mode, &listener, why);
    if (e != OK)
        return e;
    if (pipe2(stop, O_CLOEXEC) < 0) {
        e = err_system(why, "pipe");
        file_close(&listener);
        return e;
    }
    struct ctl_server *s = must_alloc(malloc(sizeof *s));
    *s = (struct ctl_server){.path = str_dup(str_of(path)),
                             .listener = listener,
                             .stop = {stop[0], stop[1]},
                             .verbs = verbs,
                             .verb_count = count,
                             .ctx = ctx,
                             .lock = PTHREAD_MUTEX_INITIALIZER};
    thread_cond_init(&s->all_gone);
    e = thread_start_joinable(accept_callers, s, &s->acceptor, why);
    if (e != OK) {
        file_close(&s->listener), file_close(&s->stop[0]), file_close(&s->stop[1]);
        free(s->path);
        free(s);
        return e;
    }
    *out = s;
    return OK;
}

void ctl_server_stop(struct ctl_server *s)
{
    if (!s)
        return;
    file_close(&s->stop[1]);
    (void)pthread_join(s->acceptor, NULL);
    (void)pthread_mutex_lock(&s->lock);
    while (s->callers)
        (void)thread_cond_wait(&s->all_gone, &s->lock, DEADLINE_NEVER);
    (void)pthread_mutex_unlock(&s->lock);
    (void)unlink(s->path);
    file_close(&s->listener);
    file_close(&s->stop[0]);
    (void)pthread_cond_destroy(&s->all_gone);
    (void)pthread_mutex_destroy(&s->lock);
    free(s->path);
    free(s);
}
