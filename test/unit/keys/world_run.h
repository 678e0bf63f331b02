/* Control, publisher and edges: what they do when nothing goes wrong. */
#ifndef TEST_KEYS_WORLD_RUN_H
#define TEST_KEYS_WORLD_RUN_H

#include "world_judge.h"

/* Control: observe, step, save, tell. */

static int64_t wall(const struct world *w)
{
    return w->now_ms + w->wall_off_ms;
}

static int64_t mono(const struct world *w)
{
    return w->now_ms + w->mono_off_ms;
}

static void observe_server(struct world *w, struct server *s)
{
    size_t at = w->e.nserver++;
    const struct version *v = &w->version[server_version(s)];
    struct gate_server *seen = &w->seen[at];
    *seen = (struct gate_server){.name = str_of(s->name), .serial = s->serial};
    seen->answer = s->is_cut || s->is_down ? GATE_ANSWER_SILENT
                   : s->is_invalid         ? GATE_ANSWER_INVALID
                                           : GATE_ANSWER_SECURE;
    if (seen->answer == GATE_ANSWER_SILENT)
        return;
    memcpy(w->seen_r[at], v->r, v->n * sizeof *v->r);
    seen->record = w->seen_r[at];
    seen->nrecord = v->n;
    seen->ttl_ms = v->n ? v->ttl_ms : 0;
    seen->expires_ms = v->n ? wall(w) + 7 * 86400000LL : 0;
}

static void begin_look(struct world *w)
{
    w->e = (struct gate_evidence){.server = w->seen, .edge = w->seen_edge};
    for (size_t z = 0; z < ZONES; z++) {
        struct zone *zone = &w->zone[z];
        for (size_t s = 0; s < SERVERS; s++) {
            struct server *server = &zone->server[s];
            if (server->is_there && server->nwas && w->version[server_version(server)].n > 0)
                zone->evident_ms = w->now_ms + 3 * largest_ttl(w);
        }
        for (size_t s = 0; s < SERVERS && (zone->publishes || zone->evident_ms > w->now_ms); s++)
            if (zone->server[s].is_there)
                observe_server(w, &zone->server[s]);
    }
    w->step_ms = w->now_ms + below(w, 4) * TICK_MS;
}

static void gather_edges(struct world *w)
{
    w->e.nedge = 0;
    for (size_t i = 0; i < EDGES; i++) {
        struct edge *edge = &w->edge[i];
        if (!edge->is_there)
            continue;
        size_t at = w->e.nedge++;
        memcpy(w->seen_served[at], edge->confirmed, sizeof edge->confirmed);
        w->seen_edge[at] =
            (struct gate_edge){.name = str_of(edge->name),
                               .age_ms = edge->confirmed_ms < 0 ? -1 : w->now_ms - edge->confirmed_ms,
                               .served = w->seen_served[at],
                               .nserved = edge->confirmed_ms < 0 ? 0 : edge->nconfirmed};
    }
}

static struct chain chain_of(const struct gate_key *k)
{
    return (struct chain){digest_number(k->spki), k->has_ta ? digest_number(k->ta) : 0};
}

static void tell_keystore_as_rogue(struct world *w)
{
    for (size_t i = 0; i < w->set.nkey; i++) {
        const struct gate_key *k = &w->set.key[i];
        if (w->rogue == ROGUE_SERVES_EARLY && k->state == GATE_PUBLISHED)
            w->keystore[k->algorithm] = chain_of(k);
        if (w->rogue == ROGUE_TRUSTS_DATABASE && k->state == GATE_ACTIVE && k->pair_id)
            w->keystore[k->algorithm] = chain_of(k);
    }
}

/* As the keeper: told when the gate says it for every algorithm. */
static void tell_keystore(struct world *w)
{
    tell_keystore_as_rogue(w);
    for (int a = 0; a < GATE_ALGORITHMS; a++)
        if (w->out.serve[a].what == GATE_SERVE_KEEP && w->set.wants[a])
            return;
    for (int a = 0; a < GATE_ALGORITHMS; a++)
        w->keystore[a] = w->out.serve[a].what == GATE_SERVE_KEY ? chain_of(&w->set.key[w->out.serve[a].key])
                                                                : (struct chain){0, 0};
}

