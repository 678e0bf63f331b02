/* The thread that acts: a round looks at each rollout that runs or is being undone, and does what is to be
 * done in portions, so that control answers others in between. */
#include "rollout/rollout.h"
#include "rollout/watch.h"
#include "tenant/domain.h"

enum { TICK_MS = 1000, IDLE_MS = 60000, PORTION = 500, WATCHES = 16 };
/* TLS reports come a day after their day, so those about the last waves when all is done. */
#define LATE_MS (3 * 24 * 3600 * (int64_t)1000)

struct rollouts {
    struct rollouts_args args;
    struct tenant_store *store;
    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t change;
    bool woken, stopping;
    pthread_t thread;
    bool has_thread;
    /* the thread's */
    struct rollout_watch watch[WATCHES];
};

/* One rollout in a transaction, and what the thread wants done with it there. */
struct turn {
    struct rollouts *hands;
    struct arena a;
    struct rollout *list; /* those that need a turn */
    size_t n;
    struct rollout *r;
    struct rollout_watch *watch;
    struct rollout_baseline baseline;
    struct rollout_awaited awaited;
    bool on;      /* move: to what */
    size_t moved; /* move: domains */
    bool heard;   /* look: TLS reports told something new */
    enum rollout_state expected;
};

static struct rollout *copy_all(struct arena *a, const struct rollout *from, size_t n)
{
    struct rollout *to = ARENA_ARRAY(a, struct rollout, n ? n : 1);
    for (size_t i = 0; i < n; i++) {
        to[i] = from[i];
        to[i].name = arena_str(a, from[i].name);
        to[i].tag = arena_str(a, from[i].tag);
    }
    return to;
}

static enum err load_active(struct call *c, void *ctx)
{
    struct turn *t = ctx;
    struct rollout *running, *undoing, *done;
    size_t n = 0, m = 0, late = 0;
    enum err e = rollout_load_all(c, STR("running"), &running, &n);
    if (!e)
        e = rollout_load_all(c, STR("undoing"), &undoing, &m);
    if (!e)
        e = rollout_load_all(c, STR("done"), &done, &late);
    if (e)
        return e;
    struct rollout *all = ARENA_ARRAY(c->a, struct rollout, n + m + late + 1);
    memcpy(all, running, n * sizeof *all);
    memcpy(all + n, undoing, m * sizeof *all);
    t->n = n + m;
    for (size_t i = 0; i < late; i++)
        if (done[i].changed_ms > clock_wall() - LATE_MS)
            all[t->n++] = done[i];
    t->list = copy_all(&t->a, all, t->n);
    return OK;
}

/* An operator may have said something meanwhile: then this turn is void. While it is undone, that may be how
 * far. */
static enum err still(struct call *c, const struct turn *t)
{
    struct rollout now;
    enum err e = rollout_load(c, t->r->name, &now);
    if (e)
        return e;
    bool same = now.id == t->r->id && now.state == t->expected;
    if (same && now.state == ROLLOUT_UNDOING)
        same = now.undo_from == t->r->undo_from && now.then == t->r->then;
    return same ? OK : ERR_STOPPED;
}

static enum err save(struct call *c, void *ctx)
{
    const struct turn *t = ctx;
    enum err e = still(c, t);
    return e ? e : rollout_save(c, t->r);
}

/* A domain that cannot be switched leaves nothing behind but the reason. */
static enum err move_one(struct call *c, const struct turn *t, struct str domain)
{
    struct call before = *c;
    bool changed;
    enum err e = db_run(db_query(c->db, "SAVEPOINT one"), NULL, c->why);
    if (e)
        return e;
    c->result = NULL;
    enum err failed = domain_set_dane(c, domain, t->on, &changed);
    if (failed) {
        *c = before;
        e = db_run(db_query(c->db, "ROLLBACK TO one"), NULL, NULL);
    }
    if (!e)
        e = db_run(db_query(c->db, "RELEASE one"), NULL, NULL);
    if (e || (failed && failed != ERR_NOT_FOUND && failed != ERR_REFUSED))
        return e ? e : failed;
    if (!failed && t->on && !changed) { /* an operator was quicker: it is not ours to undo */
        buf_set(c->why, "DANE was on already");
        failed = ERR_EXISTS;
    }
    struct str state = failed ? STR("failed") : t->on ? STR("on") : STR("waiting");
    e = rollout_set_domain(c, t->r, domain, state, failed ? buf_str(c->why) : STR(""));
    buf_clear(c->why);
    return e;
}

