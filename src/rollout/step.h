/* What to do with a rollout, from what is seen of its waves. Pure: no clock, no database. */
#ifndef ROLLOUT_STEP_H
#define ROLLOUT_STEP_H

#include "rollout/plan.h"

/* X(NAME, "name", "sentence") */
#define ROLLOUT_STATE_TABLE(X)                                                                               \
    X(PLANNED, "planned", "nothing has moved yet")                                                           \
    X(RUNNING, "running", "waves follow one another while their domains are well")                           \
    X(PAUSED, "paused", "nothing moves until it is resumed")                                                 \
    X(UNDOING, "undoing", "DANE is being switched off again")                                                \
    X(HALTED, "halted", "a wave went bad and was undone; find out why before it is resumed")                 \
    X(DONE, "done", "all domains have moved")
enum rollout_state {
#define X(name, text, sentence) ROLLOUT_##name,
    ROLLOUT_STATE_TABLE(X)
#undef X
};
const char *rollout_state_name(enum rollout_state s);
const char *rollout_state_sentence(enum rollout_state s);
/* False when the text names none. */
bool rollout_state_parse(struct str text, enum rollout_state *out);

/* Why a decision is as it is. X(NAME, "name", "sentence") */
#define ROLLOUT_CAUSE_TABLE(X)                                                                               \
    X(NOTHING, "nothing", "")                                                                                \
    X(ENABLING, "enabling", "the wave's domains are being switched on")                                      \
    X(HOLDING, "holding", "the wave is held until its domains have been well for the set time")              \
    X(BLIND, "blind", "what happens to the mail of its domains cannot be seen, so nothing moves")            \
    X(GATE, "gate", "the rollover gate has an alarm, so nothing moves")                                      \
    X(GATE_UNSEEN, "gate-unseen",                                                                            \
      "the rollover gate has not looked at a key set of its domains yet, so nothing moves")                  \
    X(PROBES_AWAITED, "probes-awaited",                                                                      \
      "an edge does not see at an MX host what senders are to see, so nothing moves")                        \
    X(HELD, "held", "its domains have been well for the set time")                                           \
    X(FAILURES, "failures", "more mail is deferred or turned away at its domains than before")               \
    X(REPORTS, "reports", "TLS reports (RFC 8460) tell of more failed sessions at its domains than before")  \
    X(PROBES, "probes", "an edge does not see at an MX host what its TLSA records promise")                  \
    X(OPERATOR, "operator", "an operator asked for it")
enum rollout_cause {
#define X(name, text, sentence) ROLLOUT_CAUSE_##name,
    ROLLOUT_CAUSE_TABLE(X)
#undef X
};
const char *rollout_cause_name(enum rollout_cause c);
const char *rollout_cause_sentence(enum rollout_cause c);
bool rollout_cause_parse(struct str text, enum rollout_cause *out);

/* Good: taken from a sender, or passed on to the mailbox host. Bad: a sender that came for the MX host and
 * refused its certificate, or left again after the handshake without a word about mail, or mail that the
 * mailbox host did not take. */
struct rollout_counts {
    int64_t good, bad;
};

/* What TLS reports (RFC 8460) tell of a wave: sessions, and what is worst. */
enum { ROLLOUT_TELLER = 256, ROLLOUT_RESULT = 32 };
struct rollout_told {
    struct rollout_counts now, before;
    bool is_worse; /* by the rules of its rollout */
    /* Who told of most failures since it began, the result type that they gave most often, and how often;
     * empty: nobody told of any. */
    char organization[ROLLOUT_TELLER], result[ROLLOUT_RESULT];
    int64_t sessions;
};

struct rollout_wave {
    size_t domains;
    bool is_ready;                /* all its domains are switched on */
    int64_t held_ms;              /* for how long it was ready and well */
    struct rollout_counts now;    /* since it began */
    struct rollout_counts before; /* of the same domains, in the time before it began */
    int64_t bad_probes;           /* MX hosts that an edge found broken in two rounds since it began */
    struct rollout_told told;
};

struct rollout_rules {
    int64_t hold_ms;
    int64_t tolerance; /* per mille of the mail: by how much the bad share may grow */
    int64_t least;     /* fewer bad ones mean nothing */
};

/* Has the share of the bad ones grown by more than is tolerated? */
bool rollout_is_worse(const struct rollout_rules *r, struct rollout_counts now, struct rollout_counts before);

/* Of all key sets that the domains use, those of the wave that comes next included. */
enum rollout_gate { ROLLOUT_GATE_UNSEEN, ROLLOUT_GATE_ALARM, ROLLOUT_GATE_CALM };

struct rollout_view {
    struct rollout_rules rules;
    const struct rollout_wave *wave;
    size_t waves, begun; /* begun: of the waves, the first ones */
    bool is_blind;       /* the journal could not be read */
    bool is_awaited;     /* an edge does not see at an MX host what senders are to see, or saw it once only */
    enum rollout_gate gate;
};

enum rollout_do {
    ROLLOUT_WAIT,
    ROLLOUT_BEGIN,  /* wave[begun] */
    ROLLOUT_UNDO,   /* wave[from] and all behind it */
    ROLLOUT_FINISH, /* the last one was held */
};
struct rollout_decision {
    enum rollout_do what;
    enum rollout_cause cause;
    size_t from;
};
struct rollout_decision rollout_decide(const struct rollout_view *v);

#endif
