#include "keys/request.h"

static const struct gate_key *key_by_spki(const struct gate_set *set, const uint8_t spki[32])
{
    for (size_t i = 0; i < set->nkey; i++)
        if (!set->key[i].is_lost && memcmp(set->key[i].spki, spki, 32) == 0)
            return &set->key[i];
    return NULL;
}

static bool is_in_use(const struct gate_set *set, const uint8_t spki[32])
{
    for (size_t i = 0; i < set->nkey; i++)
        if (set->key[i].state != GATE_GONE && memcmp(set->key[i].spki, spki, 32) == 0)
            return true;
    return false;
}

/* What the set itself no longer remembers: a compromised key of any set never comes back, nor does one that
 * was withdrawn from this set. */
static enum err check_past(struct call *c, const struct gate_set *set, const struct gate_key *key)
{
    struct db_query *q =
        db_query(c->db, "SELECT id, key_set_id, compromised FROM gate_key WHERE spki_sha256 = $1 AND"
                        " (compromised = 1 OR (key_set_id = $2 AND forgotten = 1))"
                        " ORDER BY compromised DESC, id DESC LIMIT 1");
    db_bind_blob(q, str_make((const char *)key->spki, sizeof key->spki));
    db_bind_int(q, set->id);
    bool found = db_next(q);
    long long id = found ? db_int(q, 0) : 0, of = found ? db_int(q, 1) : 0;
    bool compromised = found && db_int(q, 2) != 0;
    enum err e = db_end(q, c->why);
    if (e || !found || (!compromised && is_in_use(set, key->spki)))
        return e;
    buf_set(c->why,
            "this is key %lld of key set %lld, which %s: it is never used again, make a new key (an ACME "
            "client that keeps its key has to be told so)",
            id, of, compromised ? "is compromised" : "was withdrawn");
    return ERR_REFUSED;
}

enum err request_stage(struct call *c, struct gate_set *set, const struct tls_pair *pair, enum gate_roll roll,
                       struct gate_key *key, struct buf *said)
{
    struct gate_key new;
    enum err e = keys_keep_pair(c, set->id, pair, &new, c->why);
    if (!e)
        e = check_past(c, set, &new);
    if (!e)
        e = new_id(c, &new.id);
    if (e)
        return e;
    enum gate_reply reply = gate_stage(set, &new, roll, clock_wall(), said);
    const struct gate_key *known = key_by_spki(set, new.spki);
    if (reply == GATE_REFUSED || !known) {
        buf_set(c->why, "%s", buf_cstr(said));
        return ERR_REFUSED;
    }
    if (key)
        *key = *known;
    e = keys_save(c, set, NULL);
    if (!e && reply != GATE_JOINED)
        e = keys_event(c, set->id, known->id,
                       reply == GATE_SWAPPED ? "certificate" : gate_event_name(GATE_EVENT_STAGED),
                       buf_str(said));
    return e;
}

enum err request_new_key(struct call *c, struct gate_set *set, enum gate_algorithm algorithm,
                         enum gate_roll roll, struct gate_key *key, struct buf *said)
{
    struct tls_pair pair;
    enum err e = keys_make_pair(c, algorithm, &pair);
    return e ? e : request_stage(c, set, &pair, roll, key, said);
}
