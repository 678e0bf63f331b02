/* MAIL and RCPT: the envelope. */
#include "smtpd/session_priv.h"

void transaction_reset(struct session *s)
{
    struct arena arena = s->t.arena;
    content_release(s);
    arena_release(&arena);
    s->t = (struct transaction){.arena = arena};
}

static struct str xtext(struct arena *a, struct str text)
{
    struct buf b = {0};
    bool ok = text.n && smtp_xtext_decode(text, &b);
    struct str out = ok ? arena_str(a, buf_str(&b)) : STR_NONE;
    buf_release(&b);
    return out;
}

static struct str orcpt(struct arena *a, struct str value)
{
    struct buf b = {0};
    if (value.n)
        smtp_orcpt_decode(value, &b);
    struct str out = value.n ? arena_str(a, buf_str(&b)) : STR_NONE;
    buf_release(&b);
    return out;
}

static enum answer syntax_answer(enum smtp_syntax syntax)
{
    return syntax == SMTP_SYNTAX_PARAM ? ANSWER_parameter : ANSWER_arguments;
}

static enum envelope_ret ret_of(enum smtp_ret ret)
{
    switch (ret) {
    case SMTP_RET_FULL:
        return ENVELOPE_RET_FULL;
    case SMTP_RET_HDRS:
        return ENVELOPE_RET_HDRS;
    case SMTP_RET_UNSAID:
        break;
    }
    return ENVELOPE_RET_UNSET;
}

/* What is wrong with this MAIL, or ANSWER_sender_ok. */
static enum answer judge_mail(struct session *s, const struct smtp_command *c, struct smtp_mail_params *p,
                              struct mail_address *sender)
{
    const char *why;
    if (s->t.has_mail)
        return ANSWER_nested_mail;
    if (mail_path_parse(c->path, MAIL_REVERSE_PATH, true, sender, NULL))
        return ANSWER_sender_syntax;
    enum smtp_syntax syntax = smtp_mail_params_parse(c, session_offered(s), p, &why);
    if (syntax)
        return syntax_answer(syntax);
    if (sender->has_utf8 && !p->is_utf8)
        return ANSWER_sender_utf8;
    if (p->has_size && p->size > (uint64_t)s->conf->max_message_size)
        return ANSWER_too_big;
    if (!s->outside->has_space(s->outside->ctx))
        return ANSWER_no_space;
    return ANSWER_sender_ok;
}

void verb_mail(struct session *s, const struct smtp_command *c)
{
    struct smtp_mail_params p = {0};
    struct mail_address sender;
    if (s->messages >= (uint64_t)s->conf->max_messages) {
        session_end(s, ANSWER_messages_full);
        return;
    }
    enum answer a = judge_mail(s, c, &p, &sender);
    if (a == ANSWER_sender_ok) {
        struct transaction *t = &s->t;
        t->has_mail = true;
        t->envelope = (struct envelope){.sender = arena_str(&t->arena, sender.text),
                                        .envid = xtext(&t->arena, p.envid),
                                        .ret = ret_of(p.ret),
                                        .smtputf8 = p.is_utf8,
                                        .peer = str_of(s->peer_text),
                                        .helo = buf_str(&s->helo)};
    }
    session_answer(s, a);
}

static void add_rcpt(struct transaction *t, struct str address, const struct smtp_rcpt_params *p)
{
    struct envelope *e = &t->envelope;
    if (e->nrcpt == t->rcpt_room) {
        t->rcpt_room = t->rcpt_room ? 4 * t->rcpt_room : 4;
        struct envelope_rcpt *grown = ARENA_ARRAY(&t->arena, struct envelope_rcpt, t->rcpt_room);
        if (e->nrcpt)
            memcpy(grown, e->rcpt, e->nrcpt * sizeof *grown);
        e->rcpt = grown;
    }
    e->rcpt[e->nrcpt++] = (struct envelope_rcpt){
        .address = arena_str(&t->arena, address),
        .orcpt = orcpt(&t->arena, p->orcpt),
        .notify = (uint8_t)p->notify,
    };
}

_Static_assert((int)SMTP_NOTIFY_NEVER == (int)ENVELOPE_NOTIFY_NEVER &&
                   (int)SMTP_NOTIFY_SUCCESS == (int)ENVELOPE_NOTIFY_SUCCESS &&
                   (int)SMTP_NOTIFY_FAILURE == (int)ENVELOPE_NOTIFY_FAILURE &&
                   (int)SMTP_NOTIFY_DELAY == (int)ENVELOPE_NOTIFY_DELAY,
               "the bits travel as they are");

static enum answer judge_rcpt(struct session *s, const struct smtp_command *c)
{
    struct transaction *t = &s->t;
    struct smtp_rcpt_params p = {0};
    struct mail_address rcpt;
    const char *why;
    if (!t->has_mail)
        return ANSWER_mail_first;
    if (t->in_bdat)
        return ANSWER_in_bdat;
    if (mail_path_parse(c->path, MAIL_FORWARD_PATH, true, &rcpt, NULL))
        return ANSWER_recipient_syntax;
    enum smtp_syntax syntax = smtp_rcpt_params_parse(c, session_offered(s), &p, &why);
    if (syntax)
        return syntax_answer(syntax);
    if (rcpt.has_utf8 && !t->envelope.smtputf8)
        return ANSWER_recipient_utf8;
    if (t->envelope.nrcpt >= (uint64_t)s->conf->max_recipients)
        return ANSWER_recipients_full;
    struct smtpd_question q = {
        .rcpt = &rcpt,
        .sender = t->envelope.sender,
        .peer = &s->peer,
        .certificate = s->has_tls && s->tls_info.has_peer_certificate ? s->tls_info.peer_sha256 : NULL,
        .settings = s->settings};
    struct smtpd_verdict v = s->outside->judge(s->outside->ctx, &q, &t->arena);
    if (v.answer == ANSWER_recipient_ok) {
        add_rcpt(t, v.address, &p);
        if (v.tenant.n && !t->envelope.tenant.n)
            t->envelope.tenant = arena_str(&t->arena, v.tenant);
    }
    return v.answer;
}

void verb_rcpt(struct session *s, const struct smtp_command *c)
{
    enum answer a = judge_rcpt(s, c);
    s->t.rcpt_refused |= s->t.has_mail && a != ANSWER_recipient_ok;
    session_answer(s, a);
}
