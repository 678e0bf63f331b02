/* The rollover gate, pure: the states of a key set's keys, what it takes to move one, what is published and
 * what is served. Evidence in, moves out: no I/O, no clock, no memory but struct gate_set.
 *
 *   generated -> published -> ready -> active -> retiring -> gone
 *
 *   G1 a key is served only after its records were seen, validated, on every authoritative server of every
 *      zone that publishes the set, in one piece, for two TTLs (the largest TTL in force in that window)
 *   G2 a record is withdrawn only two TTLs after the last edge confirmed that it stopped serving the key
 *   G3 so every cache of the last two TTLs holds a record that matches what any edge serves
 *   G4 in doubt nothing moves: the old key stays, an alarm says what is awaited
 *   G5 each combination of usage, selector and matching type that is published matches the live chain alone
 *
 * Two TTLs are at least one TTL and five seconds: caches round up.
 *
 * Waits are sums of proven time (gate_key.proven_ms): time of the monotonic clock between two whole sightings
 * that belong together. A record that is missing sets the sum to zero, a silent server stops it. */
#ifndef KEYS_GATE_H
#define KEYS_GATE_H

#include "base/base.h"

#define GATE_ALGORITHM_TABLE(X) X(ECDSA, "ecdsa") X(RSA, "rsa")
enum gate_algorithm {
#define X(name, text) GATE_##name,
    GATE_ALGORITHM_TABLE(X)
#undef X
        GATE_ALGORITHMS
};

/* X(NAME, "name", "sentence") */
#define GATE_STATE_TABLE(X)                                                                                  \
    X(GENERATED, "generated", "it exists; its TLSA record is not published")                                 \
    X(PUBLISHED, "published", "its TLSA record is published; caches may not have it yet")                    \
    X(READY, "ready", "every cache has its TLSA record; it may be served")                                   \
    X(ACTIVE, "active", "it is served")                                                                      \
    X(RETIRING, "retiring", "it is no longer served; its TLSA record stays until that is certain")           \
    X(GONE, "gone", "its TLSA record is withdrawn; it is never used again")
enum gate_state {
#define X(name, text, sentence) GATE_##name,
    GATE_STATE_TABLE(X)
#undef X
};

enum {
    GATE_KEYS_MAX = 16,    /* in one set, gone ones that a server still shows included */
    GATE_RECORDS_WARN = 8, /* some senders drop larger RRsets */
    GATE_RECORDS_MAX = 12,
    GATE_ALARMS_MAX = 16,
    GATE_EVENTS_MAX = 2 * GATE_KEYS_MAX,
};

#define GATE_SETTLED (INT64_MAX / 4)

struct gate_record {
    uint8_t usage, selector, mtype, digest[32];
};

/* Roll: shall the key be promoted when it is ready? FORCED does not wait for the turn of its set. */
enum gate_roll { GATE_ROLL_NO, GATE_ROLL_ASKED, GATE_ROLL_FORCED };

struct gate_key {
    int64_t id;      /* the store's; 0 until it gives one (keys that gate_accept adds) */
    int64_t pair_id; /* 0: lost */
    enum gate_algorithm algorithm;
    uint8_t spki[32];        /* SHA-256 of the SubjectPublicKeyInfo: record 3 1 1 */
    bool has_ta;             /* the chain has an issuing CA */
    uint8_t ta[32];          /* SHA-256 of the CA's SubjectPublicKeyInfo: record 2 1 1 when the set asks */
    bool is_lost;            /* only its record is known (the database was older than the servers) */
    struct gate_record lost; /* that record */
    enum gate_state state;
    int64_t since_ms; /* wall clock, in this state since; for people */
    /* Towards the next state; below 0: not begun. published, ready: seen on all servers; active:
     * GATE_SETTLED, less after its record was missing; retiring: all edges said, since the
     * keystore was told of another key, that they stopped;
     * gone: seen nowhere. The gate's alone. */
    int64_t proven_ms;
    enum gate_roll roll;
    int64_t roll_ms; /* wall clock, when it was asked for */
    bool is_compromised;
};

