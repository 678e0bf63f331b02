#include "inspect/edge_probe.h"

#include "dane/dane.h"
#include "dns/name.h"
#include "inspect/dial.h"

const char *dial_algorithm_name(enum dial_algorithm a)
{
    static const char *const names[] = {[DIAL_ANY] = "any", [DIAL_ECDSA] = "ecdsa", [DIAL_RSA] = "rsa"};
    return names[a];
}

static struct str error_of(struct arena *a, const struct dns_answer *answer)
{
    return arena_printf(a, "its %s records: %s%s%.*s", dns_type_name(answer->type),
                        dns_error_sentence(answer->error), answer->ede_text.n ? ": " : "",
                        STR_ARG(answer->ede_text));
}

struct str edge_probe_judge_name(struct arena *a, const struct dns_answer *a4, const struct dns_answer *a6,
                                 const struct dns_answer *tlsa)
{
    const struct dns_answer *all[] = {a4, a6, tlsa};
    for (size_t i = 0; i < 3; i++)
        if (all[i]->status == DNS_ERROR)
            return error_of(a, all[i]);
    for (size_t i = 0; i < 3; i++)
        if (!dns_answer_is_secure(all[i]))
            return arena_printf(a, "its %s records are not signed, so no sender looks at its TLSA records",
                                dns_type_name(all[i]->type));
    if (!a4->n && !a6->n)
        return STR("it has no address");
    if (!tlsa->n)
        return STR("it has no TLSA records");
    size_t usable = 0;
    for (size_t i = 0; i < tlsa->n; i++)
        usable += dane_tlsa_fault(&tlsa->records[i].tlsa) == DANE_TLSA_USABLE;
    return usable ? STR("") : STR("none of its TLSA records can be used");
}

struct str edge_probe_judge(struct arena *a, const struct dns_answer *tlsa, const struct facts_dial *d)
{
    if (d->end != DIAL_DONE)
        return arena_printf(a, "%s%s%.*s", dial_end_sentence(d->end), d->said.n ? ": " : "",
                            STR_ARG(d->said));
    for (size_t i = 0; i < tlsa->n; i++)
        if (d->matched[i])
            return STR("");
    return arena_printf(a, "none of its %zu TLSA records matches the %s certificate that is shown", tlsa->n,
                        d->shown == DIAL_RSA ? "RSA" : "ECDSA");
}

static void add(struct edge_probe_round *r, struct edge_probe probe)
{
    if (r->n == r->room) {
        r->room = r->room ? 2 * r->room : 16;
        struct edge_probe *grown = ARENA_ARRAY(r->arena, struct edge_probe, r->room);
        if (r->n)
            memcpy(grown, r->v, r->n * sizeof *grown);
        r->v = grown;
    }
    probe.good = probe.reason.n == 0;
    r->v[r->n++] = probe;
}

/* What an address that answers nobody said when it was last tried in this round; empty: it answers. */
static struct str silence_of(const struct edge_probe_round *r, const struct addr *to)
{
    struct str sentence = str_of(dial_end_sentence(DIAL_CONNECT));
    for (size_t i = 0; i < r->n; i++)
        if (r->v[i].to.n && addr_equal_ip(&r->v[i].to, to) && str_starts(r->v[i].reason, sentence))
            return r->v[i].reason;
    return STR("");
}

static void probe(const struct edge_probe_conf *conf, const struct dns_answer *tlsa, struct edge_probe p,
                  struct edge_probe_round *out)
{
    struct facts_dial d = {.to = p.to, .asked = p.algorithm};
    const struct dial_conf dialled = {.tls = conf->tls,
                                      .source = addr_is_v6(&p.to) ? conf->source6 : conf->source4,
                                      .hello = conf->hello,
                                      .host = p.name,
                                      .tlsa = tlsa,
                                      .connect_ms = conf->connect_ms,
                                      .smtp_ms = conf->smtp_ms};
    p.reason = silence_of(out, &p.to);
    if (!p.reason.n) {
        dial(&dialled, &d, out->arena);
        p.reason = edge_probe_judge(out->arena, tlsa, &d);
    }
    add(out, p);
}

void edge_probe_name(const struct edge_probe_conf *conf, struct str name, bool ecdsa, bool rsa,
                     struct edge_probe_round *out)
{
    const struct dns_question questions[] = {
        {name, DNS_A}, {name, DNS_AAAA}, {dns_name_tlsa(out->arena, conf->port, name), DNS_TLSA}};
    struct dns_answer answers[3];
    conf->source->ask(conf->source->ctx, out->arena, questions, 3, deadline_in(conf->dns_ms), answers);
    const struct dns_answer *tlsa = &answers[2];
    struct edge_probe p = {.name = name,
                           .reason = edge_probe_judge_name(out->arena, &answers[0], &answers[1], tlsa)};
    if (p.reason.n) {
        add(out, p);
        return;
    }
    const bool wanted[] = {[DIAL_ANY] = !ecdsa && !rsa, [DIAL_ECDSA] = ecdsa, [DIAL_RSA] = rsa};
    for (size_t f = 0; f < 2; f++)
        for (size_t i = 0; i < answers[f].n; i++)
            for (int algorithm = DIAL_ANY; algorithm <= DIAL_RSA; algorithm++) {
                p.to = answers[f].records[i].addr;
                addr_set_port(&p.to, conf->port);
                p.algorithm = (enum dial_algorithm)algorithm;
                if (wanted[algorithm])
                    probe(conf, tlsa, p, out);
            }
}
