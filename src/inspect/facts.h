/* Facts about an accepted domain, as the world shows them at one moment: what the database wants, what the
 * resolver says, what each authoritative server says by itself, what the MX host does on each address. Data
 * only, in one arena; gather.c fills it, find.c and switch.c decide by it. Times are milliseconds of the wall
 * clock, 0 means none. */
#ifndef INSPECT_FACTS_H
#define INSPECT_FACTS_H

#include "dns/raw.h"
#include "inspect/sts.h"
#include "tls/info.h"

/* One RRset as one server gives it. */
struct facts_set {
    struct str owner;
    uint16_t type; /* NSEC3PARAM comes as opaque */
    enum dns_status status;
    struct str trouble; /* DNS_ERROR: what the server said instead */
    struct str target;  /* of an alias at the owner; records are then those of the target, if it said */
    uint32_t ttl;       /* of the owner's own record: as a change of it has to wait */
    struct dns_record *records;
    size_t n;
    size_t signatures;                /* over these records */
    int64_t inception_ms, expires_ms; /* latest, earliest of them */
};

/* One address of one authoritative server. */
struct facts_server {
    struct str name;
    struct addr at;
    bool is_silent;
    struct str trouble; /* silent: what happened */
    bool has_serial;
    uint32_t serial;
    struct facts_set *sets;
    size_t n;
};

struct facts_zone {
    struct str name; /* p NULL: not found */
    struct dns_answer ds;
    struct facts_server *servers;
    size_t n;
};

/* How far a connection came. X(NAME, "what happened"). First what a dial is that nobody made: what is all
 * zero has proven nothing. */
#define DIAL_TABLE(X)                                                                                        \
    X(NOT_MADE, "no connection was made")                                                                    \
    X(DONE, "STARTTLS works")                                                                                \
    X(CONNECT, "the connection fails")                                                                       \
    X(GREETING, "the greeting is no welcome")                                                                \
    X(HELLO, "EHLO is refused")                                                                              \
    X(NO_STARTTLS, "STARTTLS is not offered")                                                                \
    X(STARTTLS, "STARTTLS is refused")                                                                       \
    X(HANDSHAKE, "the TLS handshake fails")
enum dial_end {
#define X(name, text) DIAL_##name,
    DIAL_TABLE(X)
#undef X
};

enum dial_algorithm { DIAL_ANY, DIAL_ECDSA, DIAL_RSA };

/* One connection to one address of the MX host. */
struct facts_dial {
    struct addr to;
    enum dial_algorithm asked; /* DIAL_ANY: the first; the other algorithm is asked for in a second one */
    enum dial_end end;
    struct str said; /* what the server, the system or the library said */
    /* DONE */
    struct tls_info tls;
    enum dial_algorithm shown; /* of the certificate */
    bool *matched;             /* one for each record of facts.tlsa */
    bool is_named;             /* the certificate names the MX host */
    bool is_trusted;           /* and leads to a known authority */
    int64_t not_after_ms;      /* of the server's own certificate */
    unsigned rcpt;             /* reply to RCPT TO:<postmaster@domain>; 0: not asked */
    struct str rcpt_said;
};

/* A key of the MX host's key set, as the database has it. */
struct facts_key {
    bool is_rsa, is_active, is_next; /* next: published or ready; neither: on its way out */
    uint8_t spki[32];
};

enum { FACTS_ZONES = 2 };

struct facts {
    struct arena *arena;
    struct arena *parts; /* of what was looked at at the same time; see gather.h */
    size_t part_count;
    struct zones *zones, *own_zones;   /* where the zones come from; see zones.h */
    struct zone_met *met[FACTS_ZONES]; /* domain's, MX host's; borrowed from there */
    struct str domain, tenant;
    int64_t now_ms;
    uint16_t port; /* of SMTP */

    /* What the database wants. */
    bool dnssec, dane;
    struct str expected; /* MX host that the domain's MX should name */
    bool is_allocated;   /* the MX host is one of our MX zones */
    bool is_named;       /* the MX host is another's, and was named by hand: so is its DANE, if any */
    struct str mx_zone;  /* allocated: which zone */
    struct str hostname; /* of this installation: a legacy MX host */
    struct addr *edges;  /* where we receive; may be none */
    size_t edge_count;
    struct facts_key *keys; /* published, ready, active, retiring ones */
    size_t key_count;
    int64_t protected_ms, lost_ms; /* last seen protected; seen unprotected since */

    /* What the resolver says; a lookup that was not asked has no qname. */
    struct dns_answer mx, mx_unvalidated; /* the latter only when the former is an error */
    struct dns_answer cname;              /* at the domain itself */
    struct dns_answer a, aaaa;            /* of the expected MX host */
    struct dns_answer tlsa;               /* of the expected MX host */
    struct dns_answer tlsa_at_domain;
    struct dns_answer *other_a, *other_aaaa; /* of MX hosts, parallel to the records of facts_mx */

    /* What each authoritative server says. */
    struct facts_zone
        zone; /* the one the domain is in: SOA, DNSKEY, NSEC3PARAM, MX; TXT of MTA-STS for the switch */
    struct facts_zone host_zone; /* the one the expected MX host is in: SOA, DNSKEY, NSEC3PARAM, A, AAAA,
                                    TLSA, TLSA at _tcp */

    /* What the expected MX host does. */
    bool is_dialled; /* connections were asked for */
    struct facts_dial *dials;
    size_t dial_count;

    struct sts_facts sts;
};

/* The MX RRset: validated, or as it is when it does not validate. */
static inline const struct dns_answer *facts_mx(const struct facts *f)
{
    return f->mx.status == DNS_ERROR && f->mx_unvalidated.qname.p ? &f->mx_unvalidated : &f->mx;
}

/* The set, or NULL when it was not asked there. */
const struct facts_set *facts_set(const struct facts_server *s, struct str owner, uint16_t type);
const char *dial_end_sentence(enum dial_end e);
/* Highest TTL of the MX RRset on any server (the resolver's when no server told), 0 without MX records. */
uint32_t facts_mx_ttl(const struct facts *f);
/* The MTA-STS record's owner, and the highest TTL that it has on a server or in the resolver's cache. */
struct str facts_sts_name(const struct facts *f);
uint32_t facts_sts_ttl(const struct facts *f);
/* The expected MX host's record in it, or NULL. */
const struct dns_record *facts_mx_expected(const struct facts *f);
/* No MX record but the expected one. */
bool facts_mx_is_alone(const struct facts *f);
/* Does the i-th MX record lead to ourselves by another name? */
bool facts_mx_is_legacy(const struct facts *f, size_t i);
/* A connection that worked: TLS, and a matching record where there are usable secure ones. */
bool facts_dial_matches(const struct facts *f, const struct facts_dial *d);
/* What keeps senders that follow MTA-STS from believing the certificate, as in "a certificate that ...";
 * NULL: nothing. */
const char *facts_certificate_fault(const struct facts *f, const struct facts_dial *d);
/* The records of the MX host that senders use: secure and usable; n 0: none. */
size_t facts_tlsa_usable(const struct facts *f);
/* Every sender that validates is led to the expected MX host and to nobody else, and authenticates it. */
bool facts_is_protected(const struct facts *f);
/* The domain is meant to have DANE: it is enabled, or nothing that we do can enable it. */
bool facts_dane_is_wanted(const struct facts *f);
/* Nothing can be said: our resolver fails, not the domain. */
bool facts_is_unknown(const struct facts *f);
/* "ns1.example (192.0.2.53)". */
struct str facts_server_text(struct arena *a, const struct facts_server *s);

#endif
