/* Questions about a key set and its records. */
#include "keys/gate_priv.h"

struct gate_record gate_key_record(const struct gate_key *k)
{
    if (k->is_lost)
        return k->lost;
    struct gate_record r = {.usage = 3, .selector = 1, .mtype = 1};
    memcpy(r.digest, k->spki, sizeof r.digest);
    return r;
}

struct gate_record gate_ta_record(const struct gate_key *k)
{
    struct gate_record r = {.usage = 2, .selector = 1, .mtype = 1};
    memcpy(r.digest, k->ta, sizeof r.digest);
    return r;
}

bool gate_record_is(const struct gate_record *a, const struct gate_record *b)
{
    return memcmp(a, b, sizeof *a) == 0; /* octets only: no padding */
}

bool gate_server_has(const struct gate_server *s, const struct gate_record *r)
{
    for (size_t i = 0; i < s->nrecord; i++)
        if (gate_record_is(&s->record[i], r))
            return true;
    return false;
}

bool gate_server_shows_ta(const struct gate_server *s)
{
    for (size_t i = 0; i < s->nrecord; i++)
        if (s->record[i].usage == 2)
            return true;
    return false;
}

/* A trust anchor record there must match the key's chain, too, or its combination fails alone. */
bool gate_server_shows(const struct gate_server *s, const struct gate_key *k)
{
    struct gate_record own = gate_key_record(k), ta = gate_ta_record(k);
    if (!gate_server_has(s, &own))
        return false;
    return k->is_lost || !gate_server_shows_ta(s) || (k->has_ta && gate_server_has(s, &ta));
}

bool gate_has_chain(const struct gate_key *k, const struct gate_served *served)
{
    return memcmp(k->spki, served->spki, sizeof k->spki) == 0 && k->has_ta == served->has_ta &&
           (!k->has_ta || memcmp(k->ta, served->ta, sizeof k->ta) == 0);
}

/* The same key under another CA may be another entry of the set; a chain of no entry counts for all of its
 * key. */
static bool is_of_other_entry(const struct gate_set *set, const struct gate_key *k,
                              const struct gate_served *served)
{
    if (gate_has_chain(k, served))
        return false;
    for (size_t i = 0; i < set->nkey; i++)
        if (gate_has_chain(&set->key[i], served))
            return true;
    return false;
}

bool gate_is_served(const struct gate_set *set, const struct gate_evidence *e, const struct gate_key *k,
                    struct str *edge)
{
    for (size_t i = 0; i < e->nedge; i++)
        for (size_t j = 0; j < e->edge[i].nserved; j++) {
            const struct gate_served *served = &e->edge[i].served[j];
            if (memcmp(served->spki, k->spki, sizeof k->spki) != 0 || is_of_other_entry(set, k, served))
                continue;
            if (edge)
                *edge = e->edge[i].name;
            return true;
        }
    return false;
}

bool gate_knows_chains(const struct gate_set *set, const struct gate_evidence *e)
{
    for (size_t i = 0; i < e->nedge; i++)
        for (size_t j = 0; j < e->edge[i].nserved; j++) {
            bool known = false;
            for (size_t k = 0; k < set->nkey; k++)
                known |= gate_key_is_published(&set->key[k]) &&
                         gate_has_chain(&set->key[k], &e->edge[i].served[j]);
            if (!known)
                return false;
        }
    return true;
}

bool gate_set_knows(const struct gate_set *set, const struct gate_record *r)
{
    for (size_t i = 0; i < set->nkey; i++) {
        struct gate_record own = gate_key_record(&set->key[i]), ta = gate_ta_record(&set->key[i]);
        if (gate_record_is(r, &own) || (set->key[i].has_ta && gate_record_is(r, &ta)))
            return true;
    }
    return false;
}

bool gate_key_is_next(const struct gate_key *k)
{
    return k->state == GATE_GENERATED || k->state == GATE_PUBLISHED || k->state == GATE_READY;
}

bool gate_key_is_published(const struct gate_key *k)
{
    return k->state != GATE_GENERATED && k->state != GATE_GONE;
}

