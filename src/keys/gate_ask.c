/* What operators ask of the gate. A request changes wishes; only gate_accept, which mends a restored
 * database, changes states. */
#include "keys/gate_priv.h"

static const char *name_of(enum gate_algorithm a)
{
    return gate_algorithm_name(a);
}

static int find_twin(const struct gate_set *set, const struct gate_key *key)
{
    int found = GATE_NO_KEY;
    for (size_t i = 0; i < set->nkey; i++) {
        const struct gate_key *k = &set->key[i];
        if (memcmp(k->spki, key->spki, sizeof k->spki) != 0)
            continue;
        bool same_ca = k->has_ta == key->has_ta && (!k->has_ta || memcmp(k->ta, key->ta, sizeof k->ta) == 0);
        if (found == GATE_NO_KEY || same_ca)
            found = (int)i;
        if (same_ca)
            break;
    }
    return found;
}

/* Another entry has the same key, and is not gone. */
static bool is_in_use(const struct gate_set *set, const struct gate_key *twin)
{
    for (size_t i = 0; i < set->nkey; i++)
        if (&set->key[i] != twin && set->key[i].state != GATE_GONE &&
            memcmp(set->key[i].spki, twin->spki, sizeof twin->spki) == 0)
            return true;
    return false;
}

static enum gate_reply stage_twin(struct gate_set *set, struct gate_key *twin, const struct gate_key *key,
                                  struct buf *why, bool *is_new)
{
    if (twin->state == GATE_GONE && !twin->is_compromised && is_in_use(set, twin)) {
        buf_set(why,
                "the key is in use under another CA, and it was under this one until a moment ago (key %lld, "
                "gone): hand the certificate in again when two TTLs are over and key %lld is forgotten",
                (long long)twin->id, (long long)twin->id);
        return GATE_REFUSED;
    }
    if (twin->state == GATE_GONE || twin->is_compromised) {
        buf_set(why, "key %lld is %s: it is never used again, make a new key", (long long)twin->id,
                twin->is_compromised ? "compromised" : "gone");
        return GATE_REFUSED;
    }
    bool same_ca =
        twin->has_ta == key->has_ta && (!key->has_ta || memcmp(twin->ta, key->ta, sizeof key->ta) == 0);
    if (!twin->is_lost && gate_ca_matters(set) && !same_ca) {
        *is_new = true; /* no cache may hold 2 1 1 of another CA alone when the chain is served */
        return GATE_DONE;
    }
    bool was_lost = twin->is_lost;
    twin->pair_id = key->pair_id;
    twin->algorithm = key->algorithm;
    twin->has_ta = key->has_ta;
    memcpy(twin->ta, key->ta, sizeof twin->ta);
    twin->is_lost = false;
    if (was_lost)
        buf_set(why, "key %lld, of which only the TLSA record was known, is whole again",
                (long long)twin->id);
    else
        buf_set(why, "the certificate of key %lld is replaced; its TLSA records stay as they are",
                (long long)twin->id);
    return was_lost ? GATE_DONE : GATE_SWAPPED;
}

static enum gate_reply check_stage(const struct gate_set *set, const struct gate_key *key, struct buf *why)
{
    if (!set->wants[key->algorithm])
        buf_set(why, "this key set does not serve %s", name_of(key->algorithm));
    else if (!key->has_ta && gate_publishes_ta(set))
        buf_set(why, "this key set publishes its issuing CA (2 1 1), and the new chain has none");
    else if (set->nkey >= GATE_KEYS_MAX)
        buf_set(why, "the key set has %zu keys, gone ones that servers still show included: more are refused",
                set->nkey);
    else
        return GATE_DONE;
    return GATE_REFUSED;
}

static size_t count_next(const struct gate_set *set)
{
    size_t n = 0;
    for (size_t i = 0; i < set->nkey; i++)
        n += set->key[i].state == GATE_GENERATED;
    return n;
}

