#include "inspect/gather.h"

#include "dns/name.h"
#include "inspect/dial.h"
#include "inspect/route.h"
#include "inspect/servers.h"
#include "inspect/sts_fetch.h"

enum { DIALS_MAX = 16, OTHERS_MAX = 16 };

/* One thing that is looked at beside others. */
struct part {
    struct gathering *g;
    struct arena *arena;
    struct facts_server *server; /* one of these three */
    struct facts_dial *dial;
    struct sts_facts *sts;
    const struct dns_question *questions; /* of the server */
    size_t n;
};

struct gathering {
    struct facts *f;
    const struct gather_conf *conf;
    struct servers_conf servers;
    struct zones *zones;
    pthread_mutex_t lock;
    pthread_cond_t done;
    size_t running;
    struct part *parts;
    size_t count;
};

static void look(const struct part *p)
{
    const struct facts *f = p->g->f;
    const struct gather_conf *conf = p->g->conf;
    if (conf->is_over && conf->is_over(conf->over_ctx))
        return;
    if (p->server) {
        servers_ask(p->arena, p->server, p->questions, p->n, conf->server_ms);
    } else if (p->dial) {
        struct dial_conf dialled = {.tls = conf->tls,
                                    .source = addr_is_v6(&p->dial->to) ? conf->source6 : conf->source4,
                                    .hello = conf->hello,
                                    .host = f->expected,
                                    .domain = f->domain,
                                    .tlsa = &f->tlsa,
                                    .connect_ms = conf->connect_ms,
                                    .smtp_ms = conf->smtp_ms};
        dial(&dialled, p->dial, p->arena);
    } else {
        struct sts_fetch_conf sts = {.source = conf->source,
                                     .ca_file = conf->ca_file,
                                     .dns_ms = conf->dns_ms,
                                     .http_ms = conf->http_ms};
        sts_look(p->arena, f->domain, &sts, p->sts);
    }
}

static void run_part(void *arg)
{
    struct part *p = arg;
    struct gathering *g = p->g;
    look(p);
    pthread_mutex_lock(&g->lock);
    if (--g->running == 0)
        pthread_cond_signal(&g->done);
    pthread_mutex_unlock(&g->lock);
}

/* Those from `first` on, at the same time. */
static void run_parts(struct gathering *g, size_t first)
{
    g->running = g->count - first;
    size_t end = g->count;
    for (size_t i = first; i < end; i++)
        if (crew_start(g->conf->crew, run_part, &g->parts[i], NULL))
            run_part(&g->parts[i]);
    pthread_mutex_lock(&g->lock);
    while (g->running)
        (void)thread_cond_wait(&g->done, &g->lock, DEADLINE_NEVER);
    pthread_mutex_unlock(&g->lock);
}

static void make_parts(struct gathering *g, size_t most)
{
    g->f->parts = ARENA_ARRAY(g->f->arena, struct arena, most);
    g->parts = ARENA_ARRAY(g->f->arena, struct part, most);
}

static struct part *add_part(struct gathering *g)
{
    struct part *p = &g->parts[g->count];
    *p = (struct part){.g = g, .arena = &g->f->parts[g->count]};
    g->f->part_count = ++g->count;
    return p;
}

/* Besides those about the zone itself: see zones.h. */
static struct dns_question *server_questions(const struct gathering *g, bool is_domain, bool is_host,
                                             size_t *n)
{
    const struct facts *f = g->f;
    struct dns_question *q = ARENA_ARRAY(f->arena, struct dns_question, 6);
    *n = 0;
    if (is_domain)
        q[(*n)++] = (struct dns_question){f->domain, DNS_MX};
    if (is_domain && g->conf->asks_sts)
        q[(*n)++] = (struct dns_question){facts_sts_name(f), DNS_TXT};
    if (is_host) {
        q[(*n)++] = (struct dns_question){f->expected, DNS_A};
        q[(*n)++] = (struct dns_question){f->expected, DNS_AAAA};
        q[(*n)++] = (struct dns_question){dns_name_tlsa(f->arena, f->port, f->expected), DNS_TLSA};
        q[(*n)++] =
            (struct dns_question){arena_printf(f->arena, "_tcp.%.*s", STR_ARG(f->expected)), DNS_TLSA};
    }
    return q;
}

