#include "cmd/authority_ksk.h"

#include <unistd.h>

#include "dns/resolver.h"
#include "net/addr.h"
#include "zone/delegation.h"

enum { WANTED_MAX = 8, REMIND_MS = 86400000, LEAST_MS = 1000, AGAIN_MS = 60000, VAIN_MAX = 3 };

bool authority_ksk_wanted(struct knotc *k, const char *zone, struct buf *out)
{
    size_t before = out->n;
    if (!KNOTC(k, "zone-read", zone, "@", "CDS"))
        return false;
    struct str lines = buf_str(&k->said); /* "[zone.] zone. 0 CDS 52926 13 2 6E4D..." */
    for (struct str line = str_cut(&lines, '\n'); line.n; line = str_cut(&lines, '\n')) {
        size_t at = str_find(line, STR(" CDS "));
        if (at != SIZE_MAX)
            buf_printf(out, "%.*s\n", STR_ARG(str_from(line, at + 5)));
    }
    return out->n > before;
}

struct watched {
    const char *zone;
    struct buf wanted;
    bool is_done;  /* Knot was told, or has nothing to be told */
    unsigned vain; /* times that Knot had no key to go on with */
    int64_t seen;  /* clock_mono: when it was first seen at the parent; 0: it is not */
    int64_t until; /* when Knot may be told */
    int64_t told;  /* when the operator was last told that it is awaited; 0: not yet */
};

static void tell_awaited(struct watched *w, const struct zone_delegation *d)
{
    struct buf text = {0};
    if (w->told && clock_mono() - w->told < REMIND_MS)
        return;
    w->told = clock_mono();
    for (size_t i = 0; i < d->n; i++) {
        if (!d->ds[i].is_wanted)
            continue;
        buf_clear(&text);
        zone_ds_text(&text, d->ds[i].rdata);
        log_event(LOG_WARN, "zone-ds-awaited", LOG_TEXT("zone", w->zone), LOG_STR("ds", buf_str(&text)),
                  LOG_STR("why", d->why),
                  LOG_TEXT("next", "enter this DS record at the parent, and leave those that are there"));
    }
    buf_release(&text);
}

/* The old key goes at once. That no key is ready is the rule after a restart: the one that is named in CDS
 * has taken over long ago. */
static void confirm(struct knotc *k, struct watched *w)
{
    bool told = KNOTC(k, "zone-ksk-submitted", w->zone);
    bool in_vain = !told && str_find(buf_str(&k->said), STR("no key ready")) != SIZE_MAX;
    w->vain += in_vain;
    w->is_done = told || w->vain >= VAIN_MAX;
    w->until = clock_mono() + AGAIN_MS;
    if (told)
        log_event(LOG_INFO, "zone-ksk-took-over", LOG_TEXT("zone", w->zone),
                  LOG_STR("ds", str_trim(buf_str(&w->wanted))),
                  LOG_TEXT("next", "other DS records of the zone may be removed at the parent"));
    else if (!in_vain)
        log_event(LOG_ERROR, "zone-ksk-not-confirmed", LOG_TEXT("zone", w->zone),
                  LOG_STR("why", str_trim(buf_str(&k->said))));
}

/* What the resolver has to say on the records that are wanted. */
static void judge(const struct conf *conf, struct resolver *resolver, const struct watched *w,
                  struct arena *a, uint32_t *ttl, struct zone_delegation *out)
{
    struct dns_question q[] = {{str_of(w->zone), DNS_DS}, {str_of(w->zone), DNS_DNSKEY}};
    struct dns_answer said[2];
    struct str wanted[WANTED_MAX], lines = buf_str(&w->wanted);
    struct buf rdata = {0};
    size_t n = 0;
    for (struct str line = str_cut(&lines, '\n'); line.n && n < WANTED_MAX; line = str_cut(&lines, '\n')) {
        if (!zone_ds_read(line, &rdata)) {
            n = 0; /* nothing is decided about what is not understood */
            break;
        }
        wanted[n++] = arena_str(a, buf_str(&rdata));
    }
    resolver_ask_many(resolver, a, q, 2, deadline_in(conf->resolver_timeout), said);
    zone_delegation_judge(a, wanted, n, &said[0], &said[1], out);
    *ttl = said[0].ttl;
    buf_release(&rdata);
}

static void look(struct knotc *k, const struct conf *conf, struct resolver *resolver, struct watched *w)
{
    struct arena a = {0};
    struct zone_delegation d;
    uint32_t ttl;
    judge(conf, resolver, w, &a, &ttl, &d);
    int64_t now = clock_mono();
    if (d.sight == ZONE_DS_MISSING) {
        w->seen = 0;
        tell_awaited(w, &d);
    } else if (d.sight == ZONE_DS_SEEN) { /* unknown: what was seen stays seen, but nothing is decided */
        if (!w->seen) {
            w->seen = now;
            w->until = now + (int64_t)ttl * 1000 + conf->authority_parent_delay;
            log_event(LOG_INFO, "zone-ds-seen", LOG_TEXT("zone", w->zone),
                      LOG_STR("ds", str_trim(buf_str(&w->wanted))),
                      LOG_NUM("wait_s", (w->until - now) / 1000));
        }
        if (now >= w->until)
            confirm(k, w);
    }
    arena_release(&a);
}

/* False when Knot does not answer. */
static bool watch_one(struct knotc *k, const struct conf *conf, struct resolver *resolver, struct watched *w)
{
    struct buf wanted = {0};
    bool answers = authority_ksk_wanted(k, w->zone, &wanted) || KNOTC(k, "status");
    if (!str_equal(buf_str(&wanted), buf_str(&w->wanted))) { /* another key, or the first */
        w->is_done = false;
        w->vain = 0;
        w->seen = w->told = 0;
        buf_set(&w->wanted, "%s", buf_cstr(&wanted));
    }
    if (w->wanted.n && !w->is_done)
        look(k, conf, resolver, w);
    buf_release(&wanted);
    return answers;
}

void authority_ksk_watch(struct knotc *k, const struct conf *conf)
{
    struct addr at;
    size_t n = conf->authority_zone.n;
    struct watched *all = must_alloc(calloc(n, sizeof *all));
    ENSURE(addr_parse(str_of(conf->resolver), 53, &at));
    struct resolver *resolver = resolver_new(&(struct resolver_conf){.address = at});
    int64_t pause = conf->zone_interval > LEAST_MS ? conf->zone_interval : LEAST_MS;
    for (bool answers = true; answers;) {
        for (size_t i = 0; i < n && answers; i++) {
            all[i].zone = conf->authority_zone.v[i];
            answers = watch_one(k, conf, resolver, &all[i]);
        }
        usleep((useconds_t)(answers ? pause * 1000 : 0));
    }
    for (size_t i = 0; i < n; i++)
        buf_release(&all[i].wanted);
    free(all);
    resolver_free(resolver);
}
