/* One zone of a look: what there is to ask, what its servers said, and what that means for each of its pairs.
 */
#ifndef ZONE_KEEP_ASK_H
#define ZONE_KEEP_ASK_H

#include <jansson.h>

#include "zone/cover.h"
#include "zone/keep_pair.h"
#include "zone/load.h"
#include "zone/verify.h"

enum {
    KEEP_SAMPLES = 16,  /* hosts asked for in one look, one after the other in the order of labels */
    KEEP_SUSPECTS = 16, /* hosts that are asked for in every look, because a server answered wrongly */
    KEEP_LABEL = 64,
};

/* What is known of a zone's versions from look to look. */
struct keep_versions {
    struct cover cover;
    char last[KEEP_LABEL]; /* label of the last sample */
    char suspect[KEEP_SUSPECTS][KEEP_LABEL];
    size_t nsuspect;
    int64_t not_before; /* clock_mono: no transfer earlier; a zone that changes all the time is not read all
                           the time */
    char why[256];      /* what failed last; empty */
};
void keep_versions_release(struct keep_versions *v);

struct keep_ask {
    const struct dns_source *resolver;
    struct tenant_store *store;
    struct crew *crew;
    int64_t timeout_ms;
    enum zone_family unreachable;
    const struct zone_row *row;
    const struct keep_pair *pair; /* of this zone */
    size_t n;
    struct keep_versions *versions;

    struct arena arena;
    size_t *question;                  /* one for each pair, of the evidence; SIZE_MAX: none */
    const struct cover_known **sample; /* one for each of the evidence's last questions */
    size_t nsuspect;                   /* the first so many of them are suspects of the look before */
    struct zone_evidence evidence;
};

/* Reads a version where hosts have records of their own, and asks all servers. Everything that is not found
 * out is evidence. */
void keep_ask(struct keep_ask *ask);
/* Takes the evidence along, if the caller has not taken it. */
void keep_ask_release(struct keep_ask *ask);

/* The gate's rows; memory is the arena's. A pair that no host wants has none for servers without it. */
size_t keep_ask_servers(const struct keep_ask *ask, size_t pair, struct arena *a, struct gate_server **out);
/* All servers answered, and none has it. */
bool keep_ask_is_absent(const struct keep_ask *ask, size_t pair);
/* One of the gate's alarms says that a record of a served key is missing on a server, and that is one of this
 * zone and pair. */
bool keep_ask_misses(const struct keep_ask *ask, size_t pair, const struct gate_out *out);
/* Pairs at hosts, as entries of "rrsets" of keep_evidence_json. */
json_t *keep_ask_hosts_json(const struct keep_ask *ask);

#endif
