#include "inspect/zones.h"

#include "base/base.h"

struct zones {
    struct crew *crew;
    struct servers_conf conf;
    pthread_mutex_t lock;
    pthread_cond_t seen; /* a zone was looked at */
    struct lru met;      /* name -> struct zone_met, which counts the map as a holder */
};

struct zone_met {
    size_t holders;
    bool is_seen;
    int64_t since_ms;
    struct arena a, *parts; /* one for each server */
    struct facts_zone zone;
};

static void let_go_locked(void *value)
{
    struct zone_met *m = value;
    if (--m->holders)
        return;
    for (size_t i = 0; m->parts && i < m->zone.n; i++)
        arena_release(&m->parts[i]);
    arena_release(&m->a);
    free(m);
}

struct zones *zones_new(struct crew *crew, const struct servers_conf *conf)
{
    struct zones *z = must_alloc(calloc(1, sizeof *z));
    z->crew = crew;
    z->conf = *conf;
    ENSURE(pthread_mutex_init(&z->lock, NULL) == 0);
    thread_cond_init(&z->seen);
    lru_init(&z->met, ZONES_MOST, let_go_locked);
    return z;
}

void zones_free(struct zones *z)
{
    if (!z)
        return;
    lru_release(&z->met);
    (void)pthread_cond_destroy(&z->seen);
    (void)pthread_mutex_destroy(&z->lock);
    free(z);
}

/* One server and what it is asked. */
struct asked {
    struct look *look;
    struct facts_server *server;
    struct arena *a;
};

struct look {
    struct zones *z;
    struct dns_question questions[3];
    size_t running;
    pthread_cond_t done;
};

static void ask_server(void *arg)
{
    struct asked *q = arg;
    struct look *l = q->look;
    servers_ask(q->a, q->server, l->questions, sizeof l->questions / sizeof *l->questions,
                l->z->conf.server_ms);
    pthread_mutex_lock(&l->z->lock);
    if (--l->running == 0)
        pthread_cond_signal(&l->done);
    pthread_mutex_unlock(&l->z->lock);
}

static void look(struct zones *z, struct zone_met *m)
{
    struct str name = m->zone.name;
    struct look l = {
        .z = z,
        .questions = {{name, DNS_SOA}, {name, DNS_DNSKEY}, {name, (enum dns_type)DNS_TYPE_NSEC3PARAM}}};
    servers_find(&m->a, &z->conf, &m->zone);
    size_t n = l.running = m->zone.n;
    m->parts = ARENA_ARRAY(&m->a, struct arena, n + 1);
    struct asked *asked = ARENA_ARRAY(&m->a, struct asked, n + 1);
    thread_cond_init(&l.done);
    for (size_t i = 0; i < n; i++) {
        asked[i] = (struct asked){&l, &m->zone.servers[i], &m->parts[i]};
        if (crew_start(z->crew, ask_server, &asked[i], NULL))
            ask_server(&asked[i]);
    }
    pthread_mutex_lock(&z->lock);
    while (l.running)
        (void)thread_cond_wait(&l.done, &z->lock, DEADLINE_NEVER);
    pthread_mutex_unlock(&z->lock);
    (void)pthread_cond_destroy(&l.done);
}

static bool is_old(const struct zone_met *m)
{
    return m->is_seen && clock_mono() - m->since_ms > ZONES_AGE_MS;
}

struct zone_met *zones_take(struct zones *z, struct str name)
{
    pthread_mutex_lock(&z->lock);
    struct zone_met *m = lru_get(&z->met, name);
    if (m && is_old(m)) {
        let_go_locked(lru_take(&z->met, name));
        m = NULL;
    }
    if (m) {
        m->holders++;
        while (!m->is_seen)
            (void)thread_cond_wait(&z->seen, &z->lock, DEADLINE_NEVER);
        pthread_mutex_unlock(&z->lock);
        return m;
    }
    m = must_alloc(calloc(1, sizeof *m));
    m->holders = 2; /* the map and the caller */
    m->zone.name = arena_str(&m->a, name);
    lru_put(&z->met, name, m);
    pthread_mutex_unlock(&z->lock);
    look(z, m);
    pthread_mutex_lock(&z->lock);
    m->is_seen = true;
    m->since_ms = clock_mono();
    (void)pthread_cond_broadcast(&z->seen);
    pthread_mutex_unlock(&z->lock);
    return m;
}

void zones_give(struct zones *z, struct zone_met *m)
{
    pthread_mutex_lock(&z->lock);
    let_go_locked(m);
    pthread_mutex_unlock(&z->lock);
}

void zones_copy(struct zones *z, struct zone_met *m, struct arena *a, struct facts_zone *out)
{
    *out = m->zone;
    out->servers = ARENA_ARRAY(a, struct facts_server, m->zone.n + 1);
    pthread_mutex_lock(&z->lock);
    memcpy(out->servers, m->zone.servers, m->zone.n * sizeof *out->servers);
    pthread_mutex_unlock(&z->lock);
}

void zones_silent(struct zones *z, struct zone_met *m, const struct facts_server *s)
{
    pthread_mutex_lock(&z->lock);
    for (size_t i = 0; i < m->zone.n; i++) {
        struct facts_server *known = &m->zone.servers[i];
        if (known->is_silent || !addr_equal_ip(&known->at, &s->at))
            continue;
        known->trouble = arena_str(&m->a, s->trouble);
        known->is_silent = true;
    }
    pthread_mutex_unlock(&z->lock);
}