enum gate_reply gate_stage(struct gate_set *set, const struct gate_key *key, enum gate_roll roll,
                           int64_t wall_ms, struct buf *why)
{
    bool is_new = false;
    int twin = find_twin(set, key);
    if (twin != GATE_NO_KEY) {
        enum gate_reply reply = stage_twin(set, &set->key[twin], key, why, &is_new);
        if (!is_new)
            return reply;
    }
    int next = gate_find_next(set, key->algorithm);
    if (roll == GATE_ROLL_NO && next != GATE_NO_KEY) {
        buf_set(why, "key %lld is staged already", (long long)set->key[next].id);
        return GATE_JOINED;
    }
    if (check_stage(set, key, why) != GATE_DONE)
        return GATE_REFUSED;
    size_t records = gate_count_records(set) + count_next(set) + 1 + (set->ta && key->has_ta);
    if (records > GATE_RECORDS_MAX) {
        buf_set(
            why,
            "the TLSA RRset would have up to %zu records; more than %d are refused, some senders drop them",
            records, GATE_RECORDS_MAX);
        return GATE_REFUSED;
    }
    for (size_t i = 0; roll != GATE_ROLL_NO && i < set->nkey; i++)
        if (set->key[i].algorithm == key->algorithm && gate_key_is_next(&set->key[i]))
            set->key[i].roll = GATE_ROLL_NO; /* the newest import is the one that is wanted */
    struct gate_key *k = &set->key[set->nkey++];
    *k = *key;
    k->state = GATE_GENERATED, k->since_ms = wall_ms, k->proven_ms = -1;
    k->roll = roll, k->roll_ms = wall_ms;
    k->is_lost = k->is_compromised = false;
    buf_set(why,
            "the key waits at the gate: it is served %s after its TLSA record has been on every server for "
            "two TTLs%s",
            roll == GATE_ROLL_NO ? "when asked for," : "at once",
            records > GATE_RECORDS_WARN ? "; the RRset is getting large" : "");
    return GATE_DONE;
}

enum gate_reply gate_ask_roll(struct gate_set *set, enum gate_algorithm algorithm, enum gate_roll roll,
                              int64_t wall_ms, struct buf *why)
{
    ENSURE(roll != GATE_ROLL_NO);
    int next = gate_find_next(set, algorithm);
    if (next == GATE_NO_KEY) {
        buf_set(why, "there is no next %s key", name_of(algorithm));
        return GATE_REFUSED;
    }
    struct gate_key *k = &set->key[next];
    if (k->roll >= roll) {
        char at[CLOCK_TEXT];
        clock_iso(k->roll_ms, at);
        buf_set(why, "this was asked for at %s already: key %lld is the one to be served", at,
                (long long)k->id);
        return GATE_JOINED;
    }
    int old = gate_find_state(set, algorithm, GATE_RETIRING);
    if (old != GATE_NO_KEY && roll != GATE_ROLL_FORCED) {
        buf_set(why, "a roll is under way: key %lld is still on its way out; ask again when it is gone",
                (long long)set->key[old].id);
        return GATE_REFUSED;
    }
    k->roll = roll, k->roll_ms = wall_ms;
    buf_set(why, "key %lld will be served as soon as the gate allows", (long long)k->id);
    return GATE_DONE;
}

static void plan_active(const struct gate_set *set, const struct gate_key *k, struct gate_plan *out)
{
    int next = gate_find_next(set, k->algorithm);
    int64_t wait = gate_wait_ms(set);
    const struct gate_key *n = next == GATE_NO_KEY ? NULL : &set->key[next];
    if (n && n->state == GATE_READY)
        out->kind = GATE_PLAN_SWITCH;
    else if (gate_other_serves(set, k->algorithm))
        out->kind = GATE_PLAN_OTHER;
    else {
        out->kind = n ? GATE_PLAN_WAIT : gate_publishes_ta(set) ? GATE_PLAN_HAND_IN : GATE_PLAN_NEW;
        out->stops_ms = wait - (n && n->state == GATE_PUBLISHED && n->proven_ms > 0 ? n->proven_ms : 0);
    }
}

