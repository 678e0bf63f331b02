/* What the parts of deliver share. */
#ifndef DELIVER_DELIVER_PRIV_H
#define DELIVER_DELIVER_PRIV_H

#include <stdatomic.h>

#include "deliver/deliver.h"
#include "deliver/dialog.h"
#include "deliver/fault.h"
#include "deliver/job.h"
#include "mail/dsn.h"

struct deliver {
    struct deliver_parts parts;
    _Atomic(struct settings *) settings;
    struct gates gates;
    struct live live;

    pthread_mutex_t mutex; /* of the following */
    pthread_cond_t work;   /* ready or stopping */
    pthread_cond_t change; /* a worker or the dispatcher ended */
    struct job *ready, **ready_last;
    size_t ready_count;
    unsigned workers, idle_workers;
    unsigned others; /* dispatcher, keeper */
    bool dispatching;
    pthread_t *thread; /* all that were started, to be joined */
    size_t thread_count;
    _Atomic bool stopping; /* set with the mutex, for those who wait; read at will */

    pthread_mutex_t judging; /* of fault */
    struct fault fault;

    _Atomic bool proven;
    int64_t unproven_since; /* wall; keeper only */
    char proof_why[256];    /* under mutex */
    _Atomic uint64_t attempts, delivered, deferred, bounced;
};

/* delivery.c: from a claimed message to jobs, and back to the queue. */
void delivery_start(struct deliver *d, struct queue_message *m);
/* The job has come to its end: every recipient has its outcome, or it is put back. */
void delivery_job_done(struct deliver *d, struct job *job);

/* attempt.c: runs a job as far as it goes: to its end (delivery_job_done was called), or into the line of a
 * gate. */
void attempt_run(struct deliver *d, struct job *job);

/* worker.c */
void worker_ready(struct deliver *d, struct job *job);
/* Waiters that a gate has let in. */
void worker_ready_all(struct deliver *d, struct gate_waiter *list);
void worker_loop(void *deliver);
/* Starts a thread that deliver_stop joins and counts it. Mutex held. */
enum err deliver_thread(struct deliver *d, void (*run)(void *deliver), unsigned *count,
                        struct buf *why) MUST_CHECK;
bool deliver_is_stopping(struct deliver *d);

/* guard.c */
/* May this mail be sent: the resolver has proved that it validates, or the answers do not matter to it. */
bool guard_allows(struct deliver *d, const struct policy_input *in);
/* Gives a plan's trouble the name resolver-fault when the fault is ours. */
void guard_judge(struct deliver *d, const struct policy_input *in, struct policy_plan *plan);
void guard_prove(struct deliver *d);

/* record.c: the evidence of one attempt at one host, into log and journal; the line of evidence for a DSN is
 * returned, in the job's arena. */
struct attempt_record {
    struct job *job;
    const struct policy_host *host;      /* NULL: none was tried */
    const struct addr *to;               /* NULL: the same */
    const struct connection *connection; /* NULL or as far as it came */
    const struct outcome *outcome;       /* of the attempt; of each recipient when results is set */
    const struct outcome *results;       /* NULL, or one for each of rcpt */
    const size_t *rcpt;                  /* indexes into the envelope */
    size_t count;
    int64_t started_ms, ended_ms; /* wall */
};
struct str record_attempt(struct deliver *d, const struct attempt_record *r);

/* bounce.c: notifications into the queue. Recipients of one action share one; `sent` says whether the queue
 * took it. */
struct bounce_rcpt {
    size_t index;  /* in the envelope */
    size_t result; /* the caller's */
    enum dsn_action action;
    const struct job_rcpt *rcpt;
    const char *status;
    int64_t retry_until_ms;
    bool sent;
};
void bounce_send(struct deliver *d, struct queue_message *m, struct bounce_rcpt *rcpt, size_t count);

#endif
