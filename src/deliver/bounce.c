/* Notifications to the sender: failure, delay, success, each a message of its own in the queue. The null
 * sender never gets one (dsn_is_wanted says so). */
#include "deliver/deliver_priv.h"

#include <openssl/sha.h>

enum { RETURNED_MAX = 64 * 1024 }; /* of the original; larger ones return their header */
enum { ABOUT_SIZE = 8 };           /* octets of the hash over the recipients */

/* The original, or its beginning. */
static bool read_original(struct queue_message *m, struct buf *out)
{
    uint64_t want = m->content_size > RETURNED_MAX ? RETURNED_MAX : m->content_size;
    buf_reserve(out, want + 1);
    while (out->n < want) {
        ssize_t got = queue_content_read(m, out->n, out->p + out->n, want - out->n, NULL);
        if (got <= 0)
            break; /* a damaged original is no reason to say nothing */
        out->n += (size_t)got;
    }
    return out->n < m->content_size;
}

static struct dsn_rcpt describe(const struct bounce_rcpt *b, const struct envelope *e, struct arena *a)
{
    const struct outcome *o = &b->rcpt->outcome;
    const struct reason_row *row = reason_row(o->reason);
    struct str *evidence = ARENA_ARRAY(a, struct str, 3);
    size_t n = 0;
    if (o->text.n && !o->reply.code)
        evidence[n++] = o->text;
    if (b->rcpt->evidence.n)
        evidence[n++] = b->rcpt->evidence;
    if (row->advice[0] && b->action != DSN_DELIVERED && b->action != DSN_RELAYED)
        evidence[n++] = arena_printf(a, "What to do: %s.", row->advice);
    struct buf diagnostic = {0};
    if (o->reply.code)
        smtp_reply_describe(&o->reply, &diagnostic);
    bool good = o->blame == BLAME_NOBODY;
    struct dsn_rcpt out = {
        .address = e->rcpt[b->index].address,
        .orcpt = e->rcpt[b->index].orcpt,
        .action = b->action,
        .status = str_of(b->status),
        .reason = good ? STR_NONE : str_of(row->name),
        .sentence = good ? STR_NONE : str_of(row->sentence),
        .evidence = evidence,
        .evidence_count = n,
        .remote_mta = b->rcpt->host,
        .diagnostic = arena_str(a, buf_str(&diagnostic)),
        .last_attempt_ms = clock_wall(),
        .retry_until_ms = b->retry_until_ms,
    };
    buf_release(&diagnostic);
    return out;
}

static enum err store(struct deliver *d, const struct queue_message *m, struct str text,
                      struct dsn_needs needs, struct buf *why)
{
    struct envelope_rcpt to = {.address = m->envelope->sender};
    struct envelope e = {.received_ms = clock_wall(),
                         .tenant = m->envelope->tenant, /* its modes hold for what is returned, too */
                         .smtputf8 = needs.smtputf8,
                         .body_8bit = needs.body_8bit,
                         .rcpt = &to,
                         .nrcpt = 1};
    struct queue_draft *draft = queue_draft_new(d->parts.bounces);
    queue_draft_write(draft, text.p, text.n);
    char id[QUEUE_ID];
    enum err result = queue_draft_commit(draft, &e, id, why);
    if (result == OK)
        log_event(LOG_INFO, "notification", LOG_TEXT("queue_id", id), LOG_TEXT("about", m->id),
                  LOG_STR("to", to.address));
    return result;
}

/* Of which message, what, and of whom: no recipient hears of the same twice, so this is a notification's own,
 * and it stays the same when a crash has one written again (RFC 5322 3.6.4). */
static struct str unique(const struct queue_message *m, const struct bounce_rcpt *rcpt, size_t count,
                         enum dsn_action action, struct arena *a)
{
    size_t all = m->envelope->nrcpt;
    uint8_t *about = ARENA_ARRAY(a, uint8_t, all);
    for (size_t i = 0; i < count; i++)
        if (rcpt[i].action == action)
            about[rcpt[i].index] = 1;
    uint8_t digest[SHA256_DIGEST_LENGTH];
    SHA256(about, all, digest);
    struct buf hex = {0};
    hex_append(&hex, digest, ABOUT_SIZE);
    struct str text = arena_printf(a, "%s.%s.%s", m->id, dsn_action_text(action), buf_cstr(&hex));
    buf_release(&hex);
    return text;
}

static void send_action(struct deliver *d, struct queue_message *m, struct bounce_rcpt *rcpt, size_t count,
                        enum dsn_action action)
{
    struct arena a = {0};
    struct dsn_rcpt *list = ARENA_ARRAY(&a, struct dsn_rcpt, count);
    size_t n = 0;
    for (size_t i = 0; i < count; i++)
        if (rcpt[i].action == action)
            list[n++] = describe(&rcpt[i], m->envelope, &a);
    if (n == 0) {
        arena_release(&a);
        return;
    }
    const struct settings *s = atomic_load(&d->settings);
    struct buf original = {0}, text = {0}, why = {0};
    bool cut = read_original(m, &original);
    struct dsn dsn = {.reporting_mta = s->hello,
                      .now_ms = clock_wall(),
                      .unique = unique(m, rcpt, count, action, &a),
                      .envelope = m->envelope,
                      .rcpt = list,
                      .rcpt_count = n,
                      .message = buf_str(&original),
                      .is_cut = cut,
                      .max_returned = RETURNED_MAX};
    struct dsn_needs needs = dsn_write(&dsn, &text);
    bool sent = store(d, m, buf_str(&text), needs, &why) == OK;
    if (!sent)
        log_event(LOG_ERROR, "notification-not-stored", LOG_TEXT("queue_id", m->id),
                  LOG_TEXT("action", dsn_action_text(action)), LOG_STR("why", buf_str(&why)));
    for (size_t i = 0; i < count; i++)
        if (rcpt[i].action == action)
            rcpt[i].sent = sent;
    buf_release(&original);
    buf_release(&text);
    buf_release(&why);
    arena_release(&a);
}

void bounce_send(struct deliver *d, struct queue_message *m, struct bounce_rcpt *rcpt, size_t count)
{
    for (int action = DSN_FAILED; count && action <= DSN_RELAYED; action++)
        send_action(d, m, rcpt, count, (enum dsn_action)action);
}
