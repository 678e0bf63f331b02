/* What every verb works with, here and in the modules above: one call in execution, reading of arguments,
 * noting of changes, transactions. */
#ifndef TENANT_CALL_H
#define TENANT_CALL_H

#include "db/db.h"
#include "directory/write.h"
#include "tenant/tenant.h"

/* What a row of the table `change` is about; key1 and key2 are what the directory needs to find it. */
#define CHANGE_TABLE(X)                                                                                      \
    X(CHANGE_TENANT, "tenant")           /* id */                                                            \
    X(CHANGE_DOMAIN, "domain")           /* domain */                                                        \
    X(CHANGE_RECIPIENT, "recipient")     /* domain, local part */                                            \
    X(CHANGE_SENDER, "sender")           /* tenant id, domain */                                             \
    X(CHANGE_NETWORK, "network")         /* network */                                                       \
    X(CHANGE_CERTIFICATE, "certificate") /* SHA-256 in hex */                                                \
    X(CHANGE_MODE, "mode")               /* tenant id, pattern */                                            \
    X(CHANGE_ROUTE, "route")             /* tenant id, pattern */                                            \
    X(CHANGE_KEY, "key")                 /* key set id: what it serves, or that it is gone */                \
    X(CHANGE_KEY_NAME, "key-name")       /* name ("" for the default): which key set serves it */
enum change_kind {
#define X(name, text) name,
    CHANGE_TABLE(X)
#undef X
};
const char *change_name(enum change_kind k);

struct call {
    struct tenant_store *store;
    struct db *db; /* NULL in verbs without a lock: they use tenant_transact */
    struct directory *directory;
    const char *hostname;
    void *context;   /* what the verb's table was opened with */
    struct arena *a; /* of this call */
    json_t *args;
    json_t *result; /* set by the verb */
    struct buf *why;
    bool (*progress)(void *ctx, json_t *line); /* may be NULL: use call_progress */
    void *progress_ctx;
    int64_t epoch;      /* of this call's changes; 0: none yet */
    bool has_key_epoch; /* it is the keystore's, too */
    bool is_stored;     /* there were changes, and they are committed */
    bool *committed;    /* becomes true with the commit, whatever follows; may be NULL */
};

/* Steals the reference. Safe while the database is locked: lines are buffered by the kernel, and a caller who
 * does not read them is given up: false then, and what only tells something may end. */
bool call_progress(struct call *c, json_t *line);

enum tenant_access { TENANT_READ, TENANT_WRITE };
/* For verbs without a lock and for threads of their own: run has the database for itself, in a transaction
 * when it writes, and must not wait for anything outside. c->a ends with it: results go into ctx. After
 * TENANT_WRITE's commit the directory and the keystore follow. Never from inside a verb that holds the lock.
 */
enum err tenant_transact(struct tenant_store *t, enum tenant_access access,
                         enum err (*run)(struct call *c, void *ctx), void *ctx, struct buf *why) MUST_CHECK;

/* Texts of arguments, borrowed from args; empty when missing. */
struct str arg_text(const struct call *c, const char *name);
bool arg_has(const struct call *c, const char *name);
bool arg_is_set(const struct call *c, const char *name); /* true, "true" or "yes" */
/* A text, or a list of texts; what is missing has none. */
size_t arg_count(const struct call *c, const char *name);
struct str arg_at(const struct call *c, const char *name, size_t i);
/* Runs one for each of them and collects what it appends to the result, an array. ERR_USAGE when there is
 * none. */
enum err arg_each(struct call *c, const char *name,
                  enum err (*one)(struct call *c, struct str text)) MUST_CHECK;
/* ERR_USAGE with why when it is missing or empty. */
enum err arg_need(struct call *c, const char *name, struct str *out) MUST_CHECK;
/* Names of domains, normalised. */
enum err name_normal(struct call *c, struct str text, struct str *out) MUST_CHECK;
/* A remote domain in a rule: a name, ".parent" ("*.parent" is the same), or "*". */
enum err pattern_normal(struct call *c, struct str text, struct str *out) MUST_CHECK;
/* "name:25", "192.0.2.1", "[2001:db8::1]:25": a name normalised or an address without brackets. default_port
 * 0: the port must be there. */
enum err host_port(struct call *c, struct str text, uint16_t default_port, struct str *host,
                   uint16_t *port) MUST_CHECK;
/* The opposite, with brackets where an address needs them. */
struct str host_port_text(struct arena *a, struct str host, uint16_t port);

/* ERR_NOT_FOUND with what to do. "*" gives 0 when every is allowed. */
enum tenant_every { TENANT_ONE, TENANT_OR_EVERY };
enum err tenant_id_of(struct call *c, struct str name, enum tenant_every every, int64_t *id) MUST_CHECK;
/* The name; "*" for 0. In the arena. */
struct str tenant_name_of(struct call *c, int64_t id);

/* Notes a change; the first of a call starts a new epoch. key1, key2 may be empty. CHANGE_KEY without a key
 * set writes the whole keystore anew. */
enum err change_note(struct call *c, enum change_kind kind, struct str key1, struct str key2) MUST_CHECK;
struct str id_text(struct arena *a, int64_t id);
/* A number that was never used before. */
enum err new_id(struct call *c, int64_t *id) MUST_CHECK;

json_t *json_of(struct str s);
json_t *json_time(int64_t ms); /* ISO 8601; null for 0 */
/* A line more in an array of what is told to people. */
void json_append_line(json_t *lines, const char *format, ...) __attribute__((format(printf, 2, 3)));
/* What an object says under a name, for such lines; "-" and 0 when it says nothing. */
const char *json_text_at(const json_t *o, const char *name);
long long json_number_at(const json_t *o, const char *name);

#endif
