#include "zone/keeper_priv.h"

/* A primary signs the updates of its zones one after the other: more at a time would only wait there until
 * they time out. */
enum { LINGER_MS = 10000, SAFETY_MS = 60000, JOBS_OF_PRIMARY = 4 };

struct keeper *keeper_new(const struct keeper_conf *conf)
{
    struct keeper *k = must_alloc(calloc(1, sizeof *k));
    k->conf = *conf;
    pthread_mutex_init(&k->lock, NULL);
    thread_cond_init(&k->changed);
    return k;
}

struct keep_zone *keep_zone_get(struct keeper *k, struct str name)
{
    for (size_t i = 0; i < k->zone_n; i++)
        if (str_equal(str_of(k->zones[i]->name), name))
            return k->zones[i];
    struct keep_zone *z = must_alloc(calloc(1, sizeof *z));
    z->keeper = k;
    z->lingers_ms = DEADLINE_NEVER;
    z->name = str_dup(name);
    k->zones = must_alloc(
        reallocarray(k->zones, k->zone_n + 1, sizeof z)); // NOLINT(bugprone-sizeof-expression): pointers
    k->zones[k->zone_n++] = z;
    return z;
}

static void zone_free(struct keep_zone *z)
{
    json_decref(z->report.refused);
    json_decref(z->report.foreign);
    json_decref(z->report.blocked);
    if (z->has_evidence)
        zone_evidence_release(&z->evidence);
    json_decref(z->hosts);
    keep_versions_release(&z->versions);
    keep_linger_release(&z->lingers);
    zone_snapshot_release(&z->actual);
    arena_release(&z->wanted_arena);
    free(z->name);
    free(z);
}

void keeper_free(struct keeper *k)
{
    if (!k)
        return;
    for (size_t i = 0; i < k->zone_n; i++)
        zone_free(k->zones[i]);
    free(k->zones);
    map_release(&k->served);
    keep_absences_release(&k->absent);
    pthread_cond_destroy(&k->changed);
    pthread_mutex_destroy(&k->lock);
    free(k);
}

/* The publisher. */

/* What the database has is held against what was published last: zones that differ are due, and now and then
 * all of them, for somebody may have had his hands in it. With the lock held, but while it is read. */
static void compare_all(struct keeper *k, bool all)
{
    struct keep_stamps read;
    struct buf why = {0};
    uint64_t news = k->news;
    pthread_mutex_unlock(&k->lock);
    enum err e = keep_stamps_load(k, &read, &why);
    pthread_mutex_lock(&k->lock);
    k->compared = news;
    if (e)
        log_event(LOG_ERROR, "zones-not-read", LOG_STR("why", buf_str(&why)));
    for (size_t i = 0; i < k->zone_n; i++) {
        k->zones[i]->is_there &= e != OK;
        k->zones[i]->is_due |= e != OK; /* its job says what is wrong */
        k->zones[i]->has_news |= e != OK;
    }
    for (size_t i = 0; !e && i < read.n; i++) {
        struct keep_zone *z = keep_zone_get(k, read.rows[i].name);
        bool differs = !read.stamps[i] || read.stamps[i] != z->stamp;
        z->is_there = true;
        z->has_news |= differs;
        z->is_due |= differs || all;
        keep_pace_wanted(&z->pace, read.stamps[i]);
        z->primary = read.rows[i].primary;
    }
    arena_release(&read.arena);
    buf_release(&why);
}

static size_t jobs_of(const struct keeper *k, const struct addr *primary)
{
    size_t n = 0;
    for (size_t i = 0; i < k->zone_n; i++)
        n += k->zones[i]->is_busy && addr_equal_ip(&k->zones[i]->primary, primary) &&
             addr_port(&k->zones[i]->primary) == addr_port(primary);
    return n;
}

/* Starts what is due; a job that ends makes room for the next. Says when the next one will be. With the lock
 * held. */
