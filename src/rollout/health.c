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

/* One organization, about one wave. */
struct rollout_teller {
    struct rollout_counts now, before;
    int64_t by_result[TLSRPT_NOT_TOLD + 1];
};

static void forget_tellers(struct map *tellers)
{
    void *teller;
    struct str name;
    for (size_t at = 0; map_next(tellers, &at, &name, &teller);)
        free(teller);
    map_release(tellers);
}

void rollout_health_release(struct rollout_health *h)
{
    map_release(&h->domain);
    map_release(&h->host);
    for (size_t i = 0; i < ROLLOUT_WAVES_MAX; i++)
        forget_tellers(&h->teller[i]);
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

/* ---- TLS reports ---- */

enum { TELLERS_MAX = 10000 };

/* Policy domain: the accepted domain or its MX host, senders differ; else the MX host that failed. */
static uintptr_t wave_of(const struct rollout_health *h, const struct rollout_row *row)
{
    uintptr_t found = (uintptr_t)map_get(&h->domain, row->domain);
    if (!found)
        found = (uintptr_t)map_get(&h->host, row->domain);
    return found ? found : (uintptr_t)map_get(&h->host, row->mx_host);
}

/* Beyond the most that are told apart they are one. */
static struct rollout_teller *teller_of(struct map *tellers, struct str organization)
{
    struct str name =
        tellers->count < TELLERS_MAX || map_get(tellers, organization) ? organization : STR("others");
    struct rollout_teller *t = map_get(tellers, name);
    if (t)
        return t;
    t = must_alloc(calloc(1, sizeof *t));
    (void)map_put(tellers, name, t);
    return t;
}

static void add(struct rollout_counts *to, struct rollout_counts more)
{
    to->good += more.good;
    to->bad += more.bad;
}

void rollout_health_row(struct rollout_health *h, const struct rollout_row *row)
{
    uintptr_t wave = wave_of(h, row);
    const struct rollout_times *t = wave ? &h->times[wave - 1] : NULL;
    if (!t || !t->begun_ms)
        return;
    bool now = row->end_ms > t->begun_ms && row->taken_ms >= t->begun_ms;
    bool before = row->end_ms <= t->first_ms && row->end_ms > t->first_ms - t->baseline_ms;
    if (!now && !before)
        return;
    struct rollout_teller *teller = teller_of(&h->teller[wave - 1], row->organization);
    add(now ? &teller->now : &teller->before, row->counts);
    if (now)
        teller->by_result[row->result] += row->counts.bad;
}

/* The organization and its most frequent result. */
static void name_worst(struct str organization, const struct rollout_teller *t, struct rollout_told *out)
{
    size_t worst = 0;
    for (size_t i = 1; i <= TLSRPT_NOT_TOLD; i++)
        if (t->by_result[i] > t->by_result[worst])
            worst = i;
    (void)str_copy(organization, out->organization, sizeof out->organization);
    (void)str_copy(str_of(tlsrpt_result_name((enum tlsrpt_result)worst)), out->result, sizeof out->result);
    out->sessions = t->by_result[worst];
}

void rollout_health_told(const struct rollout_health *h, size_t wave, const struct rollout_rules *rules,
                         struct rollout_told *out)
{
    const struct map *tellers = &h->teller[wave];
    struct str name, named = STR_NONE;
    const struct rollout_teller *worst = NULL;
    bool worst_is_worse = false;
    void *found;
    *out = (struct rollout_told){0};
    for (size_t at = 0; map_next(tellers, &at, &name, &found);) {
        const struct rollout_teller *t = found;
        bool is_worse = rollout_is_worse(rules, t->now, t->before);
        add(&out->now, t->now);
        add(&out->before, t->before);
        bool first = !worst || (is_worse && !worst_is_worse);
        if (t->now.bad && (first || (is_worse == worst_is_worse && t->now.bad > worst->now.bad))) {
            worst = t;
            worst_is_worse = is_worse;
            named = name;
        }
    }
    out->is_worse = worst_is_worse || rollout_is_worse(rules, out->now, out->before);
    if (worst)
        name_worst(named, worst, out);
}