static enum err move_portion(struct call *c, void *ctx)
{
    struct turn *t = ctx;
    struct str *names = ARENA_ARRAY(c->a, struct str, PORTION);
    size_t n = PORTION;
    enum err e = still(c, t);
    if (!e && t->on)
        e = rollout_domains(c, t->r, t->r->begun - 1, ROLLOUT_THIS_WAVE, STR("waiting"), names, &n);
    else if (!e)
        e = rollout_domains(c, t->r, t->r->undo_from, ROLLOUT_AND_LATER, STR("on"), names, &n);
    for (size_t i = 0; !e && i < n; i++)
        e = move_one(c, t, names[i]);
    t->moved = n;
    return e;
}

static bool is_stopping(struct rollouts *r)
{
    pthread_mutex_lock(&r->mutex);
    bool stopping = r->stopping;
    pthread_mutex_unlock(&r->mutex);
    return stopping;
}

/* All domains that are to be moved; ERR_STOPPED when an operator came in between. */
static enum err move_all(struct turn *t, bool on, struct buf *why)
{
    enum err e = OK;
    t->on = on;
    do {
        t->moved = 0;
        e = tenant_transact(t->hands->store, TENANT_WRITE, move_portion, t, why);
        if (t->moved && t->hands->args.changed)
            t->hands->args.changed(t->hands->args.changed_ctx);
        if (!e && is_stopping(t->hands))
            e = ERR_STOPPED;
    } while (!e && t->moved == PORTION);
    return e;
}

static void tell(const struct rollout *r, const char *event, size_t wave, enum log_level level)
{
    const struct rollout_wave *w = wave < r->waves ? &r->wave[wave] : &(struct rollout_wave){0};
    log_event(level, event, LOG_STR("rollout", r->name), LOG_NUM("wave", wave + 1), LOG_NUM("of", r->waves),
              LOG_NUM("domains", w->domains), LOG_TEXT("cause", rollout_cause_name(r->cause)),
              LOG_NUM("good", w->now.good), LOG_NUM("bad", w->now.bad),
              LOG_NUM("good_before", w->before.good), LOG_NUM("bad_before", w->before.bad),
              LOG_NUM("bad_probes", w->bad_probes), LOG_NUM("report_good", w->told.now.good),
              LOG_NUM("report_bad", w->told.now.bad), LOG_TEXT("report_by", w->told.organization),
              LOG_TEXT("report_result", w->told.result));
}

static enum err load_baseline(struct call *c, void *ctx)
{
    struct turn *t = ctx;
    return rollout_baseline_load(c, t->r, t->r->begun, str_of(t->hands->args.hostname), &t->baseline);
}

/* What its domains were like before goes down first; then the wave has begun. */
static enum err begin_wave(struct turn *t, struct buf *why)
{
    struct rollout *r = t->r;
    size_t i = r->begun;
    enum err e = tenant_transact(t->hands->store, TENANT_READ, load_baseline, t, why);
    if (!e)
        e = rollout_baseline_read(&t->baseline, t->hands->args.journal, why);
    r->wave[i] = (struct rollout_wave){.domains = r->wave[i].domains, .before = t->baseline.health.count[i]};
    r->begun_ms[i] = clock_wall();
    if (!r->first_ms[i])
        r->first_ms[i] = r->begun_ms[i];
    rollout_health_release(&t->baseline.health);
    if (e)
        return e;
    r->begun++;
    e = tenant_transact(t->hands->store, TENANT_WRITE, save, t, why);
    if (!e)
        tell(r, "rollout-wave", i, LOG_INFO);
    return e;
}

static enum err undo(struct turn *t, struct buf *why)
{
    struct rollout *r = t->r;
    t->expected = ROLLOUT_UNDOING;
    enum err e = move_all(t, false, why);
    if (e)
        return e;
    for (size_t i = r->undo_from; i < r->begun; i++)
        r->wave[i].is_ready = false, r->wave[i].held_ms = 0;
    if (r->begun > r->undo_from)
        r->begun = r->undo_from;
    r->state = r->then;
    e = tenant_transact(t->hands->store, TENANT_WRITE, save, t, why);
    if (!e)
        tell(r, "rollout-undone", r->undo_from, LOG_WARN);
    return e;
}