static deadline start_due(struct keeper *k, deadline next)
{
    size_t first = k->turn;
    for (size_t i = 0; i < k->zone_n; i++) {
        struct keep_zone *z = k->zones[(first + i) % k->zone_n];
        if (!z->is_there || z->is_busy)
            continue;
        deadline at = z->is_due || z->lingers_ms < z->pace.not_before ? z->pace.not_before : z->lingers_ms;
        if (at > clock_mono()) {
            next = at < next ? at : next;
            continue;
        }
        if (jobs_of(k, &z->primary) >= JOBS_OF_PRIMARY)
            continue;
        k->turn = (first + i + 1) % k->zone_n;
        struct buf why = {0};
        z->is_due = z->has_news = false;
        z->is_busy = true;
        keep_pace_begin(&z->pace);
        if (crew_start(k->crew, keep_publish, z, &why)) {
            log_event(LOG_ERROR, "zone-not-published", LOG_TEXT("zone", z->name),
                      LOG_STR("why", buf_str(&why)));
            z->is_busy = false;
            z->is_due = z->has_news = true;
            z->pace.not_before = clock_mono() + SAFETY_MS;
        }
        buf_release(&why);
    }
    return next;
}

static void publisher(void *ctx)
{
    struct keeper *k = ctx;
    deadline compare = clock_mono();
    pthread_mutex_lock(&k->lock);
    while (!k->stop) {
        bool all = deadline_is_over(compare);
        if (all)
            compare = deadline_in(SAFETY_MS);
        if (all || k->news != k->compared)
            compare_all(k, all);
        deadline next = start_due(k, compare);
        if (!k->stop && k->news == k->compared)
            (void)thread_cond_wait(&k->changed, &k->lock, next);
    }
    pthread_mutex_unlock(&k->lock);
}

/* The watcher. */

static void watcher(void *ctx)
{
    struct keeper *k = ctx;
    deadline next = clock_mono();
    pthread_mutex_lock(&k->lock);
    while (!k->stop) {
        if (!k->look && !deadline_is_over(next)) {
            (void)thread_cond_wait(&k->changed, &k->lock, next);
            continue;
        }
        k->look = false;
        pthread_mutex_unlock(&k->lock);
        next = keep_look(k);
        pthread_mutex_lock(&k->lock);
        k->looks++;
        pthread_cond_broadcast(&k->changed);
    }
    pthread_mutex_unlock(&k->lock);
}

void keeper_wake(void *keeper)
{
    struct keeper *k = keeper;
    pthread_mutex_lock(&k->lock);
    k->news++;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
}

/* An edge or an operator has news for the gate. */
static void wake_watcher(void *keeper)
{
    struct keeper *k = keeper;
    pthread_mutex_lock(&k->lock);
    k->look = true;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
}

enum err keeper_start(struct keeper *k, struct tenant_store *store, struct buf *why)
{
    k->store = store;
    k->crew = crew_new(LINGER_MS);
    enum err e = thread_start_joinable(publisher, k, &k->publisher, why);
    if (e)
        return e;
    e = thread_start_joinable(watcher, k, &k->watcher, why);
    k->is_running = !e;
    if (!e) {
        board_set_wake(k->conf.board, wake_watcher, k);
        return OK;
    }
    pthread_mutex_lock(&k->lock);
    k->stop = true;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
    pthread_join(k->publisher, NULL);
    return e;
}

void keeper_stop(struct keeper *k)
{
    board_set_wake(k->conf.board, NULL, NULL);
    pthread_mutex_lock(&k->lock);
    bool running = k->is_running;
    k->stop = true;
    k->is_running = false;
    pthread_cond_broadcast(&k->changed);
    pthread_mutex_unlock(&k->lock);
    if (running) {
        pthread_join(k->publisher, NULL);
        pthread_join(k->watcher, NULL);
    }
    crew_free(k->crew);
    k->crew = NULL;
}
