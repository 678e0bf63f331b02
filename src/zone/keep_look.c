/* One look: all servers, all edges, the gate's step, and what follows. */
#include "keys/request.h"
#include "keys/store.h"
#include "tenant/allocate.h"
#include "zone/keeper_priv.h"

/* ZONES_AT_ONCE: the questions about more would not find room in the resolver's socket, nor in a server's. */
enum { SOON_MS = 100, LEAST_MS = 500, ABSENCE_GAP_MS = 120000, MISSED_EACH_MS = 60000, ZONES_AT_ONCE = 32 };

/* One zone and its observation. */
struct watched {
    struct keeper *keeper;
    struct keep_ask ask;
    struct zone_delegation delegation;
    size_t *left; /* jobs under way; with the keeper's lock */
};

struct look {
    struct keeper *keeper;
    struct arena arena;
    struct zone_row *rows;
    struct keep_pair *pairs;
    size_t row_n, pair_n;
    struct watched *zones; /* one for each row */
    uint64_t boot;
    /* The gate's part; lives until the look is over. */
    struct gate_set *sets;
    struct board_view *views;
    size_t set_n;
    int64_t shortest_ttl_ms;
    bool moved, touched; /* events; hosts that left */
};

/* What there is to ask. */

static enum err load(struct call *c, void *ctx)
{
    struct look *l = ctx;
    enum err e = zone_load_rows(c, &l->arena, &l->rows, &l->row_n);
    return e ? e : keep_pairs(c, &l->arena, &l->pairs, &l->pair_n);
}

struct keep_ask keep_ask_of(const struct keeper *k, const struct zone_row *row, const struct keep_pair *pairs,
                            size_t n, struct keep_versions *versions)
{
    struct keep_ask ask = {.resolver = k->conf.resolver,
                           .store = k->store,
                           .crew = k->crew,
                           .timeout_ms = k->conf.timeout_ms,
                           .unreachable = k->conf.unreachable,
                           .row = row,
                           .versions = versions};
    size_t first = 0; /* pairs are sorted by zone */
    while (first < n && pairs[first].zone_id != row->id)
        first++;
    while (first + ask.n < n && pairs[first + ask.n].zone_id == row->id)
        ask.n++;
    ask.pair = pairs + first;
    return ask;
}

static void sort_pairs(struct look *l)
{
    struct keeper *k = l->keeper;
    l->zones = ARENA_ARRAY(&l->arena, struct watched, l->row_n);
    for (size_t i = 0; i < l->row_n; i++) {
        pthread_mutex_lock(&k->lock);
        struct keep_zone *z = keep_zone_get(k, l->rows[i].name);
        pthread_mutex_unlock(&k->lock);
        l->zones[i].keeper = k;
        l->zones[i].ask = keep_ask_of(k, &l->rows[i], l->pairs, l->pair_n, &z->versions);
    }
}

/* Observing, some zones at the same time. */

static void observe(void *ctx)
{
    struct watched *w = ctx;
    keep_ask(&w->ask);
    keep_delegation(w->keeper, w->ask.row->name, &w->ask.evidence, &w->delegation);
    pthread_mutex_lock(&w->keeper->lock);
    --*w->left;
    pthread_cond_broadcast(&w->keeper->changed);
    pthread_mutex_unlock(&w->keeper->lock);
}

static void observe_all(struct look *l)
{
    struct keeper *k = l->keeper;
    size_t left = 0;
    pthread_mutex_lock(&k->lock);
    for (size_t i = 0; i < l->row_n; i++) {
        while (left == ZONES_AT_ONCE)
            (void)thread_cond_wait(&k->changed, &k->lock, DEADLINE_NEVER);
        left++;
        pthread_mutex_unlock(&k->lock);
        l->zones[i].left = &left;
        if (crew_start(k->crew, observe, &l->zones[i], NULL))
            observe(&l->zones[i]); /* no more threads */
        pthread_mutex_lock(&k->lock);
    }
    while (left)
        (void)thread_cond_wait(&k->changed, &k->lock, DEADLINE_NEVER);
    pthread_mutex_unlock(&k->lock);
}

static const struct zone_server *primary_of(const struct watched *w)
{
    const struct zone_evidence *e = &w->ask.evidence;
    for (size_t i = 0; i < e->n; i++)
        if (e->servers[i].state == ZONE_SERVER_GOOD &&
            addr_equal_ip(&e->servers[i].addr, &w->ask.row->primary) &&
            addr_port(&e->servers[i].addr) == addr_port(&w->ask.row->primary))
            return &e->servers[i];
    return NULL;
}