static void add_servers(struct gathering *g, struct facts_zone *z, bool is_domain, bool is_host)
{
    size_t n;
    struct dns_question *questions = server_questions(g, is_domain, is_host, &n);
    for (size_t i = 0; i < z->n; i++) {
        struct part *p = add_part(g);
        p->server = &z->servers[i];
        p->questions = questions;
        p->n = n;
    }
}

/* Both families of the MX host, what can be reached from here. */
static void find_addresses(struct facts *f)
{
    const struct dns_answer *both[] = {&f->aaaa, &f->a};
    f->dials = ARENA_ARRAY(f->arena, struct facts_dial, 2 * DIALS_MAX);
    for (size_t i = 0; i < 2; i++)
        for (size_t k = 0; both[i]->status == DNS_DATA && k < both[i]->n && f->dial_count < DIALS_MAX; k++) {
            struct addr to = both[i]->records[k].addr;
            addr_set_port(&to, f->port);
            if (route_exists(&to))
                f->dials[f->dial_count++] = (struct facts_dial){.to = to, .asked = DIAL_ANY};
        }
}

/* Those that showed one algorithm are asked for the other. */
static void dial_again(struct gathering *g)
{
    struct facts *f = g->f;
    size_t first = f->dial_count, began = g->count;
    for (size_t i = 0; i < first; i++) {
        if (f->dials[i].end != DIAL_DONE)
            continue;
        struct facts_dial *d = &f->dials[f->dial_count++];
        *d = (struct facts_dial){.to = f->dials[i].to,
                                 .asked = f->dials[i].shown == DIAL_RSA ? DIAL_ECDSA : DIAL_RSA};
        add_part(g)->dial = d;
    }
    run_parts(g, began);
}

static void ask_resolver(struct facts *f, const struct gather_conf *conf)
{
    struct dns_question q[] = {
        {f->domain, DNS_MX},
        {f->domain, DNS_CNAME},
        {dns_name_tlsa(f->arena, f->port, f->domain), DNS_TLSA},
        {f->expected, DNS_A},
        {f->expected, DNS_AAAA},
        {dns_name_tlsa(f->arena, f->port, f->expected), DNS_TLSA},
    };
    struct dns_answer *answers[] = {&f->mx, &f->cname, &f->tlsa_at_domain, &f->a, &f->aaaa, &f->tlsa};
    enum { ALL = sizeof q / sizeof *q, WITHOUT_HOST = 3 };
    struct dns_answer out[ALL];
    size_t n = f->expected.n ? ALL : WITHOUT_HOST; /* the expected host may not be known yet */
    f->a.status = f->aaaa.status = f->tlsa.status = DNS_NODATA;
    conf->source->ask(conf->source->ctx, f->arena, q, n, deadline_in(conf->dns_ms), out);
    for (size_t i = 0; i < n; i++)
        *answers[i] = out[i];
    if (f->mx.status == DNS_ERROR)
        dns_source_ask(conf->unvalidated, f->arena, f->domain, DNS_MX, deadline_in(conf->dns_ms),
                       &f->mx_unvalidated);
}

