/* Threads over the list of jobs that can run now. Started as they are needed, kept until the end. */
#include "deliver/deliver_priv.h"

bool deliver_is_stopping(struct deliver *d)
{
    return atomic_load(&d->stopping);
}

enum err deliver_thread(struct deliver *d, void (*run)(void *deliver), unsigned *count, struct buf *why)
{
    d->thread = must_alloc(realloc(d->thread, (d->thread_count + 1) * sizeof *d->thread));
    enum err e = thread_start_joinable(run, d, &d->thread[d->thread_count], why);
    if (e != OK)
        return e;
    d->thread_count++;
    ++*count;
    return OK;
}

static void start_worker(struct deliver *d)
{
    struct buf why = {0};
    if (deliver_thread(d, worker_loop, &d->workers, &why) != OK)
        log_event(LOG_WARN, "worker-not-started", LOG_NUM("workers", d->workers),
                  LOG_STR("why", buf_str(&why)));
    buf_release(&why);
}

void worker_ready(struct deliver *d, struct job *job)
{
    const struct settings *s = atomic_load(&d->settings);
    pthread_mutex_lock(&d->mutex);
    job->next = NULL;
    *d->ready_last = job;
    d->ready_last = &job->next;
    d->ready_count++;
    bool wake = d->idle_workers > 0;
    if (d->ready_count > d->idle_workers && d->workers < (unsigned)s->conf->delivery_workers && !d->stopping)
        start_worker(d);
    pthread_mutex_unlock(&d->mutex);
    if (wake)
        pthread_cond_signal(&d->work); /* behind the unlock: who wakes wants the mutex at once */
}

void worker_ready_all(struct deliver *d, struct gate_waiter *list)
{
    while (list) {
        struct gate_waiter *w = list;
        list = w->next;
        w->next = NULL;
        worker_ready(d, (struct job *)w);
    }
}

static struct job *take(struct deliver *d)
{
    pthread_mutex_lock(&d->mutex);
    while (!d->ready && !(d->stopping && !d->dispatching)) {
        d->idle_workers++;
        (void)thread_cond_wait(&d->work, &d->mutex, DEADLINE_NEVER);
        d->idle_workers--;
    }
    struct job *job = d->ready;
    if (job) {
        d->ready = job->next;
        if (!d->ready)
            d->ready_last = &d->ready;
        d->ready_count--;
    } else {
        d->workers--;
        pthread_cond_broadcast(&d->change);
    }
    pthread_mutex_unlock(&d->mutex);
    return job;
}

void worker_loop(void *deliver)
{
    struct deliver *d = deliver;
    for (struct job *job; (job = take(d));)
        attempt_run(d, job);
}
