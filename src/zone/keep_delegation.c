/* The keeper's part about DS records: what the zone wants, what is there, since when something is missing. */
#include "zone/keeper_priv.h"

void keep_wanted_ds(struct keep_zone *z)
{
    arena_release(&z->wanted_arena);
    struct str *found = ARENA_ARRAY(&z->wanted_arena, struct str, z->actual.n + 1);
    z->wanted_ds = found;
    z->wanted_ds_n = zone_ds_wanted(str_of(z->name), z->actual.records, z->actual.n, found);
    for (size_t i = 0; i < z->wanted_ds_n; i++)
        found[i] = arena_str(&z->wanted_arena, found[i]);
}

void keep_delegation(struct keeper *k, struct str zone, struct zone_evidence *evidence,
                     struct zone_delegation *out)
{
    struct arena *a = &evidence->arena;
    struct dns_question questions[] = {{evidence->zone, DNS_DS}, {evidence->zone, DNS_DNSKEY}};
    struct dns_answer answers[2];
    pthread_mutex_lock(&k->lock);
    const struct keep_zone *z = keep_zone_get(k, zone);
    size_t n = z->wanted_ds_n;
    struct str *wanted = ARENA_ARRAY(a, struct str, n + 1);
    for (size_t i = 0; i < n; i++)
        wanted[i] = arena_str(a, z->wanted_ds[i]);
    pthread_mutex_unlock(&k->lock);
    k->conf.resolver->ask(k->conf.resolver->ctx, a, questions, 2, deadline_in(k->conf.timeout_ms), answers);
    zone_delegation_judge(a, wanted, n, &answers[0], &answers[1], out);
    /* A server that lags may still serve the old key alone. */
    for (size_t i = 0; i < evidence->n && out->sight == ZONE_DS_SEEN; i++)
        if (evidence->servers[i].state != ZONE_SERVER_GOOD ||
            zone_server_lags(evidence, &evidence->servers[i])) {
            out->sight = ZONE_DS_UNKNOWN;
            out->why = STR("the DS record is at the parent, but not all servers of the zone are level");
        }
}

static bool is_missing(const struct zone_ds *ds)
{
    return ds->is_wanted && !ds->is_there;
}

static enum err forget(struct call *c, int64_t zone_id, struct str ds)
{
    struct db_query *q = db_query(c->db, "DELETE FROM zone_ds WHERE zone_id = $1 AND ds = $2");
    db_bind_int(q, zone_id);
    db_bind_text(q, ds);
    return db_run(q, NULL, c->why);
}

static enum err remember(struct call *c, int64_t zone_id, struct str text, struct zone_ds *ds)
{
    struct db_query *q = db_query(c->db, "SELECT since_ms FROM zone_ds WHERE zone_id = $1 AND ds = $2");
    db_bind_int(q, zone_id);
    db_bind_text(q, text);
    enum err e = db_get_int(q, &ds->since_ms, c->why);
    if (e != ERR_NOT_FOUND)
        return e;
    ds->since_ms = clock_wall();
    q = db_query(c->db,
                 "INSERT INTO zone_ds (zone_id, ds, since_ms) SELECT id, $1, $2 FROM zone WHERE id = $3");
    db_bind_text(q, text);
    db_bind_int(q, ds->since_ms);
    db_bind_int(q, zone_id); /* which may have been removed meanwhile */
    return db_run(q, NULL, c->why);
}

/* Rows of records that are not wanted any more. */
static enum err sweep(struct call *c, int64_t zone_id, const struct str *texts, size_t n)
{
    struct str *old = NULL;
    size_t room = 0, count = 0;
    int64_t rows;
    struct db_query *q = db_query(c->db, "SELECT COUNT(*) FROM zone_ds WHERE zone_id = $1");
    db_bind_int(q, zone_id);
    enum err e = db_get_int(q, &rows, c->why);
    if (e || !rows)
        return e;
    room = (size_t)rows;
    old = ARENA_ARRAY(c->a, struct str, room);
    q = db_query(c->db, "SELECT ds FROM zone_ds WHERE zone_id = $1");
    db_bind_int(q, zone_id);
    while (count < room && db_next(q))
        old[count++] = arena_str(c->a, db_text(q, 0));
    e = db_end(q, c->why);
    for (size_t i = 0; !e && i < count; i++) {
        bool kept = false;
        for (size_t t = 0; t < n; t++)
            kept |= str_equal(old[i], texts[t]);
        if (!kept)
            e = forget(c, zone_id, old[i]);
    }
    return e;
}

enum err keep_delegation_note(struct call *c, int64_t zone_id, struct zone_delegation *d)
{
    struct str *texts = ARENA_ARRAY(c->a, struct str, d->n + 1);
    struct buf text = {0};
    enum err e = OK;
    size_t n = 0;
    if (d->sight == ZONE_DS_NONE || d->sight == ZONE_DS_UNKNOWN)
        return OK;
    for (size_t i = 0; !e && i < d->n; i++) {
        if (!is_missing(&d->ds[i]))
            continue;
        buf_clear(&text);
        zone_ds_text(&text, d->ds[i].rdata);
        texts[n] = arena_str(c->a, buf_str(&text));
        e = remember(c, zone_id, texts[n++], &d->ds[i]);
    }
    buf_release(&text);
    return e ? e : sweep(c, zone_id, texts, n);
}
