/* A world to try the gate in, without a network: zones with a primary and secondaries that lag or are cut
 * off, every cache that there could be, edges that miss a reload, a control that crashes, is restored from a
 * backup or has a wrong clock, operators who ask for things. Chance decides, from a seed; what is wrong is
 * judged from outside, from what clients could see.
 *
 * Everything here does what the keeper, the publisher, the keystore and smtpd do around gate_step: nothing is
 * published, told to the keystore or served but what the last saved step said. */
#ifndef TEST_KEYS_WORLD_H
#define TEST_KEYS_WORLD_H

#include <inttypes.h>

#include "keys/gate_priv.h"

enum {
    TICK_MS = 250,
    ZONES = 2,
    SERVERS = 3, /* of a zone; the first is the primary */
    EDGES = 3,
    VERSIONS = 512,
    KEYS = 4096,
    BACKUPS = 12,
    RRSET_MAX = 48,
    HISTORY = 128,
    CA_MAX = 4, /* 0: none */
};

/* One version of the set's RRset in one zone. */
struct version {
    struct gate_record r[RRSET_MAX];
    size_t n;
    int64_t ttl_ms, shown_ms; /* last shown by a server; -1: free */
};

struct was {
    int version;
    int64_t since_ms;
};

struct server {
    char name[24];
    struct was was[HISTORY]; /* newest last */
    size_t nwas;
    uint32_t serial;
    bool is_there;
    bool is_cut;     /* control does not reach it, clients do */
    bool is_stuck;   /* gets no new version */
    bool is_down;    /* nobody reaches it */
    bool is_invalid; /* what it answers does not validate */
};

struct chain {
    int key, ca; /* numbers; key 0: nothing */
};

struct edge {
    char name[24];
    bool is_there, is_stuck, is_down, is_cut;
    struct chain serves[GATE_ALGORITHMS];
    int64_t confirmed_ms; /* true time; -1: not since control started */
    struct gate_served confirmed[GATE_ALGORITHMS];
    size_t nconfirmed;
};

struct job {
    bool is_under_way, only_adds, may_start, publishes;
    struct gate_record r[RRSET_MAX];
    size_t n;
    int64_t ttl_ms, done_ms;
};

struct zone {
    bool publishes;     /* hosts with DANE refer to the set */
    int64_t evident_ms; /* in the evidence until then */
    struct server server[SERVERS];
    uint32_t serial;
    struct job job;
};

struct backup {
    bool is_there;
    struct gate_set set;
    int64_t next_id;
};

/* How often, per mille of ticks. */
struct chances {
    unsigned cut, heal, stuck, down, invalid, jump, restart, reboot, restore, backup, edge, foreign, zone,
        option, fleet;
    unsigned roll, import, emergency, swap, accept, unsaved;
};

/* What somebody who does not follow the gate would do; the judgement from outside must see each. */
enum rogue {
    ROGUE_NONE,
    ROGUE_SERVES_EARLY,    /* the next key, once it is published */
    ROGUE_WITHDRAWS_EARLY, /* all but what is active */
    ROGUE_REPLACES,        /* in doubt, too */
    ROGUE_STARTS,          /* an RRset, whatever edges serve */
    ROGUE_TRUSTS_DATABASE, /* serves what it calls active, after a restore, too */
    ROGUES
};

struct world {
    enum rogue rogue;
    uint64_t seed, chance;
    int64_t now_ms, wall_off_ms, mono_off_ms;
    uint64_t boot;
    struct chances often;
    bool is_told; /* trace */

    struct version version[VERSIONS];
    struct zone zone[ZONES];
    struct edge edge[EDGES];
    struct chain keystore[GATE_ALGORITHMS];
    int64_t served_ms[KEYS]; /* last time any edge served the key; -1: never */
    int nkey;
    int ca_of[KEYS];

    /* control */
    struct gate_set disk, set; /* saved; in memory */
    int64_t next_id;
    int64_t saved_ms;
    bool has_stepped; /* since it started */
    struct gate_out out;
    int64_t look_ms; /* the next look begins */
    int64_t step_ms; /* its observation is over and the gate steps; 0: none under way */
    struct gate_evidence e;
    struct gate_server seen[ZONES * SERVERS];
    struct gate_record seen_r[ZONES * SERVERS][RRSET_MAX];
    struct gate_edge seen_edge[EDGES];
    struct gate_served seen_served[EDGES][GATE_ALGORITHMS];
    struct backup backup[BACKUPS];

    /* counted */
    uint64_t steps, rolls, restores, accepted, held, emergencies, checks;
    char wrong[512]; /* empty: nothing */
};

/* Chance: splitmix64. */

