#include "keys/board.h"

struct edge {
    int64_t mono_ms; /* of the latest confirmation */
    struct board_served *served;
    size_t n;
};

struct posted {
    struct arena a;
    struct board_view view;
};

struct board {
    struct gate_set options;
    pthread_mutex_t *lock; /* its own allocation: readers hold a board that is const */
    pthread_cond_t posted;
    uint64_t posts;
    bool is_closed;
    struct map edges; /* name -> struct edge */
    struct map sets;  /* number -> struct posted */
    void (*wake)(void *ctx);
    void *wake_ctx;
};

struct board *board_new(const struct gate_set *gate)
{
    struct board *b = must_alloc(calloc(1, sizeof *b));
    b->options = *gate;
    b->lock = must_alloc(calloc(1, sizeof(pthread_mutex_t)));
    pthread_mutex_init(b->lock, NULL);
    thread_cond_init(&b->posted);
    return b;
}

static void edge_free(struct edge *e)
{
    if (e)
        free(e->served);
    free(e);
}

static void posted_free(struct posted *p)
{
    if (p)
        arena_release(&p->a);
    free(p);
}

void board_free(struct board *b)
{
    if (!b)
        return;
    struct str key;
    void *value;
    for (size_t at = 0; map_next(&b->edges, &at, &key, &value);)
        edge_free(value);
    for (size_t at = 0; map_next(&b->sets, &at, &key, &value);)
        posted_free(value);
    map_release(&b->edges);
    map_release(&b->sets);
    pthread_cond_destroy(&b->posted);
    pthread_mutex_destroy(b->lock);
    free(b->lock);
    free(b);
}

void board_options(const struct board *b, struct gate_set *set)
{
    set->gap_ms = b->options.gap_ms;
    set->edge_silent_ms = b->options.edge_silent_ms;
    set->signature_ms = b->options.signature_ms;
    set->jump_ms = b->options.jump_ms;
}

void board_set_wake(struct board *b, void (*wake)(void *ctx), void *ctx)
{
    pthread_mutex_lock(b->lock);
    b->wake = wake;
    b->wake_ctx = ctx;
    pthread_mutex_unlock(b->lock);
}

void board_wake(struct board *b)
{
    pthread_mutex_lock(b->lock);
    void (*wake)(void *ctx) = b->wake;
    void *ctx = b->wake_ctx;
    pthread_mutex_unlock(b->lock);
    if (wake)
        wake(ctx);
}

/* Edges. */

static bool same_served(const struct board_served *x, const struct board_served *y)
{
    return x->key_set == y->key_set && x->is.algorithm == y->is.algorithm &&
           memcmp(x->is.spki, y->is.spki, sizeof x->is.spki) == 0 && x->is.has_ta == y->is.has_ta &&
           (!x->is.has_ta || memcmp(x->is.ta, y->is.ta, sizeof x->is.ta) == 0);
}

static bool same_edge(const struct edge *e, const struct board_served *served, size_t n)
{
    bool same = e && e->n == n;
    for (size_t i = 0; same && i < n; i++)
        same = same_served(&e->served[i], &served[i]);
    return same;
}

bool board_confirm(struct board *b, struct str edge, const struct board_served *served, size_t n)
{
    struct edge *e = must_alloc(calloc(1, sizeof *e));
    e->mono_ms = clock_mono();
    e->n = n;
    e->served = must_alloc(calloc(n ? n : 1, sizeof *e->served));
    if (n)
        memcpy(e->served, served, n * sizeof *served);
    pthread_mutex_lock(b->lock);
    struct edge *before = map_put(&b->edges, edge, e);
    bool differs = !same_edge(before, served, n);
    pthread_mutex_unlock(b->lock);
    edge_free(before);
    return differs;
}

void board_forget_edge(struct board *b, struct str edge)
{
    pthread_mutex_lock(b->lock);
    struct edge *e = map_remove(&b->edges, edge);
    pthread_mutex_unlock(b->lock);
    edge_free(e);
}