/* When something was last seen whole. */
struct gate_moment {
    uint64_t boot; /* 0: never */
    int64_t wall_ms, mono_ms;
};

struct gate_set {
    int64_t id;
    /* options */
    bool wants[GATE_ALGORITHMS]; /* algorithms to serve */
    bool ta;                     /* publish 2 1 1 of the issuing CA, too */
    bool keeps_next; /* the default scheme, 3 1 1 current + 3 1 1 next: ask for a next key when one is missing
                      */
    int64_t ttl_ms;  /* of the TLSA RRset as we publish it */
    int64_t gap_ms;  /* longest pause in sightings, 0 = 120 s; never longer than one TTL */
    int64_t edge_silent_ms; /* a confirmation older than this is silence, 0 = 30 s */
    int64_t signature_ms;   /* signatures must live at least this long, 0 = 1 h; at least two TTLs */
    int64_t jump_ms;        /* wall and monotonic clock may differ by this between steps, 0 = 5 s */

    struct gate_key key[GATE_KEYS_MAX];
    size_t nkey;

    /* Memory between steps; kept in the database, written with every
     * out->must_save, else now and then (each gap_ms / 2). */
    struct gate_moment step, servers, edges; /* last step; all servers answered; all edges confirmed */
    uint64_t names, serials;                 /* of all servers at `servers`, hashed */
    int64_t largest_ttl_ms;                  /* in force in the last two of itself */
    bool is_ta_on;    /* 2 1 1 is published: `ta` holds since all edges serve chains that we know */
    int64_t no_ta_ms; /* proven time without a 2 1 1 on any server; below 0: there is one */
    int64_t lower_ttl_ms, lower_for_ms; /* largest seen since it was seen last, and the proven time since */
};

/* What one address of one authoritative server said of the set's RRset. */
enum gate_answer {
    GATE_ANSWER_SILENT,  /* no answer, or one without use (REFUSED, not authoritative, ...) */
    GATE_ANSWER_INVALID, /* does not validate, or no signature */
    GATE_ANSWER_SECURE,  /* validated; no record = validated denial */
};

struct gate_server {
    struct str name; /* "192.0.2.53 for k7.mx.example": unique in the evidence, the same in every step:
                        a new name is a server that was never seen, and all sightings start anew */
    enum gate_answer answer;
    uint32_t serial;
    int64_t ttl_ms,
        expires_ms; /* of the RRset; earliest expiry of a signature over it, wall clock; 0 when empty */
    const struct gate_record *record;
    size_t nrecord;
};

struct gate_served {
    enum gate_algorithm algorithm;
    uint8_t spki[32]; /* of the certificate that the edge really loaded: ids mean nothing after a restore */
    bool has_ta;
    uint8_t ta[32];
};

struct gate_edge {
    struct str name;
    int64_t age_ms; /* of the latest confirmation since control started, by control's clock; -1: none */
    const struct gate_served *served;
    size_t nserved;
};

struct gate_evidence {
    uint64_t boot; /* hash of the boot id, not 0: monotonic times of one boot compare, over restarts of
                      control, too */
    int64_t wall_ms, mono_ms;
    const struct gate_server *server; /* every address of every server of every zone that publishes the set,
                                         primaries included, but for those that the operator
                                         leaves out (no route). Zone whose servers cannot be found: one SILENT
                                         row. No zone publishes it: no rows */
    size_t nserver;
    const struct gate_edge *edge; /* every registered edge */
    size_t nedge;
    bool is_turn; /* gate_turn says so */
};

/* What is awaited. X(NAME, is_doubt, "name", "sentence", "what to do"); a doubt holds everything and alarms.
 */
