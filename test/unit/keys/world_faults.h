/* Faults, operators, and the passing of time. */
#ifndef TEST_KEYS_WORLD_FAULTS_H
#define TEST_KEYS_WORLD_FAULTS_H

#include "world_run.h"

/* What goes wrong, by the names of the field. */

static void server_faults(struct world *w, struct zone *z, struct server *s)
{
    const struct chances *o = &w->often;
    bool before = s->is_cut;
    s->is_cut = s->is_cut ? !happens(w, o->heal) : happens(w, o->cut);
    if (before != s->is_cut)
        TELL(w, "%s %s", s->name, s->is_cut ? "is cut off" : "is back");
    s->is_stuck = s != &z->server[0] && (s->is_stuck ? !happens(w, o->heal) : happens(w, o->stuck));
    s->is_down = s->is_down ? !happens(w, o->heal) : happens(w, o->down);
    s->is_invalid = s->is_invalid ? !happens(w, o->heal) : happens(w, o->invalid);
    if (s != &z->server[0] && !s->is_stuck && !s->is_down && !z->server[0].is_down && happens(w, 350) &&
        s->serial != z->serial)
        server_show(w, s, server_version(&z->server[0]), z->serial);
}

static void edge_faults(struct world *w, struct edge *e)
{
    const struct chances *o = &w->often;
    if (!e->is_there)
        return;
    e->is_stuck = e->is_stuck ? !happens(w, o->heal) : happens(w, o->edge);
    e->is_cut = e->is_cut ? !happens(w, o->heal) : happens(w, o->edge);
    if (e->is_down && happens(w, o->heal)) {
        e->is_down = false;
        edge_load(w, e);
    } else if (!e->is_down && happens(w, o->edge)) {
        TELL(w, "%s stops", e->name);
        e->is_down = true;
        memset(e->serves, 0, sizeof e->serves);
    }
}

static void keep_backup(struct world *w)
{
    struct backup *b = &w->backup[below(w, BACKUPS)];
    *b = (struct backup){true, w->disk, w->next_id};
}

static void control_faults(struct world *w)
{
    const struct chances *o = &w->often;
    if (happens(w, o->backup))
        keep_backup(w);
    if (happens(w, o->jump)) {
        w->wall_off_ms += (int64_t)below(w, 7200000) - 3600000;
        TELL(w, "the clock jumps");
    }
    struct backup *b = &w->backup[below(w, BACKUPS)];
    /* A larger TTL than the backup knows has to be waited out by the operator (doc/decisions/07-gate.md). */
    int64_t known_ms = b->set.largest_ttl_ms > b->set.ttl_ms ? b->set.largest_ttl_ms : b->set.ttl_ms;
    if (happens(w, o->restore) && b->is_there && largest_ttl(w) <= known_ms) {
        TELL(w, "the database is restored from a backup");
        w->disk = b->set;
        w->next_id = b->next_id;
        w->restores++;
        start_control(w);
    } else if (happens(w, o->reboot)) {
        TELL(w, "the machine is started anew");
        w->boot++;
        w->mono_off_ms = -w->now_ms;
        start_control(w);
        w->look_ms += below(w, 200) * TICK_MS;
    } else if (happens(w, o->restart)) {
        TELL(w, "control is started anew");
        start_control(w);
        w->look_ms += below(w, 2) ? below(w, 300) * TICK_MS : 0;
    }
}

/* Edges that are stopped are taken out and come back; secondaries join with the zone as it is, and leave. */
static void change_fleet(struct world *w)
{
    struct edge *e = &w->edge[below(w, EDGES)];
    struct zone *z = &w->zone[below(w, ZONES)];
    struct server *s = &z->server[1 + below(w, SERVERS - 1)];
    if (!happens(w, w->often.fleet))
        return;
    if (e->is_there && e->is_down && e != &w->edge[0]) {
        TELL(w, "%s is taken out", e->name);
        e->is_there = false;
    } else if (!e->is_there) {
        TELL(w, "%s comes", e->name);
        *e = (struct edge){.is_there = true, .confirmed_ms = -1};
        (void)snprintf(e->name, sizeof e->name, "edge %d", (int)(e - w->edge));
        edge_load(w, e);
    } else if (s->is_there) {
        TELL(w, "%s leaves", s->name);
        s->is_there = false;
    } else {
        TELL(w, "%s joins", s->name);
        s->is_there = true;
        s->is_down = s->is_stuck = false;
        s->nwas = 0;
        server_show(w, s, server_version(&z->server[0]), z->serial);
    }
}

