/* What a key waits for, and what a whole set does first. */
#include "keys/gate_priv.h"

/* What holds a ready key, doubts aside. */
enum gate_await gate_promotion_awaits(const struct gate_set *set, const struct gate_evidence *e,
                                      const struct gate_key *next)
{
    int current = gate_find_state(set, next->algorithm, GATE_ACTIVE);
    if (current == GATE_NO_KEY || set->key[current].is_compromised)
        return GATE_AWAIT_NOTHING;
    if (next->roll == GATE_ROLL_NO)
        return GATE_AWAIT_ROLL;
    if (next->roll == GATE_ROLL_FORCED)
        return GATE_AWAIT_NOTHING;
    if (gate_find_state(set, next->algorithm, GATE_RETIRING) != GATE_NO_KEY)
        return GATE_AWAIT_OLD_KEY;
    return e->is_turn ? GATE_AWAIT_NOTHING : GATE_AWAIT_TURN;
}

void gate_key_waiting(const struct gate_set *set, const struct gate_evidence *e, size_t key,
                      struct gate_waiting *out)
{
    const struct gate_key *k = &set->key[key];
    *out = (struct gate_waiting){.key_id = k->id};
    int64_t left = gate_wait_ms(set) - (k->proven_ms > 0 ? k->proven_ms : 0);
    const struct gate_server *lacking = k->state == GATE_PUBLISHED ? gate_find_lacking(e, k) : NULL;
    if (gate_key_is_next(k) && gate_publishes_ta(set) && !k->has_ta) {
        out->what = GATE_AWAIT_CA_MISSING;
    } else if (k->state == GATE_GENERATED) {
        out->what = GATE_AWAIT_RRSET_SIZE;
    } else if (k->state == GATE_PUBLISHED && k->proven_ms < 0) {
        out->what = GATE_AWAIT_PUBLICATION;
        out->subject = lacking ? lacking->name : STR_NONE;
    } else if (k->state == GATE_PUBLISHED) {
        out->what = GATE_AWAIT_CACHES;
        out->until_ms = e->wall_ms + left;
    } else if (k->state == GATE_READY) {
        out->what = gate_promotion_awaits(set, e, k);
    } else if (k->state == GATE_RETIRING && k->proven_ms < 0) {
        out->what = GATE_AWAIT_EDGE_SWITCH;
        (void)gate_is_served(set, e, k, &out->subject);
    } else if (k->state == GATE_RETIRING) {
        out->what = GATE_AWAIT_WITHDRAWAL;
        out->until_ms = e->wall_ms + left;
    }
}

/* What somebody asked for before what is under way, before what stands by. */
static int weight(const struct gate_set *set, const struct gate_key *k)
{
    if (gate_key_is_next(k) &&
        (k->roll != GATE_ROLL_NO || gate_find_state(set, k->algorithm, GATE_ACTIVE) < 0))
        return 4;
    if (k->state == GATE_RETIRING)
        return 3;
    if (k->state == GATE_PUBLISHED || k->state == GATE_GENERATED)
        return 2;
    return k->state == GATE_READY;
}

void gate_say_what_is_awaited(const struct gate_set *set, const struct gate_evidence *e, struct gate_out *out)
{
    if (out->nalarm) {
        out->waiting = out->alarm[0];
        return;
    }
    int most = 0;
    for (size_t i = 0; i < set->nkey; i++)
        if (weight(set, &set->key[i]) > most) {
            most = weight(set, &set->key[i]);
            gate_key_waiting(set, e, i, &out->waiting);
        }
    for (int a = 0; a < GATE_ALGORITHMS && !most; a++)
        if (set->wants[a] && gate_find_next(set, (enum gate_algorithm)a) == GATE_NO_KEY && set->keeps_next)
            out->waiting.what = GATE_AWAIT_NEXT_KEY;
}
