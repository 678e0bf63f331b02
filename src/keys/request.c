#include "keys/request.h"

static const struct gate_key *key_by_spki(const struct gate_set *set, const uint8_t spki[32])
{
    for (size_t i = 0; i < set->nkey; i++)
        if (!set->key[i].is_lost && memcmp(set->key[i].spki, spki, 32) == 0)
            return &set->key[i];
    return NULL;
}

enum err request_stage(struct call *c, struct gate_set *set, const struct tls_pair *pair, enum gate_roll roll,
                       struct gate_key *key, struct buf *said)
{
    struct gate_key new;
    enum err e = keys_keep_pair(c, set->id, pair, &new, c->why);
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