bool gate_plan_emergency(const struct gate_set *set, const struct gate_evidence *e, int64_t key_id,
                         struct gate_plan *out)
{
    *out = (struct gate_plan){.nedge = e->nedge};
    int at = gate_find_id(set, key_id);
    if (at == GATE_NO_KEY)
        return false;
    const struct gate_key *k = &set->key[at];
    int64_t wait = gate_wait_ms(set), proven = k->proven_ms > 0 ? k->proven_ms : 0;
    if (gate_key_is_next(k)) {
        out->kind = GATE_PLAN_DISCARD;
        out->harmless_ms = k->state == GATE_GENERATED ? 0 : wait / 2;
    } else if (k->state == GATE_ACTIVE) {
        plan_active(set, k, out);
        out->withdrawn_ms = out->stops_ms + wait;
        out->harmless_ms = out->withdrawn_ms + wait / 2;
    } else {
        out->kind = GATE_PLAN_RETIRING;
        out->withdrawn_ms = k->state == GATE_GONE || proven > wait ? 0 : wait - proven;
        out->harmless_ms = out->withdrawn_ms + wait / 2;
    }
    struct gate_reading r;
    struct gate_out judged;
    gate_read(set, e, &r);
    gate_judge(set, &r, &judged);
    if (judged.nalarm)
        out->held = judged.alarm[0];
    return true;
}

enum gate_reply gate_emergency(struct gate_set *set, const struct gate_evidence *e, int64_t key_id,
                               struct buf *why)
{
    struct gate_plan plan;
    if (!gate_plan_emergency(set, e, key_id, &plan)) {
        buf_set(why, "this key set has no key %lld", (long long)key_id);
        return GATE_REFUSED;
    }
    struct gate_key *k = &set->key[gate_find_id(set, key_id)];
    if (k->is_compromised) {
        buf_set(why, "key %lld is being withdrawn as compromised already", (long long)key_id);
        return GATE_JOINED;
    }
    k->is_compromised = true;
    k->roll = GATE_ROLL_NO;
    int next = gate_find_next(set, k->algorithm);
    if (k->state == GATE_ACTIVE && next != GATE_NO_KEY) {
        set->key[next].roll = GATE_ROLL_FORCED;
        set->key[next].roll_ms = e->wall_ms;
    }
    struct buf text = {0};
    gate_plan_text(&plan, &text);
    buf_set(why, "%s", buf_cstr(&text));
    buf_release(&text);
    return GATE_DONE;
}

/* Takes up the records and keys that the database does not know. False when they do not fit. */
static bool adopt(struct gate_set *set, struct gate_record record, enum gate_algorithm algorithm,
                  int64_t wall_ms)
{
    if (gate_set_knows(set, &record))
        return true;
    if (set->nkey >= GATE_KEYS_MAX)
        return false;
    struct gate_key *k = &set->key[set->nkey++];
    *k = (struct gate_key){.algorithm = algorithm,
                           .is_lost = true,
                           .lost = record,
                           .state = GATE_RETIRING,
                           .since_ms = wall_ms,
                           .proven_ms = GATE_UNTOLD};
    if (record.usage == 3 && record.selector == 1 && record.mtype == 1)
        memcpy(k->spki, record.digest, sizeof k->spki);
    return true;
}

static bool adopt_all(struct gate_set *set, const struct gate_evidence *e)
{
    bool fits = true;
    for (size_t i = 0; i < e->nedge; i++)
        for (size_t j = 0; j < e->edge[i].nserved; j++) {
            const struct gate_served *served = &e->edge[i].served[j];
            struct gate_record r = {.usage = 3, .selector = 1, .mtype = 1};
            memcpy(r.digest, served->spki, sizeof r.digest);
            fits &= adopt(set, r, served->algorithm, e->wall_ms);
        }
    for (size_t i = 0; i < e->nserver; i++)
        for (size_t j = 0; j < e->server[i].nrecord; j++)
            fits &= adopt(set, e->server[i].record[j], GATE_ECDSA, e->wall_ms);
    return fits;
}

