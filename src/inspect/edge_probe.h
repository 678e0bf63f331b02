/* An edge's look at itself from outside: its own name, found in the public DNS, dialled at every address with
 * every algorithm of keys, and what is shown there compared with the TLSA records that senders see. */
#ifndef INSPECT_EDGE_PROBE_H
#define INSPECT_EDGE_PROBE_H

#include "dns/answer.h"
#include "inspect/facts.h"
#include "keys/probe.h"

struct edge_probe_conf {
    const struct dns_source *source;
    struct tls_client *tls;
    const struct addr *source4, *source6; /* NULL: the system chooses */
    struct str hello;
    uint16_t port;
    int64_t dns_ms, connect_ms, smtp_ms;
};

struct edge_probe {
    struct str name;
    struct addr to;                /* n 0: no address was found */
    enum dial_algorithm algorithm; /* DIAL_ANY: nothing was dialled */
    enum probe_kind kind;
    struct str reason; /* what is wrong, a sentence; empty when good */
};

/* One round over some names. Memory is the arena's. */
struct edge_probe_round {
    struct arena *arena;
    struct edge_probe *v;
    size_t n, room;
};

/* Dials the name with the algorithms that are served under it. An address that did not answer in this round
 * is not dialled again. */
void edge_probe_name(const struct edge_probe_conf *conf, struct str name, bool ecdsa, bool rsa,
                     struct edge_probe_round *out);

/* What is wrong with the name itself, whatever its addresses show: the reason as in a probe. */
enum probe_kind edge_probe_judge_name(struct arena *a, const struct dns_answer *a4,
                                      const struct dns_answer *a6, const struct dns_answer *tlsa,
                                      struct str *reason);
/* What is wrong with what was shown at an address. Pure, as the above. */
enum probe_kind edge_probe_judge(struct arena *a, const struct dns_answer *tlsa, const struct facts_dial *d,
                                 struct str *reason);

/* "ecdsa", "rsa", "any". */
const char *dial_algorithm_name(enum dial_algorithm a);

#endif
