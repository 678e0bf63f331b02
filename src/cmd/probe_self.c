#include "cmd/probe_self.h"

#include <jansson.h>
#include <poll.h>

#include "ctl/ctl.h"
#include "dns/name.h"
#include "inspect/edge_probe.h"
#include "tls/client.h"

enum {
    FIRST_MS = 2000, /* from start to the first round: control has heard by then what we serve */
    CONTROL_MS = 3000,
    CONNECT_MS = 5000,
    SMTP_MS = 10000,
    NAMES_MAX = 256,
};

struct probe_self {
    struct probe_self_args args;
    struct tls_client *tls;
    struct dns_source source;
    struct addr source4, source6;
    json_t *names;      /* that control named last; NULL: none yet */
    struct map failing; /* "name address algorithm" -> not NULL: what was wrong in the last round */
    bool is_away;       /* control did not hear of the last round */
    pthread_t thread;
};

static bool is_stopping(const struct probe_self *p, int ms)
{
    struct pollfd stop = {.fd = p->args.stop_fd, .events = POLLIN};
    return poll(&stop, 1, ms) > 0;
}

static void ask_names(struct probe_self *p)
{
    struct buf why = {0};
    json_t *result = NULL;
    json_t *request =
        json_pack("{s:s, s:s%}", "verb", "edge.targets", "edge", p->args.edge.p, p->args.edge.n);
    if (ctl_call(p->args.socket, request, NULL, NULL, CONTROL_MS, &result, &why) == OK) {
        json_decref(p->names);
        p->names = json_incref(json_object_get(result, "names"));
    }
    json_decref(result);
    json_decref(request);
    buf_release(&why);
}

/* Which algorithms a handshake under this name can show. */
static void served(const struct probe_self *p, struct str name, struct arena *a, bool *ecdsa, bool *rsa)
{
    struct keystore_view view = {0};
    struct tls_identity identity = {0};
    struct tls_pair_facts facts;
    struct buf why = {0};
    *ecdsa = *rsa = false;
    if (keystore_begin(p->args.keystore, &view, &why) == OK)
        (void)keystore_identity(&view, a, name, &identity, NULL);
    keystore_end(&view);
    for (size_t i = 0; i < identity.n; i++)
        if (tls_pair_inspect(&identity.pair[i], a, &facts, &why) == OK)
            *(strcmp(facts.algorithm, "RSA") == 0 ? rsa : ecdsa) = true;
    buf_release(&why);
}

static struct str address_text(struct arena *a, const struct addr *to)
{
    char text[ADDR_TEXT];
    return to->n ? arena_str(a, str_of(addr_format(to, text))) : STR("-");
}

/* Notes it in `now` when it is wrong. */
static void alarm_about(struct map *now, struct arena *a, const struct edge_probe *probe)
{
    struct str address = address_text(a, &probe->to);
    const char *algorithm = dial_algorithm_name(probe->algorithm);
    if (probe->kind == PROBE_GOOD)
        return;
    log_event(LOG_ERROR, "edge-probe-bad", LOG_STR("name", probe->name), LOG_STR("address", address),
              LOG_TEXT("algorithm", algorithm), LOG_TEXT("kind", probe_kind_name(probe->kind)),
              LOG_STR("why", probe->reason));
    struct str key = arena_printf(a, "%.*s %.*s %s", STR_ARG(probe->name), STR_ARG(address), algorithm);
    (void)map_put(now, key, now);
}

/* What was wrong in the last round and is wrong no more, or is not looked at any more. */
static void all_clear(struct probe_self *p, struct map *now)
{
    struct str key;
    void *value;
    for (size_t at = 0; map_next(&p->failing, &at, &key, &value);)
        if (!map_get(now, key))
            log_event(LOG_INFO, "edge-probe-over", LOG_STR("probe", key));
    map_release(&p->failing);
    p->failing = *now;
}