/* Does the gate miss a record of a served key on a server of this zone? */
static bool is_missing(const struct look *l, const struct keep_ask *ask)
{
    for (size_t p = 0; p < ask->n; p++)
        for (size_t i = 0; i < l->set_n; i++)
            if (l->sets[i].id == ask->pair[p].key_set && keep_ask_misses(ask, p, &l->views[i].out))
                return true;
    return false;
}

/* A serial that is not ours means that somebody else changed the zone, or the server signed anew. */
static void keep_evidence(struct look *l)
{
    for (size_t i = 0; i < l->row_n; i++) {
        struct watched *w = &l->zones[i];
        const struct zone_server *primary = primary_of(w);
        json_t *hosts = keep_ask_hosts_json(&w->ask);
        bool missing = is_missing(l, &w->ask);
        pthread_mutex_lock(&l->keeper->lock);
        struct keep_zone *z = keep_zone_get(l->keeper, w->ask.row->name);
        if (primary && z->report.read_ms && !z->is_busy && primary->serial != z->report.serial)
            z->must_read = z->is_due = true;
        /* What we believe to be there may be gone; more often a secondary has it later, so this is rare. */
        if (missing && !z->is_busy && (!z->missed_ms || clock_mono() - z->missed_ms >= MISSED_EACH_MS)) {
            z->must_read = z->is_due = true;
            z->missed_ms = clock_mono();
        }
        struct zone_evidence before = z->evidence;
        bool had = z->has_evidence;
        z->evidence = w->ask.evidence;
        z->delegation = w->delegation;
        z->has_evidence = true;
        json_decref(z->hosts);
        z->hosts = hosts;
        pthread_mutex_unlock(&l->keeper->lock);
        w->ask.evidence = (struct zone_evidence){0};
        if (had)
            zone_evidence_release(&before);
    }
}

/* The gate. */

static void gather_servers(struct look *l, int64_t set, struct gate_evidence *e)
{
    struct gate_server *all = ARENA_ARRAY(&l->arena, struct gate_server, 0), *rows;
    for (size_t i = 0; i < l->row_n; i++) {
        const struct keep_ask *ask = &l->zones[i].ask;
        for (size_t p = 0; p < ask->n; p++) {
            if (ask->pair[p].key_set != set)
                continue;
            size_t n = keep_ask_servers(ask, p, &l->arena, &rows);
            struct gate_server *more = ARENA_ARRAY(&l->arena, struct gate_server, e->nserver + n);
            if (e->nserver)
                memcpy(more, all, e->nserver * sizeof *more);
            if (n)
                memcpy(more + e->nserver, rows, n * sizeof *more);
            all = more;
            e->nserver += n;
        }
    }
    e->server = all;
}

static enum err gather_edges(struct look *l, struct call *c, int64_t set, struct gate_evidence *e)
{
    int64_t count;
    enum err failed = db_get_int(db_query(c->db, "SELECT COUNT(*) FROM edge"), &count, c->why);
    if (failed)
        return failed;
    struct gate_edge *edges = ARENA_ARRAY(&l->arena, struct gate_edge, (size_t)count);
    struct db_query *q = db_query(c->db, "SELECT name FROM edge ORDER BY name");
    while (e->nedge < (size_t)count && db_next(q))
        board_edge(l->keeper->conf.board, arena_str(&l->arena, db_text(q, 0)), set, &l->arena,
                   &edges[e->nedge++]);
    e->edge = edges;
    return db_end(q, c->why);
}

static enum err load_sets(struct look *l, struct call *c)
{
    struct key_row *rows;
    enum err e = keys_rows(c, &rows, &l->set_n);
    if (e)
        return e;
    l->sets = ARENA_ARRAY(&l->arena, struct gate_set, l->set_n);
    l->views = ARENA_ARRAY(&l->arena, struct board_view, l->set_n);
    for (size_t i = 0; !e && i < l->set_n; i++) {
        e = keys_load(c, rows[i].id, &l->sets[i]);
        board_options(l->keeper->conf.board, &l->sets[i]);
        if (!l->shortest_ttl_ms || l->sets[i].ttl_ms < l->shortest_ttl_ms)
            l->shortest_ttl_ms = l->sets[i].ttl_ms;
    }
    return e;
}

