/* One step's evidence: how it follows on the last, and every doubt in it. */
#include "keys/gate_priv.h"

enum {
    DEFAULT_GAP_MS = 120000,
    DEFAULT_EDGE_SILENT_MS = 30000,
    DEFAULT_SIGNATURE_MS = 3600000,
    DEFAULT_JUMP_MS = 5000,
    TTL_LEAST_MS = 1000,
    MARGIN_LEAST_MS = 5000,
};

static int64_t option(int64_t value, int64_t otherwise)
{
    return value > 0 ? value : otherwise;
}

static int64_t at_least(int64_t ttl_ms)
{
    return ttl_ms > TTL_LEAST_MS ? ttl_ms : TTL_LEAST_MS;
}

static int64_t ttl_of(const struct gate_set *set)
{
    return at_least(set->largest_ttl_ms > set->ttl_ms ? set->largest_ttl_ms : set->ttl_ms);
}

/* A resolver and a sender each count whole seconds and round up, and keep what has no time left for one more:
 * Unbound and Postfix together hold a record for its TTL and three seconds. Beside a TTL that short, a second
 * one is no margin. */
int64_t gate_two_ttls_ms(int64_t ttl_ms)
{
    int64_t ttl = at_least(ttl_ms);
    return ttl + (ttl > MARGIN_LEAST_MS ? ttl : MARGIN_LEAST_MS);
}

int64_t gate_wait_ms(const struct gate_set *set)
{
    return gate_two_ttls_ms(ttl_of(set));
}

static struct gate_span span_since(const struct gate_moment *then, const struct gate_evidence *e,
                                   int64_t gap_ms)
{
    struct gate_span span = {0};
    if (!then->boot)
        return span;
    int64_t pause = e->wall_ms - then->wall_ms;
    if (pause < 0)
        pause = -pause;
    if (then->boot == e->boot) {
        span.proven_ms = e->mono_ms > then->mono_ms ? e->mono_ms - then->mono_ms : 0;
        if (pause < span.proven_ms)
            pause = span.proven_ms;
    }
    span.joined = pause <= gap_ms;
    return span;
}

/* Over a reboot there is only the wall clock: that it did not run backwards is all it can show. */
static bool clock_jumped(const struct gate_set *set, const struct gate_evidence *e)
{
    if (!set->step.boot)
        return false;
    int64_t wall = e->wall_ms - set->step.wall_ms, mono = e->mono_ms - set->step.mono_ms;
    if (set->step.boot != e->boot)
        return wall < 0;
    int64_t apart = wall > mono ? wall - mono : mono - wall;
    return mono < 0 || apart > option(set->jump_ms, DEFAULT_JUMP_MS);
}

/* FNV-1a */
static uint64_t hash(uint64_t h, const void *p, size_t n)
{
    const uint8_t *octet = p;
    for (size_t i = 0; i < n; i++)
        h = (h ^ octet[i]) * 0x100000001b3;
    return h;
}

/* Every bit of the sum depends on every bit of h (the finalizer of MurmurHash3): sums of plain FNV of equal
 * serials cancel each other out. */
static uint64_t scatter(uint64_t h)
{
    h = (h ^ (h >> 33)) * 0xff51afd7ed558ccd;
    h = (h ^ (h >> 33)) * 0xc4ceb9fe1a85ec53;
    return h ^ (h >> 33);
}

/* Sums, so that the order of servers does not matter. */
static void hash_servers(const struct gate_evidence *e, struct gate_reading *out)
{
    for (size_t i = 0; i < e->nserver; i++) {
        uint64_t name = hash(0xcbf29ce484222325, e->server[i].name.p, e->server[i].name.n);
        out->names += scatter(name);
        out->serials += scatter(hash(name, &e->server[i].serial, sizeof e->server[i].serial));
    }
}

void gate_read(const struct gate_set *set, const struct gate_evidence *e, struct gate_reading *out)
{
    int64_t gap = option(set->gap_ms, DEFAULT_GAP_MS);
    if (gap > ttl_of(set))
        gap = ttl_of(set);
    *out = (struct gate_reading){.e = e, .whole = true, .confirmed = true, .jumped = clock_jumped(set, e)};
    for (size_t i = 0; i < e->nserver; i++)
        out->whole &= e->server[i].answer == GATE_ANSWER_SECURE;
    for (size_t i = 0; i < e->nedge; i++) {
        int64_t age = e->edge[i].age_ms;
        out->confirmed &= age >= 0 && age <= option(set->edge_silent_ms, DEFAULT_EDGE_SILENT_MS);
        if (age > out->oldest_confirmation_ms)
            out->oldest_confirmation_ms = age;
    }
    hash_servers(e, out);
    out->step = span_since(&set->step, e, gap);
    out->edges = span_since(&set->edges, e, gap);
    out->servers = span_since(&set->servers, e, gap);
    /* A version never changes: the same serials before and after a pause are the same records in between. */
    out->servers.joined |= set->servers.boot && out->whole && set->serials == out->serials;
    /* Not when signatures were judged by a clock that was wrong, or when there are servers never seen before.
     */
    out->servers.joined &= !out->jumped && set->names == out->names;
}

