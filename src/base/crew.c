#include "base/crew.h"

#include "base/clock.h"
#include "base/die.h"
#include "base/thread.h"

struct job {
    void (*run)(void *arg);
    void *arg;
    struct job *next;
};

struct crew {
    pthread_mutex_t lock; /* of all that follows */
    pthread_cond_t work;  /* there is a job, or no more will come */
    pthread_cond_t ended; /* a thread ends */
    struct job *first, **last;
    size_t threads;
    size_t waiting; /* threads that wait and have no job in the list yet */
    /* Who ends joins who ended before: joining the last one is joining all of them. */
    pthread_t latest;
    bool has_latest;
    int64_t linger_ms;
    bool closing;
};

/* A thread of the crew and its first job. */
struct hire {
    struct crew *crew;
    struct job job;
};

struct crew *crew_new(int64_t linger_ms)
{
    struct crew *c = must_alloc(calloc(1, sizeof *c));
    c->last = &c->first;
    c->linger_ms = linger_ms;
    ENSURE(pthread_mutex_init(&c->lock, NULL) == 0);
    thread_cond_init(&c->work);
    thread_cond_init(&c->ended);
    return c;
}

/* This thread will end. */
static void leave_locked(struct crew *c)
{
    pthread_t before = c->latest;
    bool has_before = c->has_latest;
    c->latest = pthread_self();
    c->has_latest = true;
    c->waiting--;
    c->threads--;
    (void)pthread_cond_signal(&c->ended);
    (void)pthread_mutex_unlock(&c->lock);
    if (has_before)
        ENSURE(pthread_join(before, NULL) == 0);
}

/* False when it is time to end. */
static bool next_job(struct crew *c, struct job *out)
{
    deadline until = deadline_in(c->linger_ms);
    (void)pthread_mutex_lock(&c->lock);
    c->waiting++;
    bool in_time = true;
    while (!c->first && !c->closing && in_time)
        in_time = thread_cond_wait(&c->work, &c->lock, until);
    struct job *j = c->first;
    if (j) { /* it was counted out of the waiting when the job came, also when the time is up */
        c->first = j->next;
        if (!c->first)
            c->last = &c->first;
        *out = *j;
        free(j);
        (void)pthread_mutex_unlock(&c->lock);
    } else {
        leave_locked(c);
    }
    return j != NULL;
}

static void work(void *arg)
{
    struct hire *h = arg;
    struct crew *c = h->crew;
    struct job job = h->job;
    free(h);
    do
        job.run(job.arg);
    while (next_job(c, &job));
}

static bool hand_over(struct crew *c, void (*run)(void *arg), void *arg)
{
    (void)pthread_mutex_lock(&c->lock);
    bool taken = c->waiting > 0;
    if (taken) {
        struct job *j = must_alloc(malloc(sizeof *j));
        *j = (struct job){.run = run, .arg = arg};
        *c->last = j;
        c->last = &j->next;
        c->waiting--;
        (void)pthread_cond_signal(&c->work);
    } else {
        c->threads++;
    }
    (void)pthread_mutex_unlock(&c->lock);
    return taken;
}

enum err crew_start(struct crew *c, void (*run)(void *arg), void *arg, struct buf *why)
{
    if (hand_over(c, run, arg))
        return OK;
    struct hire *h = must_alloc(malloc(sizeof *h));
    *h = (struct hire){c, {.run = run, .arg = arg}};
    pthread_t ignored;
    enum err e = thread_start_joinable(work, h, &ignored, why);
    if (e) {
        free(h);
        (void)pthread_mutex_lock(&c->lock);
        c->threads--;
        (void)pthread_mutex_unlock(&c->lock);
    }
    return e;
}

void crew_free(struct crew *c)
{
    if (!c)
        return;
    (void)pthread_mutex_lock(&c->lock);
    c->closing = true;
    (void)pthread_cond_broadcast(&c->work);
    while (c->threads)
        (void)pthread_cond_wait(&c->ended, &c->lock);
    (void)pthread_mutex_unlock(&c->lock);
    if (c->has_latest)
        ENSURE(pthread_join(c->latest, NULL) == 0);
    (void)pthread_mutex_destroy(&c->lock);
    (void)pthread_cond_destroy(&c->work);
    (void)pthread_cond_destroy(&c->ended);
    free(c);
}
