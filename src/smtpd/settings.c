#include "smtpd/settings.h"

#include "mail/mail.h"

static enum err parse_networks(struct smtpd_settings *s, const struct conf_list *list, const char *option,
                               struct smtpd_networks *out, struct buf *why)
{
    out->v = ARENA_ARRAY(&s->arena, struct net_prefix, list->n);
    for (out->n = 0; out->n < list->n; out->n++)
        if (!prefix_parse(str_of(list->v[out->n]), &out->v[out->n])) {
            buf_set(why, "%s: %s is not a network such as 192.0.2.0/24 or 2001:db8::/32", option,
                    list->v[out->n]);
            return ERR_MALFORMED;
        }
    return OK;
}

static enum err check_postmaster(struct str mailbox, struct buf *why)
{
    struct mail_address ignored;
    if (!mailbox.n || mail_address_parse(mailbox, false, &ignored, NULL) == OK)
        return OK;
    buf_set(why, "postmaster: %.*s is not a mailbox such as postmaster@example.org", STR_ARG(mailbox));
    return ERR_MALFORMED;
}

enum err smtpd_settings_new(const struct conf *conf, struct smtpd_settings **out, struct buf *why)
{
    struct smtpd_settings *s = must_alloc(calloc(1, sizeof *s));
    s->conf = conf;
    s->hostname = str_of(conf->hostname);
    s->postmaster = str_of(conf->postmaster);
    enum err e = check_postmaster(s->postmaster, why);
    if (!e)
        e = parse_networks(s, &conf->proxy_networks, "proxy_networks", &s->proxies, why);
    if (!e)
        e = parse_networks(s, &conf->normalise_networks, "normalise_networks", &s->normalising, why);
    if (e) {
        smtpd_settings_free(s);
        return e;
    }
    *out = s;
    return OK;
}

void smtpd_settings_free(struct smtpd_settings *s)
{
    if (s)
        arena_release(&s->arena);
    free(s);
}

bool smtpd_networks_contain(const struct smtpd_networks *n, const struct addr *a)
{
    for (size_t i = 0; i < n->n; i++)
        if (prefix_contains(&n->v[i], a))
            return true;
    return false;
}