/* Somebody else writes into the zone. */
static void foreign_hand(struct world *w)
{
    struct zone *z = &w->zone[below(w, ZONES)];
    const struct version *now = &w->version[server_version(&z->server[0])];
    if (!happens(w, w->often.foreign) || now->n == 0 || z->server[0].is_down)
        return;
    struct gate_record r[RRSET_MAX];
    size_t n = 0, garbage = 0;
    for (size_t i = 0; i < now->n; i++)
        if (now->r[i].digest[0] == 'x')
            garbage++;
        else
            r[n++] = now->r[i];
    if (!garbage) {
        r[n] = (struct gate_record){.usage = 3, .selector = 1, .mtype = 1};
        number_digest(0, 'x', r[n++].digest); /* SHA-256 of the empty string, say */
    }
    zone_change(w, z, r, n, now->ttl_ms);
}

/* Operators. */

static void ask_roll(struct world *w, enum gate_roll roll)
{
    struct buf why = {0};
    if (gate_ask_roll(&w->set, (enum gate_algorithm)below(w, GATE_ALGORITHMS), roll, wall(w), &why) ==
        GATE_DONE) {
        w->disk = w->set;
        TELL(w, "roll asked");
    }
    buf_release(&why);
}

static void compromise(struct world *w)
{
    struct buf why = {0};
    if (!w->set.nkey || !w->has_stepped)
        return;
    const struct gate_key *k = &w->set.key[below(w, (unsigned)w->set.nkey)];
    int key = digest_number(k->spki);
    if (!k->is_lost && gate_emergency(&w->set, &w->e, k->id, &why) == GATE_DONE) {
        w->disk = w->set;
        w->is_stolen[key] = true;
        w->emergencies++;
        TELL(w, "emergency for k%d: %s", key, buf_cstr(&why));
    }
    buf_release(&why);
}

static void accept_world(struct world *w)
{
    struct buf why = {0};
    if (w->has_stepped && gate_accept(&w->set, &w->e, &why) == GATE_DONE) {
        for (size_t i = 0; i < w->set.nkey; i++) /* as keys_save */
            if (!w->set.key[i].id)
                w->set.key[i].id = ++w->next_id;
        w->disk = w->set;
        w->accepted++;
        TELL(w, "accepted: %s", buf_cstr(&why));
    }
    buf_release(&why);
}

/* A new certificate for a key that is there: the same CA or another, or none. */
static void renew(struct world *w)
{
    if (!w->set.nkey)
        return;
    const struct gate_key *k = &w->set.key[below(w, (unsigned)w->set.nkey)];
    if (k->is_lost || k->state == GATE_GONE)
        return;
    int ca = below(w, 2) ? (int)below(w, CA_MAX) : chain_of(k).ca;
    stage(w, digest_number(k->spki), ca, k->algorithm, below(w, 2) ? GATE_ROLL_ASKED : GATE_ROLL_NO);
}

static void change_options(struct world *w)
{
    switch (below(w, 4)) {
    case 0:
        w->set.ta = !w->set.ta;
        break;
    case 1:
        w->set.wants[GATE_RSA] = !w->set.wants[GATE_RSA];
        break;
    case 2:
        w->set.keeps_next = !w->set.keeps_next;
        break;
    default:
        w->set.ttl_ms = (4 + (int64_t)below(w, 60)) * TICK_MS;
    }
    w->disk = w->set;
    TELL(w, "options: ta %d rsa %d next %d ttl %.2f", w->set.ta, w->set.wants[GATE_RSA], w->set.keeps_next,
         (double)w->set.ttl_ms / 1000);
}

static void operators(struct world *w)
{
    const struct chances *o = &w->often;
    if (happens(w, o->roll))
        ask_roll(w, happens(w, 50) ? GATE_ROLL_FORCED : GATE_ROLL_ASKED);
    if (happens(w, o->import)) {
        int ca = w->set.ta || below(w, 2) ? 1 + (int)below(w, CA_MAX - 1) : 0;
        stage(w, new_key(w, ca), ca, (enum gate_algorithm)(w->set.wants[GATE_RSA] ? below(w, 2) : 0),
              GATE_ROLL_ASKED);
    }
    if (happens(w, o->emergency))
        compromise(w);
    if (happens(w, o->swap))
        renew(w);
    if (happens(w, o->option))
        change_options(w);
    if (happens(w, o->accept) &&
        (w->out.waiting.what == GATE_AWAIT_EDGE_AHEAD || w->out.waiting.what == GATE_AWAIT_RECORD_UNKNOWN))
        accept_world(w);
    if (happens(w, o->zone)) {
        struct zone *z = &w->zone[below(w, ZONES)];
        z->publishes = !z->publishes;
        TELL(w, "zone %d %s the set", (int)(z - w->zone), z->publishes ? "publishes" : "leaves");
    }
}

