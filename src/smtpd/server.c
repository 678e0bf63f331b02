#include "smtpd/server.h"

#include <poll.h>
#include <stdatomic.h>

#include "smtpd/admission.h"
#include "smtpd/answer.h"
#include "smtpd/session.h"

enum {
    ACCEPT_BURST = 32,     /* connections of one listener before the others have their turn */
    SHORTAGE_WAIT_MS = 50, /* descriptors or memory are short */
    PROXY_WAIT_MS = 10000, /* a load balancer writes its header at once */
    CREW_LINGER_MS = 10000,
};

struct settings_list {
    struct smtpd_settings *settings;
    struct settings_list *earlier;
};

struct smtpd_server {
    struct pollfd wait[SMTPD_LISTENERS_MAX + 1]; /* the last one is stop_fd */
    size_t listener_count;
    _Atomic(struct settings_list *) settings; /* earlier ones live as long as the server: sessions use them */
    const struct smtpd_outside *outside;
    struct tls_server *tls;
    int stop_fd;
    struct admission admission;
    struct crew *crew; /* a thread for each session */
    pthread_t acceptor;
};

/* What a session's thread takes over: the connection and its slot. */
struct arrival {
    struct smtpd_server *server;
    const struct smtpd_settings *settings;
    int fd;
    struct addr peer;
};

static struct admission_limits limits_of(const struct smtpd_settings *s)
{
    return (struct admission_limits){.total = (size_t)s->conf->max_sessions,
                                     .per_address = (size_t)s->conf->max_sessions_per_address,
                                     .per_network = (size_t)s->conf->max_sessions_per_network};
}

static enum answer answer_of(enum admission_verdict v)
{
    switch (v) {
    case ADMISSION_ADDRESS_FULL:
        return ANSWER_address_full;
    case ADMISSION_NETWORK_FULL:
        return ANSWER_network_full;
    case ADMISSION_TOTAL_FULL:
    case ADMISSION_OK:
        break;
    }
    return ANSWER_sessions_full;
}

/* A word and no session; nobody waits for the peer. */
static void turn_away(const struct smtpd_settings *settings, int fd, const struct addr *peer, enum answer a)
{
    const struct answer_row *row = answer_row(a);
    char text[ADDR_TEXT];
    struct buf line = {0};
    buf_printf(&line, "%u %s %s %s\r\n", row->code, row->status, settings->conf->hostname, row->text);
    (void)send(fd, line.p, line.n, MSG_DONTWAIT | MSG_NOSIGNAL);
    (void)shutdown(fd, SHUT_WR);
    log_event(LOG_WARN, "turned-away", LOG_TEXT("peer", addr_ip_format(peer, text)),
              LOG_TEXT("why", row->name));
    buf_release(&line);
}

/* The PROXY header: *peer becomes the client's address. */
static bool read_proxy_header(struct stream *s, struct addr *peer)
{
    struct str bytes;
    struct proxy_header h;
    size_t least = PROXY_FIXED;
    deadline until = deadline_in(PROXY_WAIT_MS);
    while (!stream_fill_least(s, least, until, &bytes)) {
        switch (proxy_parse(bytes.p, bytes.n, &h)) {
        case PROXY_BAD:
            return false;
        case PROXY_MORE:
            least = bytes.n + 1;
            continue;
        case PROXY_OK:
            stream_consume(s, h.length);
            if (!h.is_local)
                *peer = h.source;
            return true;
        }
    }
    return false;
}

/* Admits by address, then talks. */
static void serve(struct arrival *a, struct stream *stream)
{
    struct smtpd_server *server = a->server;
    const struct admission_limits limits = limits_of(a->settings);
    if (smtpd_networks_contain(&a->settings->proxies, &a->peer)) {
        if (!read_proxy_header(stream, &a->peer)) {
            char text[ADDR_TEXT];
            log_event(LOG_WARN, "proxy-header-bad", LOG_TEXT("peer", addr_ip_format(&a->peer, text)));
            return;
        }
    }
    enum admission_verdict v = admission_take_address(&server->admission, &a->peer, &limits);
    if (v) {
        turn_away(a->settings, stream->fd, &a->peer, answer_of(v));
        return;
    }
    smtpd_session_run(&(struct smtpd_session_args){.settings = a->settings,
                                                   .outside = server->outside,
                                                   .tls = server->tls,
                                                   .stream = stream,
                                                   .peer = a->peer,
                                                   .stop_fd = server->stop_fd});
    admission_give_address(&server->admission, &a->peer);
}

