/*
 * ctl: how commands reach a running daemon: JSON objects, one a line, over a Unix socket, with the kernel's
 * word on who calls.
 *
 * A request is {"verb": "...", ...arguments}. The answer is zero or more progress lines and then one last
 * line:
 * {"ok": true, "result": ...} or {"ok": false, "error": "<err name>", "why": "<sentence>"}. One request a
 * connection at a time, many in a row. Knows nothing of any verb. Handlers run on the connection's own
 * thread.
 */
#ifndef CTL_CTL_H
#define CTL_CTL_H

#include <jansson.h>
#include <sys/types.h>

#include "base/clock.h"
#include "base/err.h"

/* SO_PEERCRED of the caller. */
struct ctl_peer {
    uid_t uid;
    gid_t gid;
    pid_t pid;
};

struct ctl_reply; /* of one request; valid until its handler returns */
/* Sends a progress line at once; steals the reference. False: the caller has left, or did not read for a
 * minute. It gets nothing more, the last line included, and whether the work goes on is the handler's choice.
 */
bool ctl_reply_progress(struct ctl_reply *r, json_t *line);
/* Sets the result of the last line (default: null); steals the reference. */
void ctl_reply_result(struct ctl_reply *r, json_t *result);

/* args is the whole request, borrowed. Returning anything but OK makes the last line {"ok":false} with why.
 */
typedef enum err (*ctl_handler)(void *ctx, const struct ctl_peer *peer, json_t *args, struct ctl_reply *reply,
                                struct buf *why);

struct ctl_verb {
    const char *name; /* "domain.add" */
    ctl_handler handle;
    bool read_only; /* anybody who can connect may call it; others: root and the server's own uid */
};

struct ctl_server;
/* Listens on path (an old socket there is removed when nobody answers on it; ERR_BUSY when somebody does).
 * verbs is borrowed for the server's life. */
enum err ctl_server_start(const char *path, mode_t mode, const struct ctl_verb *verbs, size_t count,
                          void *ctx, struct ctl_server **out, struct buf *why) MUST_CHECK;
/* Stops listening, waits for running handlers, removes the socket. Accepts NULL. */
void ctl_server_stop(struct ctl_server *s);

/* One request over a connection of its own. request is borrowed. *result (new reference) is set on OK;
 * progress may be NULL; its lines are borrowed. silence_ms: how long the daemon may say nothing, then
 * ERR_TIMEOUT. ERR_NOT_FOUND or ERR_CLOSED when no daemon listens; the daemon's own error otherwise.
 */
enum err ctl_call(const char *path, json_t *request, void (*progress)(void *ctx, json_t *line), void *ctx,
                  int64_t silence_ms, json_t **result, struct buf *why) MUST_CHECK;

#endif