static uint64_t chance(struct world *w)
{
    uint64_t z = (w->chance += UINT64_C(0x9e3779b97f4a7c15));
    z = (z ^ (z >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    z = (z ^ (z >> 27)) * UINT64_C(0x94d049bb133111eb);
    return z ^ (z >> 31);
}

static unsigned below(struct world *w, unsigned n)
{
    return (unsigned)(chance(w) % n);
}

static bool happens(struct world *w, unsigned per_mille)
{
    return below(w, 1000) < per_mille;
}

#define TELL(w, ...)                                                                                         \
    do {                                                                                                     \
        if ((w)->is_told) {                                                                                  \
            printf("%8.2f ", (double)(w)->now_ms / 1000);                                                    \
            printf(__VA_ARGS__);                                                                             \
            putchar('\n');                                                                                   \
        }                                                                                                    \
    } while (0)

static __attribute__((format(printf, 2, 3))) void wrong(struct world *w, const char *text, ...)
{
    if (w->wrong[0])
        return;
    va_list ap;
    va_start(ap, text);
    (void)vsnprintf(w->wrong, sizeof w->wrong, text, ap);
    va_end(ap);
    TELL(w, "WRONG: %s", w->wrong);
}

/* Keys and records: a key is a number, its digest holds the number. */

static void number_digest(int number, char kind, uint8_t out[32])
{
    memset(out, 0, 32);
    (void)snprintf((char *)out, 32, "%c%d", kind, number);
}

static int digest_number(const uint8_t d[32])
{
    return (int)strtol((const char *)d + 1, NULL, 10);
}

static void record_text(const struct gate_record *r, size_t n, char *out, size_t size)
{
    size_t at = 0;
    out[0] = '\0';
    for (size_t i = 0; i < n && at + 12 < size; i++)
        at += (size_t)snprintf(out + at, size - at, "%s%u:%s", i ? " " : "", r[i].usage,
                               (const char *)r[i].digest);
}

static bool record_is(const struct gate_record *r, uint8_t usage, const uint8_t digest[32])
{
    return r->usage == usage && memcmp(r->digest, digest, 32) == 0;
}

static bool rrset_has(const struct gate_record *r, size_t n, const struct gate_record *one)
{
    for (size_t i = 0; i < n; i++)
        if (memcmp(&r[i], one, sizeof *one) == 0)
            return true;
    return false;
}

static bool rrset_has_key(const struct version *v, int key)
{
    struct gate_record one = {.usage = 3, .selector = 1, .mtype = 1};
    number_digest(key, 'k', one.digest);
    return rrset_has(v->r, v->n, &one);
}

/* Versions: a pool; free once no server shows it and no cache can hold it. */

static int64_t largest_ttl(const struct world *w)
{
    int64_t most = 0;
    for (size_t i = 0; i < VERSIONS; i++)
        if (w->version[i].shown_ms >= 0 && w->version[i].shown_ms + 3 * w->version[i].ttl_ms > w->now_ms &&
            w->version[i].ttl_ms > most)
            most = w->version[i].ttl_ms;
    return most;
}

static bool version_is_kept(const struct world *w, int v)
{
    for (size_t z = 0; z < ZONES; z++)
        for (size_t s = 0; s < SERVERS; s++) {
            const struct server *server = &w->zone[z].server[s];
            if (server->nwas && server->was[server->nwas - 1].version == v)
                return true;
        }
    /* histories are asked about the last two TTLs */
    return w->version[v].shown_ms + 4 * (largest_ttl(w) + TICK_MS) > w->now_ms;
}

static int version_new(struct world *w)
{
    for (int pass = 0; pass < 2; pass++)
        for (int i = 0; i < VERSIONS; i++)
            if (w->version[i].shown_ms < 0) {
                w->version[i] = (struct version){.shown_ms = w->now_ms};
                return i;
            } else if (pass == 0 && !version_is_kept(w, i)) {
                w->version[i].shown_ms = -1;
            }
    wrong(w, "the test itself: too many versions");
    return 0;
}

static int server_version(const struct server *s)
{
    return s->was[s->nwas - 1].version;
}

static void server_show(struct world *w, struct server *s, int version, uint32_t serial)
{
    if (s->nwas == HISTORY) {
        memmove(s->was, s->was + HISTORY / 2, HISTORY / 2 * sizeof *s->was);
        s->nwas = HISTORY / 2;
    }
    s->was[s->nwas++] = (struct was){version, w->now_ms};
    s->serial = serial;
}

/* The zone gets a new version at its primary. */
static void zone_change(struct world *w, struct zone *z, const struct gate_record *r, size_t n,
                        int64_t ttl_ms)
{
    int v = version_new(w);
    memcpy(w->version[v].r, r, n * sizeof *r);
    w->version[v].n = n;
    w->version[v].ttl_ms = ttl_ms;
    server_show(w, &z->server[0], v, ++z->serial);
    char text[256];
    record_text(r, n, text, sizeof text);
    TELL(w, "zone %d now {%s} ttl %.1f", (int)(z - w->zone), text, (double)ttl_ms / 1000);
}

/* Judgement from outside. */

static bool could_be_cached(const struct world *w, const struct version *v)
{
    return v->shown_ms >= 0 && v->n > 0 && v->shown_ms + v->ttl_ms >= w->now_ms;
}

/* Does each usage that is published match the chain by itself (G3, G5)? NULL, or what is wrong. */
static const char *chain_fails(const struct version *v, struct chain c)
{
    uint8_t key[32], ca[32];
    number_digest(c.key, 'k', key);
    number_digest(c.ca, 'c', ca);
    bool has[4] = {false}, fits[4] = {false};
    for (size_t i = 0; i < v->n; i++) {
        has[v->r[i].usage & 3] = true;
        fits[v->r[i].usage & 3] |= record_is(&v->r[i], 3, key) || (c.ca && record_is(&v->r[i], 2, ca));
    }
    if (!fits[2] && !fits[3])
        return "G3: no record matches";
    if ((has[2] && !fits[2]) || (has[3] && !fits[3]))
        return "G5: a combination does not match by itself";
    return NULL;
}

static void check_chain(struct world *w, const struct edge *e, struct chain c)
{
    for (size_t v = 0; v < VERSIONS; v++) {
        if (!could_be_cached(w, &w->version[v]))
            continue;
        w->checks++;
        const char *why = chain_fails(&w->version[v], c);
        char text[256];
        record_text(w->version[v].r, w->version[v].n, text, sizeof text);
        if (why)
            wrong(w, "%s: %s serves k%d c%d, a cache may have {%s} (shown until %.2f, ttl %.1f)", why,
                  e->name, c.key, c.ca, text, (double)w->version[v].shown_ms / 1000,
                  (double)w->version[v].ttl_ms / 1000);
    }
}

static void check_views(struct world *w)
{
    for (size_t i = 0; i < EDGES; i++) {
        const struct edge *e = &w->edge[i];
        bool serves = false;
        for (int a = 0; a < GATE_ALGORITHMS; a++) {
            if (!e->is_there || e->is_down || !e->serves[a].key)
                continue;
            serves = true;
            w->served_ms[e->serves[a].key] = w->now_ms;
            check_chain(w, e, e->serves[a]);
        }
        if (e->is_there && !e->is_down && !serves)
            check_chain(w, e, (struct chain){0, 0}); /* the default, which no record promises */
    }
}

/* G1: every server has shown the key's record for two TTLs; a server without the RRset demanded nothing. */
static void check_begins(struct world *w, const struct edge *e, int key)
{
    for (size_t z = 0; z < ZONES; z++)
        for (size_t s = 0; s < SERVERS; s++) {
            const struct server *server = &w->zone[z].server[s];
            for (size_t i = 0; server->is_there && i < server->nwas; i++) {
                int64_t until = i + 1 < server->nwas ? server->was[i + 1].since_ms : INT64_MAX;
                const struct version *v = &w->version[server->was[i].version];
                if (until > w->now_ms - 2 * v->ttl_ms && v->shown_ms >= 0 && v->n > 0 &&
                    !rrset_has_key(v, key))
                    wrong(w, "G1: %s begins to serve k%d, and %s showed its RRset without it until %.2f",
                          e->name, key, server->name, until == INT64_MAX ? -1.0 : (double)until / 1000);
            }
        }
}

/* G2: what a change of a zone takes away was served by nobody for two TTLs. */
static void check_withdrawal(struct world *w, const struct version *before, const struct gate_record *r,
                             size_t n)
{
    for (size_t i = 0; n > 0 && i < before->n; i++) {
        if (before->r[i].usage != 3 || before->r[i].digest[0] != 'k' || rrset_has(r, n, &before->r[i]))
            continue;
        int key = digest_number(before->r[i].digest);
        int64_t last = w->served_ms[key];
        if (last >= 0 && w->now_ms - last < 2 * before->ttl_ms)
            wrong(w, "G2: the record of k%d is withdrawn %.2f s after it was last served (ttl %.1f)", key,
                  (double)(w->now_ms - last) / 1000, (double)before->ttl_ms / 1000);
    }
}

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
    if (happens(w, o->restore) && b->is_there) {
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
