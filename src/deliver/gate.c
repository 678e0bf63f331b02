#include "deliver/gate.h"

enum { REST_AFTER = 2, REST_FIRST = 5000, REST_MOST = 5 * 60 * 1000, REST_DOUBLINGS = 8 };

struct gate {
    char *key;
    unsigned active, limit;
    unsigned good;    /* successes since the limit was changed */
    unsigned trouble; /* in a row */
    int64_t rest_until;
    struct gate_rest rest;
    struct gate_waiter *first, **last; /* in line */
    unsigned waiting;
    struct connection *idle; /* youngest first */
    unsigned idle_count;
};

void gates_init(struct gates *g, unsigned limit_most, unsigned waiting_most)
{
    *g = (struct gates){.limit_most = limit_most, .waiting_most = waiting_most};
    ENSURE(pthread_mutex_init(&g->mutex, NULL) == 0);
}

static void gate_free(struct gate *gate)
{
    ENSURE(!gate->first && !gate->idle && gate->active == 0);
    free(gate->key);
    free(gate);
}

void gates_release(struct gates *g)
{
    struct str key;
    void *gate;
    for (size_t at = 0; map_next(&g->by_key, &at, &key, &gate);)
        gate_free(gate);
    map_release(&g->by_key);
    pthread_mutex_destroy(&g->mutex);
}

void gates_set_limit(struct gates *g, unsigned limit_most)
{
    pthread_mutex_lock(&g->mutex);
    g->limit_most = limit_most;
    pthread_mutex_unlock(&g->mutex);
}

static unsigned at_most(unsigned n, unsigned most)
{
    return n < most ? n : most;
}

static struct gate *find(struct gates *g, struct str key)
{
    struct gate *gate = map_get(&g->by_key, key);
    if (gate)
        return gate;
    gate = must_alloc(calloc(1, sizeof *gate));
    gate->key = str_dup(key);
    gate->limit = at_most(GATE_LIMIT_START, g->limit_most);
    gate->last = &gate->first;
    map_put(&g->by_key, key, gate);
    return gate;
}

static struct connection *take_idle(struct gate *gate, const uint8_t *key)
{
    for (struct connection **at = &gate->idle; *at; at = &(*at)->next) {
        struct connection *c = *at;
        if (key && memcmp(c->key, key, CONNECTION_KEY) != 0)
            continue;
        *at = c->next;
        c->next = NULL;
        gate->idle_count--;
        return c;
    }
    return NULL;
}

static void pass(struct gate *gate, struct gate_entry *e)
{
    e->gate = gate;
    if (!e->connection_key)
        return;
    e->reuse = take_idle(gate, e->connection_key);
    if (!e->reuse && gate->active + gate->idle_count > gate->limit)
        e->surplus = take_idle(gate, NULL);
}

enum gate_pass gates_enter(struct gates *g, struct gate_entry *e)
{
    e->gate = NULL, e->reuse = NULL, e->surplus = NULL;
    enum gate_pass how = GATE_OPEN;
    pthread_mutex_lock(&g->mutex);
    struct gate *gate = find(g, e->key);
    if (e->waiter->granted) {
        e->waiter->granted = false; /* its place was counted when it was let in */
        pass(gate, e);
    } else if (gate->rest_until > clock_mono()) {
        how = GATE_RESTS;
        e->rest = gate->rest;
    } else if (gate->active < gate->limit) {
        gate->active++;
        pass(gate, e);
    } else if (gate->waiting < g->waiting_most) {
        how = GATE_WAIT;
        e->waiter->next = NULL;
        *gate->last = e->waiter;
        gate->last = &e->waiter->next;
        gate->waiting++;
    } else {
        how = GATE_CROWDED;
    }
    pthread_mutex_unlock(&g->mutex);
    return how;
}

static struct gate_waiter *take_all(struct gate *gate)
{
    struct gate_waiter *all = gate->first;
    gate->first = NULL, gate->last = &gate->first, gate->waiting = 0;
    return all;
}

static struct gate_waiter *let_in(struct gate *gate)
{
    struct gate_waiter *in = NULL, **last = &in;
    while (gate->first && gate->active < gate->limit) {
        struct gate_waiter *w = gate->first;
        gate->first = w->next;
        if (!gate->first)
            gate->last = &gate->first;
        gate->waiting--;
        gate->active++;
        w->granted = true;
        w->next = NULL;
        *last = w;
        last = &w->next;
    }
    return in;
}

