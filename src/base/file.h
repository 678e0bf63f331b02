/* Files and directories, durably. The contract is the strict POSIX one: what was not synced, names included,
 * may be gone. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <sys/types.h>

#include "base/err.h"

/* Whole file into out (appended); refuses more than max bytes (ERR_FULL). */
enum err file_read(const char *path, size_t max, struct buf *out, struct buf *why) MUST_CHECK;
/* All bytes at the offset / at the file position, through short writes and EINTR. */
enum err file_write_at(int fd, const void *p, size_t n, off_t at, struct buf *why) MUST_CHECK;
enum err file_write(int fd, const void *p, size_t n, struct buf *why) MUST_CHECK;
/* Atomic and durable replacement: temporary file in the same folder, fsync, rename, folder fsync. The folder
 * may be somebody else's: no link there is followed. */
enum err file_replace(const char *path, struct str content, mode_t mode, struct buf *why) MUST_CHECK;
/* fsync of a folder, so that names in it are durable. */
enum err file_sync_dir(const char *path, struct buf *why) MUST_CHECK;
/* mkdir -p; an existing folder is fine. */
enum err file_make_dirs(const char *path, mode_t mode, struct buf *why) MUST_CHECK;
void file_close(int *fd); /* accepts -1, leaves -1 */

#endif