void board_edge(const struct board *b, struct str edge, int64_t key_set, struct arena *a,
                struct gate_edge *out)
{
    *out = (struct gate_edge){.name = edge, .age_ms = -1};
    pthread_mutex_lock(b->lock);
    const struct edge *e = map_get(&b->edges, edge);
    if (e) {
        struct gate_served *served = ARENA_ARRAY(a, struct gate_served, e->n);
        for (size_t i = 0; i < e->n; i++)
            if (e->served[i].key_set == key_set)
                served[out->nserved++] = e->served[i].is;
        out->served = served;
        out->age_ms = clock_mono() - e->mono_ms;
    }
    pthread_mutex_unlock(b->lock);
}

/* Views. Everything that a view points to is copied with it. */

static void *copy(struct arena *a, const void *from, size_t n, size_t size)
{
    void *to = arena_alloc_array(a, n ? n : 1, size);
    if (n)
        memcpy(to, from, n * size);
    return to;
}

static void view_copy(struct arena *a, const struct board_view *from, struct board_view *to)
{
    *to = *from;
    struct gate_evidence *e = &to->evidence;
    struct gate_server *servers = copy(a, e->server, e->nserver, sizeof *servers);
    for (size_t i = 0; i < e->nserver; i++) {
        servers[i].name = arena_str(a, servers[i].name);
        servers[i].record = copy(a, servers[i].record, servers[i].nrecord, sizeof *servers[i].record);
    }
    struct gate_edge *edges = copy(a, e->edge, e->nedge, sizeof *edges);
    for (size_t i = 0; i < e->nedge; i++) {
        edges[i].name = arena_str(a, edges[i].name);
        edges[i].served = copy(a, edges[i].served, edges[i].nserved, sizeof *edges[i].served);
    }
    e->server = servers;
    e->edge = edges;
    to->out.waiting.subject = arena_str(a, to->out.waiting.subject);
    for (size_t i = 0; i < to->out.nalarm; i++)
        to->out.alarm[i].subject = arena_str(a, to->out.alarm[i].subject);
    for (size_t i = 0; i < to->out.nevent; i++)
        to->out.event[i].subject = arena_str(a, to->out.event[i].subject);
}

static struct str set_key(const int64_t *id)
{
    return str_make((const char *)id, sizeof *id);
}

void board_post(struct board *b, int64_t key_set, const struct board_view *view)
{
    struct posted *p = must_alloc(calloc(1, sizeof *p));
    view_copy(&p->a, view, &p->view);
    pthread_mutex_lock(b->lock);
    struct posted *before = map_put(&b->sets, set_key(&key_set), p);
    b->posts++;
    pthread_cond_broadcast(&b->posted);
    pthread_mutex_unlock(b->lock);
    posted_free(before);
}

bool board_look(const struct board *b, int64_t key_set, struct arena *a, struct board_view *out)
{
    pthread_mutex_lock(b->lock);
    const struct posted *p = map_get(&b->sets, set_key(&key_set));
    if (p)
        view_copy(a, &p->view, out);
    else
        *out = (struct board_view){0};
    pthread_mutex_unlock(b->lock);
    return p != NULL;
}

void board_forget_set(struct board *b, int64_t key_set)
{
    pthread_mutex_lock(b->lock);
    struct posted *p = map_remove(&b->sets, set_key(&key_set));
    pthread_mutex_unlock(b->lock);
    posted_free(p);
}

enum err board_wait(struct board *b, deadline until)
{
    pthread_mutex_lock(b->lock);
    uint64_t now = b->posts;
    bool in_time = true;
    while (in_time && !b->is_closed && b->posts == now)
        in_time = thread_cond_wait(&b->posted, b->lock, until);
    enum err e = b->is_closed ? ERR_STOPPED : b->posts == now ? ERR_TIMEOUT : OK;
    pthread_mutex_unlock(b->lock);
    return e;
}

void board_close(struct board *b)
{
    pthread_mutex_lock(b->lock);
    b->is_closed = true;
    pthread_cond_broadcast(&b->posted);
    pthread_mutex_unlock(b->lock);
}
