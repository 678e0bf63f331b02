/* The step: which keys move, what is published, what is served. */
#include "keys/gate_priv.h"

void gate_move(struct gate_out *out, struct gate_key *k, enum gate_event_kind what, enum gate_state to,
               int64_t wall_ms, struct str subject)
{
    if (out->nevent < GATE_EVENTS_MAX)
        out->event[out->nevent++] = (struct gate_event){what, k->id, k->state, to, subject};
    k->state = to;
    k->since_ms = wall_ms;
}

/* Nothing was ever promised or served: the first keys cannot contradict anything. */
static bool is_fresh(const struct gate_set *set, const struct gate_reading *r)
{
    for (size_t i = 0; i < r->e->nserver; i++)
        if (r->e->server[i].nrecord > 0)
            return false;
    for (size_t i = 0; i < set->nkey; i++)
        if (!gate_key_is_next(&set->key[i]))
            return false;
    return r->whole && r->confirmed;
}

static void retire(struct gate_key *k, int64_t wall_ms, struct gate_out *out)
{
    gate_move(out, k, GATE_EVENT_RETIRED, GATE_RETIRING, wall_ms, STR_NONE);
    k->proven_ms = GATE_UNTOLD, k->roll = GATE_ROLL_NO;
}

static void activate(struct gate_key *k, int64_t wall_ms, struct gate_out *out)
{
    gate_move(out, k, GATE_EVENT_ACTIVATED, GATE_ACTIVE, wall_ms, STR_NONE);
    k->roll = GATE_ROLL_NO;
}

static void start_fresh(struct gate_set *set, const struct gate_reading *r, struct gate_out *out)
{
    if (!is_fresh(set, r) || gate_has_alarm(out, GATE_AWAIT_EDGE_AHEAD))
        return;
    for (int a = 0; a < GATE_ALGORITHMS; a++) {
        int first = gate_find_next(set, (enum gate_algorithm)a);
        if (!set->wants[a] || first == GATE_NO_KEY)
            continue;
        activate(&set->key[first], r->e->wall_ms, out);
        set->key[first].proven_ms = GATE_SETTLED; /* no cache holds anything that it could contradict */
    }
}

/* More records never harm; only a database that may be older than the world waits with them. */
static void publish(struct gate_set *set, int64_t wall_ms, struct gate_out *out)
{
    if (gate_has_alarm(out, GATE_AWAIT_EDGE_AHEAD) || gate_has_alarm(out, GATE_AWAIT_RECORD_UNKNOWN))
        return;
    for (size_t i = 0; i < set->nkey; i++) {
        struct gate_key *k = &set->key[i];
        if (k->state != GATE_GENERATED || !set->wants[k->algorithm] || k->is_compromised)
            continue;
        k->state = GATE_PUBLISHED;
        bool fits = gate_count_records(set) <= GATE_RECORDS_MAX;
        k->state = GATE_GENERATED;
        if (!fits)
            continue;
        gate_move(out, k, GATE_EVENT_PUBLISHED, GATE_PUBLISHED, wall_ms, STR_NONE);
        k->proven_ms = -1;
    }
}

static void finish(struct gate_set *set, const struct gate_evidence *e, struct gate_out *out)
{
    for (size_t i = 0; i < set->nkey; i++) {
        struct gate_key *k = &set->key[i];
        if (k->state == GATE_RETIRING && k->proven_ms >= gate_wait_ms(set))
            gate_move(out, k, GATE_EVENT_GONE, GATE_GONE, e->wall_ms, STR_NONE);
        else if (gate_key_is_next(k) &&
                 (k->is_compromised || (k->state == GATE_GENERATED && !set->wants[k->algorithm])))
            gate_move(out, k, GATE_EVENT_DISCARDED, GATE_GONE, e->wall_ms, STR_NONE);
        else if (gate_key_is_next(k) && !set->wants[k->algorithm])
            retire(k, e->wall_ms, out);
        else if (k->state == GATE_PUBLISHED && k->proven_ms >= gate_wait_ms(set))
            gate_move(out, k, GATE_EVENT_READY, GATE_READY, e->wall_ms, STR_NONE);
        else
            continue;
        if (k->state == GATE_GONE)
            k->proven_ms = -1, k->roll = GATE_ROLL_NO;
    }
}

