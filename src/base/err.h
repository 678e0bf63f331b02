/* Run-time errors of this machine. What a remote party says is not an error but data (struct outcome and its
 * like). A function that can fail returns enum err and puts a sentence for a human into the caller's `struct
 * buf *why` (may be NULL). */
#ifndef BASE_ERR_H
#define BASE_ERR_H

#include "base/buf.h"

#define MUST_CHECK __attribute__((warn_unused_result))

#define ERR_TABLE(X)                                                                                         \
    X(OK, "ok")                                                                                              \
    X(ERR_SYSTEM, "the system refused") /* errno-like; why has its message */                                \
    X(ERR_FULL, "no space left")        /* disk, quota or a limit of ours */                                 \
    X(ERR_TIMEOUT, "timed out")                                                                              \
    X(ERR_CLOSED, "connection closed") /* by the peer, or by us after an earlier error */                    \
    X(ERR_MALFORMED, "malformed")      /* bytes that do not follow their grammar */                          \
    X(ERR_NOT_FOUND, "not found")                                                                            \
    X(ERR_EXISTS, "exists already")                                                                          \
    X(ERR_REFUSED, "refused") /* not allowed, or not in this state */                                        \
    X(ERR_TLS, "TLS failed")                                                                                 \
    X(ERR_BUSY, "in use by another process")                                                                 \
    X(ERR_CORRUPT, "damaged") /* our own stored data fails its checksum */                                   \
    X(ERR_USAGE, "wrong usage")                                                                              \
    X(ERR_STOPPED, "stopping") /* this process is asked to end */

enum err {
#define X(name, text) name,
    ERR_TABLE(X)
#undef X
};

const char *err_text(enum err e);
/* Sets why to "<what>: <strerror(errno)>" and returns ERR_FULL for ENOSPC, EDQUOT and EFBIG, ERR_NOT_FOUND
 * for ENOENT, ERR_TIMEOUT for ETIMEDOUT, ERR_SYSTEM otherwise. Keeps errno. */
enum err err_system(struct buf *why, const char *what_format, ...) __attribute__((format(printf, 2, 3)));

#endif