static void report(struct probe_self *p, struct arena *a, const struct edge_probe_round *round)
{
    json_t *list = json_array(), *result = NULL;
    struct buf why = {0};
    for (size_t i = 0; i < round->n; i++) {
        const struct edge_probe *one = &round->v[i];
        struct str address = address_text(a, &one->to);
        json_t *reason = json_stringn(one->reason.p ? one->reason.p : "", one->reason.n);
        (void)json_array_append_new(
            list, json_pack("{s:s%, s:s%, s:s, s:b, s:s, s:o}", "name", one->name.p, one->name.n, "address",
                            address.p, address.n, "algorithm", dial_algorithm_name(one->algorithm), "good",
                            one->kind == PROBE_GOOD, "kind", probe_kind_name(one->kind), "reason",
                            reason ? reason : json_string("?")));
    }
    json_t *request = json_pack("{s:s, s:s%, s:o}", "verb", "edge.probe", "edge", p->args.edge.p,
                                p->args.edge.n, "probes", list);
    bool is_away = ctl_call(p->args.socket, request, NULL, NULL, CONTROL_MS, &result, &why) != OK;
    if (is_away && !p->is_away)
        log_event(LOG_WARN, "control-away", LOG_TEXT("verb", "edge.probe"), LOG_TEXT("why", buf_cstr(&why)));
    p->is_away = is_away;
    json_decref(result);
    json_decref(request);
    buf_release(&why);
}

static void one_round(struct probe_self *p)
{
    struct arena a = {0};
    struct edge_probe_round round = {.arena = &a};
    struct map failing = {0};
    const struct edge_probe_conf conf = {.source = &p->source,
                                         .tls = p->tls,
                                         .source4 = p->source4.n ? &p->source4 : NULL,
                                         .source6 = p->source6.n ? &p->source6 : NULL,
                                         .hello = str_of(p->args.conf->hostname),
                                         .port = (uint16_t)p->args.conf->smtp_port,
                                         .dns_ms = p->args.conf->resolver_timeout,
                                         .connect_ms = CONNECT_MS,
                                         .smtp_ms = SMTP_MS};
    ask_names(p);
    for (size_t i = 0; i < json_array_size(p->names) && i < NAMES_MAX && !is_stopping(p, 0); i++) {
        struct str name;
        bool ecdsa, rsa;
        size_t before = round.n;
        if (dns_name_normalise(&a, str_of(json_string_value(json_array_get(p->names, i))), &name) || !name.n)
            continue;
        served(p, name, &a, &ecdsa, &rsa);
        edge_probe_name(&conf, name, ecdsa, rsa, &round);
        for (size_t k = before; k < round.n; k++)
            alarm_about(&failing, &a, &round.v[k]);
    }
    all_clear(p, &failing);
    if (p->names)
        report(p, &a, &round);
    arena_release(&a);
}

static void run(void *arg)
{
    struct probe_self *p = arg;
    int64_t interval = p->args.conf->edge_probe_interval;
    int64_t wait = interval < FIRST_MS ? interval : FIRST_MS;
    while (!is_stopping(p, (int)wait)) {
        int64_t begun = clock_mono();
        one_round(p);
        int64_t took = clock_mono() - begun;
        wait = took < interval ? interval - took : 0;
    }
}

static void take_sources(struct probe_self *p)
{
    const struct conf_list *list = &p->args.conf->source_address;
    for (size_t i = 0; i < list->n; i++) {
        struct addr a;
        struct addr *slot;
        if (!addr_parse_ip(str_of(list->v[i]), &a))
            continue;
        slot = addr_is_v6(&a) ? &p->source6 : &p->source4;
        if (!slot->n)
            *slot = a;
    }
}

enum err probe_self_start(const struct probe_self_args *args, struct probe_self **out, struct buf *why)
{
    *out = NULL;
    if (args->conf->edge_probe_interval == 0)
        return OK;
    struct probe_self *p = must_alloc(calloc(1, sizeof *p));
    p->args = *args;
    p->source = resolver_source(args->resolver);
    take_sources(p);
    enum err e = tls_client_new(&(struct tls_client_conf){.ca_file = ""}, &p->tls, why);
    if (!e)
        e = thread_start_joinable(run, p, &p->thread, why);
    if (e) {
        tls_client_free(p->tls);
        free(p);
        return e;
    }
    *out = p;
    return OK;
}

void probe_self_free(struct probe_self *p)
{
    if (!p)
        return;
    (void)pthread_join(p->thread, NULL);
    json_decref(p->names);
    map_release(&p->failing);
    tls_client_free(p->tls);
    free(p);
}
