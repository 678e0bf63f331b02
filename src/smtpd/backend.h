/* The outside of a session, for real: the directory, the queue and the journal. */
#ifndef SMTPD_BACKEND_H
#define SMTPD_BACKEND_H

#include "directory/directory.h"
#include "journal/journal.h"
#include "queue/queue.h"
#include "smtpd/judge.h"
#include "smtpd/outside.h"

/* All are kept and outlive the sessions. */
struct smtpd_backend {
    struct judge_args judge;
    struct queue_writer *queue;
    struct journal *journal;
};

/* b is kept. */
void smtpd_backend_outside(struct smtpd_backend *b, struct smtpd_outside *out);

#endif
