/* The layout of the directory, shared by its reader and its writer. Tables by the first byte of the key:
 *   E                            epoch (u64)
 *   S                            source: the database's identity
 *   t tenant-id                  tenant name
 *   u tenant-name                tenant id (u64)
 *   d domain                     packed struct dir_domain
 *   r domain NUL local-part      empty
 *   s tenant-id domain           empty: sender domain
 *   p family bits octets         tenant id (u64)
 *   l family bits                how many networks have that length (u64)
 *   L family                     the lengths in use, longest first, a byte each
 *   c sha256                     tenant id (u64)
 *   m tenant-id pattern          mode (u8), expiry (u64, ms)
 *   o tenant-id pattern          port (u16), host
 */
#ifndef DIRECTORY_DIRECTORY_PRIV_H
#define DIRECTORY_DIRECTORY_PRIV_H

#include "directory/directory.h"
#include "directory/store_priv.h"
#include "net/prefix.h"

struct directory {
    struct store *store;
};

void key_tenant(struct store_key *k, uint64_t id);
void key_tenant_name(struct store_key *k, struct str name);
void key_domain(struct store_key *k, struct str domain);
void key_recipient(struct store_key *k, struct str domain, struct str local_part);
void key_sender(struct store_key *k, uint64_t tenant_id, struct str domain);
/* a's octets with what is behind `bits` cleared. */
void key_network(struct store_key *k, const struct addr *a, unsigned bits);
void key_lengths(struct store_key *k, const struct addr *a);
void key_length(struct store_key *k, const struct addr *a, unsigned bits);
void key_certificate(struct store_key *k, const uint8_t sha256[32]);
/* table: 'm' or 'o'. */
void key_rule(struct store_key *k, char table, uint64_t tenant_id, struct str pattern);

#endif
