/* What is wrong, from the view of every cache that there could be. */
#ifndef TEST_KEYS_WORLD_JUDGE_H
#define TEST_KEYS_WORLD_JUDGE_H

#include "world.h"

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
        if (last >= 0 && w->now_ms - last < (w->is_stolen[key] ? TICK_MS : 2 * before->ttl_ms))
            wrong(w, "G2: the record of k%d is withdrawn %.2f s after it was last served (ttl %.1f)", key,
                  (double)(w->now_ms - last) / 1000, (double)before->ttl_ms / 1000);
    }
}

#endif
