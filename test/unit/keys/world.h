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

#include "numbers.h"

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
    bool is_stolen[KEYS];    /* its record goes as soon as nobody serves it */
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

#endif
