/* What control writes into the directory and the keystore: one transaction for all changes of an epoch.
 * Values are taken as they come (names normalised, tenants existing): the database has checked them. Errors
 * are sticky until commit. */
#ifndef DIRECTORY_WRITE_H
#define DIRECTORY_WRITE_H

#include "directory/directory.h"
#include "directory/keystore.h"
#include "net/prefix.h"

/* For writing and reading; instead of directory_open, in control alone. */
struct directory *directory_open_writable(const char *path, struct buf *why);
struct keystore *keystore_open_writable(const char *path, struct buf *why);

struct directory_write;
/* NULL with why. End it with exactly one of commit and abort. */
struct directory_write *directory_write_begin(struct directory *d, struct buf *why);
/* source: the identity of the database that this epoch counts in, and of this epoch in it. */
enum err directory_write_commit(struct directory_write *w, uint64_t epoch, struct str source,
                                struct buf *why) MUST_CHECK;
void directory_write_abort(struct directory_write *w);
/* Empties everything, for a rebuild inside this transaction. */
void directory_remove_all(struct directory_write *w);
/* Was this directory filled from that database, at that epoch? */
bool directory_source_is(const struct directory_view *v, struct str source);

void directory_put_tenant(struct directory_write *w, uint64_t id, struct str name);
void directory_remove_tenant(struct directory_write *w, uint64_t id);
void directory_put_domain(struct directory_write *w, const struct dir_domain *domain);
void directory_remove_domain(struct directory_write *w, struct str domain);
void directory_put_recipient(struct directory_write *w, struct str domain, struct str local_part);
void directory_remove_recipient(struct directory_write *w, struct str domain, struct str local_part);
void directory_put_sender(struct directory_write *w, uint64_t tenant_id, struct str domain);
void directory_remove_sender(struct directory_write *w, uint64_t tenant_id, struct str domain);
void directory_put_network(struct directory_write *w, const struct net_prefix *network, uint64_t tenant_id);
void directory_remove_network(struct directory_write *w, const struct net_prefix *network);
void directory_put_certificate(struct directory_write *w, const uint8_t sha256[32], uint64_t tenant_id);
void directory_remove_certificate(struct directory_write *w, const uint8_t sha256[32]);

/* Rules: tenant_id 0 is every tenant; domain is a name, a parent with a leading dot, or "*". */
void directory_put_mode(struct directory_write *w, uint64_t tenant_id, struct str domain, enum mode mode,
                        int64_t expires_ms);
void directory_remove_mode(struct directory_write *w, uint64_t tenant_id, struct str domain);
void directory_put_route(struct directory_write *w, uint64_t tenant_id, struct str domain, struct str host,
                         uint16_t port);
void directory_remove_route(struct directory_write *w, uint64_t tenant_id, struct str domain);

struct keystore_write;
struct keystore_write *keystore_write_begin(struct keystore *k, struct buf *why);
enum err keystore_write_commit(struct keystore_write *w, uint64_t epoch, struct str source,
                               struct buf *why) MUST_CHECK;
void keystore_write_abort(struct keystore_write *w);
/* The source of the last commit; until the view ends. */
struct str keystore_source(const struct keystore_view *v);
/* Empties everything, for a rebuild inside this transaction. */
void keystore_remove_all(struct keystore_write *w);
void keystore_put(struct keystore_write *w, const struct tls_identity *identity);
void keystore_remove(struct keystore_write *w, uint64_t key_set);
/* The name ("*." + name for a wildcard) is served by this key set; the empty name: the default. */
void keystore_put_name(struct keystore_write *w, struct str name, uint64_t key_set);
void keystore_remove_name(struct keystore_write *w, struct str name);

#endif