/* A world with its own habits. */
static void world_init(struct world *w, uint64_t seed)
{
    memset(w, 0, sizeof *w);
    w->seed = seed;
    w->chance = seed * UINT64_C(0x2545f4914f6cdd1d) + 1;
    w->boot = 1;
    w->now_ms = 1000000;
    w->wall_off_ms = INT64_C(1790000000000);
    for (size_t i = 0; i < VERSIONS; i++)
        w->version[i].shown_ms = -1;
    int nothing = version_new(w);
    for (size_t z = 0; z < ZONES; z++) {
        w->zone[z].publishes = z == 0 || below(w, 2);
        unsigned servers = 1 + below(w, SERVERS);
        for (size_t s = 0; s < SERVERS; s++) {
            struct server *server = &w->zone[z].server[s];
            (void)snprintf(server->name, sizeof server->name, "server %zu of zone %zu", s, z);
            server->is_there = s < servers;
            server_show(w, server, nothing, 0);
        }
    }
    unsigned edges = 1 + below(w, EDGES);
    for (size_t e = 0; e < EDGES; e++) {
        (void)snprintf(w->edge[e].name, sizeof w->edge[e].name, "edge %zu", e);
        w->edge[e].is_there = e < edges;
        w->edge[e].confirmed_ms = -1;
    }
    bool calm = below(w, 4) == 0;
#define OFTEN(n) (calm ? 0 : below(w, 2) ? 0 : below(w, (n) + 1))
    w->often = (struct chances){.cut = OFTEN(4),
                                .heal = 20 + below(w, 100),
                                .stuck = OFTEN(4),
                                .down = OFTEN(3),
                                .invalid = OFTEN(3),
                                .jump = OFTEN(3),
                                .restart = OFTEN(4),
                                .reboot = OFTEN(2),
                                .restore = OFTEN(3),
                                .backup = 10 + below(w, 30),
                                .edge = OFTEN(6),
                                .foreign = OFTEN(3),
                                .zone = OFTEN(3),
                                .fleet = OFTEN(6),
                                .option = OFTEN(4),
                                .roll = 10 + below(w, 60),
                                .import = OFTEN(6),
                                .emergency = OFTEN(4),
                                .swap = OFTEN(8),
                                .accept = 20,
                                .unsaved = OFTEN(900)};
#undef OFTEN
    w->set = (struct gate_set){.id = 1,
                               .keeps_next = true,
                               .edge_silent_ms = 3000,
                               .signature_ms = 1,
                               .ttl_ms = (4 + (int64_t)below(w, 60)) * TICK_MS,
                               .no_ta_ms = -1};
    w->set.wants[GATE_ECDSA] = true;
    w->set.wants[GATE_RSA] = below(w, 2) == 0;
    w->set.ta = below(w, 3) == 0;
    w->disk = w->set;
    start_control(w);
    int ca = w->set.ta ? 1 : 0;
    for (int a = 0; a < GATE_ALGORITHMS; a++)
        if (w->set.wants[a])
            stage(w, new_key(w, ca), ca, (enum gate_algorithm)a, GATE_ROLL_NO);
}

static void show_versions(struct world *w)
{
    for (size_t z = 0; z < ZONES; z++)
        for (size_t s = 0; s < SERVERS; s++) {
            struct server *server = &w->zone[z].server[s];
            if (server->is_there && !server->is_down)
                w->version[server_version(server)].shown_ms = w->now_ms;
        }
}

static void world_tick(struct world *w)
{
    w->now_ms += TICK_MS;
    show_versions(w);
    for (size_t z = 0; z < ZONES; z++) {
        for (size_t s = 0; s < SERVERS; s++)
            if (w->zone[z].server[s].is_there)
                server_faults(w, &w->zone[z], &w->zone[z].server[s]);
        begin_job(w, &w->zone[z]);
        if (w->zone[z].job.is_under_way && w->now_ms >= w->zone[z].job.done_ms)
            finish_job(w, &w->zone[z]);
    }
    for (size_t e = 0; e < EDGES; e++) {
        edge_faults(w, &w->edge[e]);
        run_edge(w, &w->edge[e]);
    }
    control_faults(w);
    change_fleet(w);
    foreign_hand(w);
    operators(w);
    if (!w->step_ms && w->now_ms >= w->look_ms)
        begin_look(w);
    if (w->step_ms && w->now_ms >= w->step_ms)
        finish_look(w);
    show_versions(w);
    check_views(w);
}

#endif
