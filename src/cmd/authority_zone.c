#include "cmd/authority_zone.h"

#include <unistd.h>

#include "base/base.h"
#include "cmd/authority_ksk.h"
#include "cmd/knotc.h"

enum { START_MS = 60000, PAUSE_MS = 100 };

static bool wait_for_knot(struct knotc *k)
{
    deadline until = deadline_in(START_MS);
    while (!KNOTC(k, "status")) {
        if (deadline_is_over(until))
            return false;
        usleep(PAUSE_MS * 1000);
    }
    return true;
}

static const char *ttl_text(const struct conf *conf, struct buf *out)
{
    buf_set(out, "%lld", (long long)((conf->authority_ttl + 999) / 1000));
    return buf_cstr(out);
}

static bool add_soa(struct knotc *k, const char *zone, const struct conf *conf)
{
    struct buf mname = {0}, rname = {0}, ttl = {0};
    buf_set(&mname, "%s.", conf->authority_server.v[0]);
    buf_set(&rname, "hostmaster.%s.", zone);
    bool fine = KNOTC(k, "zone-set", zone, "@", ttl_text(conf, &ttl), "SOA", buf_cstr(&mname),
                      buf_cstr(&rname), "1", "3600", "600", "604800", "60");
    buf_release(&mname);
    buf_release(&rname);
    buf_release(&ttl);
    return fine;
}

static bool has_server(struct str listed, const char *server)
{
    struct buf end = {0};
    buf_set(&end, " %s.", server);
    bool found = false;
    for (struct str line = str_cut(&listed, '\n'); line.n; line = str_cut(&listed, '\n'))
        found |= str_ends_nocase(line, buf_str(&end));
    buf_release(&end);
    return found;
}

/* Whether the NS records are those of the option. */
static bool has_servers(struct knotc *k, const char *zone, const struct conf_list *servers)
{
    if (!KNOTC(k, "zone-read", zone, "@", "NS"))
        return false;
    size_t lines = 0;
    for (size_t i = 0; i < k->said.n; i++)
        lines += k->said.p[i] == '\n';
    bool all = lines == servers->n;
    for (size_t i = 0; i < servers->n; i++)
        all &= has_server(buf_str(&k->said), servers->v[i]);
    return all;
}

static bool set_servers(struct knotc *k, const char *zone, const struct conf *conf, bool is_new)
{
    const struct conf_list *servers = &conf->authority_server;
    struct buf name = {0}, ttl = {0};
    bool fine = is_new || KNOTC(k, "zone-unset", zone, "@", "NS");
    for (size_t i = 0; fine && i < servers->n; i++) {
        buf_set(&name, "%s.", servers->v[i]);
        fine = KNOTC(k, "zone-set", zone, "@", ttl_text(conf, &ttl), "NS", buf_cstr(&name));
    }
    buf_release(&name);
    buf_release(&ttl);
    return fine;
}

static bool make_zone(struct knotc *k, const char *zone, const struct conf *conf)
{
    bool is_new = !KNOTC(k, "zone-read", zone, "@", "SOA");
    if (!is_new && has_servers(k, zone, &conf->authority_server))
        return true;
    bool fine = KNOTC(k, "zone-begin", zone);
    if (!fine) /* an earlier run left it half done */
        fine = KNOTC(k, "zone-abort", zone) && KNOTC(k, "zone-begin", zone);
    fine = fine && (!is_new || add_soa(k, zone, conf)) && set_servers(k, zone, conf, is_new) &&
           KNOTC(k, "zone-commit", zone);
    if (fine)
        log_event(LOG_INFO, is_new ? "zone-made" : "zone-servers-changed", LOG_TEXT("zone", zone));
    return fine;
}

static void log_ds(struct knotc *k, const char *zone)
{
    struct buf text = {0};
    if (authority_ksk_wanted(k, zone, &text)) {
        struct str lines = buf_str(&text);
        for (struct str line = str_cut(&lines, '\n'); line.n; line = str_cut(&lines, '\n'))
            log_event(LOG_INFO, "zone-ds", LOG_TEXT("zone", zone), LOG_STR("ds", line));
    }
    buf_release(&text);
}

int authority_zones_tend(const struct conf *conf)
{
    struct knotc k = {0};
    knotc_open(&k, conf);
    bool fine = wait_for_knot(&k);
    for (size_t i = 0; fine && i < conf->authority_zone.n; i++) {
        fine = make_zone(&k, conf->authority_zone.v[i], conf);
        if (fine)
            log_ds(&k, conf->authority_zone.v[i]);
    }
    if (fine)
        authority_ksk_watch(&k, conf);
    if (!fine)
        log_event(LOG_ERROR, "zones-not-made", LOG_STR("why", str_trim(buf_str(&k.said))));
    knotc_close(&k);
    return fine ? EXIT_OK : EXIT_FAILED;
}
