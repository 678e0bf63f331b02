/* The plan for one recipient domain: which hosts, in which order, each with what it must prove and why; or
 * why there is none. The walk is route or MX -> addresses of every host -> TLSA of one host at a time, since
 * hosts behind the first are rarely needed.
 *
 *     policy_begin(&plan, arena, &input, &source, until);
 *     policy_find_addresses(&plan, until);
 *     while (plan.verdict == PLAN_GO && the next host i exists) {
 *         policy_resolve(&plan, i, until);          TLSA; host[i].state is then USABLE or OUT
 *         ... try it ...
 *     }
 *     policy_conclude(&plan);                       all were resolved: no host left says why
 *
 * or policy_make for the whole walk. Each step takes the time for its own questions: one that is not answered
 * must leave the next one a chance. Every answer that was used stays in the plan as evidence. */
#ifndef POLICY_PLAN_H
#define POLICY_PLAN_H

#include "dane/dane.h"
#include "directory/directory.h"
#include "dns/answer.h"
#include "policy/level.h"
#include "policy/reason.h"

enum { POLICY_HOSTS_MAX = 32, POLICY_NAMES_MAX = 3 };

enum policy_via {
    POLICY_VIA_MX,       /* what the domain's MX records say */
    POLICY_VIA_IMPLICIT, /* no MX: the domain itself is the host (RFC 5321 5.1) */
    POLICY_VIA_ROUTE,    /* a configured route: secure by configuration */
    POLICY_VIA_LITERAL,  /* an address literal */
    POLICY_VIA_MAILBOX,  /* the mailbox host of an accepted domain */
};
const char *policy_via_name(enum policy_via via);

/* What a usable TLSA set is worth when the MX records that led to it are not signed. */
#define POLICY_INSECURE_MX_TABLE(X)                                                                          \
    X(DANE, "dane")                                                                                          \
    X(ENCRYPT, "encrypt")                                                                                    \
    X(OPPORTUNISTIC, "opportunistic")
enum policy_insecure_mx {
#define X(name, text) POLICY_INSECURE_MX_##name,
    POLICY_INSECURE_MX_TABLE(X)
#undef X
};

/* What is this machine, for loop detection. */
struct policy_self {
    const struct str *names; /* in the form of dns/name.h */
    size_t name_count;
    const struct addr *addresses; /* where we listen; a host is us when address and port are equal */
    size_t address_count;
    bool listens_on_all; /* then every loopback address with a port of `addresses` is us, too */
};

struct policy_input {
    struct str domain; /* recipient domain in the form of dns/name.h; "[192.0.2.1]" for POLICY_VIA_LITERAL */
    enum policy_via via; /* MX, ROUTE, LITERAL or MAILBOX */
    struct str host;     /* ROUTE, MAILBOX: a name or an address; LITERAL: the address; without brackets */
    uint16_t port;
    enum mode mode;
    struct str rule;  /* which rule set the mode; for evidence */
    enum dir_tls tls; /* MAILBOX */
    enum policy_insecure_mx insecure_mx;
    const struct policy_self *self; /* may be NULL */
    uint64_t seed;                  /* orders hosts of equal preference; 0 keeps the order of the answer */
};

/* A question that was asked, with its answer; asked = false: it was not needed. */
struct policy_lookup {
    bool asked;
    struct dns_answer answer;
};

/* Why a host, or the whole plan, is out. */
struct policy_trouble {
    enum reason reason;
    enum level_cause cause;         /* for dane-required: what is missing */
    const struct dns_answer *asked; /* the question to blame, or NULL */
};

enum policy_host_state { POLICY_HOST_OPEN, POLICY_HOST_USABLE, POLICY_HOST_OUT };

struct policy_host {
    struct str name; /* the MX host; an address literal's text */
    uint16_t preference, port;
    enum policy_host_state state;  /* OPEN: addresses are known, policy_resolve has not been called */
    struct policy_trouble trouble; /* OUT */

    struct policy_lookup a, aaaa, cname;
    struct policy_candidate { /* base domains in the order they are tried */
        struct str base;
        struct policy_lookup tlsa;
    } candidate[2];
    size_t candidates;
    bool address_secure; /* the addresses, and every alias on the way to them */
    struct addr *addr;   /* with the port; IPv6 before IPv4 */
    size_t naddr;

    enum level level; /* USABLE */
    enum level_cause cause;
    bool mx_insecure;                   /* the MX records that led here were not signed */
    struct str base;                    /* TLSA base domain = SNI; the host's name when DANE does not apply */
    struct tlsa_set published, usable;  /* of `base`; empty unless secure */
    struct str names[POLICY_NAMES_MAX]; /* reference names for usage 2, base first */
    size_t name_count;
    uint8_t fingerprint[32]; /* of the effective policy: see policy_fingerprint */
};

enum plan_verdict { PLAN_GO, PLAN_DEFER, PLAN_BOUNCE };

struct policy_plan {
    const struct policy_input *in; /* borrowed, as are the strings in it */
    struct arena *arena;
    const struct dns_source *source;

    enum plan_verdict verdict;
    struct policy_trouble trouble; /* unless GO */
    enum policy_via via;           /* as asked, or IMPLICIT */
    struct policy_lookup mx;
    struct str expanded;      /* the domain at the end of its aliases */
    bool we_are_mx;           /* hosts of our own preference and worse were dropped */
    size_t mx_dropped;        /* records with a target that is no host name */
    size_t mx_left_out;       /* hosts behind the first POLICY_HOSTS_MAX by preference */
    struct policy_host *host; /* by preference */
    size_t nhost;
};

void policy_begin(struct policy_plan *p, struct arena *a, const struct policy_input *in,
                  const struct dns_source *source, deadline until);
/* Of all hosts at once; hosts without an address are OUT, hosts that are ourselves are gone. */
void policy_find_addresses(struct policy_plan *p, deadline until);
void policy_resolve(struct policy_plan *p, size_t host, deadline until);
void policy_conclude(struct policy_plan *p);
/* All of them, with one deadline for the whole walk. */
void policy_make(struct policy_plan *p, struct arena *a, const struct policy_input *in,
                 const struct dns_source *source, deadline until);

/* "mx.example. MX: DNSSEC validation failed (extended error 7: signature expired)" or what is missing; empty
 * when the reason's own sentence says it all. */
void policy_trouble_describe(const struct policy_trouble *t, struct buf *out);

#endif
