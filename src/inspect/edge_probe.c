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

static size_t count_usable(const struct dns_answer *tlsa)
{
    size_t usable = 0;
    for (size_t i = 0; i < tlsa->n; i++)
        usable += dane_tlsa_fault(&tlsa->records[i].tlsa) == DANE_TLSA_USABLE;
    return usable;
}

enum probe_kind edge_probe_judge_name(struct arena *a, const struct dns_answer *a4,
                                      const struct dns_answer *a6, const struct dns_answer *tlsa,
                                      struct str *reason)
{
    const struct dns_answer *all[] = {a4, a6, tlsa};
    for (size_t i = 0; i < 3; i++)
        if (all[i]->status == DNS_ERROR) {
            *reason = error_of(a, all[i]);
            return PROBE_UNSEEN;
        }
    for (size_t i = 0; i < 3; i++)
        if (!dns_answer_is_secure(all[i])) {
            *reason = arena_printf(a, "its %s records are not signed, so no sender looks at its TLSA records",
                                   dns_type_name(all[i]->type));
            return PROBE_AWAITED;
        }
    *reason = !a4->n && !a6->n      ? STR("it has no address")
              : !tlsa->n            ? STR("it has no TLSA records")
              : !count_usable(tlsa) ? STR("none of its TLSA records can be used")
                                    : STR("");
    return reason->n ? PROBE_AWAITED : PROBE_GOOD;
}

/* Senders without DANE want to get as far as to STARTTLS, too: what ends before is not the records' doing. */
static enum probe_kind kind_of(enum dial_end end)
{
    switch (end) {
    case DIAL_NOT_MADE:
    case DIAL_CONNECT:
    case DIAL_GREETING:
    case DIAL_HELLO:
        return PROBE_UNSEEN;
    case DIAL_NO_STARTTLS:
    case DIAL_STARTTLS:
    case DIAL_HANDSHAKE:
        return PROBE_BROKEN;
    case DIAL_DONE:
        break;
    }
    return PROBE_GOOD;
}

enum probe_kind edge_probe_judge(struct arena *a, const struct dns_answer *tlsa, const struct facts_dial *d,
                                 struct str *reason)
{
    *reason = STR("");
    if (d->end != DIAL_DONE) {
        *reason =
            arena_printf(a, "%s%s%.*s", dial_end_sentence(d->end), d->said.n ? ": " : "", STR_ARG(d->said));
        return kind_of(d->end);
    }
    for (size_t i = 0; i < tlsa->n; i++)
        if (d->matched[i])
            return PROBE_GOOD;
    *reason = arena_printf(a, "none of its %zu TLSA records matches the %s certificate that is shown",
                           tlsa->n, d->shown == DIAL_RSA ? "RSA" : "ECDSA");
    return PROBE_BROKEN;
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
    p.kind = kind_of(DIAL_CONNECT);
    if (!p.reason.n) {
        dial(&dialled, &d, out->arena);
        p.kind = edge_probe_judge(out->arena, tlsa, &d, &p.reason);
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
    struct edge_probe p = {.name = name};
    p.kind = edge_probe_judge_name(out->arena, &answers[0], &answers[1], tlsa, &p.reason);
    if (p.kind != PROBE_GOOD) {
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
