/* The tables, as migrations. */
#ifndef TENANT_SCHEMA_PRIV_H
#define TENANT_SCHEMA_PRIV_H

#include "db/db.h"

extern const struct db_migration tenant_schema[];
extern const size_t tenant_schema_count;

#endif
