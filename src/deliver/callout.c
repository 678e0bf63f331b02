#include "deliver/callout.h"

/* MAIL and RCPT, answered one by one: whoever refuses the sender says nothing about the recipient. */
static struct outcome ask(struct connection *c, const struct callout_question *q, struct arena *a)
{
    if (q->needs_utf8 && !(c->offered.bits & SMTP_EXT_SMTPUTF8))
        return trouble_of_reason(BLAME_MESSAGE, REASON_NEEDS_SMTPUTF8, STR_NONE);
    stream_printf(&c->stream, "MAIL FROM:<>%s\r\n", q->needs_utf8 ? " SMTPUTF8" : "");
    struct outcome o = connection_reply(c, STAGE_MAIL, a);
    if (o.blame != BLAME_NOBODY)
        return o;
    stream_printf(&c->stream, "RCPT TO:<%.*s>\r\n", STR_ARG(q->address));
    return connection_reply(c, STAGE_RCPT, a);
}

static struct outcome at_address(const struct callout *c, const struct callout_question *q,
                                 const struct policy_host *host, const struct addr *to, struct arena *a)
{
    const struct connection_target target = {
        .host = host,
        .to = *to,
        .source = settings_source(c->settings, to),
        .lmtp = q->domain->protocol == DIR_LMTP,
        .clear_text_allowed = true,
        .strength_none = c->settings->strength_none,
        .hello = c->settings->hello,
        .connect_timeout = q->timeout_ms,
        .smtp_timeout = q->timeout_ms,
        .tls = c->tls,
        .live = c->live,
    };
    struct connection connection;
    struct outcome o = connection_open(&connection, &target, a);
    if (o.blame == BLAME_NOBODY) {
        o = ask(&connection, q, a);
        connection.messages++; /* its TLS session may be of use again */
        connection_quit(&connection, c->tls);
    }
    return o;
}

struct outcome callout_rcpt(const struct callout *c, const struct callout_question *q, struct arena *a)
{
    const struct policy_input input = {.domain = q->domain->domain,
                                       .via = POLICY_VIA_MAILBOX,
                                       .host = q->domain->host,
                                       .port = q->domain->port,
                                       .tls = q->domain->tls,
                                       .rule = STR("mailbox-host"),
                                       .insecure_mx = c->settings->insecure_mx,
                                       .self = &c->settings->self};
    struct policy_plan plan;
    policy_make(&plan, a, &input, c->source, deadline_in(q->timeout_ms));
    if (plan.verdict != PLAN_GO)
        return trouble_of_plan(PLAN_DEFER, &plan.trouble, a);
    struct outcome o = {.blame = BLAME_HOST};
    for (size_t h = 0; h < plan.nhost; h++) {
        const struct policy_host *host = &plan.host[h];
        for (size_t i = 0; host->state == POLICY_HOST_USABLE && i < host->naddr && o.blame == BLAME_HOST; i++)
            o = at_address(c, q, host, &host->addr[i], a);
    }
    return o;
}
