#include "inspect/inspect.h"

#include "base/thread.h"
#include "inspect/finding_priv.h"

enum { PROBES_MAX = 16 };

const char *inspect_verdict_name(enum inspect_verdict v)
{
    static const char *const names[] = {"delivered", "deferred", "bounced"};
    return names[v];
}

/* What one probing thread works on. */
struct job {
    const struct inspect_conf *conf;
    const struct policy_host *host;
    struct inspect_probe *probe;
    pthread_t thread;
    bool threaded;
};

static void probe(void *arg)
{
    struct job *j = arg;
    struct inspect_probe *p = j->probe;
    struct live live;
    struct connection c;
    int64_t start = clock_mono();
    live_init(&live);
    struct connection_target target = {
        .host = j->host,
        .to = p->to,
        .source = addr_is_v6(&p->to) ? j->conf->source6 : j->conf->source4,
        .clear_text_allowed = true, /* as on a later attempt */
        .strength_none = j->conf->strength_none,
        .hello = j->conf->hello,
        .connect_timeout = j->conf->connect_ms,
        .smtp_timeout = j->conf->smtp_ms,
        .tls = j->conf->tls,
        .live = &live,
    };
    p->outcome = connection_open(&c, &target, &p->arena);
    p->tls = c.tls;
    p->level = c.level;
    p->depth = c.depth;
    p->handshake_failed = c.handshake_failed;
    p->extensions = c.offered.bits;
    p->matched = arena_str(&p->arena, buf_str(&c.matched));
    connection_quit(&c, j->conf->tls);
    live_release(&live);
    p->took_ms = clock_mono() - start;
}

/* All addresses of a host at the same time: one that is silent must not hold up the others. */
static void probe_host(struct inspect_report *r, struct inspect_host *host, const struct inspect_conf *conf)
{
    const struct policy_host *h = host->policy;
    struct job jobs[PROBES_MAX] = {0};
    host->probes = h->naddr < PROBES_MAX ? h->naddr : PROBES_MAX;
    host->probe = ARENA_ARRAY(&r->arena, struct inspect_probe, host->probes);
    for (size_t i = 0; i < host->probes; i++) {
        host->probe[i].to = h->addr[i];
        jobs[i] = (struct job){.conf = conf, .host = h, .probe = &host->probe[i]};
        jobs[i].threaded = thread_start_joinable(probe, &jobs[i], &jobs[i].thread, NULL) == OK;
        if (!jobs[i].threaded)
            probe(&jobs[i]);
    }
    for (size_t i = 0; i < host->probes; i++)
        if (jobs[i].threaded)
            (void)pthread_join(jobs[i].thread, NULL);
}

static void choose(struct inspect_report *r, const struct policy_host *host, const struct inspect_probe *by)
{
    r->verdict = INSPECT_DELIVERED;
    r->chosen = host;
    r->by = by;
    r->level = by ? by->level : host->level;
}

/* As a delivery would: the first host, the first address that is good enough. */
static void conclude(struct inspect_report *r)
{
    r->verdict = r->plan.verdict == PLAN_BOUNCE ? INSPECT_BOUNCED : INSPECT_DEFERRED;
    for (size_t i = 0; r->plan.verdict == PLAN_GO && i < r->plan.nhost; i++) {
        const struct inspect_host *host = &r->host[i];
        if (host->policy->state != POLICY_HOST_USABLE)
            continue;
        if (!r->connected) {
            choose(r, host->policy, NULL);
            return;
        }
        for (size_t k = 0; k < host->probes; k++)
            if (host->probe[k].outcome.blame == BLAME_NOBODY) {
                choose(r, host->policy, &host->probe[k]);
                return;
            }
    }
}

void inspect_domain(struct inspect_report *r, struct str domain, const struct inspect_conf *conf)
{
    *r = (struct inspect_report){.domain = domain, .connected = conf->tls};
    bool literal = str_starts(domain, STR("[")) && str_ends(domain, STR("]"));
    r->input = (struct policy_input){
        .domain = domain,
        .via = literal ? POLICY_VIA_LITERAL : POLICY_VIA_MX,
        .host = literal ? str_sub(domain, 1, domain.n - 2) : STR_NONE,
        .port = conf->port,
        .mode = conf->mode,
        .rule = STR("command line"),
        .insecure_mx = conf->insecure_mx,
    };
    policy_begin(&r->plan, &r->arena, &r->input, conf->source, deadline_in(conf->dns_ms));
    policy_find_addresses(&r->plan, deadline_in(conf->dns_ms));
    for (size_t i = 0; r->plan.verdict == PLAN_GO && i < r->plan.nhost; i++)
        policy_resolve(&r->plan, i, deadline_in(conf->dns_ms));
    policy_conclude(&r->plan);
    r->host = ARENA_ARRAY(&r->arena, struct inspect_host, r->plan.nhost);
    for (size_t i = 0; i < r->plan.nhost; i++) {
        r->host[i].policy = &r->plan.host[i];
        if (r->connected && r->plan.host[i].state == POLICY_HOST_USABLE)
            probe_host(r, &r->host[i], conf);
    }
    conclude(r);
    inspect_find(r);
}

void inspect_report_release(struct inspect_report *r)
{
    for (size_t i = 0; r->host && i < r->plan.nhost; i++)
        for (size_t k = 0; k < r->host[i].probes; k++)
            arena_release(&r->host[i].probe[k].arena);
    arena_release(&r->arena);
}
