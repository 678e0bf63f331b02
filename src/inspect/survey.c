#include "inspect/survey.h"

#include "base/base.h"

enum { WINDOW = 2048, WORKERS = 64, TELL_MS = 500 };

/* Items are numbered from 0; number i is at item[i % WINDOW]. taken <= begun <= added <= taken + WINDOW. */
struct survey {
    struct survey_conf conf;
    pthread_mutex_t lock;
    pthread_cond_t work;  /* for the workers: there is more, or no more will come */
    pthread_cond_t found; /* for the survey: an item is done, or a worker ends */
    size_t taken, begun, added, workers;
    bool is_complete; /* no more names */
    bool is_closing;
    struct survey_item item[WINDOW];
};

struct survey *survey_new(const struct survey_conf *conf)
{
    struct survey *s = must_alloc(calloc(1, sizeof *s));
    s->conf = *conf;
    ENSURE(pthread_mutex_init(&s->lock, NULL) == 0);
    thread_cond_init(&s->work);
    thread_cond_init(&s->found);
    return s;
}

static struct survey_item *item_at(struct survey *s, size_t i)
{
    return &s->item[i % WINDOW];
}

static void clear(struct survey_item *i)
{
    json_decref(i->row);
    buf_release(&i->why);
    arena_release(&i->a);
    *i = (struct survey_item){0};
}

void survey_free(struct survey *s)
{
    if (!s)
        return;
    for (size_t i = 0; i < WINDOW; i++)
        clear(&s->item[i]);
    (void)pthread_cond_destroy(&s->work);
    (void)pthread_cond_destroy(&s->found);
    (void)pthread_mutex_destroy(&s->lock);
    free(s);
}

/* Only the survey's own thread moves `added` and `taken`, so their slots are its own. */
void survey_add(struct survey *s, struct str name)
{
    struct survey_item *i = item_at(s, s->added);
    i->name = arena_str(&i->a, name);
    pthread_mutex_lock(&s->lock);
    s->added++;
    (void)pthread_cond_signal(&s->work);
    pthread_mutex_unlock(&s->lock);
}

static bool next_locked(struct survey *s, struct survey_item **out)
{
    while (s->begun == s->added && !s->is_closing)
        (void)thread_cond_wait(&s->work, &s->lock, DEADLINE_NEVER);
    if (s->is_closing || s->conf.is_over(s->conf.ctx))
        return false;
    *out = item_at(s, s->begun++);
    return true;
}

static void work(void *arg)
{
    struct survey *s = arg;
    struct survey_item *i;
    pthread_mutex_lock(&s->lock);
    while (next_locked(s, &i)) {
        pthread_mutex_unlock(&s->lock);
        s->conf.look(s->conf.ctx, i);
        pthread_mutex_lock(&s->lock);
        i->is_done = true;
        (void)pthread_cond_signal(&s->found);
    }
    s->workers--;
    (void)pthread_cond_signal(&s->found);
    pthread_mutex_unlock(&s->lock);
}

/* As many as the system gives, one for each item of a short survey. */
static enum err hire(struct survey *s, size_t wanted)
{
    struct buf why = {0};
    enum err e = OK;
    pthread_mutex_lock(&s->lock);
    while (!e && s->workers < wanted && s->workers < WORKERS) {
        s->workers++;
        pthread_mutex_unlock(&s->lock);
        e = crew_start(s->conf.crew, work, s, &why);
        pthread_mutex_lock(&s->lock);
        s->workers -= e != OK;
    }
    if (s->workers)
        e = OK;
    pthread_mutex_unlock(&s->lock);
    buf_release(&why);
    return e;
}

/* Keeps the window full. */
static enum err fill(struct survey *s)
{
    enum err e = OK;
    while (!e && !s->is_complete && s->added + SURVEY_PAGE <= s->taken + WINDOW) {
        size_t before = s->added;
        e = s->conf.more(s->conf.ctx);
        s->is_complete = s->added == before;
        if (!e)
            e = hire(s, s->added - s->taken);
    }
    return e;
}

/* Waits for a page of items that are done, or the last ones, or for the time to tell. */
static size_t await(struct survey *s, struct survey_item **v)
{
    deadline tell = deadline_in(TELL_MS);
    bool in_time = true;
    size_t n = 0;
    pthread_mutex_lock(&s->lock);
    while (in_time && !s->conf.is_over(s->conf.ctx)) {
        while (n < SURVEY_PAGE && s->taken + n < s->added && item_at(s, s->taken + n)->is_done) {
            v[n] = item_at(s, s->taken + n);
            n++;
        }
        if (n == SURVEY_PAGE || s->taken + n == s->added)
            break;
        in_time = thread_cond_wait(&s->found, &s->lock, tell);
    }
    pthread_mutex_unlock(&s->lock);
    return n;
}

static enum err step(struct survey *s)
{
    struct survey_item *v[SURVEY_PAGE];
    enum err e = fill(s);
    if (e)
        return e;
    size_t n = await(s, v);
    if (s->conf.is_over(s->conf.ctx))
        return OK;
    e = s->conf.take(s->conf.ctx, v, n);
    for (size_t i = 0; i < n; i++)
        clear(v[i]);
    pthread_mutex_lock(&s->lock);
    s->taken += n;
    pthread_mutex_unlock(&s->lock);
    return e;
}

enum err survey_run(struct survey *s)
{
    enum err e = OK;
    while (!e && !s->conf.is_over(s->conf.ctx) && !(s->is_complete && s->taken == s->added))
        e = step(s);
    pthread_mutex_lock(&s->lock);
    s->is_closing = true;
    (void)pthread_cond_broadcast(&s->work);
    while (s->workers)
        (void)thread_cond_wait(&s->found, &s->lock, DEADLINE_NEVER);
    pthread_mutex_unlock(&s->lock);
    return e;
}
