#include "policy/reason.h"
#include "queue/control.h"

/* Text of others may be no UTF-8: Jansson takes it only cleaned. */
static json_t *text(struct str s)
{
    if (!s.p)
        return json_string("");
    json_t *t = json_stringn(s.p, s.n);
    if (t)
        return t;
    struct buf clean = {0};
    for (size_t i = 0; i < s.n; i++)
        buf_add_char(&clean, (unsigned char)s.p[i] < 128 ? s.p[i] : '?');
    t = json_stringn(buf_cstr(&clean), clean.n);
    buf_release(&clean);
    return t;
}

static json_t *moment(int64_t ms)
{
    char iso[CLOCK_TEXT];
    if (!ms)
        return json_null();
    clock_iso(ms, iso);
    return json_string(iso);
}

static void explain(json_t *to, const struct queue_recipient *r)
{
    enum reason reason;
    if (!r->reason.n || !reason_parse(r->reason, &reason))
        return;
    const struct reason_row *row = reason_row(reason);
    json_object_set_new(to, "code", json_string(r->status == QUEUE_BOUNCED ? row->final : row->temporary));
    json_object_set_new(to, "sentence", json_string(row->sentence));
    json_object_set_new(to, "advice", json_string(row->advice));
}

static json_t *recipient(struct str address, const struct queue_recipient *r, bool explained)
{
    json_t *j = json_object();
    json_object_set_new(j, "address", text(address));
    json_object_set_new(j, "status", json_string(queue_status_name(r->status)));
    json_object_set_new(j, "attempts", json_integer(r->attempts));
    json_object_set_new(j, "last", moment(r->last_ms));
    json_object_set_new(j, "next", moment(queue_status_is_final(r->status) ? 0 : r->next_ms));
    json_object_set_new(j, "warned", moment(r->warned_ms));
    if (r->reason.n)
        json_object_set_new(j, "reason", text(r->reason));
    if (r->text.n)
        json_object_set_new(j, "text", text(r->text));
    if (explained)
        explain(j, r);
    return j;
}

static const char *condition(const struct queue_message *m)
{
    if (m->claimed)
        return "active";
    if (m->held)
        return "held";
    return m->attempts ? "deferred" : "new";
}

json_t *queue_describe(const struct queue_message *m, bool explained)
{
    const struct envelope *e = m->envelope;
    json_t *j = json_object(), *rcpt = json_array();
    json_object_set_new(j, "id", json_string(m->id));
    json_object_set_new(j, "state", json_string(condition(m)));
    json_object_set_new(j, "received", moment(e->received_ms));
    json_object_set_new(j, "tenant", text(e->tenant));
    json_object_set_new(j, "sender", text(e->sender));
    json_object_set_new(j, "octets", json_integer((json_int_t)m->content_size));
    json_object_set_new(j, "attempts", json_integer(m->attempts));
    json_object_set_new(j, "next", m->held ? json_null() : moment(m->next_ms));
    if (explained) {
        json_object_set_new(j, "peer", text(e->peer));
        json_object_set_new(j, "helo", text(e->helo));
    }
    for (size_t i = 0; i < e->nrcpt; i++)
        json_array_append_new(rcpt, recipient(e->rcpt[i].address, &m->rcpt[i], explained));
    json_object_set_new(j, "recipients", rcpt);
    return j;
}
