/* Answers of the last seconds, so that a burst of mail to the same hosts does not ask the same questions a
 * thousand times. A dns_source in front of another one. Keeps data and denials, never errors, no longer than
 * their TTL and no longer than ANSWERS_MOST: a retry asks anew. Thread-safe. */
#ifndef DELIVER_ANSWERS_H
#define DELIVER_ANSWERS_H

#include <pthread.h>

#include "dns/answer.h"

enum { ANSWERS_MOST = 5000, ANSWERS_COUNT = 4096 };

struct answers {
    pthread_mutex_t mutex;
    struct map by_question;
    struct dns_source behind;
};

void answers_init(struct answers *a, const struct dns_source *behind);
void answers_release(struct answers *a);
/* Borrows a. */
struct dns_source answers_source(struct answers *a);
/* An operator wants it asked again. */
void answers_forget(struct answers *a);

#endif
