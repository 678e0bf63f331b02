/* What operators ask of a queue, as requests: {"verb": "queue.list", ...}. Served by deliver on its control
 * socket, and by the command line itself on a queue that no deliver has open. */
#ifndef QUEUE_CONTROL_H
#define QUEUE_CONTROL_H

#include "ctl/ctl.h"
#include "queue/queue.h"

struct queue_control {
    struct queue *queue;
    bool read_only; /* opened by queue_open_readonly */
    /* Upward calls, may be NULL. */
    void (*discarded)(void *ctx, const struct queue_message *m,
                      struct str by); /* for the journal, before it happens */
    void (*retried)(void *ctx);       /* before: destinations that rest are to be tried */
    void *ctx;
};

#define QUEUE_VERB_TABLE(X)                                                                                  \
    X(list, true)   /* domain, tenant, held: filters; a progress line for each message; result {"count"} */  \
    X(show, true)   /* id */                                                                                 \
    X(why, true)    /* id; as show, with reasons explained */                                                \
    X(retry, false) /* id, or domain, or "all": true; result {"count"} */                                    \
    X(hold, false)  /* id */                                                                                 \
    X(release, false) /* id */                                                                               \
    X(remove, false)  /* id */                                                                               \
    X(drain, false)   /* seconds: retries all until the queue is empty; progress lines with {"left"} */

/* Answers a request. line is called with each progress line and steals the reference; false: nobody listens
 * any more, and what only tells something ends. *result is the caller's. by: who asks. */
enum err queue_control(const struct queue_control *c, const char *verb, json_t *args, struct str by,
                       bool (*line)(void *ctx, json_t *), void *line_ctx, json_t **result,
                       struct buf *why) MUST_CHECK;
/* The same for a handler of a control socket; the verb is in args. */
enum err queue_control_serve(const struct queue_control *c, const struct ctl_peer *peer, json_t *args,
                             struct ctl_reply *reply, struct buf *why) MUST_CHECK;

/* A message as JSON; explained: with sentences and advice for its reasons. New reference. */
json_t *queue_describe(const struct queue_message *m, bool explained);

#endif
