/* From the database into the directory and the keystore. */
#ifndef TENANT_SYNC_PRIV_H
#define TENANT_SYNC_PRIV_H

#include "db/db.h"
#include "directory/write.h"

struct sync {
    struct db *db;
    struct directory *directory;
    struct keystore *keystore;
    int64_t opened; /* the epoch of the first run: what changed later is this process's own; 0: none yet */
};

/* Brings both to the database's epoch: by its changes where they are on record, else anew. */
enum err sync_run(struct sync *s, struct buf *why) MUST_CHECK;

#endif