/* G5: the combination 2 1 1 must match whatever any edge may serve. */
bool gate_publishes_ta(const struct gate_set *set)
{
    bool served = false;
    for (size_t i = 0; i < set->nkey; i++) {
        const struct gate_key *k = &set->key[i];
        if ((k->state != GATE_ACTIVE && k->state != GATE_RETIRING) || (k->is_lost && k->lost.usage == 2))
            continue;
        if (!k->has_ta)
            return false; /* a lost key, too: whose chain an edge serves with it is not known */
        served = true;
    }
    return set->ta && set->is_ta_on && served;
}

bool gate_ca_matters(const struct gate_set *set)
{
    return set->ta || set->no_ta_ms < gate_wait_ms(set);
}

void gate_add_record(struct gate_out *out, struct gate_record r)
{
    size_t at = 0;
    int order = 1;
    while (at < out->nrecord && (order = memcmp(&out->record[at], &r, sizeof r)) < 0)
        at++;
    if ((at < out->nrecord && order == 0) || out->nrecord == sizeof out->record / sizeof *out->record)
        return;
    memmove(&out->record[at + 1], &out->record[at], (out->nrecord - at) * sizeof r);
    out->record[at] = r;
    out->nrecord++;
}

void gate_records(const struct gate_set *set, struct gate_out *out)
{
    out->nrecord = 0;
    bool ta = gate_publishes_ta(set);
    for (size_t i = 0; i < set->nkey; i++) {
        const struct gate_key *k = &set->key[i];
        if (!gate_key_is_published(k) || (k->is_lost && k->lost.usage == 2 && !ta))
            continue; /* 2 1 1 of all that may be served, or none */
        gate_add_record(out, gate_key_record(k));
        if (ta && k->has_ta)
            gate_add_record(out, gate_ta_record(k));
    }
    out->is_large = out->nrecord > GATE_RECORDS_WARN;
}

size_t gate_count_records(const struct gate_set *set)
{
    struct gate_out out;
    gate_records(set, &out);
    return out.nrecord;
}

int gate_find_state(const struct gate_set *set, enum gate_algorithm a, enum gate_state state)
{
    for (size_t i = 0; i < set->nkey; i++)
        if (set->key[i].algorithm == a && set->key[i].state == state)
            return (int)i;
    return GATE_NO_KEY;
}

static bool comes_before(const struct gate_key *a, const struct gate_key *b)
{
    if (a->roll != b->roll)
        return a->roll > b->roll;
    if (a->state != b->state)
        return a->state > b->state;
    return a->proven_ms > b->proven_ms;
}

int gate_find_next(const struct gate_set *set, enum gate_algorithm a)
{
    int best = GATE_NO_KEY;
    for (size_t i = 0; i < set->nkey; i++) {
        const struct gate_key *k = &set->key[i];
        if (k->algorithm == a && gate_key_is_next(k) && !k->is_compromised &&
            (best == GATE_NO_KEY || comes_before(k, &set->key[best])))
            best = (int)i;
    }
    return best;
}

bool gate_other_serves(const struct gate_set *set, enum gate_algorithm a)
{
    for (int b = 0; b < GATE_ALGORITHMS; b++) {
        int i = gate_find_state(set, (enum gate_algorithm)b, GATE_ACTIVE);
        if (b != (int)a && set->wants[b] && i != GATE_NO_KEY && !set->key[i].is_compromised)
            return true;
    }
    return false;
}

int gate_find_id(const struct gate_set *set, int64_t id)
{
    for (size_t i = 0; i < set->nkey; i++)
        if (set->key[i].id == id)
            return (int)i;
    return GATE_NO_KEY;
}

bool gate_is_rolling(const struct gate_set *set)
{
    for (size_t i = 0; i < set->nkey; i++)
        if (set->key[i].state == GATE_RETIRING)
            return true;
    return false;
}

size_t gate_turn(const struct gate_set *const *sets, size_t n)
{
    size_t first = SIZE_MAX;
    int64_t asked = INT64_MAX;
    for (size_t i = 0; i < n; i++) {
        if (gate_is_rolling(sets[i]))
            return SIZE_MAX;
        for (size_t j = 0; j < sets[i]->nkey; j++) {
            const struct gate_key *k = &sets[i]->key[j];
            if (gate_key_is_next(k) && k->state == GATE_READY && k->roll != GATE_ROLL_NO &&
                k->roll_ms < asked)
                asked = k->roll_ms, first = i;
        }
    }
    return first;
}
