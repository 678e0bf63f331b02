/* Shared by the files of the gate: questions about a set, and one step's reading of its evidence. */
#ifndef KEYS_GATE_PRIV_H
#define KEYS_GATE_PRIV_H

#include "keys/gate.h"

enum { GATE_NO_KEY = -1 };

/* proven_ms of a retiring key that the keystore may still have: it was not told of another one since. Edges
 * may load the key again, so what they confirm proves nothing yet. */
#define GATE_UNTOLD (-(INT64_MAX / 4))

/* Time between two whole sightings. */
struct gate_span {
    bool joined;       /* nothing can have happened unseen in between */
    int64_t proven_ms; /* of the monotonic clock, 0 over a reboot */
};

/* What the evidence of one step says, taken together with the last step. */
struct gate_reading {
    const struct gate_evidence *e;
    bool whole;     /* every server answered and validates */
    bool confirmed; /* every edge spoke lately */
    bool jumped;    /* wall and monotonic clock disagree */
    int64_t oldest_confirmation_ms;
    uint64_t names, serials;
    struct gate_span step, servers, edges;
};

void gate_read(const struct gate_set *set, const struct gate_evidence *e, struct gate_reading *out);
/* Fills out->alarm. */
void gate_judge(const struct gate_set *set, const struct gate_reading *r, struct gate_out *out);

void gate_move(struct gate_out *out, struct gate_key *k, enum gate_event_kind what, enum gate_state to,
               int64_t wall_ms, struct str subject);
/* What the step proves of every key. The TTLs first: raise, read, lower. */
void gate_raise_ttl(struct gate_set *set, const struct gate_evidence *e);
void gate_lower_ttl(struct gate_set *set, const struct gate_reading *r);
void gate_follow(struct gate_set *set, const struct gate_reading *r, struct gate_out *out);
/* A server that validates and does not show the key; NULL: none. */
const struct gate_server *gate_find_lacking(const struct gate_evidence *e, const struct gate_key *k);
/* What holds a ready key, doubts aside. */
enum gate_await gate_promotion_awaits(const struct gate_set *set, const struct gate_evidence *e,
                                      const struct gate_key *next);
/* Fills out->waiting. */
void gate_say_what_is_awaited(const struct gate_set *set, const struct gate_evidence *e,
                              struct gate_out *out);

/* Does the server show all that a client needs to accept the key, by each combination it publishes (G5)? */
bool gate_server_shows(const struct gate_server *s, const struct gate_key *k);
bool gate_server_shows_ta(const struct gate_server *s);
/* The record that names the key itself. */
struct gate_record gate_key_record(const struct gate_key *k);
struct gate_record gate_ta_record(const struct gate_key *k);
bool gate_record_is(const struct gate_record *a, const struct gate_record *b);
bool gate_server_has(const struct gate_server *s, const struct gate_record *r);
bool gate_is_served(const struct gate_set *set, const struct gate_evidence *e, const struct gate_key *k,
                    struct str *edge);
/* Is that the key's chain, the CA included? */
bool gate_has_chain(const struct gate_key *k, const struct gate_served *served);
/* Does every edge serve a chain, CA included, of a published key? */
bool gate_knows_chains(const struct gate_set *set, const struct gate_evidence *e);
/* Is the record one of a key of the set, whatever its state? */
bool gate_set_knows(const struct gate_set *set, const struct gate_record *r);

/* generated, published or ready */
bool gate_key_is_next(const struct gate_key *k);
/* Its records belong into the RRset. */
bool gate_key_is_published(const struct gate_key *k);
bool gate_publishes_ta(const struct gate_set *set);
/* May a cache hold 2 1 1, or will one? */
bool gate_ca_matters(const struct gate_set *set);
void gate_add_record(struct gate_out *out, struct gate_record r);
size_t gate_count_records(const struct gate_set *set);

int gate_find_state(const struct gate_set *set, enum gate_algorithm a, enum gate_state state);
/* The next key that is to be served first: marked before unmarked, then the one furthest on; not a
 * compromised one. */
int gate_find_next(const struct gate_set *set, enum gate_algorithm a);
/* Can the algorithm be left to the other one? */
bool gate_other_serves(const struct gate_set *set, enum gate_algorithm a);
int gate_find_id(const struct gate_set *set, int64_t id);

#endif
