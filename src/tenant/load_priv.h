/* Rows of the database put into the directory, one by one after a change, or all of them. */
#ifndef TENANT_LOAD_PRIV_H
#define TENANT_LOAD_PRIV_H

#include "db/db.h"
#include "directory/write.h"

/* What a change was about: put as it is now, or removed when it is gone. */
enum err load_changed(struct db *db, struct directory_write *w, struct str kind, struct str key1,
                      struct str key2, struct buf *why) MUST_CHECK;
/* Into an emptied directory. */
enum err load_everything(struct db *db, struct directory_write *w, struct buf *why) MUST_CHECK;

#endif
