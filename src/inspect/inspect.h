/*
 * inspect: what is true in the world about a domain's mail security, explained for an operator (`kedge
 * check`).
 *
 * Asks policy for the same plan that a delivery follows, opens the same connections (deliver/connection:
 * greeting, EHLO, STARTTLS, judgement, EHLO, QUIT; never a message) and keeps everything it saw as evidence.
 * Findings name what is wrong by a stable code, with a fix. Decides nothing itself: a rule that is not
 * policy's or deliver's has no place here. Everything in a report belongs to the report.
 */
#ifndef INSPECT_INSPECT_H
#define INSPECT_INSPECT_H

#include <jansson.h>

#include "deliver/connection.h"
#include "policy/policy.h"

/* How bad, weakest first. */
#define INSPECT_SEVERITY_TABLE(X)                                                                            \
    X(NOTE, "note")                                                                                          \
    X(WARNING, "warning")                                                                                    \
    X(PROBLEM, "problem")

enum inspect_severity {
#define X(name, text) INSPECT_##name,
    INSPECT_SEVERITY_TABLE(X)
#undef X
};
const char *inspect_severity_name(enum inspect_severity s);

struct inspect_finding {
    enum inspect_severity severity;
    const char *code;     /* a reason code of policy, or one of finding.def */
    const char *enhanced; /* "4.7.323" where the code is a reason */
    struct str subject;   /* host, address, owner name: what it is about */
    const char *sentence; /* what is the matter */
    struct str detail;    /* evidence; may be empty */
    const char *fix;      /* what to do; may be NULL */
};

/* A connection to one address of a host. */
struct inspect_probe {
    struct arena arena;
    struct addr to;
    struct outcome outcome; /* BLAME_NOBODY: a message would have been offered */
    struct tls_info tls;    /* also of a server that was not believed; protocol NULL: no TLS */
    enum level level;       /* reached */
    bool handshake_failed;  /* and clear text was used, as level none allows */
    struct str matched;     /* the TLSA record that matched, as text */
    int depth;
    uint32_t extensions; /* enum smtp_extension, offered behind TLS */
    int64_t took_ms;
};

struct inspect_host {
    const struct policy_host *policy;
    struct inspect_probe *probe; /* one an address */
    size_t probes;
};

enum inspect_verdict { INSPECT_DELIVERED, INSPECT_DEFERRED, INSPECT_BOUNCED };
const char *inspect_verdict_name(enum inspect_verdict v);

struct inspect_conf {
    const struct dns_source *source;
    struct tls_client *tls;               /* NULL: do not connect */
    const struct addr *source4, *source6; /* to connect from; NULL: the system chooses */
    struct str hello;
    uint16_t port;
    enum mode mode;
    enum policy_insecure_mx insecure_mx;
    enum tls_strength strength_none;
    int64_t dns_ms, connect_ms, smtp_ms;
};

struct inspect_report {
    struct arena arena;
    struct str domain;
    struct policy_input input;
    struct policy_plan plan;
    bool connected;
    struct inspect_host *host; /* as plan.host */
    enum inspect_verdict verdict;
    const struct policy_host *chosen; /* DELIVERED: where the mail would go */
    const struct inspect_probe *by;   /* and over which connection; NULL unless connected */
    enum level level;                 /* DELIVERED */
    struct inspect_finding *finding;  /* worst first */
    size_t findings;
};

/* domain: in the form of dns/name.h, or an address literal in brackets; borrowed. conf must outlive the
 * report. */
void inspect_domain(struct inspect_report *r, struct str domain, const struct inspect_conf *conf);
void inspect_report_release(struct inspect_report *r);

/* For a human; for a machine (a new reference). */
void inspect_text(const struct inspect_report *r, struct buf *out);
json_t *inspect_json(const struct inspect_report *r);

#endif
