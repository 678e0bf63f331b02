#include "cmd/ask_mailbox.h"

static enum err call(void *ctx, const struct ask_question *q, struct arena *a, struct smtp_reply *reply,
                     struct buf *why)
{
    struct ask_mailbox *m = ctx;
    const struct callout callout = {
        .settings = atomic_load(&m->settings), .source = &m->source, .tls = m->tls, .live = &m->live};
    const struct callout_question question = {.domain = q->domain,
                                              .address = q->address,
                                              .needs_utf8 = q->needs_utf8,
                                              .timeout_ms = q->conf->ask_timeout};
    struct outcome o = callout_rcpt(&callout, &question, a);
    *reply = o.reply;
    if (o.blame == BLAME_NOBODY || o.blame == BLAME_RECIPIENT)
        return OK;
    buf_set(why, "%s: %.*s", reason_row(o.reason)->sentence, STR_ARG(o.text));
    return o.blame == BLAME_MESSAGE ? ERR_REFUSED : ERR_CLOSED;
}

enum err ask_mailbox_start(struct ask_mailbox *m, const struct conf *conf, struct resolver *resolver,
                           struct buf *why)
{
    enum err e = tls_client_new(&(struct tls_client_conf){.ca_file = conf->ca_file}, &m->tls, why);
    if (e)
        return e;
    m->source = resolver_source(resolver);
    live_init(&m->live);
    ask_mailbox_reload(m, conf);
    m->ask = ask_new(&(struct ask_caller){.ctx = m, .call = call});
    return OK;
}

void ask_mailbox_reload(struct ask_mailbox *m, const struct conf *conf)
{
    struct settings *s = settings_new(conf);
    s->earlier = atomic_load(&m->settings);
    atomic_store(&m->settings, s);
}

void ask_mailbox_cut(struct ask_mailbox *m)
{
    live_cut(&m->live);
}

void ask_mailbox_stop(struct ask_mailbox *m)
{
    ask_free(m->ask);
    settings_free(atomic_load(&m->settings));
    live_release(&m->live);
    tls_client_free(m->tls);
}