#define GATE_AWAIT_TABLE(X)                                                                                  \
    X(NOTHING, false, "nothing", "nothing is awaited", "")                                                   \
    X(SERVER_SILENT, true, "server-silent", "an authoritative server does not answer",                       \
      "start it or take it out of the zone's NS set")                                                        \
    X(NOT_VALIDATED, true, "not-validated", "an authoritative server's answer does not validate",            \
      "look at the zone's signatures and DS record there: kedge zone verify")                                \
    X(SIGNATURE_EXPIRES, true, "signature-expires", "signatures over the TLSA records expire soon",          \
      "see why the primary does not sign anew, or why a secondary does not get the new version")             \
    X(CLOCK_JUMPED, true, "clock-jumped",                                                                    \
      "the clock of this machine jumped; sightings made with it start anew",                                 \
      "see that the time is right (timedatectl); nothing else")                                              \
    X(EDGE_UNCONFIRMED, true, "edge-unconfirmed", "an edge has not yet said what it serves",                 \
      "start kedge-smtpd there, or take the edge out: kedge edge remove")                                    \
    X(EDGE_SILENT, true, "edge-silent", "an edge no longer says what it serves",                             \
      "see that kedge-smtpd runs there and reaches control, or take the edge out: kedge edge remove")        \
    X(EDGE_AHEAD, true, "edge-ahead",                                                                        \
      "an edge serves a key that the database does not call active; the database seems older than the "      \
      "edges",                                                                                               \
      "restore a newer database; if there is none, kedge key accept takes what is live as the truth")        \
    X(RECORD_UNKNOWN, true, "record-unknown",                                                                \
      "a server publishes a TLSA record that the database does not know; the database seems older",          \
      "restore a newer database or import the missing key; if there is none, kedge key accept")              \
    X(RECORD_MISSING, true, "record-missing", "the TLSA record of a served key is missing on a server",      \
      "see that the server has the zone's newest version; it is published again by itself")                  \
    X(UNPROVEN, true, "unproven",                                                                            \
      "an edge does not serve the active key, and its TLSA record has not been in sight for two TTLs; the "  \
      "database may have been restored",                                                                     \
      "nothing: the edge is told to serve it when that is safe")                                             \
    X(CA_CHANGED, true, "ca-changed", "an edge serves a chain of another issuing CA than the key's",         \
      "hand the new certificate in: kedge key stage; it waits at the gate")                                  \
    X(PUBLICATION, false, "publication", "the TLSA record is not on every server yet", "")                   \
    X(CACHES, false, "caches", "caches may still hold the TLSA records without the new one", "")             \
    X(ROLL, false, "roll", "the next key is ready", "kedge key roll")                                        \
    X(TURN, false, "turn", "another key set is rolling", "")                                                 \
    X(EDGE_SWITCH, false, "edge-switch", "an edge still serves the old key",                                 \
      "it reloads within seconds; if not, look at its log")                                                  \
    X(WITHDRAWAL, false, "withdrawal", "two TTLs since the last edge stopped serving the old key", "")       \
    X(OLD_KEY, false, "old-key", "the key before the current one is not gone yet", "")                       \
    X(NEXT_KEY, false, "next-key", "there is no next key", "kedge key stage")                                \
    X(RRSET_SIZE, false, "rrset-size", "with one more key the TLSA RRset would be too large",                \
      "wait until a retiring key is gone")                                                                   \
    X(CA_MISSING, false, "ca-missing",                                                                       \
      "the set publishes its issuing CA, and the next key's chain has none",                                 \
      "hand in a chain with its CA (kedge key stage), or: kedge key set GROUP --no-ta")

enum gate_await {
#define X(name, is_doubt, text, sentence, advice) GATE_AWAIT_##name,
    GATE_AWAIT_TABLE(X)
#undef X
};

/* Entries of the timeline. X(NAME, "name", "sentence") */
#define GATE_EVENT_TABLE(X)                                                                                  \
    X(STAGED, "staged", "the key was staged")                                                                \
    X(PUBLISHED, "published", "its record is handed to the zones")                                           \
    X(READY, "ready", "its record was on every server for two TTLs")                                         \
    X(UNREADY, "unready", "its sightings start anew")                                                        \
    X(ACTIVATED, "activated", "it is served from now on")                                                    \
    X(RETIRED, "retired", "it is no longer to be served")                                                    \
    X(GONE, "gone", "no edge served it for two TTLs: its record is withdrawn")                               \
    X(DISCARDED, "discarded", "it was never served: its record is withdrawn at once")                        \
    X(REVIVED, "revived", "an edge serves it again: its record is published again")                          \
    X(FORGOTTEN, "forgotten", "no server shows its record any more")