static int new_key(struct world *w, int ca)
{
    int key = ++w->nkey;
    if (key >= KEYS)
        wrong(w, "the test itself: too many keys");
    w->served_ms[key % KEYS] = -1;
    w->ca_of[key % KEYS] = ca;
    return key % KEYS;
}

static struct gate_key gate_key_of(struct world *w, int key, int ca, enum gate_algorithm a)
{
    struct gate_key k = {.id = ++w->next_id, .pair_id = key, .algorithm = a, .has_ta = ca != 0};
    number_digest(key, 'k', k.spki);
    if (ca)
        number_digest(ca, 'c', k.ta);
    return k;
}

static void stage(struct world *w, int key, int ca, enum gate_algorithm a, enum gate_roll roll)
{
    struct buf why = {0};
    struct gate_key k = gate_key_of(w, key, ca, a);
    enum gate_reply reply = gate_stage(&w->set, &k, roll, wall(w), &why);
    w->disk = w->set;
    if (reply == GATE_DONE || reply == GATE_SWAPPED)
        TELL(w, "staged k%d c%d %s roll %d: %s", key, ca, gate_algorithm_name(a), roll, buf_cstr(&why));
    buf_release(&why);
}

static void tell_step(struct world *w)
{
    char line[512] = "";
    size_t at = 0;
    for (size_t i = 0; i < w->set.nkey && at + 40 < sizeof line; i++) {
        const struct gate_key *k = &w->set.key[i];
        at += (size_t)snprintf(line + at, sizeof line - at, " k%d/c%d=%s(%.2f)", chain_of(k).key,
                               chain_of(k).ca, gate_state_name(k->state),
                               k->proven_ms == GATE_SETTLED ? 9999.0 : (double)k->proven_ms / 1000);
    }
    char names[256] = "";
    at = 0;
    for (size_t i = 0; i < w->out.nalarm && at + 40 < sizeof names; i++)
        at += (size_t)snprintf(names + at, sizeof names - at, " %s(%.*s)",
                               gate_await_name(w->out.alarm[i].what), STR_ARG(w->out.alarm[i].subject));
    char text[256];
    record_text(w->out.record, w->out.nrecord, text, sizeof text);
    TELL(w, "step:%s alarms:%s out {%s}%s", line, names, text, w->out.additions_only ? " +only" : "");
}

static void finish_look(struct world *w)
{
    w->e.boot = w->boot, w->e.wall_ms = wall(w), w->e.mono_ms = mono(w);
    w->e.is_turn = happens(w, 900);
    gather_edges(w);
    gate_step(&w->set, &w->e, &w->out);
    w->steps++;
    w->held += w->out.nalarm > 0;
    tell_step(w);
    for (size_t i = 0; i < w->out.nevent; i++)
        w->rolls += w->out.event[i].what == GATE_EVENT_GONE;
    if (w->out.must_save || happens(w, 1000 - w->often.unsaved) ||
        w->now_ms - w->saved_ms > w->set.ttl_ms / 2) {
        w->disk = w->set;
        w->saved_ms = w->now_ms;
    }
    w->has_stepped = true;
    if (happens(w, 995)) /* else: a crash between saving and telling would look like this */
        tell_keystore(w);
    for (int a = 0; a < GATE_ALGORITHMS; a++)
        if (w->out.generate[a])
            stage(w, new_key(w, 0), 0, (enum gate_algorithm)a, GATE_ROLL_NO);
    w->step_ms = 0;
    int64_t wait = w->set.ttl_ms / 3;
    w->look_ms = w->now_ms + (w->out.nevent ? TICK_MS : wait > 500 ? wait : 500) + below(w, 3) * TICK_MS;
}

/* Control starts with what is on disk; edges have not confirmed, nothing is known. */
static void start_control(struct world *w)
{
    w->set = w->disk;
    w->has_stepped = false;
    w->step_ms = 0;
    w->look_ms = w->now_ms + below(w, 8) * TICK_MS;
    for (size_t i = 0; i < EDGES; i++)
        w->edge[i].confirmed_ms = -1;
    for (size_t z = 0; z < ZONES; z++)
        w->zone[z].job.is_under_way = false;
}