static void switch_algorithm(struct gate_set *set, const struct gate_evidence *e, enum gate_algorithm a,
                             struct gate_out *out)
{
    int current = gate_find_state(set, a, GATE_ACTIVE), next = gate_find_next(set, a);
    bool go = set->wants[a] && next != GATE_NO_KEY && set->key[next].state == GATE_READY &&
              gate_promotion_awaits(set, e, &set->key[next]) == GATE_AWAIT_NOTHING;
    bool leave = current != GATE_NO_KEY && (!set->wants[a] || set->key[current].is_compromised) &&
                 gate_other_serves(set, a);
    if (current != GATE_NO_KEY && (go || leave))
        retire(&set->key[current], e->wall_ms, out);
    if (go)
        activate(&set->key[next], e->wall_ms, out);
}

static void forget(struct gate_set *set, struct gate_out *out, int64_t wall_ms)
{
    size_t kept = 0;
    for (size_t i = 0; i < set->nkey; i++) {
        struct gate_key *k = &set->key[i];
        if (k->state == GATE_GONE && k->proven_ms >= gate_wait_ms(set))
            gate_move(out, k, GATE_EVENT_FORGOTTEN, GATE_GONE, wall_ms, STR_NONE);
        else
            set->key[kept++] = *k;
    }
    set->nkey = kept;
}

static bool wants_new_key(const struct gate_set *set, enum gate_algorithm a, const struct gate_out *out)
{
    if (!set->wants[a] || gate_publishes_ta(set) || gate_find_next(set, a) != GATE_NO_KEY ||
        set->nkey == GATE_KEYS_MAX || gate_count_records(set) >= GATE_RECORDS_MAX ||
        gate_has_alarm(out, GATE_AWAIT_EDGE_AHEAD) || gate_has_alarm(out, GATE_AWAIT_RECORD_UNKNOWN))
        return false;
    int current = gate_find_state(set, a, GATE_ACTIVE);
    if (current == GATE_NO_KEY || set->key[current].is_compromised)
        return true;
    return set->keeps_next && gate_find_state(set, a, GATE_RETIRING) == GATE_NO_KEY;
}

static bool has_other_alarm(const struct gate_out *out, enum gate_await one, enum gate_await two)
{
    for (size_t i = 0; i < out->nalarm; i++)
        if (out->alarm[i].what != one && out->alarm[i].what != two)
            return true;
    return false;
}

static bool is_anywhere(const struct gate_evidence *e, const struct gate_record *r)
{
    for (size_t i = 0; i < e->nserver; i++)
        if (gate_server_has(&e->server[i], r))
            return true;
    return false;
}

/* The database may be older than the world, as far as can be seen: what edges serve belongs into every RRset;
 * 2 1 1 is not added, its CA may be of old, nor what no server has: it may have been withdrawn. */
static void keep_live(const struct gate_evidence *e, struct gate_out *out)
{
    bool is_old =
        gate_has_alarm(out, GATE_AWAIT_EDGE_AHEAD) || gate_has_alarm(out, GATE_AWAIT_RECORD_UNKNOWN);
    size_t kept = 0;
    for (size_t i = 0; i < out->nrecord; i++)
        if (out->record[i].usage != 2 && (!is_old || is_anywhere(e, &out->record[i])))
            out->record[kept++] = out->record[i];
    out->nrecord = kept;
    for (size_t i = 0; i < e->nedge; i++)
        for (size_t j = 0; j < e->edge[i].nserved; j++) {
            struct gate_record r = {.usage = 3, .selector = 1, .mtype = 1};
            memcpy(r.digest, e->edge[i].served[j].spki, sizeof r.digest);
            gate_add_record(out, r);
        }
}

/* Does what is published match the chain by each usage on its own (G5)? */
static bool is_promised(const struct gate_out *out, const struct gate_served *served)
{
    bool has_ta = false, is_key = false, is_ta = false;
    for (size_t i = 0; i < out->nrecord; i++) {
        const struct gate_record *r = &out->record[i];
        has_ta |= r->usage == 2;
        is_key |= r->usage == 3 && memcmp(r->digest, served->spki, sizeof r->digest) == 0;
        is_ta |= r->usage == 2 && served->has_ta && memcmp(r->digest, served->ta, sizeof r->digest) == 0;
    }
    return is_key && (is_ta || !has_ta);
}

