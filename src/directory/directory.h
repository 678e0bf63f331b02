/*
 * directory: what the data plane knows of tenants, accepted domains, recipients, relay permissions, modes and
 * routes, read from an LMDB environment that control writes (write.h). Look-ups are microseconds at a million
 * domains, there is nothing to load at start, and mail flows for days without control or its database.
 * Changes are seen by the next view.
 *
 * Knows nothing of SQL, sessions or queues. Serving keys live in an environment of their own (keystore.h).
 *
 * All domain names, in and out, are in the form of dns_name_normalise (A-labels, lower case, no trailing
 * dot). Strings in results live in the caller's arena, not in the view. Look-ups in a damaged environment
 * find nothing and say so in the log; they never abort.
 *
 * LMDB, thought through:
 * - Every process opens an environment at most once; control has it open for writing and may read from it
 * too.
 * - Readers need to write the lock file (lock.mdb), or the writer could recycle pages that they read. So all
 * daemons run as one user and the folder must not be on a read-only mount for them; readers open the data
 * file read-only.
 * - Ten thousand sessions must not take ten thousand reader slots: MDB_NOTLS, and a view borrows one of a few
 * pooled transactions for the moment of a look-up. When all are out, directory_begin waits for one: keep
 * views short, never across network I/O, and never two at once in a thread.
 * - The address space of the map is reserved once and large (the file grows by need), so it is never resized.
 * - Slots of readers that crashed are cleared at open and before each write.
 */
#ifndef DIRECTORY_DIRECTORY_H
#define DIRECTORY_DIRECTORY_H

#include "base/base.h"
#include "directory/mode.h"

struct addr;
struct directory;

/* path: the environment's folder (data_directory/directory). Created, empty, when it is missing: its epoch is
 * then 0 until control has filled it for the first time. Thread-safe from here on. NULL with why on failure.
 */
struct directory *directory_open(const char *path, struct buf *why);
void directory_close(struct directory *d); /* accepts NULL; no view may be open */

/* A consistent snapshot. Init with {0}; begin fails only when the environment is damaged or the system
 * refuses. */
struct directory_view {
    struct directory *directory;
    struct store_reader *reader;
};
enum err directory_begin(struct directory *d, struct directory_view *v, struct buf *why) MUST_CHECK;
void directory_end(struct directory_view *v); /* accepts one that is not begun */

/* Grows with each change. 0: never filled, nothing is known about any domain: answer 4xx, not 5xx. */
uint64_t directory_epoch(const struct directory_view *v);

/* Next hop protocol of an accepted domain. */
#define DIR_PROTOCOL_TABLE(X)                                                                                \
    X(DIR_SMTP, "smtp")                                                                                      \
    X(DIR_LMTP, "lmtp")
/* TLS towards a mailbox host: none = taken when offered, unauthenticated; encrypt = required,
 * unauthenticated; verify = required, the certificate must be valid for the host name under the configured CA
 * file. */
#define DIR_TLS_TABLE(X)                                                                                     \
    X(DIR_TLS_NONE, "none")                                                                                  \
    X(DIR_TLS_ENCRYPT, "encrypt")                                                                            \
    X(DIR_TLS_VERIFY, "verify")
/* Which recipients an accepted domain has: any = all of them, list = those of the directory, ask = those that
 * the mailbox host takes when it is asked. */
#define DIR_RECIPIENTS_TABLE(X)                                                                              \
    X(DIR_RECIPIENTS_ANY, "any")                                                                             \
    X(DIR_RECIPIENTS_LIST, "list")                                                                           \
    X(DIR_RECIPIENTS_ASK, "ask")
#define X(name, text) name,
enum dir_protocol { DIR_PROTOCOL_TABLE(X) };
enum dir_tls { DIR_TLS_TABLE(X) };
enum dir_recipients { DIR_RECIPIENTS_TABLE(X) };
#undef X
const char *dir_protocol_name(enum dir_protocol p);
const char *dir_tls_name(enum dir_tls t);
const char *dir_recipients_name(enum dir_recipients r);
/* False when the text names none. */
bool dir_protocol_parse(struct str text, enum dir_protocol *out);
bool dir_tls_parse(struct str text, enum dir_tls *out);
bool dir_recipients_parse(struct str text, enum dir_recipients *out);

struct dir_tenant {
    uint64_t id; /* never 0, never reused */
    struct str name;
};

/* An accepted domain. */
struct dir_domain {
    struct str domain;
    uint64_t tenant_id;
    struct str tenant;  /* its name */
    struct str mx_host; /* empty: the configured host name */
    enum dir_protocol protocol;
    struct str host; /* mailbox host: a name, or an address without brackets */
    uint16_t port;
    enum dir_tls tls;
    enum dir_recipients recipients;
};
bool directory_domain(const struct directory_view *v, struct arena *a, struct str domain,
                      struct dir_domain *out);

/* Is the recipient in the list of its accepted domain? Local parts are compared without ASCII case; pass them
 * unquoted. Meaningful for DIR_RECIPIENTS_LIST only. */
bool directory_recipient(const struct directory_view *v, struct str domain, struct str local_part);

/* Who may relay through us: the longest network that contains the address (an IPv4-mapped IPv6 address counts
 * as IPv4), or the SHA-256 of the client certificate (DER). */
bool directory_relay_by_address(const struct directory_view *v, struct arena *a, const struct addr *peer,
                                struct dir_tenant *out);
bool directory_relay_by_certificate(const struct directory_view *v, struct arena *a, const uint8_t sha256[32],
                                    struct dir_tenant *out);
/* Does any relay go by certificate? */
bool directory_has_certificates(const struct directory_view *v);
/* May the tenant use this domain in MAIL FROM? Its accepted domains and its sender domains. */
bool directory_tenant_may_send_as(const struct directory_view *v, uint64_t tenant_id, struct str domain);
bool directory_tenant(const struct directory_view *v, struct arena *a, uint64_t id, struct dir_tenant *out);
bool directory_tenant_by_name(const struct directory_view *v, struct arena *a, struct str name,
                              struct dir_tenant *out);

/* The mode for mail of a tenant (id 0: no tenant, e.g. our own bounces) to a remote domain: (tenant, domain),
 * (tenant,
 * *), (*, domain), (*, *), else opportunistic. A domain matches exactly, else by its nearest listed parent
 * (".gov.example" covers what is below gov.example, not gov.example itself). A rule whose expiry is over
 * counts as opportunistic and is marked lapsed. Always gives an answer. */
struct dir_mode {
    enum mode mode;
    struct str rule; /* for logs and evidence: "default", or "tenant=acme domain=.gov.example" */
    bool lapsed;
    int64_t expires_ms; /* 0: never */
};
void directory_mode(const struct directory_view *v, struct arena *a, uint64_t tenant_id,
                    struct str remote_domain, struct dir_mode *out);

/* A configured route for a remote domain, found in the same order as a mode. */
struct dir_route {
    struct str host; /* a name, or an address without brackets */
    uint16_t port;
    struct str rule;
};
bool directory_route(const struct directory_view *v, struct arena *a, uint64_t tenant_id,
                     struct str remote_domain, struct dir_route *out);

#endif
