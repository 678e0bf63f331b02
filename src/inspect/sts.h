/* MTA-STS (RFC 8461) as far as an accepted domain's own policy is concerned: the record, the policy's text,
 * and whether a pattern covers a host. Pure. */
#ifndef INSPECT_STS_H
#define INSPECT_STS_H

#include "dns/answer.h"

/* X(NAME, "name", "sentence") */
#define STS_STATE_TABLE(X)                                                                                   \
    X(UNKNOWN, "unknown", "it was not looked at, or the lookup failed")                                      \
    X(ABSENT, "absent", "there is no record")                                                                \
    X(RECORD, "record-invalid", "the record is not valid, or there is more than one")                        \
    X(UNREACHABLE, "unreachable", "the policy host does not answer")                                         \
    X(CERTIFICATE, "certificate", "the policy host's certificate is not valid for it")                       \
    X(STATUS, "status", "the policy host answers with something else than the policy")                       \
    X(POLICY, "policy-invalid", "the policy is not valid")                                                   \
    X(VALID, "valid", "record and policy are valid")
enum sts_state {
#define X(name, text, sentence) STS_##name,
    STS_STATE_TABLE(X)
#undef X
};
const char *sts_state_name(enum sts_state s);
const char *sts_state_sentence(enum sts_state s);

enum sts_mode { STS_NONE, STS_TESTING, STS_ENFORCE };
const char *sts_mode_name(enum sts_mode m);

enum { STS_POLICY_MAX = 64 * 1024, STS_PATTERNS_MAX = 64, STS_MAX_AGE_MAX = 31557600 };

struct sts_policy {
    enum sts_mode mode;
    uint32_t max_age;                /* seconds */
    struct str mx[STS_PATTERNS_MAX]; /* lower case: a host, or "*.parent" */
    size_t n;
};

struct sts_facts {
    enum sts_state state;
    struct str id;
    uint32_t ttl;             /* of the record */
    struct str said;          /* what is wrong, what the server said */
    struct sts_policy policy; /* VALID */
};

/* The answer to _mta-sts TXT: UNKNOWN, ABSENT, RECORD (said is set), or VALID for a good record whose policy
 * has yet to be fetched. id lives in the arena. */
enum sts_state sts_record_parse(struct arena *a, const struct dns_answer *txt, struct sts_facts *out);
/* ERR_MALFORMED with a sentence. Patterns live in the arena. */
enum err sts_policy_parse(struct arena *a, struct str text, struct sts_policy *out,
                          struct buf *why) MUST_CHECK;
/* RFC 8461 4.1: a wildcard stands for exactly one label. */
bool sts_pattern_covers(struct str pattern, struct str host);
bool sts_policy_covers(const struct sts_policy *p, struct str host);

#endif