static bool is_kept_by_all(const struct gate_evidence *e, const struct gate_out *out)
{
    for (size_t i = 0; i < e->nedge; i++) {
        if (!e->edge[i].nserved)
            return false;
        for (size_t j = 0; j < e->edge[i].nserved; j++)
            if (!is_promised(out, &e->edge[i].served[j]))
                return false;
    }
    return true;
}

static void conclude(const struct gate_set *set, const struct gate_evidence *e, struct gate_out *out)
{
    gate_records(set, out);
    out->additions_only = out->nalarm > 0;
    if (has_other_alarm(out, GATE_AWAIT_RECORD_MISSING, GATE_AWAIT_UNPROVEN))
        keep_live(e, out);
    out->may_start = !out->nalarm && is_kept_by_all(e, out);
    bool is_held = has_other_alarm(out, GATE_AWAIT_CA_CHANGED, GATE_AWAIT_NOTHING); /* a reload mends that */
    for (int a = 0; a < GATE_ALGORITHMS; a++) {
        int current = gate_find_state(set, (enum gate_algorithm)a, GATE_ACTIVE);
        bool stops = current == GATE_NO_KEY && gate_other_serves(set, (enum gate_algorithm)a);
        if (!is_held && stops)
            out->serve[a].what = GATE_SERVE_NONE;
        else if (!is_held && current != GATE_NO_KEY)
            out->serve[a].what = GATE_SERVE_KEY, out->serve[a].key = (size_t)current;
        out->generate[a] = wants_new_key(set, (enum gate_algorithm)a, out);
    }
    gate_say_what_is_awaited(set, e, out);
}

/* The keystore is told when the step says of every algorithm what to serve. */
static void note_told(struct gate_set *set, const struct gate_out *out)
{
    for (int a = 0; a < GATE_ALGORITHMS; a++)
        if (set->wants[a] && out->serve[a].what == GATE_SERVE_KEEP)
            return;
    for (size_t i = 0; i < set->nkey; i++)
        if (set->key[i].state == GATE_RETIRING && set->key[i].proven_ms == GATE_UNTOLD)
            set->key[i].proven_ms = -1;
}

/* Proof that grew may be lost in a crash, proof that was lost must not come back. */
static bool must_save(const struct gate_set *before, const struct gate_set *set, const struct gate_out *out)
{
    if (out->nevent || before->largest_ttl_ms != set->largest_ttl_ms ||
        before->lower_ttl_ms != set->lower_ttl_ms || set->no_ta_ms < before->no_ta_ms)
        return true;
    for (size_t i = 0; i < set->nkey; i++) /* no events: the same keys */
        if (before->key[i].proven_ms >= 0 && set->key[i].proven_ms < before->key[i].proven_ms)
            return true;
    return false;
}

static void remember(struct gate_set *set, const struct gate_reading *r)
{
    struct gate_moment now = {r->e->boot, r->e->wall_ms, r->e->mono_ms};
    set->step = now;
    if (r->whole) {
        set->servers = now;
        set->names = r->names;
        set->serials = r->serials;
    }
    if (r->confirmed)
        set->edges = now;
}

void gate_step(struct gate_set *set, const struct gate_evidence *e, struct gate_out *out)
{
    const struct gate_set before = *set;
    struct gate_reading r;
    ENSURE(e->boot);
    *out = (struct gate_out){0};
    gate_raise_ttl(set, e);
    gate_read(set, e, &r);
    gate_lower_ttl(set, &r);
    gate_follow(set, &r, out);
    gate_judge(set, &r, out);
    start_fresh(set, &r, out);
    publish(set, e->wall_ms, out);
    if (!set->ta || (!out->nalarm && gate_knows_chains(set, e)))
        set->is_ta_on = set->ta;
    if (!out->nalarm) { /* G4 */
        finish(set, e, out);
        for (int a = 0; a < GATE_ALGORITHMS; a++)
            switch_algorithm(set, e, (enum gate_algorithm)a, out);
    }
    forget(set, out, e->wall_ms);
    remember(set, &r);
    out->must_save = must_save(&before, set, out);
    conclude(set, e, out);
    note_told(set, out);
}
