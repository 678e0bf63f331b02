#include "smtpd/judge.h"

#include "dns/name.h"
#include "smtpd/postmaster.h"

static struct smtpd_verdict refused(enum answer a)
{
    return (struct smtpd_verdict){.answer = a};
}

/* Routing hidden in a local part: a mailbox host might follow it ("user%other@ours", "other!user",
 * "\"a@b\""). */
static bool is_disguise(struct str local)
{
    return str_find_char(local, '@') != SIZE_MAX || str_find_char(local, '%') != SIZE_MAX ||
           str_find_char(local, '!') != SIZE_MAX;
}

static struct smtpd_verdict accepted_domain(const struct directory_view *v, const struct smtpd_question *q,
                                            const struct dir_domain *domain, struct arena *a)
{
    struct str local = mail_local_unquoted(a, q->rcpt);
    if (is_disguise(local))
        return refused(ANSWER_disguise);
    if (domain->recipients == DIR_RECIPIENTS_LIST && !mail_is_postmaster(q->rcpt) &&
        !directory_recipient(v, domain->domain, local))
        return refused(ANSWER_recipient_unknown);
    return (struct smtpd_verdict){.answer = ANSWER_recipient_ok, .address = q->rcpt->text};
}

static struct smtpd_verdict relay(const struct directory_view *v, const struct smtpd_question *q,
                                  struct arena *a)
{
    struct dir_tenant tenant;
    if (!(q->certificate && directory_relay_by_certificate(v, a, q->certificate, &tenant)) &&
        !directory_relay_by_address(v, a, q->peer, &tenant))
        return refused(ANSWER_relay_denied);
    struct str sender;
    /* The null path is how a tenant's own servers send their notifications. */
    if (q->sender.n && (dns_name_normalise(a, mail_domain_of(q->sender), &sender) ||
                        !directory_tenant_may_send_as(v, tenant.id, sender)))
        return refused(ANSWER_sender_denied);
    return (struct smtpd_verdict){
        .answer = ANSWER_recipient_ok, .address = q->rcpt->text, .tenant = tenant.name};
}

static struct smtpd_verdict postmaster(const struct directory_view *v, const struct smtpd_question *q,
                                       struct arena *a)
{
    struct str mailbox;
    if (!postmaster_find(v, a, q->settings->hostname, q->settings->postmaster, &mailbox))
        return refused(ANSWER_postmaster_missing);
    return (struct smtpd_verdict){.answer = ANSWER_recipient_ok, .address = mailbox};
}

/* The recipient of a domain that leaves the word to its mailbox host. */
static struct smtpd_verdict asked(const struct judge_args *j, const struct smtpd_question *q,
                                  const struct dir_domain *domain, struct arena *a)
{
    const struct ask_question question = {.domain = domain,
                                          .address = q->rcpt->text,
                                          .needs_utf8 = q->rcpt->has_utf8,
                                          .conf = q->settings->conf};
    switch (j->ask ? ask_recipient(j->ask, &question, a) : ASK_UNSURE) {
    case ASK_EXISTS:
        return (struct smtpd_verdict){.answer = ANSWER_recipient_ok, .address = q->rcpt->text};
    case ASK_UNKNOWN:
        return refused(ANSWER_recipient_unknown);
    case ASK_UNSURE:
        break;
    }
    return refused(ANSWER_recipient_unverified);
}

struct smtpd_verdict judge_recipient(const struct judge_args *j, const struct smtpd_question *q,
                                     struct arena *a)
{
    struct str name = STR_NONE;
    if (q->rcpt->is_literal)
        return refused(ANSWER_relay_denied);
    if (q->rcpt->domain.n && dns_name_normalise(a, q->rcpt->domain, &name))
        return refused(ANSWER_recipient_syntax);
    struct buf why = {0};
    struct directory_view view = {0};
    struct dir_domain domain = {0};
    struct smtpd_verdict verdict;
    if (directory_begin(j->directory, &view, &why) || directory_epoch(&view) == 0)
        verdict = refused(ANSWER_directory_trouble);
    else if (!name.n)
        verdict = postmaster(&view, q, a);
    else if (directory_domain(&view, a, name, &domain))
        verdict = accepted_domain(&view, q, &domain, a);
    else if (mail_is_postmaster(q->rcpt) && str_equal_nocase(name, q->settings->hostname))
        verdict = postmaster(&view, q, a);
    else
        verdict = relay(&view, q, a);
    directory_end(&view); /* before a word to the mailbox host */
    buf_release(&why);
    bool must_ask = domain.recipients == DIR_RECIPIENTS_ASK && !mail_is_postmaster(q->rcpt);
    return must_ask && verdict.answer == ANSWER_recipient_ok ? asked(j, q, &domain, a) : verdict;
}
