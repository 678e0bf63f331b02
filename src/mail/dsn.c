#include "mail/dsn.h"

#include "mail/date.h"
#include "mail/header.h"

/* RFC 5322 allows 998 octets a line; what we quote is cut well before. */
enum { LINE_MAX_TEXT = 800 };

const char *dsn_action_text(enum dsn_action action)
{
    static const char *const names[] = {
#define X(name, text) text,
        DSN_ACTION_TABLE(X)
#undef X
    };
    return names[action];
}

bool dsn_is_wanted(const struct envelope *e, size_t rcpt, enum dsn_action action)
{
    uint8_t notify = e->rcpt[rcpt].notify;
    if (e->sender.n == 0)
        return false;
    switch (action) {
    case DSN_FAILED:
        return !notify || (notify & ENVELOPE_NOTIFY_FAILURE);
    case DSN_DELAYED:
        return !notify || (notify & ENVELOPE_NOTIFY_DELAY);
    case DSN_DELIVERED:
    case DSN_RELAYED:
        return notify & ENVELOPE_NOTIFY_SUCCESS;
    }
    return false;
}

static bool has_8bit(struct str s)
{
    for (size_t i = 0; i < s.n; i++)
        if ((unsigned char)s.p[i] > 127)
            return true;
    return false;
}

/* Text of others on one line: control characters become blanks, and it is cut to a length that fits. */
static void add_clean(struct buf *out, struct str text)
{
    text = str_sub(text, 0, LINE_MAX_TEXT);
    while (text.n == LINE_MAX_TEXT && ((unsigned char)text.p[text.n - 1] & 0xC0) == 0x80)
        text.n--; /* not in the middle of a character */
    for (size_t i = 0; i < text.n; i++) {
        unsigned char c = (unsigned char)text.p[i];
        buf_add_char(out, c < 32 || c == 127 ? ' ' : (char)c);
    }
}

static void field(struct buf *out, const char *name, const char *type, struct str value)
{
    if (value.n == 0)
        return;
    buf_printf(out, "%s: %s", name, type);
    add_clean(out, value);
    buf_add(out, STR("\r\n"));
}

static void field_date(struct buf *out, const char *name, int64_t ms)
{
    char date[MAIL_DATE_TEXT];
    if (!ms)
        return;
    mail_date(ms, date);
    field(out, name, "", str_of(date));
}

static bool any(const struct dsn *d, enum dsn_action action)
{
    for (size_t i = 0; i < d->rcpt_count; i++)
        if (d->rcpt[i].action == action)
            return true;
    return false;
}

static bool needs_utf8(const struct dsn *d)
{
    if (has_8bit(d->envelope->sender))
        return true;
    for (size_t i = 0; i < d->rcpt_count; i++)
        if (has_8bit(d->rcpt[i].address) || has_8bit(d->rcpt[i].orcpt))
            return true;
    return d->envelope->smtputf8 && has_8bit(header_section(d->message));
}

/* A server may answer in UTF-8; only a notification for people who speak it may say so. */
static void make_ascii(struct buf *text)
{
    for (size_t i = 0; i < text->n; i++)
        if ((unsigned char)text->p[i] > 127)
            text->p[i] = '?';
}

static const char *introduction(const struct dsn *d)
{
    if (any(d, DSN_FAILED))
        return "your message could not be delivered to one or more recipients. It will not be tried "
               "again;\r\n"
               "the reasons stand below.\r\n";
    if (any(d, DSN_DELAYED))
        return "your message could not be delivered yet to the recipients below. This is a warning only:\r\n"
               "you need not send it again, delivery is still being tried.\r\n";
    return "you asked to be told when your message has gone on its way. It was accepted for the "
           "recipients\r\n"
           "below.\r\n";
}

static void write_human(const struct dsn *d, struct buf *out)
{
    buf_add(out, STR("This is the mail system at "));
    add_clean(out, d->reporting_mta);
    buf_printf(out, ":\r\n%s", introduction(d));
    for (size_t i = 0; i < d->rcpt_count; i++) {
        const struct dsn_rcpt *r = &d->rcpt[i];
        buf_add(out, STR("\r\n<"));
        add_clean(out, r->address);
        buf_printf(out, ">: %s\r\n", dsn_action_text(r->action));
        field(out, "    what happened", "", r->sentence);
        field(out, "    reason", "", r->reason);
        field(out, "    host", "", r->remote_mta);
        field(out, "    its reply", "", r->diagnostic);
        for (size_t k = 0; k < r->evidence_count; k++)
            field(out, "    evidence", "", r->evidence[k]);
        if (r->action == DSN_DELAYED)
            field_date(out, "    will be tried until", r->retry_until_ms);
        if (r->action == DSN_RELAYED)
            buf_add(
                out,
                STR("    That host sends no notifications of its own: this is the last you will hear.\r\n"));
    }
    buf_add(out, STR("\r\nIf you need help, show this whole message to your postmaster.\r\n"));
}

