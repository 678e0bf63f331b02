/* What a step proves of each key, and of the TTLs that were in force. */
#include "keys/gate_priv.h"

static int64_t more_proof(int64_t proven_ms, struct gate_span span)
{
    return proven_ms < 0 || !span.joined ? 0 : proven_ms + span.proven_ms;
}

/* The largest TTL counts until it has been out of sight for two of itself. */
void gate_raise_ttl(struct gate_set *set, const struct gate_evidence *e)
{
    int64_t now = set->ttl_ms;
    for (size_t i = 0; i < e->nserver; i++)
        if (e->server[i].answer != GATE_ANSWER_SILENT && e->server[i].ttl_ms > now)
            now = e->server[i].ttl_ms;
    if (now >= set->largest_ttl_ms) {
        set->largest_ttl_ms = now;
        set->lower_ttl_ms = 0;
        set->lower_for_ms = -1;
    } else if (now > set->lower_ttl_ms) {
        set->lower_ttl_ms = now;
    }
}

void gate_lower_ttl(struct gate_set *set, const struct gate_reading *r)
{
    if (!set->lower_ttl_ms || !r->whole)
        return;
    set->lower_for_ms = more_proof(set->lower_for_ms, r->servers);
    if (set->lower_for_ms >= 2 * set->largest_ttl_ms) {
        set->largest_ttl_ms = set->lower_ttl_ms;
        set->lower_ttl_ms = 0;
        set->lower_for_ms = -1;
    }
}

const struct gate_server *gate_find_lacking(const struct gate_evidence *e, const struct gate_key *k)
{
    for (size_t i = 0; i < e->nserver; i++)
        if (e->server[i].answer == GATE_ANSWER_SECURE && !gate_server_shows(&e->server[i], k))
            return &e->server[i];
    return NULL;
}

static void add_proof(struct gate_key *k, struct gate_span span)
{
    k->proven_ms = more_proof(k->proven_ms, span);
}

static void follow_ta(struct gate_set *set, const struct gate_reading *r)
{
    bool shown = gate_publishes_ta(set);
    for (size_t i = 0; i < r->e->nserver; i++)
        shown |= gate_server_shows_ta(&r->e->server[i]);
    if (shown)
        set->no_ta_ms = -1;
    else if (r->whole)
        set->no_ta_ms = more_proof(set->no_ta_ms, r->servers);
}

static void follow_sightings(const struct gate_set *set, const struct gate_reading *r, struct gate_key *k,
                             struct gate_out *out)
{
    struct str subject = STR_NONE;
    const struct gate_server *lacking = gate_find_lacking(r->e, k);
    if (lacking || r->jumped || (gate_publishes_ta(set) && !k->has_ta)) {
        k->proven_ms = -1;
        subject = lacking ? lacking->name : STR_NONE;
    } else if (r->whole) {
        add_proof(k, r->servers);
    }
    if (k->state == GATE_READY && k->proven_ms < gate_wait_ms(set))
        gate_move(out, k, GATE_EVENT_UNREADY, GATE_PUBLISHED, r->e->wall_ms, subject);
}

/* Does every edge say that it serves the key, under its CA while caches may hold 2 1 1? */
static bool is_served_by_all(const struct gate_set *set, const struct gate_reading *r,
                             const struct gate_key *k)
{
    bool all = r->confirmed, ca_matters = gate_ca_matters(set);
    for (size_t i = 0; all && i < r->e->nedge; i++) {
        const struct gate_edge *edge = &r->e->edge[i];
        bool does = false;
        for (size_t j = 0; j < edge->nserved; j++)
            does |= memcmp(edge->served[j].spki, k->spki, sizeof k->spki) == 0 &&
                    (!ca_matters || gate_has_chain(k, &edge->served[j]));
        all = does;
    }
    return all;
}

/* Until every edge serves it an active key must be as proven as a ready one, or no edge is told to: a
 * restored database may be the one that calls it active, or that put its record back. A server without the
 * RRset demands nothing. */
static void follow_active(const struct gate_set *set, const struct gate_reading *r, struct gate_key *k)
{
    for (size_t i = 0; i < r->e->nserver; i++) {
        const struct gate_server *s = &r->e->server[i];
        if (s->answer == GATE_ANSWER_SECURE && s->nrecord > 0 && !gate_server_shows(s, k)) {
            k->proven_ms = -1;
            return;
        }
    }
    if (is_served_by_all(set, r, k))
        k->proven_ms = GATE_SETTLED;
    else if (k->proven_ms == GATE_SETTLED && !r->servers.joined)
        k->proven_ms = 0;
    else if (k->proven_ms != GATE_SETTLED && r->whole)
        add_proof(k, r->servers);
}

/* Only confirmations made after the key was taken out of service count. Until there are some, proven_ms is
 * -1 - the time since. */
static void follow_edges(const struct gate_set *set, const struct gate_reading *r, struct gate_key *k)
{
    if (k->proven_ms == GATE_UNTOLD)
        return;
    if (gate_is_served(set, r->e, k, NULL)) {
        k->proven_ms = -1;
        return;
    }
    if (k->proven_ms < 0) {
        k->proven_ms -= r->step.proven_ms;
        if (r->confirmed && (r->e->nedge == 0 || r->oldest_confirmation_ms < -1 - k->proven_ms))
            k->proven_ms = 0;
    } else if (r->confirmed) {
        add_proof(k, r->edges);
    }
}

static bool seen_anywhere(const struct gate_evidence *e, const struct gate_key *k)
{
    struct gate_record own = gate_key_record(k);
    for (size_t i = 0; i < e->nserver; i++)
        if (gate_server_has(&e->server[i], &own))
            return true;
    return false;
}

static void follow_absence(const struct gate_set *set, const struct gate_reading *r, struct gate_key *k,
                           struct gate_out *out)
{
    bool is_other = false; /* the same key under another CA is in use */
    for (size_t i = 0; i < set->nkey; i++)
        is_other |= &set->key[i] != k && memcmp(set->key[i].spki, k->spki, sizeof k->spki) == 0;
    struct str edge;
    if (!is_other && !k->is_compromised && gate_is_served(set, r->e, k, &edge)) {
        k->proven_ms = GATE_UNTOLD;
        gate_move(out, k, GATE_EVENT_REVIVED, GATE_RETIRING, r->e->wall_ms, edge);
    } else if (!is_other && seen_anywhere(r->e, k)) {
        k->proven_ms = -1;
    } else if (r->whole) {
        add_proof(k, r->servers);
    }
}

void gate_follow(struct gate_set *set, const struct gate_reading *r, struct gate_out *out)
{
    follow_ta(set, r);
    for (size_t i = 0; i < set->nkey; i++) {
        struct gate_key *k = &set->key[i];
        if (k->state == GATE_PUBLISHED || k->state == GATE_READY)
            follow_sightings(set, r, k, out);
        else if (k->state == GATE_ACTIVE)
            follow_active(set, r, k);
        else if (k->state == GATE_RETIRING)
            follow_edges(set, r, k);
        else if (k->state == GATE_GONE)
            follow_absence(set, r, k, out);
    }
}