/* Grows with every report that counts. */
static int64_t sessions_told(const struct rollout *r)
{
    int64_t n = 0;
    for (size_t i = 0; i < r->begun; i++) {
        const struct rollout_told *t = &r->wave[i].told;
        n += t->now.good + t->now.bad + t->before.good + t->before.bad;
    }
    return n;
}

static enum err look(struct call *c, void *ctx)
{
    struct turn *t = ctx;
    int64_t told = sessions_told(t->r);
    enum err e = rollout_watch_load(c, t->r, str_of(t->hands->args.hostname), t->watch);
    if (!e)
        e = rollout_watch_told(c, t->watch, t->r);
    t->heard = sessions_told(t->r) != told;
    if (!e)
        e = rollout_watch_probes(c, t->r);
    return e ? e : rollout_awaited_probe(c, t->r, &t->a, &t->awaited);
}

static struct rollout_watch *watch_for(struct rollouts *hands, int64_t id)
{
    struct rollout_watch *free_one = NULL;
    for (size_t i = 0; i < WATCHES; i++) {
        if (hands->watch[i].id == id)
            return &hands->watch[i];
        if (!hands->watch[i].id)
            free_one = &hands->watch[i];
    }
    if (!free_one) /* so many at once: the first one reads its journal again */
        free_one = &hands->watch[0];
    rollout_watch_release(free_one);
    return free_one;
}

/* The time since the last look counts as held when all was well, and no more of it than a few rounds: who
 * slept saw nothing. */
static void hold(struct turn *t, const struct rollout_decision *d)
{
    int64_t now = clock_mono(), since = now - t->watch->looked_mono, most = 5 * t->hands->args.tick_ms;
    t->watch->looked_mono = now;
    if (d->cause == ROLLOUT_CAUSE_HOLDING)
        t->r->wave[t->r->begun - 1].held_ms += since < most ? since : most;
}

static enum err act(struct turn *t, const struct rollout_decision *d, struct buf *why)
{
    struct rollout *r = t->r;
    bool news = r->cause != d->cause || t->heard;
    if (d->cause == ROLLOUT_CAUSE_PROBES_AWAITED && r->cause != d->cause)
        log_event(LOG_WARN, "rollout-awaits", LOG_STR("rollout", r->name),
                  LOG_STR("mx_host", t->awaited.mx_host), LOG_STR("edge", t->awaited.edge),
                  LOG_STR("why", t->awaited.reason));
    r->cause = d->cause;
    switch (d->what) {
    case ROLLOUT_BEGIN:
        return begin_wave(t, why);
    case ROLLOUT_UNDO:
        tell(r, "rollout-bad", d->from, LOG_ERROR);
        r->state = ROLLOUT_UNDOING;
        r->then = ROLLOUT_HALTED;
        r->undo_from = d->from;
        break;
    case ROLLOUT_FINISH:
        r->state = ROLLOUT_DONE;
        tell(r, "rollout-done", r->waves - 1, LOG_INFO);
        break;
    case ROLLOUT_WAIT:
        hold(t, d);
        if (!news && d->cause != ROLLOUT_CAUSE_HOLDING)
            return OK;
        break;
    }
    enum err e = tenant_transact(t->hands->store, TENANT_WRITE, save, t, why);
    return !e && d->what == ROLLOUT_UNDO ? undo(t, why) : e;
}

static enum err look_at_key_sets(struct call *c, void *ctx)
{
    struct turn *t = ctx;
    return rollout_watch_key_sets(c, t->r, t->watch);
}

/* Which key sets they are may have changed since: that is looked at when it decides, and when one of them
 * may be gone, for nobody would ever look at that. */
static enum err decide(struct turn *t, struct rollout_view *view, struct rollout_decision *d, struct buf *why)
{
    const struct board *board = t->hands->args.board;
    view->gate = rollout_watch_gate(t->watch, board);
    *d = rollout_decide(view);
    if (d->what != ROLLOUT_BEGIN && d->cause != ROLLOUT_CAUSE_GATE_UNSEEN)
        return OK;
    enum err e = tenant_transact(t->hands->store, TENANT_READ, look_at_key_sets, t, why);
    view->gate = rollout_watch_gate(t->watch, board);
    *d = rollout_decide(view);
    return e;
}

