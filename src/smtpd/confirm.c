#include "smtpd/confirm.h"

#include <poll.h>

#include "ctl/ctl.h"

enum {
    LOOK_EVERY_MS = 500, /* a change must be told within a second */
    SILENCE_MS = 3000,   /* of control */
    REFUSED_MS = 10000,  /* it is there and does not want to hear it: no sooner again */
};

struct confirm {
    struct confirm_args args;
    struct serving serving;
    bool is_away; /* the last word did not reach control */
    int64_t not_before;
    pthread_t thread;
};

static void look(struct confirm *c)
{
    struct buf why = {0};
    uint64_t epoch = 0;
    struct serving *s = &c->serving;
    struct serving_list now = {0};
    enum err e = serving_epoch(c->args.keystore, &epoch, &why);
    if (!e && (!s->is_known || epoch != s->epoch)) {
        e = serving_read(c->args.keystore, &epoch, &now, &why);
        if (!e)
            serving_change(s, epoch, tls_server_mark(c->args.tls), &now);
    }
    if (e)
        log_event(LOG_ERROR, "keystore-unreadable", LOG_TEXT("why", buf_cstr(&why)));
    if (s->is_known && tls_server_is_past(c->args.tls, s->mark))
        serving_settle(s);
    buf_release(&why);
}

static void tell(struct confirm *c)
{
    struct buf why = {0};
    json_t *result = NULL, *request = serving_request(&c->serving, c->args.edge);
    enum err e = ctl_call(c->args.socket, request, NULL, NULL, SILENCE_MS, &result, &why);
    if (e && !c->is_away)
        log_event(LOG_WARN, "control-away", LOG_TEXT("verb", "edge.confirm"),
                  LOG_TEXT("why", buf_cstr(&why)));
    else if (!e && c->is_away)
        log_event(LOG_INFO, "control-back", LOG_TEXT("verb", "edge.confirm"));
    c->is_away = e != OK;
    c->not_before = e && e != ERR_NOT_FOUND && e != ERR_CLOSED ? clock_mono() + REFUSED_MS : 0;
    if (!e)
        serving_told(&c->serving, clock_mono());
    json_decref(result);
    json_decref(request);
    buf_release(&why);
}

static void run(void *arg)
{
    struct confirm *c = arg;
    struct pollfd stop = {.fd = c->args.stop_fd, .events = POLLIN};
    do {
        look(c);
        if (clock_mono() >= c->not_before && serving_is_due(&c->serving, clock_mono()))
            tell(c);
    } while (poll(&stop, 1, LOOK_EVERY_MS) <= 0);
}

enum err confirm_start(const struct confirm_args *args, struct confirm **out, struct buf *why)
{
    struct confirm *c = must_alloc(calloc(1, sizeof *c));
    c->args = *args;
    enum err e = thread_start_joinable(run, c, &c->thread, why);
    if (e)
        free(c);
    else
        *out = c;
    return e;
}

void confirm_free(struct confirm *c)
{
    if (!c)
        return;
    (void)pthread_join(c->thread, NULL);
    serving_release(&c->serving);
    free(c);
}