enum gate_event_kind {
#define X(name, text, sentence) GATE_EVENT_##name,
    GATE_EVENT_TABLE(X)
#undef X
};

struct gate_event {
    enum gate_event_kind what;
    int64_t key_id;
    enum gate_state from, to;
    struct str subject; /* server or edge that caused it, borrowed from the evidence; may be empty */
};

struct gate_waiting {
    enum gate_await what;
    int64_t key_id;     /* 0: none in particular */
    int64_t until_ms;   /* wall clock, expected end; 0: unknown */
    struct str subject; /* server or edge, borrowed from the evidence; may be empty */
};

/* KEEP: leave the key that the keystore has (a swapped certificate of that key may go in); if it has none,
 * the active key; NONE: do not serve the algorithm. A keystore that is made anew from the database, too,
 * follows this and not the states: a restored database may call a key active that is withdrawn. */
enum gate_serve { GATE_SERVE_KEEP, GATE_SERVE_NONE, GATE_SERVE_KEY };

struct gate_out {
    struct gate_record record[GATE_KEYS_MAX * 2]; /* the RRset, sorted, without duplicates */
    size_t nrecord;
    bool additions_only; /* records beside these that are found on servers must stay where they are */
    bool may_start; /* in a zone that has none the RRset may be started: every edge serves what it promises */
    struct {
        enum gate_serve what;
        size_t key; /* index into set->key */
    } serve[GATE_ALGORITHMS];
    bool generate[GATE_ALGORITHMS]; /* make a key pair and gate_stage it (GATE_ROLL_NO) */
    struct gate_event event[GATE_EVENTS_MAX];
    size_t nevent;
    bool must_save; /* something moved or started anew: save the set now, or a restart forgets it */
    struct gate_waiting waiting; /* the first thing awaited: a doubt, or the next step of the roll */
    struct gate_waiting alarm[GATE_ALARMS_MAX];
    size_t nalarm;
    bool is_large; /* more than GATE_RECORDS_WARN records */
};

/* One step. Call it every round, also when the evidence is thin; save the set as a whole afterwards. Keys
 * that are gone and no longer seen leave set->key with event FORGOTTEN (their rows stay for the timeline).
 * Nothing of `out` may be acted on before the set is saved. After a start of control nothing is added to or
 * removed from an RRset before the first step: the database may have been restored. */
void gate_step(struct gate_set *set, const struct gate_evidence *e, struct gate_out *out);

/* What is published now, without a step: fills record, nrecord, is_large. */
void gate_records(const struct gate_set *set, struct gate_out *out);

/* What holds this key, doubts aside; GATE_AWAIT_NOTHING for active, gone and discarded ones. */
void gate_key_waiting(const struct gate_set *set, const struct gate_evidence *e, size_t key,
                      struct gate_waiting *out);
/* Is a key on its way out? */
bool gate_is_rolling(const struct gate_set *set);

/* Requests. They change the set's wishes and never a served key: the next step acts. `why` gets a sentence
 * always. */
enum gate_reply {
    GATE_REFUSED,
    GATE_DONE,
    GATE_JOINED,  /* what is asked for is under way already; nothing changed */
    GATE_SWAPPED, /* stage: the key was known; the certificate (pair_id) is replaced at once, no record
                     changes */
};

/* A new or imported key (id, pair_id, algorithm, spki, ta filled in); the caller refuses keys that are
 * forgotten. Imported ones come with GATE_ROLL_ASKED: served as soon as the gate allows. */
enum gate_reply gate_stage(struct gate_set *set, const struct gate_key *key, enum gate_roll roll,
                           int64_t wall_ms, struct buf *why);
/* REFUSED when there is no next key: the caller may stage one first. */
enum gate_reply gate_ask_roll(struct gate_set *set, enum gate_algorithm algorithm, enum gate_roll roll,
                              int64_t wall_ms, struct buf *why);
