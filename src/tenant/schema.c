#include "tenant/schema_priv.h"

/* Tenants, domains and rules carry ids that are never used twice, so that nothing old can come to mean
 * something new. tenant_id 0 in rules: every tenant. */
const struct db_migration tenant_schema[] = {
    {1,
     "CREATE TABLE meta (one INTEGER PRIMARY KEY CHECK (one = 1), source TEXT NOT NULL, epoch BIGINT NOT "
     "NULL,"
     " key_epoch BIGINT NOT NULL, last_id BIGINT NOT NULL);"

     "CREATE TABLE tenant (id BIGINT PRIMARY KEY, name TEXT NOT NULL UNIQUE, created_ms BIGINT NOT NULL);"

     "CREATE TABLE sender (tenant_id BIGINT NOT NULL REFERENCES tenant (id), domain TEXT NOT NULL,"
     " PRIMARY KEY (tenant_id, domain));"

     "CREATE TABLE domain (name TEXT PRIMARY KEY, tenant_id BIGINT NOT NULL REFERENCES tenant (id),"
     " mx_host TEXT NOT NULL, protocol TEXT NOT NULL, host TEXT NOT NULL, port INTEGER NOT NULL, tls TEXT "
     "NOT NULL,"
     " recipients TEXT NOT NULL, created_ms BIGINT NOT NULL);"
     "CREATE INDEX domain_by_tenant ON domain (tenant_id, name);"

     "CREATE TABLE recipient (domain TEXT NOT NULL REFERENCES domain (name) ON DELETE CASCADE,"
     " local_part TEXT NOT NULL, created_ms BIGINT NOT NULL, PRIMARY KEY (domain, local_part));"

     "CREATE TABLE relay_network (network TEXT PRIMARY KEY, tenant_id BIGINT NOT NULL REFERENCES tenant (id),"
     " created_ms BIGINT NOT NULL);"

     "CREATE TABLE relay_certificate (sha256 TEXT PRIMARY KEY, tenant_id BIGINT NOT NULL REFERENCES tenant "
     "(id),"
     " subject TEXT NOT NULL, created_ms BIGINT NOT NULL);"

     "CREATE TABLE mode_rule (tenant_id BIGINT NOT NULL, domain TEXT NOT NULL, mode TEXT NOT NULL,"
     " owner TEXT NOT NULL, reason TEXT NOT NULL, expires_ms BIGINT NOT NULL, created_ms BIGINT NOT NULL,"
     " PRIMARY KEY (tenant_id, domain));"

     "CREATE TABLE route (tenant_id BIGINT NOT NULL, domain TEXT NOT NULL, host TEXT NOT NULL, port INTEGER "
     "NOT NULL,"
     " created_ms BIGINT NOT NULL, PRIMARY KEY (tenant_id, domain));"

     "CREATE TABLE key_set (id BIGINT PRIMARY KEY, is_default INTEGER NOT NULL, created_ms BIGINT NOT NULL);"
     "CREATE TABLE key_pair (pair_id BIGINT PRIMARY KEY, key_set_id BIGINT NOT NULL REFERENCES key_set (id) "
     "ON DELETE"
     " CASCADE, chain BLOB NOT NULL, private_key BLOB NOT NULL);"
     "CREATE TABLE key_name (name TEXT PRIMARY KEY, key_set_id BIGINT NOT NULL REFERENCES key_set (id) ON "
     "DELETE"
     " CASCADE);"

     "CREATE TABLE change (epoch BIGINT NOT NULL, kind TEXT NOT NULL, key1 TEXT NOT NULL, key2 TEXT NOT "
     "NULL);"
     "CREATE INDEX change_by_epoch ON change (epoch)"},
};
const size_t tenant_schema_count = sizeof tenant_schema / sizeof *tenant_schema;
