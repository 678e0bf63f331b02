/* Key sets and the names that they serve, from the database into the keystore. */
#ifndef TENANT_LOAD_KEY_PRIV_H
#define TENANT_LOAD_KEY_PRIV_H

#include "db/db.h"
#include "directory/write.h"

/* What a change was about, as it is now. kind: of CHANGE_KEY (key: a key set's number) or CHANGE_KEY_NAME
 * (key: a name). */
enum err load_changed_key(struct db *db, struct keystore_write *w, struct str kind, struct str key,
                          struct buf *why) MUST_CHECK;
/* Into an emptied keystore. */
enum err load_all_keys(struct db *db, struct keystore_write *w, struct buf *why) MUST_CHECK;

#endif