/* Where other MX hosts lead. */
static void ask_others(struct facts *f, const struct gather_conf *conf)
{
    const struct dns_answer *mx = facts_mx(f);
    size_t n = mx->status == DNS_DATA ? mx->n : 0;
    f->other_a = ARENA_ARRAY(f->arena, struct dns_answer, n + 1);
    f->other_aaaa = ARENA_ARRAY(f->arena, struct dns_answer, n + 1);
    for (size_t i = 0; i < n; i++) {
        struct dns_question q[] = {{mx->records[i].mx.host, DNS_A}, {mx->records[i].mx.host, DNS_AAAA}};
        struct dns_answer out[2] = {{.status = DNS_NODATA}, {.status = DNS_NODATA}};
        if (i < OTHERS_MAX && q[0].name.n && !str_equal(q[0].name, f->expected))
            conf->source->ask(conf->source->ctx, f->arena, q, 2, deadline_in(conf->dns_ms), out);
        f->other_a[i] = out[0];
        f->other_aaaa[i] = out[1];
    }
}

static void meet(struct gathering *g, size_t i, struct facts_zone *z)
{
    struct facts *f = g->f;
    f->met[i] = zones_take(g->zones, z->name);
    zones_copy(g->zones, f->met[i], f->arena, z);
}

static void find_zones(struct gathering *g)
{
    struct facts *f = g->f;
    /* An unknown name would lead up to somebody else's zone. */
    if (facts_mx(f)->status != DNS_NXDOMAIN)
        f->zone.name = servers_zone_of(f->arena, f->domain, &g->servers);
    if (f->expected.n)
        f->host_zone.name = servers_zone_of(f->arena, f->expected, &g->servers);
    if (f->zone.name.p)
        meet(g, 0, &f->zone);
    if (f->host_zone.name.p && !str_equal(f->zone.name, f->host_zone.name))
        meet(g, 1, &f->host_zone);
}

static void note_silence(struct gathering *g, struct zone_met *m, const struct facts_zone *z)
{
    for (size_t i = 0; m && i < z->n; i++)
        if (z->servers[i].is_silent)
            zones_silent(g->zones, m, &z->servers[i]);
}

static void gather_parts(struct gathering *g)
{
    struct facts *f = g->f;
    bool same = f->zone.name.p && str_equal(f->zone.name, f->host_zone.name);
    f->is_dialled = g->conf->tls;
    if (f->is_dialled)
        find_addresses(f);
    make_parts(g, f->zone.n + f->host_zone.n + 2 * f->dial_count + 1);
    add_servers(g, &f->zone, true, same);
    if (!same)
        add_servers(g, &f->host_zone, false, true);
    for (size_t i = 0; i < f->dial_count; i++)
        add_part(g)->dial = &f->dials[i];
    add_part(g)->sts = &f->sts;
    run_parts(g, 0);
    note_silence(g, f->met[0], &f->zone);
    note_silence(g, f->met[1], &f->host_zone);
    if (same)
        f->host_zone = f->zone;
    dial_again(g);
}

void facts_gather(struct facts *f, const struct gather_conf *conf)
{
    struct gathering g = {.f = f,
                          .conf = conf,
                          .servers = {.source = conf->source,
                                      .unvalidated = conf->unvalidated,
                                      .dns_ms = conf->dns_ms,
                                      .server_ms = conf->server_ms},
                          .lock = PTHREAD_MUTEX_INITIALIZER};
    thread_cond_init(&g.done);
    f->now_ms = clock_wall();
    if (!conf->zones)
        f->own_zones = zones_new(conf->crew, &g.servers);
    g.zones = f->zones = conf->zones ? conf->zones : f->own_zones;
    ask_resolver(f, conf);
    ask_others(f, conf);
    find_zones(&g);
    gather_parts(&g);
    pthread_cond_destroy(&g.done);
    pthread_mutex_destroy(&g.lock);
}

void facts_release(struct facts *f)
{
    for (size_t i = 0; i < f->part_count; i++)
        arena_release(&f->parts[i]);
    f->part_count = 0;
    for (size_t i = 0; i < FACTS_ZONES; i++) {
        if (f->met[i])
            zones_give(f->zones, f->met[i]);
        f->met[i] = NULL;
    }
    zones_free(f->own_zones);
    f->zones = f->own_zones = NULL;
}
