#include "smtpd/postmaster.h"

#include "dns/name.h"
#include "mail/mail.h"

bool postmaster_find(const struct directory_view *v, struct arena *a, struct str hostname, struct str option,
                     struct str *mailbox)
{
    struct str own, domain;
    struct dir_domain accepted;
    *mailbox = option.n ? option : arena_printf(a, "postmaster@%.*s", STR_ARG(hostname));
    if (dns_name_normalise(a, hostname, &own) || dns_name_normalise(a, mail_domain_of(*mailbox), &domain))
        return false;
    return !str_equal(domain, own) || directory_domain(v, a, own, &accepted);
}

void postmaster_advice(struct str hostname, struct buf *out)
{
    buf_printf(
        out,
        "mail for postmaster is answered 451, because nobody would get it: set the option postmaster to a "
        "mailbox, or make %.*s an accepted domain (RFC 5321 section 4.5.1 demands a postmaster)",
        STR_ARG(hostname));
}
