/* kedge-control's side of the private primary: its zones as rows of the database, as if an operator had said
 * "kedge edge-group add" and "kedge zone add". */
#ifndef CMD_AUTHORITY_ROWS_H
#define CMD_AUTHORITY_ROWS_H

#include "conf/conf.h"
#include "tenant/tenant.h"

/* With authority_private: the edge group has at least the addresses of the configuration, every zone of it is
 * there and points to the private primary. Zones that are no longer in the configuration stay. */
enum err authority_rows(const struct conf *conf, struct tenant_store *tenants, struct buf *why) MUST_CHECK;

#endif