/* The operator says that the database is older than the world and that what is live is the truth: keys that
 * edges serve and servers publish become active, unknown records become lost keys that retire. Refused while
 * a server or an edge is silent, and when there is nothing to accept. */
enum gate_reply gate_accept(struct gate_set *set, const struct gate_evidence *e, struct buf *why);

/* The fastest safe way out of a compromised key, and what it costs. */
#define GATE_PLAN_TABLE(X)                                                                                   \
    X(DISCARD, "discard", "the key is not served: its record is withdrawn at once")                          \
    X(SWITCH, "switch", "the next key is ready: it is served at once")                                       \
    X(OTHER, "other-algorithm", "no next key is ready: the other algorithm serves alone at once")            \
    X(WAIT, "wait", "the next key is published: it is served when it is ready")                              \
    X(NEW, "new", "there is no next key: one is made and published now and served when it is ready")         \
    X(HAND_IN, "hand-in",                                                                                    \
      "there is no next key, and none can be made here, since its CA is published, too (2 1 1): hand one "   \
      "in now with kedge key stage, it is served when it is ready")                                          \
    X(RETIRING, "retiring", "the key is on its way out already; nothing is faster")
enum gate_plan_kind {
#define X(name, text, sentence) GATE_PLAN_##name,
    GATE_PLAN_TABLE(X)
#undef X
};
struct gate_plan {
    enum gate_plan_kind kind;
    int64_t stops_ms;     /* from now until edges stop serving the key, if nothing holds */
    int64_t withdrawn_ms; /* ... until its record is withdrawn */
    int64_t harmless_ms; /* ... until no cache holds its record: until then its thief can pose as the edges */
    size_t nedge;        /* edges that have to reload */
    struct gate_waiting held; /* a doubt that holds all this now; GATE_AWAIT_NOTHING: none */
};
/* False when the set has no such key. */
bool gate_plan_emergency(const struct gate_set *set, const struct gate_evidence *e, int64_t key_id,
                         struct gate_plan *out);
void gate_plan_text(const struct gate_plan *plan, struct buf *out);
/* Runs that plan. For GATE_PLAN_HAND_IN the operator has to stage a key; for GATE_PLAN_NEW the caller stages
 * a new key with GATE_ROLL_FORCED afterwards (the step asks for it with out->generate, too). */
enum gate_reply gate_emergency(struct gate_set *set, const struct gate_evidence *e, int64_t key_id,
                               struct buf *why);

/* After what was published with a TTL went, so long until no cache has it: two TTLs, or one and five seconds
 * where that is more. gate_wait_ms: of the set's largest TTL in force. */
int64_t gate_two_ttls_ms(int64_t ttl_ms);
int64_t gate_wait_ms(const struct gate_set *set);

bool gate_has_alarm(const struct gate_out *out, enum gate_await what);

/* Which of n sets may start to roll: the one with the oldest request when none is rolling (has a retiring
 * key); SIZE_MAX: none. */
size_t gate_turn(const struct gate_set *const *sets, size_t n);

/* Words. */
const char *gate_algorithm_name(enum gate_algorithm a);
bool gate_algorithm_parse(struct str name, enum gate_algorithm *out);
const char *gate_state_name(enum gate_state s);
const char *gate_state_sentence(enum gate_state s);
bool gate_state_parse(struct str name, enum gate_state *out);
const char *gate_await_name(enum gate_await a);
const char *gate_await_sentence(enum gate_await a);
const char *gate_await_advice(enum gate_await a);
bool gate_await_is_doubt(enum gate_await a);
const char *gate_event_name(enum gate_event_kind k);
const char *gate_event_sentence(enum gate_event_kind k);
const char *gate_plan_name(enum gate_plan_kind k);
/* "key 17: caches may still hold the TLSA records without the new one, until 2026-11-23T21:00:00Z (in 12
 * min)" */
void gate_waiting_text(const struct gate_waiting *w, int64_t wall_ms, struct buf *out);
void gate_duration_text(int64_t ms, struct buf *out);

#endif
