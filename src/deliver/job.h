/* A message under way (delivery) and its parts, one for each next hop (job). */
#ifndef DELIVER_JOB_H
#define DELIVER_JOB_H

#include "deliver/gate.h"
#include "deliver/settings.h"
#include "queue/queue.h"

struct delivery;

enum { JOB_SOON = 2000, JOB_SPREAD = 3000 }; /* ms */

/* How far one recipient is. */
struct job_rcpt {
    size_t index;           /* in the envelope */
    bool decided;           /* by outcome: no other host is tried */
    struct outcome outcome; /* the last one; before any attempt BLAME_US */
    struct str host;        /* whose outcome it is; empty: nobody was reached */
    struct str evidence;    /* what the attempt rested on, a line for the DSN */
    bool needs_clear_text;  /* TLS failed at a host of level none: outcome says so until it is decided */
    bool dsn_passed;        /* the peer speaks DSN: reporting success is its duty now */
};

struct job {
    struct gate_waiter waiter; /* first: a waiter is its job */
    struct job *next;          /* ready list */
    struct delivery *delivery;
    const struct settings *settings; /* those in force when the job began */
    struct arena arena;
    struct str domain; /* of the recipients, normalised, or the literal */
    struct str tenant;
    bool lmtp;
    bool clear_text_allowed;
    struct policy_input input;
    bool planned;
    struct policy_plan plan;
    size_t host, address; /* the next to try */
    unsigned tried;
    struct job_rcpt *rcpt;
    size_t count;
    int64_t started_ms;  /* wall */
    int64_t put_back_ms; /* wall clock; not 0: not attempted, no trace of it in the queue, due again then */
};

struct delivery {
    struct queue_message *m;
    struct arena arena;
    struct job **job; /* one for each next hop */
    size_t count;
    int64_t later_ms; /* when the first of the recipients is due that are not due yet; 0: there are none */
    _Atomic size_t open;
    pthread_mutex_t settling;
};

#endif