static void add_alarm(struct gate_out *out, struct gate_waiting alarm)
{
    for (size_t i = 0; i < out->nalarm; i++)
        if (out->alarm[i].what == alarm.what && out->alarm[i].key_id == alarm.key_id &&
            str_equal(out->alarm[i].subject, alarm.subject))
            return;
    if (out->nalarm < GATE_ALARMS_MAX)
        out->alarm[out->nalarm++] = alarm;
}

static void raise_alarm(struct gate_out *out, enum gate_await what, struct str subject, int64_t key_id)
{
    add_alarm(out, (struct gate_waiting){.what = what, .subject = subject, .key_id = key_id});
}

bool gate_has_alarm(const struct gate_out *out, enum gate_await what)
{
    for (size_t i = 0; i < out->nalarm; i++)
        if (out->alarm[i].what == what)
            return true;
    return false;
}

/* A server without the RRset does no harm: no cache demands anything. One with others than ours does. */
static void judge_records(const struct gate_set *set, const struct gate_evidence *e,
                          const struct gate_server *s, struct gate_out *out)
{
    for (size_t i = 0; i < s->nrecord; i++)
        if (!gate_set_knows(set, &s->record[i]))
            raise_alarm(out, GATE_AWAIT_RECORD_UNKNOWN, s->name, 0);
    for (size_t i = 0; s->nrecord > 0 && i < set->nkey; i++) {
        const struct gate_key *k = &set->key[i];
        bool in_use =
            k->state == GATE_ACTIVE || (k->state == GATE_RETIRING && gate_is_served(set, e, k, NULL));
        if (in_use && !gate_server_shows(s, k))
            raise_alarm(out, GATE_AWAIT_RECORD_MISSING, s->name, k->id);
    }
}

static void judge_unproven(const struct gate_set *set, const struct gate_evidence *e, struct gate_out *out)
{
    for (size_t i = 0; i < set->nkey; i++) {
        const struct gate_key *k = &set->key[i];
        if (k->state != GATE_ACTIVE || k->proven_ms < 0 || k->proven_ms >= gate_wait_ms(set))
            continue;
        int64_t until_ms = e->wall_ms + gate_wait_ms(set) - k->proven_ms;
        add_alarm(out, (struct gate_waiting){GATE_AWAIT_UNPROVEN, k->id, until_ms, STR_NONE});
    }
}

static void judge_server(const struct gate_set *set, const struct gate_evidence *e,
                         const struct gate_server *s, struct gate_out *out)
{
    if (s->answer == GATE_ANSWER_SILENT) {
        raise_alarm(out, GATE_AWAIT_SERVER_SILENT, s->name, 0);
        return;
    }
    if (s->answer == GATE_ANSWER_INVALID) {
        raise_alarm(out, GATE_AWAIT_NOT_VALIDATED, s->name, 0);
        return;
    }
    int64_t margin = option(set->signature_ms, DEFAULT_SIGNATURE_MS);
    if (margin < gate_wait_ms(set))
        margin = gate_wait_ms(set);
    if (s->nrecord > 0 && s->expires_ms - e->wall_ms < margin)
        raise_alarm(out, GATE_AWAIT_SIGNATURE_EXPIRES, s->name, 0);
    judge_records(set, e, s, out);
}

static void judge_served(const struct gate_set *set, const struct gate_edge *edge,
                         const struct gate_served *served, struct gate_out *out)
{
    bool is_ours = false, ca_is_ours = !set->is_ta_on;
    int64_t id = 0;
    for (size_t i = 0; i < set->nkey; i++) {
        const struct gate_key *k = &set->key[i];
        if (memcmp(k->spki, served->spki, sizeof k->spki) != 0)
            continue;
        id = k->id;
        if (k->state != GATE_ACTIVE && k->state != GATE_RETIRING)
            continue;
        is_ours = true;
        ca_is_ours |= k->is_lost || gate_has_chain(k, served);
    }
    if (!is_ours)
        raise_alarm(out, GATE_AWAIT_EDGE_AHEAD, edge->name, id);
    else if (!ca_is_ours)
        raise_alarm(out, GATE_AWAIT_CA_CHANGED, edge->name, id);
}

/* The doubts of greatest weight first: the first alarm is what is shown as awaited. */
void gate_judge(const struct gate_set *set, const struct gate_reading *r, struct gate_out *out)
{
    const struct gate_evidence *e = r->e;
    out->nalarm = 0;
    for (size_t i = 0; i < e->nedge; i++)
        for (size_t j = 0; j < e->edge[i].nserved; j++)
            judge_served(set, &e->edge[i], &e->edge[i].served[j], out);
    if (r->jumped)
        raise_alarm(out, GATE_AWAIT_CLOCK_JUMPED, STR_NONE, 0);
    for (size_t i = 0; i < e->nserver; i++)
        judge_server(set, e, &e->server[i], out);
    judge_unproven(set, e, out);
    for (size_t i = 0; i < e->nedge; i++) {
        if (e->edge[i].age_ms < 0)
            raise_alarm(out, GATE_AWAIT_EDGE_UNCONFIRMED, e->edge[i].name, 0);
        else if (e->edge[i].age_ms > option(set->edge_silent_ms, DEFAULT_EDGE_SILENT_MS))
            raise_alarm(out, GATE_AWAIT_EDGE_SILENT, e->edge[i].name, 0);
    }
}
