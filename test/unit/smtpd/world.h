/* A scripted outside, and a session on a thread at the other end of a socket pair. Static: included by the
 * tests of the session and by its fuzz target. */
#ifndef TEST_SMTPD_WORLD_H
#define TEST_SMTPD_WORLD_H

#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "smtpd/session.h"

/* Domains ours.example (recipients a list: user, quoted), open.example (any); tenant "acme" relays when
 * may_relay. */
struct world {
    bool may_relay, is_full;
    enum err commit;      /* what committing says */
    struct buf content;   /* of the last committed message */
    struct buf envelopes; /* "sender>rcpt,rcpt;" of each */
    struct buf orcpt;     /* of the last recipient */
    struct buf events;
    unsigned drafts, dropped, committed;
    struct envelope last; /* values only: text is gone */
    struct smtpd_outside outside;
};

struct draft {
    struct world *world;
    struct buf content;
};

static bool is_local(const struct mail_address *a, const char *local)
{
    struct arena arena = {0};
    bool is = str_equal_nocase(mail_local_unquoted(&arena, a), str_of(local));
    arena_release(&arena);
    return is;
}

static struct smtpd_verdict judge(void *ctx, const struct smtpd_question *q, struct arena *a)
{
    const struct world *w = ctx;
    (void)a;
    struct smtpd_verdict v = {.answer = ANSWER_relay_denied, .address = q->rcpt->text};
    if (q->rcpt->domain.n == 0 || str_equal_nocase(q->rcpt->domain, STR("open.example"))) {
        v.answer = ANSWER_recipient_ok;
    } else if (str_equal_nocase(q->rcpt->domain, STR("ours.example"))) {
        v.answer = is_local(q->rcpt, "user") ? ANSWER_recipient_ok : ANSWER_recipient_unknown;
    } else if (w->may_relay) {
        v.answer = ANSWER_recipient_ok;
        v.tenant = STR("acme");
    }
    return v;
}

static bool has_space(void *ctx)
{
    const struct world *w = ctx;
    return !w->is_full;
}

static void *draft_new(void *ctx)
{
    struct draft *d = must_alloc(calloc(1, sizeof *d));
    d->world = ctx;
    d->world->drafts++;
    return d;
}

static const char *draft_id(const void *draft)
{
    (void)draft;
    return "0123456789abcd";
}

static void draft_write(void *draft, const void *p, size_t n)
{
    struct draft *d = draft;
    buf_append(&d->content, p, n);
}

static void draft_free(struct draft *d)
{
    buf_release(&d->content);
    free(d);
}

static enum err draft_commit(void *draft, const struct envelope *e, struct buf *why)
{
    struct draft *d = draft;
    struct world *w = d->world;
    enum err result = w->commit;
    if (result) {
        buf_set(why, "as the test wants");
    } else {
        w->committed++;
        w->last = *e;
        buf_clear(&w->content);
        buf_add(&w->content, buf_str(&d->content));
        buf_printf(&w->envelopes, "%.*s>", STR_ARG(e->sender));
        for (size_t i = 0; i < e->nrcpt; i++)
            buf_printf(&w->envelopes, "%s%.*s", i ? "," : "", STR_ARG(e->rcpt[i].address));
        buf_add_char(&w->envelopes, ';');
        buf_set(&w->orcpt, "%.*s", STR_ARG(e->rcpt[e->nrcpt - 1].orcpt));
    }
    draft_free(d);
    return result;
}

static void draft_drop(void *draft)
{
    struct draft *d = draft;
    d->world->dropped++;
    draft_free(d);
}

static void record(void *ctx, struct str line)
{
    struct world *w = ctx;
    buf_add(&w->events, line);
    buf_add_char(&w->events, '\n');
}

static void world_init(struct world *w)
{
    *w = (struct world){0};
    w->outside = (struct smtpd_outside){.ctx = w,
                                        .judge = judge,
                                        .has_space = has_space,
                                        .draft_new = draft_new,
                                        .draft_id = draft_id,
                                        .draft_write = draft_write,
                                        .draft_commit = draft_commit,
                                        .draft_drop = draft_drop,
                                        .record = record};
}

static void world_release(struct world *w)
{
    buf_release(&w->content);
    buf_release(&w->envelopes);
    buf_release(&w->orcpt);
    buf_release(&w->events);
}

static void world_conf(struct conf *c)
{
    struct buf why = {0};
    ENSURE(conf_parse(STR("hostname = edge.example\n"), "test", c, &why) == OK);
    buf_release(&why);
}

struct world_session {
    struct world *world;
    const struct smtpd_settings *settings;
    struct tls_server *tls;
    int fd, stop_fd;
    struct smtpd_settings *owned;
    int client;
    pthread_t thread;
};

static void world_serve(void *arg)
{
    struct world_session *s = arg;
    struct stream stream;
    struct addr peer;
    ENSURE(addr_parse(STR("192.0.2.7"), 4711, &peer));
    stream_init(&stream, s->fd);
    smtpd_session_run(&(struct smtpd_session_args){.settings = s->settings,
                                                   .outside = &s->world->outside,
                                                   .tls = s->tls,
                                                   .stream = &stream,
                                                   .peer = peer,
                                                   .stop_fd = s->stop_fd});
    stream_release(&stream);
}

/* The client's end is s->client. */
static void world_start(struct world_session *s, struct world *w, const struct conf *c)
{
    int fds[2];
    struct buf why = {0};
    ENSURE(socketpair(AF_UNIX, SOCK_STREAM, 0, fds) == 0);
    ENSURE(smtpd_settings_new(c, &s->owned, &why) == OK);
    s->world = w, s->settings = s->owned, s->fd = fds[0], s->client = fds[1];
    ENSURE(thread_start_joinable(world_serve, s, &s->thread, &why) == OK);
    buf_release(&why);
}

static void world_end(struct world_session *s)
{
    (void)shutdown(s->client, SHUT_RDWR);
    (void)pthread_join(s->thread, NULL);
    (void)close(s->client);
    smtpd_settings_free(s->owned);
}

#endif
