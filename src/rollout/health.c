#include "rollout/health.h"

#include <jansson.h>

#include "dns/name.h"
#include "mail/address.h"

void rollout_health_add(struct rollout_health *h, struct str domain, struct str host, size_t wave)
{
    (void)map_put(&h->domain, domain, (void *)(uintptr_t)(wave + 1));
    if (host.n)
        (void)map_put(&h->host, host, (void *)(uintptr_t)(wave + 1));
}

void rollout_health_from(struct rollout_health *h, size_t wave, int64_t ms)
{
    clock_iso(ms, h->from[wave]);
}

void rollout_health_release(struct rollout_health *h)
{
    map_release(&h->domain);
    map_release(&h->host);
    *h = (struct rollout_health){0};
}

/* Times of the journal and ours have one form: they sort as text. */
static struct rollout_counts *counts_for(struct rollout_health *h, const struct map *names, struct str name,
                                         const char *time)
{
    struct arena a = {0};
    struct str normal;
    bool good = dns_name_normalise(&a, name, &normal) == OK;
    uintptr_t found = good ? (uintptr_t)map_get(names, normal) : 0;
    arena_release(&a);
    if (!found || !h->from[found - 1][0] || strcmp(time, h->from[found - 1]) < 0 ||
        (h->to[0] && strcmp(time, h->to) >= 0))
        return NULL;
    return &h->count[found - 1];
}

static struct str text_of(const json_t *event, const char *name)
{
    return str_of(json_string_value(json_object_get(event, name)));
}

/* smtpd took a message. */
static void take_received(struct rollout_health *h, const json_t *event, const char *time)
{
    const json_t *recipients = json_object_get(event, "recipients");
    for (size_t i = 0; i < json_array_size(recipients); i++) {
        struct str address = str_of(json_string_value(json_array_get(recipients, i)));
        struct rollout_counts *c = counts_for(h, &h->domain, mail_domain_of(address), time);
        if (c)
            c->good++;
    }
}

/* A client that asked for the MX host by name, shook hands, and left without MAIL, or refused the certificate
 * already in the handshake: that is what a sender does to whom the TLSA records promise another key. A
 * handshake that failed in another way says nothing of keys. */
static void take_session(struct rollout_health *h, const json_t *event, const char *time)
{
    struct str sni = text_of(event, "sni");
    bool failed = str_equal(text_of(event, "end"), STR("handshake"));
    if (failed && !json_is_true(json_object_get(event, "certificate_refused")))
        return;
    if (!sni.n || json_integer_value(json_object_get(event, "messages")) ||
        json_integer_value(json_object_get(event, "refusals")) ||
        str_equal_nocase(text_of(event, "helo"), h->own))
        return;
    struct rollout_counts *c = counts_for(h, &h->host, sni, time);
    if (c)
        c->bad++;
}

/* deliver brought it to the mailbox host, or did not. */
static void take_attempt(struct rollout_health *h, const json_t *event, const char *time)
{
    struct rollout_counts *c = counts_for(h, &h->domain, text_of(event, "domain"), time);
    if (!c || str_equal(text_of(event, "reason"), STR("stopping")))
        return;
    if (str_equal(text_of(event, "verdict"), STR("delivered")))
        c->good++;
    else
        c->bad++;
}

void rollout_health_take(struct rollout_health *h, struct str line)
{
    json_t *event = json_loadb(line.p, line.n, 0, NULL);
    const char *time = json_string_value(json_object_get(event, "time"));
    struct str kind = text_of(event, "event");
    if (time && str_equal(kind, STR("received")))
        take_received(h, event, time);
    else if (time && str_equal(kind, STR("session")))
        take_session(h, event, time);
    else if (time && str_equal(kind, STR("attempt")))
        take_attempt(h, event, time);
    json_decref(event);
}
