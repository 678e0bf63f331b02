/* The Received field (RFC 5321 section 4.4): the only thing that is added to a message. */
#include "mail/date.h"
#include "smtpd/session_priv.h"

static const char *protocol(const struct trace_facts *f)
{
    if (f->is_utf8)
        return f->tls ? "UTF8SMTPS" : "UTF8SMTP"; /* RFC 6531 section 4.3 */
    if (!f->is_ehlo)
        return f->tls ? "SMTPS" : "SMTP";
    return f->tls ? "ESMTPS" : "ESMTP";
}

/* Text inside a comment: what would end or quote it becomes "?". */
static void add_comment(struct buf *out, struct str text)
{
    for (size_t i = 0; i < text.n; i++) {
        char c = text.p[i];
        buf_add_char(out, c <= ' ' || c > '~' || c == '(' || c == ')' || c == '\\' ? '?' : c);
    }
}

void trace_write(const struct trace_facts *f, struct buf *out)
{
    char date[MAIL_DATE_TEXT];
    mail_date(f->now_ms, date);
    bool is_v6 = str_find_char(f->peer, ':') != SIZE_MAX;
    buf_printf(out, "Received: from %.*s ([%s%.*s])\r\n", STR_ARG(f->helo), is_v6 ? "IPv6:" : "",
               STR_ARG(f->peer));
    buf_printf(out, "\tby %.*s (Kedge) with %s id %s\r\n", STR_ARG(f->hostname), protocol(f), f->id);
    if (f->tls) {
        buf_printf(out, "\t(%s cipher=%s", f->tls->protocol, f->tls->cipher);
        if (f->tls->sni[0]) {
            buf_add(out, STR(" sni="));
            add_comment(out, str_of(f->tls->sni));
        }
        buf_add(out, STR(" level=encrypt);\r\n"));
    } else {
        buf_add(out, STR("\t(level=none);\r\n"));
    }
    buf_printf(out, "\t%s\r\n", date);
}