static enum err make_next_keys(struct call *c, struct gate_set *set, const struct gate_out *out)
{
    enum err e = OK;
    for (int a = 0; !e && a < GATE_ALGORITHMS; a++) {
        struct buf said = {0};
        if (out->generate[a])
            e = request_new_key(c, set, (enum gate_algorithm)a, GATE_ROLL_NO, NULL, &said);
        if (e == ERR_REFUSED) { /* the step stands: what makes room for a key is a step, too */
            log_event(LOG_INFO, "no-next-key", LOG_NUM("set", set->id), LOG_STR("why", buf_str(c->why)));
            e = OK;
        }
        buf_release(&said);
    }
    return e;
}

/* What the keystore has to be told: the pairs, when the gate says so for every algorithm. 0: nothing. */
static uint64_t serves(const struct gate_set *set, const struct gate_out *out)
{
    uint64_t all = 0;
    for (int a = 0; a < GATE_ALGORITHMS; a++) {
        bool absent = !set->wants[a] && out->serve[a].what == GATE_SERVE_KEEP;
        if (out->serve[a].what == GATE_SERVE_KEEP && !absent)
            return 0;
        uint64_t pair =
            out->serve[a].what == GATE_SERVE_KEY ? (uint64_t)set->key[out->serve[a].key].pair_id : 1;
        all = all * UINT64_C(1099511628211) + pair;
    }
    return all ? all : 1;
}

static struct str map_key(const int64_t *id)
{
    return str_make((const char *)id, sizeof *id);
}

static enum err follow(struct look *l, struct call *c, const struct gate_set *set, const struct gate_out *out)
{
    uint64_t wanted = serves(set, out);
    uint64_t told = (uint64_t)(uintptr_t)map_get(&l->keeper->served, map_key(&set->id));
    if (!wanted || wanted == told)
        return OK;
    (void)map_put(&l->keeper->served, map_key(&set->id), (void *)(uintptr_t)wanted);
    return change_note(c, CHANGE_KEY, id_text(c->a, set->id), STR_NONE);
}

static enum err step_one(struct look *l, struct call *c, size_t at, bool is_turn)
{
    struct gate_set *set = &l->sets[at];
    struct board_view *view = &l->views[at];
    struct gate_evidence *e = &view->evidence;
    *e = (struct gate_evidence){
        .boot = l->boot, .wall_ms = clock_wall(), .mono_ms = clock_mono(), .is_turn = is_turn};
    gather_servers(l, set->id, e);
    enum err failed = gather_edges(l, c, set->id, e);
    if (failed)
        return failed;
    gate_step(set, e, &view->out);
    view->stepped_ms = e->wall_ms;
    l->moved |= view->out.nevent > 0 || view->out.generate[GATE_ECDSA] || view->out.generate[GATE_RSA];
    failed = keys_save(c, set, &view->out);
    if (!failed)
        failed = follow(l, c, set, &view->out);
    return failed ? failed : make_next_keys(c, set, &view->out);
}

/* What no host wants any more stays evidence until two TTLs after it was last seen anywhere. */
static enum err forget_pairs(struct look *l, struct call *c, size_t at)
{
    const struct gate_set *set = &l->sets[at];
    enum err e = OK;
    for (size_t i = 0; i < l->row_n; i++) {
        const struct keep_ask *ask = &l->zones[i].ask;
        for (size_t p = 0; !e && p < ask->n; p++) {
            if (ask->pair[p].key_set != set->id)
                continue;
            bool absent = !ask->pair[p].is_wanted && keep_ask_is_absent(ask, p);
            if (keep_absence_follow(&l->keeper->absent, &ask->pair[p], absent, clock_mono(),
                                    gate_wait_ms(set), ABSENCE_GAP_MS))
                e = keep_pair_forget(c, &ask->pair[p]);
        }
    }
    return e;
}

static enum err step(struct call *c, void *ctx)
{
    struct look *l = ctx;
    int64_t left = 0;
    enum err e = mx_host_expire(c, clock_wall(), &left);
    l->touched = left > 0;
    for (size_t i = 0; !e && i < l->row_n; i++)
        e = keep_delegation_note(c, l->zones[i].ask.row->id, &l->zones[i].delegation);
    if (!e)
        e = load_sets(l, c);
    if (e)
        return e;
    const struct gate_set **sets = ARENA_ARRAY(&l->arena, const struct gate_set *, l->set_n);
    for (size_t i = 0; i < l->set_n; i++)
        sets[i] = &l->sets[i];
    size_t turn = gate_turn(sets, l->set_n);
    for (size_t i = 0; !e && i < l->set_n; i++)
        e = step_one(l, c, i, i == turn);
    for (size_t i = 0; !e && i < l->set_n; i++)
        e = forget_pairs(l, c, i);
    return e;
}