/* The publisher: what the last step said, a while later. */

static void begin_job(struct world *w, struct zone *z)
{
    struct job *job = &z->job;
    if (job->is_under_way || !w->has_stepped || happens(w, 300))
        return;
    job->is_under_way = true;
    job->only_adds = w->out.additions_only;
    job->may_start = w->out.may_start;
    job->publishes = z->publishes;
    job->n = z->publishes ? w->out.nrecord : 0;
    memcpy(job->r, w->out.record, w->out.nrecord * sizeof *job->r);
    job->ttl_ms = w->set.ttl_ms;
    job->done_ms = w->now_ms + below(w, 6) * TICK_MS;
    if (w->rogue == ROGUE_REPLACES)
        job->only_adds = false;
    if (w->rogue == ROGUE_STARTS)
        job->may_start = true;
    if (w->rogue == ROGUE_WITHDRAWS_EARLY) {
        job->n = 0;
        for (size_t i = 0; i < w->set.nkey; i++)
            if (w->set.key[i].state == GATE_ACTIVE || gate_key_is_next(&w->set.key[i])) {
                job->r[job->n] = (struct gate_record){.usage = 3, .selector = 1, .mtype = 1};
                memcpy(job->r[job->n++].digest, w->set.key[i].spki, 32);
            }
    }
}

static void finish_job(struct world *w, struct zone *z)
{
    struct job *job = &z->job;
    const struct version *now = &w->version[server_version(&z->server[0])];
    job->is_under_way = false;
    if (z->server[0].is_cut || z->server[0].is_down)
        return;
    struct gate_record r[RRSET_MAX];
    size_t n = 0;
    int64_t ttl_ms = job->ttl_ms;
    if (now->n == 0 && !job->may_start)
        return;
    if (job->only_adds && job->publishes) {
        memcpy(r, now->r, now->n * sizeof *r);
        n = now->n;
        for (size_t i = 0; i < job->n && n < RRSET_MAX; i++)
            if (!rrset_has(r, n, &job->r[i]))
                r[n++] = job->r[i];
        if (n == now->n || happens(w, 500))
            ttl_ms = now->ttl_ms;
    } else {
        memcpy(r, job->r, job->n * sizeof *r);
        n = job->n;
    }
    bool same = n == now->n && ((n == 0) || ttl_ms == now->ttl_ms);
    for (size_t i = 0; same && i < n; i++)
        same = rrset_has(now->r, now->n, &r[i]);
    if (same)
        return;
    check_withdrawal(w, now, r, n);
    zone_change(w, z, r, n, ttl_ms);
}

/* Edges. */

static void edge_load(struct world *w, struct edge *e)
{
    for (int a = 0; a < GATE_ALGORITHMS; a++) {
        struct chain before = e->serves[a], now = w->keystore[a];
        if (before.key == now.key && before.ca == now.ca)
            continue;
        e->serves[a] = now;
        TELL(w, "%s serves k%d c%d (%s)", e->name, now.key, now.ca,
             gate_algorithm_name((enum gate_algorithm)a));
        if (now.key && now.key != before.key)
            check_begins(w, e, now.key);
    }
}

static void edge_confirm(struct world *w, struct edge *e)
{
    e->confirmed_ms = w->now_ms;
    e->nconfirmed = 0;
    for (int a = 0; a < GATE_ALGORITHMS; a++) {
        if (!e->serves[a].key)
            continue;
        struct gate_served *s = &e->confirmed[e->nconfirmed++];
        *s = (struct gate_served){.algorithm = (enum gate_algorithm)a, .has_ta = e->serves[a].ca != 0};
        number_digest(e->serves[a].key, 'k', s->spki);
        if (e->serves[a].ca)
            number_digest(e->serves[a].ca, 'c', s->ta);
    }
}

static void run_edge(struct world *w, struct edge *e)
{
    if (!e->is_there || e->is_down)
        return;
    if (!e->is_stuck && happens(w, 400))
        edge_load(w, e);
    if (!e->is_cut && happens(w, 150))
        edge_confirm(w, e);
}

#endif