/* A server without the RRset demands nothing. */
static bool is_everywhere(const struct gate_evidence *e, const struct gate_key *k)
{
    struct gate_record own = gate_key_record(k);
    for (size_t i = 0; i < e->nserver; i++)
        if (e->server[i].nrecord > 0 && !gate_server_has(&e->server[i], &own))
            return false;
    return true;
}

static bool is_anywhere(const struct gate_evidence *e, const struct gate_key *k)
{
    struct gate_record own = gate_key_record(k);
    for (size_t i = 0; i < e->nserver; i++)
        if (gate_server_has(&e->server[i], &own))
            return true;
    return false;
}

/* What is served, was active or is still on a server must wait out its withdrawal; what could become active
 * starts anew. */
static enum gate_state state_beside_live(const struct gate_set *set, const struct gate_evidence *e,
                                         const struct gate_key *k)
{
    if (gate_is_served(set, e, k, NULL) || k->state == GATE_ACTIVE)
        return GATE_RETIRING;
    switch (k->state) {
    case GATE_GENERATED:
        return is_anywhere(e, k) ? GATE_PUBLISHED : GATE_GENERATED;
    case GATE_READY:
        return GATE_PUBLISHED;
    case GATE_GONE:
        return is_anywhere(e, k) ? GATE_RETIRING : GATE_GONE;
    default:
        return k->state;
    }
}

/* The newest key that edges serve, servers publish and we have whole is active. */
static void take_what_is_live(struct gate_set *set, const struct gate_evidence *e, enum gate_algorithm a)
{
    struct gate_key *live = NULL;
    for (size_t i = 0; i < set->nkey; i++) {
        struct gate_key *k = &set->key[i];
        if (k->algorithm == a && !k->is_lost && !k->is_compromised && set->wants[a] &&
            gate_is_served(set, e, k, NULL) && (k->state == GATE_ACTIVE || is_everywhere(e, k)) &&
            (!live || k->id > live->id))
            live = k;
    }
    for (size_t i = 0; i < set->nkey; i++) {
        struct gate_key *k = &set->key[i];
        if (k->algorithm != a)
            continue;
        enum gate_state before = k->state;
        if (k == live) {
            k->proven_ms = before == GATE_ACTIVE ? k->proven_ms : 0;
            k->state = GATE_ACTIVE;
            k->roll = GATE_ROLL_NO;
        } else {
            k->state = state_beside_live(set, e, k);
            if (k->state == GATE_RETIRING)
                k->proven_ms = GATE_UNTOLD;
            else if (k->state != GATE_GONE)
                k->proven_ms = -1;
        }
        if (k->state != before)
            k->since_ms = e->wall_ms;
    }
}

enum gate_reply gate_accept(struct gate_set *set, const struct gate_evidence *e, struct buf *why)
{
    struct gate_reading r;
    struct gate_out judged;
    gate_read(set, e, &r);
    gate_judge(set, &r, &judged);
    if (!r.whole || !r.confirmed) {
        buf_set(why, "what is live is only known when every server answers and every edge has confirmed");
        return GATE_REFUSED;
    }
    if (!gate_has_alarm(&judged, GATE_AWAIT_EDGE_AHEAD) &&
        !gate_has_alarm(&judged, GATE_AWAIT_RECORD_UNKNOWN)) {
        buf_set(why, "the database agrees with servers and edges: there is nothing to accept");
        return GATE_REFUSED;
    }
    struct gate_set trial = *set;
    if (!adopt_all(&trial, e)) {
        buf_set(why,
                "there are more unknown records than a key set can hold: remove some at the primary by hand");
        return GATE_REFUSED;
    }
    for (int a = 0; a < GATE_ALGORITHMS; a++)
        take_what_is_live(&trial, e, (enum gate_algorithm)a);
    *set = trial;
    set->is_ta_on = false; /* until all edges serve chains that we know again */
    buf_set(why, "what edges serve and servers publish is taken as the truth");
    return GATE_DONE;
}
