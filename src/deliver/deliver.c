#include "deliver/deliver_priv.h"

enum { WAITING_MOST = 2000, READY_MOST = 2000, KEEPER_TURN = 500 };

static void thread_ended(struct deliver *d)
{
    pthread_mutex_lock(&d->mutex);
    d->others--;
    pthread_cond_broadcast(&d->change);
    pthread_mutex_unlock(&d->mutex);
}

/* Not more is claimed than can be begun soon; jobs that wait at gates are not counted, so no destination
 * holds this up. */
static void wait_for_room(struct deliver *d)
{
    pthread_mutex_lock(&d->mutex);
    while (d->ready_count > READY_MOST && !d->stopping)
        (void)thread_cond_wait(&d->change, &d->mutex, deadline_in(20));
    pthread_mutex_unlock(&d->mutex);
}

static void dispatch(void *deliver)
{
    struct deliver *d = deliver;
    for (;;) {
        wait_for_room(d);
        struct queue_message *m;
        enum err e = queue_claim(d->parts.queue, DEADLINE_NEVER, &m);
        if (e == OK)
            delivery_start(d, m);
        else if (e != ERR_TIMEOUT)
            break; /* ERR_CLOSED: we stop */
    }
    pthread_mutex_lock(&d->mutex);
    d->dispatching = false; /* workers may go when nothing is ready any more */
    pthread_cond_broadcast(&d->work);
    pthread_mutex_unlock(&d->mutex);
    thread_ended(d);
}

static void close_all(struct deliver *d, struct connection *list)
{
    while (list) {
        struct connection *c = list;
        list = c->next;
        connection_quit(c, d->parts.tls);
        free(c);
    }
}

/* Closes connections that stood idle, and has the resolver prove itself. */
static void keep(void *deliver)
{
    struct deliver *d = deliver;
    int64_t proved = clock_mono();
    while (!deliver_is_stopping(d)) {
        const struct settings *s = atomic_load(&d->settings);
        close_all(d, gates_sweep(&d->gates, false));
        if (clock_mono() - proved >= s->conf->resolver_proof_interval) {
            guard_prove(d);
            proved = clock_mono();
        }
        pthread_mutex_lock(&d->mutex);
        if (!d->stopping)
            (void)thread_cond_wait(&d->change, &d->mutex, deadline_in(KEEPER_TURN));
        pthread_mutex_unlock(&d->mutex);
    }
    thread_ended(d);
}

static void init(struct deliver *d, const struct deliver_parts *parts)
{
    d->parts = *parts;
    atomic_store(&d->settings, settings_new(parts->conf));
    gates_init(&d->gates, (unsigned)parts->conf->max_connections_per_destination, WAITING_MOST);
    live_init(&d->live);
    ENSURE(pthread_mutex_init(&d->mutex, NULL) == 0);
    ENSURE(pthread_mutex_init(&d->judging, NULL) == 0);
    thread_cond_init(&d->work);
    thread_cond_init(&d->change);
    d->ready_last = &d->ready;
}

static void release(struct deliver *d)
{
    close_all(d, gates_sweep(&d->gates, true));
    gates_release(&d->gates);
    live_release(&d->live);
    settings_free(atomic_load(&d->settings));
    free(d->thread);
    pthread_cond_destroy(&d->work);
    pthread_cond_destroy(&d->change);
    pthread_mutex_destroy(&d->mutex);
    pthread_mutex_destroy(&d->judging);
    free(d);
}

static enum err start_threads(struct deliver *d, struct buf *why)
{
    pthread_mutex_lock(&d->mutex);
    enum err e = deliver_thread(d, worker_loop, &d->workers, why);
    if (e == OK)
        e = deliver_thread(d, keep, &d->others, why);
    if (e == OK)
        e = deliver_thread(d, dispatch, &d->others, why);
    d->dispatching = e == OK;
    pthread_mutex_unlock(&d->mutex);
    return e;
}

struct deliver *deliver_start(const struct deliver_parts *parts, struct buf *why)
{
    struct deliver *d = must_alloc(calloc(1, sizeof *d));
    init(d, parts);
    guard_prove(d);
    if (start_threads(d, why) == OK)
        return d;
    deliver_stop(d, 0);
    return NULL;
}

void deliver_reload(struct deliver *d, const struct conf *conf)
{
    struct settings *s = settings_new(conf);
    s->earlier = atomic_load(&d->settings);
    gates_set_limit(&d->gates, (unsigned)conf->max_connections_per_destination);
    atomic_store(&d->settings, s);
}

static bool wait_for_threads(struct deliver *d, deadline until)
{
    while ((d->workers || d->others) && !deadline_is_over(until))
        (void)thread_cond_wait(&d->change, &d->mutex, until);
    return !d->workers && !d->others;
}

void deliver_stop(struct deliver *d, int64_t grace_ms)
{
    queue_stop(d->parts.queue);
    pthread_mutex_lock(&d->mutex);
    d->stopping = true;
    pthread_cond_broadcast(&d->change);
    pthread_mutex_unlock(&d->mutex);
    worker_ready_all(d, gates_evict(&d->gates));
    pthread_mutex_lock(&d->mutex);
    pthread_cond_broadcast(&d->work);
    if (!wait_for_threads(d, deadline_in(grace_ms))) {
        pthread_mutex_unlock(&d->mutex);
        log_event(LOG_WARN, "drain-cut",
                  LOG_TEXT("why", "attempts in flight took too long; they are tried again after the start"));
        live_cut(&d->live);
        pthread_mutex_lock(&d->mutex);
        (void)wait_for_threads(d, DEADLINE_NEVER);
    }
    pthread_mutex_unlock(&d->mutex);
    for (size_t i = 0; i < d->thread_count; i++) /* also what libraries do when a thread ends must be over */
        (void)pthread_join(d->thread[i], NULL);
    release(d);
}

void deliver_wake(struct deliver *d)
{
    gates_wake(&d->gates);
}

json_t *deliver_status(struct deliver *d)
{
    struct gates_count gates;
    gates_counted(&d->gates, &gates);
    pthread_mutex_lock(&d->mutex);
    json_t *out = json_pack("{s:i, s:i, s:I, s:b, s:s}", "workers", (int)d->workers, "idle_workers",
                            (int)d->idle_workers, "ready", (json_int_t)d->ready_count, "resolver_proven",
                            (int)atomic_load(&d->proven), "resolver_why", d->proof_why);
    pthread_mutex_unlock(&d->mutex);
    ENSURE(out);
    const struct {
        const char *name;
        uint64_t value;
    } numbers[] = {
        {"destinations", gates.gates},
        {"resting", gates.resting},
        {"waiting", gates.waiting},
        {"connections_active", gates.active},
        {"connections_idle", gates.idle},
        {"attempts", atomic_load(&d->attempts)},
        {"delivered", atomic_load(&d->delivered)},
        {"deferred", atomic_load(&d->deferred)},
        {"bounced", atomic_load(&d->bounced)},
    };
    for (size_t i = 0; i < sizeof numbers / sizeof *numbers; i++)
        (void)json_object_set_new(out, numbers[i].name, json_integer((json_int_t)numbers[i].value));
    return out;
}