static void write_status(const struct dsn *d, struct buf *out)
{
    field(out, "Reporting-MTA", "dns; ", d->reporting_mta);
    field(out, "Original-Envelope-Id", "", d->envelope->envid);
    field_date(out, "Arrival-Date", d->envelope->received_ms);
    field(out, "X-Kedge-Queue-ID", "", d->envelope->id);
    for (size_t i = 0; i < d->rcpt_count; i++) {
        const struct dsn_rcpt *r = &d->rcpt[i];
        buf_add(out, STR("\r\n"));
        size_t semicolon = str_find_char(r->orcpt, ';');
        if (semicolon != SIZE_MAX) {
            struct buf type = {0};
            buf_printf(&type, "%.*s; ", (int)(semicolon > 64 ? 64 : semicolon), r->orcpt.p);
            field(out, "Original-Recipient", buf_cstr(&type), str_from(r->orcpt, semicolon + 1));
            buf_release(&type);
        }
        field(out, "Final-Recipient", has_8bit(r->address) ? "utf-8; " : "rfc822; ", r->address);
        field(out, "Action", "", str_of(dsn_action_text(r->action)));
        field(out, "Status", "", r->status);
        field(out, "Remote-MTA", "dns; ", r->remote_mta);
        field(out, "Diagnostic-Code", "smtp; ", r->diagnostic);
        field_date(out, "Last-Attempt-Date", r->last_attempt_ms);
        if (r->action == DSN_DELAYED)
            field_date(out, "Will-Retry-Until", r->retry_until_ms);
        field(out, "X-Kedge-Reason", "", r->reason);
    }
}

static void write_header(const struct dsn *d, struct str boundary, struct buf *out)
{
    struct arena a = {0};
    struct str id;
    buf_add(out, STR("From: Mail Delivery System <MAILER-DAEMON@"));
    add_clean(out, d->reporting_mta);
    buf_add(out, STR(">\r\nTo: <"));
    add_clean(out, d->envelope->sender);
    buf_printf(out, ">\r\nSubject: %s\r\n",
               any(d, DSN_FAILED)    ? "Undelivered mail: returned to sender"
               : any(d, DSN_DELAYED) ? "Delayed mail: still being tried"
                                     : "Delivered mail: notification as requested");
    field_date(out, "Date", d->now_ms);
    buf_printf(out, "Message-ID: <%.*s.dsn@%.*s>\r\n", STR_ARG(d->unique), STR_ARG(d->reporting_mta));
    if (header_value(header_section(d->message), STR("Message-ID"), &a, &id) && id.n > 2 && id.n < 250 &&
        id.p[0] == '<' && str_find_char(id, '>') == id.n - 1)
        field(out, "References", "", id);
    buf_add(out,
            STR("Auto-Submitted: auto-replied\r\nMIME-Version: 1.0\r\nContent-Type: multipart/report;\r\n"
                "\treport-type=delivery-status; boundary=\""));
    buf_add(out, boundary);
    buf_add(out, STR("\"\r\n"));
    arena_release(&a);
}

static void add_part(struct buf *out, struct str boundary, const char *type, const char *description,
                     struct str body)
{
    buf_printf(out, "\r\n--%.*s\r\nContent-Type: %s\r\nContent-Description: %s\r\n", STR_ARG(boundary), type,
               description);
    if (has_8bit(body))
        buf_add(out, STR("Content-Transfer-Encoding: 8bit\r\n"));
    buf_add(out, STR("\r\n"));
    buf_add(out, body);
}

/* A boundary that no line of the parts can contain. */
static void choose_boundary(const struct dsn *d, struct str human, struct str returned, struct buf *boundary)
{
    buf_printf(boundary, "=_kedge.%.*s", STR_ARG(d->unique));
    while (str_find(returned, buf_str(boundary)) != SIZE_MAX ||
           str_find(human, buf_str(boundary)) != SIZE_MAX)
        buf_add_char(boundary, '=');
}

struct dsn_needs dsn_write(const struct dsn *d, struct buf *out)
{
    ENSURE(d->rcpt_count > 0);
    struct buf human = {0}, status = {0}, boundary = {0};
    bool utf8 = needs_utf8(d);
    /* RFC 3461 section 5.2: RET=FULL is for failures; other notifications return the header only. */
    bool full = any(d, DSN_FAILED) && d->envelope->ret != ENVELOPE_RET_HDRS && !d->is_cut &&
                d->message.n <= d->max_returned;
    struct str returned = full ? d->message : header_section(d->message);
    size_t start = out->n;
    write_human(d, &human);
    write_status(d, &status);
    if (!utf8) {
        make_ascii(&human);
        make_ascii(&status);
    }
    choose_boundary(d, buf_str(&human), returned, &boundary);
    write_header(d, buf_str(&boundary), out);
    buf_add(out, STR("\r\nThis is a delivery status notification in MIME format (RFC 3464).\r\n"));
    add_part(out, buf_str(&boundary), "text/plain; charset=utf-8", "Notification", buf_str(&human));
    add_part(out, buf_str(&boundary), utf8 ? "message/global-delivery-status" : "message/delivery-status",
             "Delivery report", buf_str(&status));
    if (full)
        add_part(out, buf_str(&boundary), utf8 ? "message/global" : "message/rfc822", "Undelivered message",
                 returned);
    else
        add_part(out, buf_str(&boundary), utf8 ? "message/global-headers" : "text/rfc822-headers",
                 "Header of the message", returned);
    buf_printf(out, "\r\n--%s--\r\n", buf_cstr(&boundary));
    struct dsn_needs needs = {.smtputf8 = utf8,
                              .body_8bit = has_8bit(str_make(out->p + start, out->n - start))};
    buf_release(&human);
    buf_release(&status);
    buf_release(&boundary);
    return needs;
}