static void note_success(struct gates *g, struct gate *gate)
{
    gate->trouble = 0;
    if (++gate->good < gate->limit)
        return;
    gate->good = 0;
    gate->limit = at_most(gate->limit + 1, g->limit_most);
}

static void note_trouble(struct gate *gate, enum reason reason, struct str text)
{
    gate->good = 0;
    gate->limit = gate->limit > 1 ? gate->limit / 2 : 1;
    if (++gate->trouble < REST_AFTER)
        return;
    unsigned doublings = at_most(gate->trouble - REST_AFTER, REST_DOUBLINGS);
    int64_t rest = (int64_t)REST_FIRST << doublings;
    gate->rest_until = clock_mono() + (rest < REST_MOST ? rest : REST_MOST);
    gate->rest.reason = reason;
    (void)str_copy(str_sub(text, 0, GATE_REST_TEXT - 1), gate->rest.text, GATE_REST_TEXT);
}

struct gate_waiter *gates_leave(struct gates *g, struct gate *gate, enum gate_end end, enum reason reason,
                                struct str text, struct connection *idle)
{
    pthread_mutex_lock(&g->mutex);
    ENSURE(gate->active > 0);
    gate->active--;
    if (end == GATE_SUCCESS)
        note_success(g, gate);
    else if (end == GATE_TROUBLE)
        note_trouble(gate, reason, text);
    if (idle) {
        idle->next = gate->idle;
        gate->idle = idle;
        gate->idle_count++;
    }
    struct gate_waiter *go = gate->rest_until > clock_mono() ? take_all(gate) : let_in(gate);
    pthread_mutex_unlock(&g->mutex);
    return go;
}

static void sweep_idle(struct gate *gate, bool all, int64_t now, struct connection **out)
{
    for (struct connection **at = &gate->idle; *at;) {
        struct connection *c = *at;
        if (!all && c->idle_until > now) {
            at = &c->next;
            continue;
        }
        *at = c->next;
        gate->idle_count--;
        c->next = *out;
        *out = c;
    }
}

/* Forgotten is what does nothing and whose trouble is long over. */
static bool is_needless(const struct gate *gate, int64_t now)
{
    bool trouble_counts = gate->trouble > 0 && gate->rest_until + REST_MOST > now;
    return gate->active == 0 && !gate->first && !gate->idle && !trouble_counts;
}

struct connection *gates_sweep(struct gates *g, bool all)
{
    struct connection *out = NULL;
    int64_t now = clock_mono();
    struct str key;
    void *value;
    pthread_mutex_lock(&g->mutex);
    for (size_t at = 0; map_next(&g->by_key, &at, &key, &value);) {
        struct gate *gate = value;
        sweep_idle(gate, all, now, &out);
        if (!is_needless(gate, now))
            continue;
        map_remove(&g->by_key, str_of(gate->key));
        gate_free(gate);
    }
    pthread_mutex_unlock(&g->mutex);
    return out;
}

struct gate_waiter *gates_evict(struct gates *g)
{
    struct gate_waiter *out = NULL, **last = &out;
    struct str key;
    void *gate;
    pthread_mutex_lock(&g->mutex);
    for (size_t at = 0; map_next(&g->by_key, &at, &key, &gate);) {
        *last = take_all(gate);
        while (*last)
            last = &(*last)->next;
    }
    pthread_mutex_unlock(&g->mutex);
    return out;
}

void gates_wake(struct gates *g)
{
    struct str key;
    void *gate;
    pthread_mutex_lock(&g->mutex);
    for (size_t at = 0; map_next(&g->by_key, &at, &key, &gate);)
        ((struct gate *)gate)->rest_until = 0;
    pthread_mutex_unlock(&g->mutex);
}

void gates_counted(struct gates *g, struct gates_count *out)
{
    *out = (struct gates_count){0};
    int64_t now = clock_mono();
    struct str key;
    void *value;
    pthread_mutex_lock(&g->mutex);
    for (size_t at = 0; map_next(&g->by_key, &at, &key, &value);) {
        const struct gate *gate = value;
        out->gates++;
        out->resting += gate->rest_until > now;
        out->waiting += gate->waiting;
        out->active += gate->active;
        out->idle += gate->idle_count;
    }
    pthread_mutex_unlock(&g->mutex);
}