static enum err run_one(struct turn *t, struct buf *why)
{
    struct rollout *r = t->r;
    t->expected = ROLLOUT_RUNNING;
    t->watch = watch_for(t->hands, r->id);
    struct rollout_wave *last = r->begun ? &r->wave[r->begun - 1] : NULL;
    enum err e = OK;
    if (last && !last->is_ready && (e = move_all(t, true, why)) == OK)
        last->is_ready = true;
    if (!e)
        e = tenant_transact(t->hands->store, TENANT_READ, look, t, why);
    if (e)
        return e;
    struct rollout_view view = {.rules = r->rules,
                                .waves = r->waves,
                                .begun = r->begun,
                                .wave = r->wave,
                                .is_awaited = t->awaited.mx_host.n > 0};
    struct buf blind = {0};
    view.is_blind = rollout_watch_read(t->watch, t->hands->args.journal, r, &blind) != OK;
    if (view.is_blind && r->cause != ROLLOUT_CAUSE_BLIND)
        log_event(LOG_ERROR, "rollout-blind", LOG_STR("rollout", r->name), LOG_STR("why", buf_str(&blind)));
    buf_release(&blind);
    struct rollout_decision d;
    e = decide(t, &view, &d, why);
    return e ? e : act(t, &d, why);
}

/* All have moved: only what TLS reports still tell of that time can undo it. */
static enum err look_back(struct turn *t, struct buf *why)
{
    t->expected = ROLLOUT_DONE;
    t->watch = watch_for(t->hands, t->r->id);
    enum err e = tenant_transact(t->hands->store, TENANT_READ, look, t, why);
    for (size_t i = 0; !e && i < t->r->begun; i++)
        if (t->r->wave[i].told.is_worse) {
            struct rollout_decision d = {ROLLOUT_UNDO, ROLLOUT_CAUSE_REPORTS, i};
            return act(t, &d, why);
        }
    return e;
}

/* True when there is more to do soon. */
static bool do_round(struct rollouts *hands)
{
    struct turn t = {.hands = hands};
    struct buf why = {0};
    enum err e = tenant_transact(hands->store, TENANT_READ, load_active, &t, &why);
    for (size_t i = 0; i < t.n && !is_stopping(hands); i++) {
        t.r = &t.list[i];
        e = t.r->state == ROLLOUT_UNDOING ? undo(&t, &why)
            : t.r->state == ROLLOUT_DONE  ? look_back(&t, &why)
                                          : run_one(&t, &why);
        if (e && e != ERR_STOPPED && e != ERR_NOT_FOUND)
            log_event(LOG_ERROR, "rollout-failed", LOG_STR("rollout", t.r->name),
                      LOG_STR("why", buf_str(&why)));
        buf_clear(&why);
    }
    bool more = t.n > 0 || e != OK;
    arena_release(&t.a);
    buf_release(&why);
    return more;
}

static void run(void *arg)
{
    struct rollouts *r = arg;
    while (!is_stopping(r)) {
        bool more = do_round(r);
        deadline until = deadline_in(more ? r->args.tick_ms : IDLE_MS);
        pthread_mutex_lock(&r->mutex);
        while (!r->woken && !r->stopping && !deadline_is_over(until))
            (void)thread_cond_wait(&r->change, &r->mutex, until);
        r->woken = false;
        pthread_mutex_unlock(&r->mutex);
    }
}

struct rollouts *rollouts_new(const struct rollouts_args *args)
{
    struct rollouts *r = must_alloc(calloc(1, sizeof *r));
    r->args = *args;
    if (!r->args.tick_ms)
        r->args.tick_ms = TICK_MS;
    ENSURE(pthread_mutex_init(&r->mutex, NULL) == 0);
    thread_cond_init(&r->change);
    return r;
}

enum err rollouts_start(struct rollouts *r, struct tenant_store *store, struct buf *why)
{
    r->store = store;
    enum err e = thread_start_joinable(run, r, &r->thread, why);
    r->has_thread = e == OK;
    return e;
}

static void change(struct rollouts *r, bool *what)
{
    pthread_mutex_lock(&r->mutex);
    *what = true;
    pthread_cond_broadcast(&r->change);
    pthread_mutex_unlock(&r->mutex);
}

void rollouts_wake(struct rollouts *r)
{
    change(r, &r->woken);
}

void rollouts_stop(struct rollouts *r)
{
    change(r, &r->stopping);
    if (r->has_thread)
        (void)pthread_join(r->thread, NULL);
    r->has_thread = false;
}

void rollouts_free(struct rollouts *r)
{
    if (!r)
        return;
    for (size_t i = 0; i < WATCHES; i++)
        rollout_watch_release(&r->watch[i]);
    pthread_cond_destroy(&r->change);
    pthread_mutex_destroy(&r->mutex);
    free(r);
}
