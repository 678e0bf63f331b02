/* The guided switch: which of eleven steps an accepted domain stands at, what is to be done next and by whom,
 * what is awaited and until when. Pure: facts and a little memory in, a view out. Every step is judged by
 * what the world shows, so it can be left, resumed and undone at any point, and steps that somebody did by
 * hand count. */
#ifndef INSPECT_SWITCH_H
#define INSPECT_SWITCH_H

#include "inspect/switch_memory.h"

/* X(NAME, "name", "what holds when it is done") */
#define SWITCH_TABLE(X)                                                                                      \
    X(STS_TESTING, "mta-sts-testing", "the MTA-STS policy, if there is one, lists the new MX host")          \
    X(LOWER_TTL, "lower-ttl", "the TTL of the MX records is low, and the old one has run out")               \
    X(DNSSEC, "dnssec", "the new MX host is in the signed MX zone, on every server")                         \
    X(ADD_MX, "add-mx", "the new MX record is there, behind the old ones")                                   \
    X(TEST, "test", "the new MX host takes mail for the domain, over TLS, on every address")                 \
    X(PREFER, "prefer", "the new MX record has priority 0 or 10, the old ones a higher number")              \
    X(REMOVE_OLD, "remove-old", "the new MX record is the only one, in every cache")                         \
    X(RAISE_TTL, "raise-ttl", "the TTL of the MX record is an hour")                                         \
    X(DANE, "dane", "DANE is enabled")                                                                       \
    X(VERIFY, "verify", "the TLSA records are on every server and match on every address")                   \
    X(STS_ENFORCE, "mta-sts-enforce", "the MTA-STS policy, if there was one, is enforced again")
enum switch_step {
#define X(name, text, sentence) SWITCH_##name,
    SWITCH_TABLE(X)
#undef X
        SWITCH_STEPS
};
const char *switch_step_name(enum switch_step s);
const char *switch_step_sentence(enum switch_step s);

enum { SWITCH_TTL_LEAST = 30, SWITCH_TTL_LOW = 300, SWITCH_TTL_FINAL = 3600 };

/* Who has to act. X(NAME, "name") */
#define SWITCH_TURN_TABLE(X)                                                                                 \
    X(OURS, "ours")       /* view.action */                                                                  \
    X(YOURS, "yours")     /* at the DNS provider or the web server: view.say, view.record */                 \
    X(AWAITED, "awaited") /* nobody: time, or servers */                                                     \
    X(DONE, "done")
enum switch_turn {
#define X(name, text) SWITCH_##name##_TURN,
    SWITCH_TURN_TABLE(X)
#undef X
};
const char *switch_turn_name(enum switch_turn t);

enum switch_action {
    SWITCH_NOTHING,
    SWITCH_ENABLE_DNSSEC,
    SWITCH_DISABLE_DNSSEC,
    SWITCH_ENABLE_DANE,
    SWITCH_DISABLE_DANE
};

/* One line to enter, in a DNS provider's words. */
struct switch_record {
    const char *what; /* "add", "change", "remove" */
    const char *type;
    struct str name, value; /* name as panels want it: "@" for the zone itself */
    int priority;           /* -1: none */
    uint32_t ttl;           /* 0: does not matter */
};

struct switch_view {
    bool held[SWITCH_STEPS];
    enum switch_step
        step; /* the first that does not hold; SWITCH_STEPS: all do. When undoing: what is undone */
    enum switch_turn turn;
    enum switch_action action;
    struct str say; /* a sentence */
    struct switch_record record[SWITCH_OLD_MX_MAX];
    size_t records;
    int64_t until_ms; /* AWAITED: when it should be over, 0: unknown */
};

struct switch_options {
    uint32_t ttl_low; /* 0: SWITCH_TTL_LOW */
};
/* What MX records are asked to have, and what counts as low. */
uint32_t switch_low(const struct switch_options *o);

/* Forward, or back when memory.is_undoing. Texts are in the facts' arena. */
void switch_look(const struct switch_memory *m, const struct facts *f, const struct switch_options *o,
                 struct switch_view *out);

#endif
