/* What every authoritative server of a zone said, what its signatures are worth, and what follows. Pure. */
#ifndef ZONE_EVIDENCE_H
#define ZONE_EVIDENCE_H

#include "dns/zone_message.h"
#include "keys/gate.h"

/* X(NAME, "name", "sentence") */
#define ZONE_SERVER_TABLE(X)                                                                                 \
    X(GOOD, "good", "answers with authority")                                                                \
    X(SILENT, "silent", "does not answer")                                                                   \
    X(NO_ROUTE, "no-route", "cannot be reached from this machine")                                           \
    X(REFUSING, "refusing", "refuses to answer for the zone")                                                \
    X(FAILING, "failing", "answers with an error")                                                           \
    X(LAME, "lame", "does not answer with authority for the zone")                                           \
    X(MALFORMED, "malformed", "answers with bytes that are no answer")

enum zone_server_state {
#define X(name, text, sentence) ZONE_SERVER_##name,
    ZONE_SERVER_TABLE(X)
#undef X
};

const char *zone_server_state_name(enum zone_server_state state);
const char *zone_server_state_sentence(enum zone_server_state state);

/* Addresses of this family are left out where this machine has no route to them: the operator's word. */
enum zone_family { ZONE_FAMILY_NONE, ZONE_FAMILY_IPV4, ZONE_FAMILY_IPV6 };

/* What the signatures of an answer are worth, checked with the zone's keys as the resolver vouches for them.
 * X(NAME, "name", "sentence") */
#define ZONE_PROOF_TABLE(X)                                                                                  \
    X(NONE, "none", "nothing was answered")                                                                  \
    X(UNSIGNED, "unsigned", "no signature covers it")                                                        \
    X(NO_KEY, "no-key", "no validated key of the zone made its signatures")                                  \
    X(WRONG, "wrong", "its signature does not fit")                                                          \
    X(EXPIRED, "expired", "its signature is expired, or begins later than now")                              \
    X(VALID, "valid", "its signature is valid")

enum zone_proof {
#define X(name, text, sentence) ZONE_PROOF_##name,
    ZONE_PROOF_TABLE(X)
#undef X
};

const char *zone_proof_name(enum zone_proof proof);
const char *zone_proof_sentence(enum zone_proof proof);

/* One server's answer to one of the questions. */
struct zone_rrset {
    enum zone_proof proof;
    enum dns_rcode rcode; /* NOERROR or NXDOMAIN when the server is good */
    size_t n;             /* 0: denied */
    struct dns_raw *records;
    uint32_t ttl;       /* the largest of the records */
    int64_t expires_ms; /* wall clock: the earliest end of the signatures that prove it; 0 without */
};

struct zone_server {
    struct str name; /* of the NS record; "primary" for the primary when it is not one of them */
    struct addr addr;
    enum zone_server_state state;
    struct str why; /* more about a state that is not good */
    uint32_t serial;
    struct zone_rrset *rrsets; /* one for each question; meaningful when the state is good */
    int64_t took_ms;
    struct arena arena;
};

struct zone_evidence {
    struct arena arena;
    struct str zone;
    size_t nquestion;
    size_t nsample; /* the last so many questions are samples: a server may not have been asked, its proof is
                       NONE then */
    struct dns_question *questions;
    struct str unknown; /* why servers or addresses of the NS set could not be found; empty: all are known */
    enum dns_security security; /* of the zone's own keys, through the resolver */
    enum zone_family unreachable;
    size_t n;
    struct zone_server *servers;
    struct dns_answer *validated; /* the questions' answers, but for samples, through the resolver */
    int64_t wall_ms;              /* when it was over */
};

void zone_evidence_release(struct zone_evidence *e);

/* Is the address nothing that counts? Only when the kernel has no route to it, its family is the one that the
 * operator leaves out, and another address of the same server name is good in the same evidence. */
bool zone_server_is_left_out(const struct zone_evidence *e, const struct zone_server *s);

/* The server answers and is behind the newest serial that any server showed. */
bool zone_server_lags(const struct zone_evidence *e, const struct zone_server *s);
/* Every server that is not left out is known and good, they show the same valid RRset for the question, and
 * the resolver vouches for the zone's keys. (Its own answer may be older: it caches.) When not, a sentence
 * for each thing that is wrong is appended to `why`, a line each. */
bool zone_is_everywhere(const struct zone_evidence *e, size_t question, struct buf *why);

/* The rows that the gate wants, for the question of its TLSA RRset; names and records are the arena's. */
size_t zone_gate_servers(struct arena *a, const struct zone_evidence *e, size_t question,
                         struct gate_server **out);

/* One server's row. */
void zone_gate_server(struct arena *a, const struct zone_evidence *e, const struct zone_server *s,
                      size_t question, struct gate_server *out);

/* What the gate compares; a record that is no TLSA record becomes one that the gate does not know. */
void zone_gate_record(const struct dns_raw *raw, struct gate_record *out);

/* One server's answer to one question, its signatures checked with the zone's keys (answers of DNSKEY).
 * Memory is borrowed from the answer. */
void zone_rrset_judge(const struct authority_answer *answer, const struct dns_question *question,
                      const struct dns_answer *keys, int64_t wall_ms, struct zone_rrset *out);

#endif