/* What the publisher has to follow. */
static uint64_t published(const struct look *l)
{
    uint64_t h = UINT64_C(14695981039346656037);
    for (size_t i = 0; i < l->set_n; i++) {
        const struct gate_out *out = &l->views[i].out;
        h = (h ^ (uint64_t)l->sets[i].id) * UINT64_C(1099511628211);
        h = (h ^ out->additions_only) * UINT64_C(1099511628211);
        h = (h ^ out->may_start) * UINT64_C(1099511628211);
        const uint8_t *p = (const uint8_t *)out->record;
        for (size_t b = 0; b < out->nrecord * sizeof *out->record; b++)
            h = (h ^ p[b]) * UINT64_C(1099511628211);
    }
    return h;
}

static void log_alarms(const struct look *l, size_t at)
{
    struct board_view before;
    struct arena a = {0};
    const struct gate_waiting *w = &l->views[at].out.waiting;
    board_look(l->keeper->conf.board, l->sets[at].id, &a, &before);
    if (before.out.waiting.what != w->what || before.out.waiting.key_id != w->key_id ||
        !str_equal(before.out.waiting.subject, w->subject)) {
        struct buf text = {0};
        gate_waiting_text(w, clock_wall(), &text);
        log_event(gate_await_is_doubt(w->what) ? LOG_ERROR : LOG_INFO, "gate-awaits",
                  LOG_NUM("set", l->sets[at].id), LOG_TEXT("what", gate_await_name(w->what)),
                  LOG_STR("by", w->subject), LOG_STR("text", buf_str(&text)));
        buf_release(&text);
    }
    arena_release(&a);
}

static void tell(struct look *l)
{
    struct keeper *k = l->keeper;
    for (size_t i = 0; i < l->set_n; i++) {
        log_alarms(l, i);
        board_post(k->conf.board, l->sets[i].id, &l->views[i]);
    }
    uint64_t now = published(l);
    pthread_mutex_lock(&k->lock);
    k->news += now != k->published || l->touched || l->moved;
    k->published = now;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
}

/* Monotonic times of one boot compare, over restarts of this process, too. */
static uint64_t boot_id(void)
{
    struct buf text = {0};
    uint64_t h = UINT64_C(14695981039346656037);
    if (file_read("/proc/sys/kernel/random/boot_id", 64, &text, NULL))
        h ^= rand_u64();
    for (size_t i = 0; i < text.n; i++)
        h = (h ^ (uint8_t)text.p[i]) * UINT64_C(1099511628211);
    buf_release(&text);
    return h ? h : 1;
}

/* Moves are followed at once; waits are looked at when they should be over; sightings need a look at least
 * three times in the shortest TTL. */
static int64_t next_look(const struct look *l)
{
    int64_t wait = l->keeper->conf.interval_ms, now = clock_wall();
    if (l->shortest_ttl_ms && l->shortest_ttl_ms / 3 < wait)
        wait = l->shortest_ttl_ms / 3;
    for (size_t i = 0; i < l->set_n; i++) {
        int64_t until = l->views[i].out.waiting.until_ms;
        if (until > now && until - now + SOON_MS < wait)
            wait = until - now + SOON_MS;
    }
    if (l->moved)
        return clock_mono() + SOON_MS;
    return clock_mono() + (wait < LEAST_MS ? LEAST_MS : wait);
}

int64_t keep_look(struct keeper *k)
{
    struct look l = {.keeper = k, .boot = boot_id()};
    struct buf why = {0};
    enum err e = tenant_transact(k->store, TENANT_READ, load, &l, &why);
    if (!e) {
        sort_pairs(&l);
        observe_all(&l);
        e = tenant_transact(k->store, TENANT_WRITE, step, &l, &why);
        if (!e)
            tell(&l);
        keep_evidence(&l);
    }
    if (e) {
        log_event(LOG_ERROR, "gate-not-stepped", LOG_STR("why", buf_str(&why)));
        map_release(&k->served); /* what was noted is undone */
        l.shortest_ttl_ms = 0;
        l.moved = false;
        l.set_n = 0;
    }
    int64_t next = next_look(&l);
    for (size_t i = 0; l.zones && i < l.row_n; i++)
        keep_ask_release(&l.zones[i].ask);
    arena_release(&l.arena);
    buf_release(&why);
    return next;
}