static void session_job(void *arg)
{
    struct arrival a = *(struct arrival *)arg;
    struct stream stream;
    free(arg);
    stream_init(&stream, a.fd);
    serve(&a, &stream);
    stream_release(&stream);
    admission_give_slot(&a.server->admission);
}

static void arrive(struct smtpd_server *s, int fd, const struct addr *peer)
{
    const struct smtpd_settings *settings = atomic_load(&s->settings)->settings;
    const struct admission_limits limits = limits_of(settings);
    struct buf why = {0};
    enum admission_verdict v = admission_take_slot(&s->admission, &limits);
    if (v) {
        turn_away(settings, fd, peer, answer_of(v));
        file_close(&fd);
        return;
    }
    struct arrival *a = must_alloc(malloc(sizeof *a));
    *a = (struct arrival){.server = s, .settings = settings, .fd = fd, .peer = *peer};
    if (crew_start(s->crew, session_job, a, &why)) {
        log_event(LOG_ERROR, "no-thread", LOG_TEXT("why", buf_cstr(&why)));
        turn_away(settings, fd, peer, ANSWER_sessions_full);
        file_close(&fd);
        free(a);
        admission_give_slot(&s->admission);
    }
    buf_release(&why);
}

static void accept_burst(struct smtpd_server *s, int listener)
{
    for (int i = 0; i < ACCEPT_BURST; i++) {
        int fd;
        struct addr peer;
        struct buf why = {0};
        enum err e = net_accept(listener, &fd, &peer, &why);
        if (!e)
            arrive(s, fd, &peer);
        else if (e != ERR_TIMEOUT)
            log_event(LOG_ERROR, "accept-failed", LOG_TEXT("why", buf_cstr(&why)));
        buf_release(&why);
        if (e && e != ERR_TIMEOUT)
            (void)poll(NULL, 0, SHORTAGE_WAIT_MS);
        if (e)
            return;
    }
}

static void accept_thread(void *arg)
{
    struct smtpd_server *s = arg;
    struct pollfd *stop = &s->wait[s->listener_count];
    while (!stop->revents) {
        if (poll(s->wait, s->listener_count + 1, -1) < 0)
            continue;
        for (size_t i = 0; i < s->listener_count && !stop->revents; i++)
            if (s->wait[i].revents)
                accept_burst(s, s->wait[i].fd);
    }
    for (size_t i = 0; i < s->listener_count; i++)
        file_close(&s->wait[i].fd);
}

void smtpd_server_reload(struct smtpd_server *s, struct smtpd_settings *settings)
{
    struct settings_list *list = must_alloc(malloc(sizeof *list));
    *list = (struct settings_list){settings, atomic_load(&s->settings)};
    atomic_store(&s->settings, list);
}

enum err smtpd_server_start(const struct smtpd_server_args *args, struct smtpd_server **out, struct buf *why)
{
    struct smtpd_server *s = must_alloc(calloc(1, sizeof *s));
    ENSURE(args->listener_count <= SMTPD_LISTENERS_MAX);
    for (size_t i = 0; i < args->listener_count; i++)
        s->wait[i] = (struct pollfd){.fd = args->listeners[i], .events = POLLIN};
    s->listener_count = args->listener_count;
    s->wait[s->listener_count] = (struct pollfd){.fd = args->stop_fd, .events = POLLIN};
    s->outside = args->outside;
    s->tls = args->tls;
    s->stop_fd = args->stop_fd;
    smtpd_server_reload(s, args->settings);
    admission_init(&s->admission);
    s->crew = crew_new(CREW_LINGER_MS);
    enum err e = thread_start_joinable(accept_thread, s, &s->acceptor, why);
    if (e) {
        for (size_t i = 0; i < s->listener_count; i++)
            file_close(&s->wait[i].fd);
        smtpd_server_free(s);
        return e;
    }
    *out = s;
    return OK;
}

size_t smtpd_server_drain(struct smtpd_server *s, deadline until)
{
    (void)pthread_join(s->acceptor, NULL);
    return admission_drain(&s->admission, until);
}

void smtpd_server_free(struct smtpd_server *s)
{
    for (struct settings_list *l = atomic_load(&s->settings); l;) {
        struct settings_list *earlier = l->earlier;
        smtpd_settings_free(l->settings);
        free(l);
        l = earlier;
    }
    crew_free(s->crew);
    admission_release(&s->admission);
    free(s);
}
