#include "dns/cache.h"

#include "base/base.h"

enum { KEEP_MOST_S = 2, ASK_MOST = 64 };

struct entry {
    struct arena arena;
    struct dns_answer answer;
    int64_t kept_at, until; /* monotonic ms */
};

/* Two generations: when the young one is full the old one goes, so that memory is bounded without a list. */
struct dns_cache {
    struct dns_source behind;
    size_t most;
    pthread_mutex_t lock; /* of what follows */
    struct map young, old;
    uint64_t cleared; /* how often: an answer asked for before is not kept after */
};

static void drop(struct entry *e)
{
    if (!e)
        return;
    arena_release(&e->arena);
    free(e);
}

static void drop_all(struct map *m)
{
    struct str key;
    void *value;
    for (size_t at = 0; map_next(m, &at, &key, &value);)
        drop(value);
    map_release(m);
}

static struct dns_record copy_record(struct arena *a, const struct dns_record *from)
{
    struct dns_record r = *from;
    switch (r.type) {
    case DNS_A:
    case DNS_AAAA:
        break;
    case DNS_MX:
        r.mx.host = arena_str(a, r.mx.host);
        break;
    case DNS_TLSA:
        r.tlsa.data = arena_str(a, r.tlsa.data);
        break;
    case DNS_CNAME:
    case DNS_NS:
        r.name = arena_str(a, r.name);
        break;
    case DNS_TXT:
        r.txt = arena_str(a, r.txt);
        break;
    case DNS_SOA:
        r.soa.mname = arena_str(a, r.soa.mname);
        r.soa.rname = arena_str(a, r.soa.rname);
        break;
    case DNS_DS:
    case DNS_DNSKEY:
        r.opaque = arena_str(a, r.opaque);
        break;
    }
    return r;
}

static void copy_answer(struct arena *a, const struct dns_answer *from, struct dns_answer *out)
{
    *out = *from;
    out->qname = arena_str(a, from->qname);
    out->ede_text = arena_str(a, from->ede_text);
    out->expanded = arena_str(a, from->expanded);
    out->records = arena_alloc(a, from->n * sizeof *from->records);
    for (size_t i = 0; i < from->n; i++)
        out->records[i] = copy_record(a, &from->records[i]);
}

static struct str key_of(struct arena *a, const struct dns_question *q)
{
    return arena_printf(a, "%u %.*s", (unsigned)q->type, STR_ARG(arena_lower(a, q->name)));
}

static bool find(struct dns_cache *c, struct str key, struct arena *a, struct dns_answer *out)
{
    int64_t now = clock_mono();
    (void)pthread_mutex_lock(&c->lock);
    const struct entry *e = map_get(&c->young, key);
    if (!e)
        e = map_get(&c->old, key);
    bool found = e && now < e->until;
    if (found) {
        copy_answer(a, &e->answer, out);
        out->ttl -= (uint32_t)((now - e->kept_at) / 1000);
    }
    (void)pthread_mutex_unlock(&c->lock);
    return found;
}

static void keep(struct dns_cache *c, struct str key, const struct dns_answer *answer, uint64_t cleared)
{
    if (answer->status == DNS_ERROR || answer->ttl == 0)
        return;
    struct entry *e = must_alloc(calloc(1, sizeof *e));
    copy_answer(&e->arena, answer, &e->answer);
    e->kept_at = clock_mono();
    e->until = e->kept_at + 1000 * (int64_t)(answer->ttl < KEEP_MOST_S ? answer->ttl : KEEP_MOST_S);
    (void)pthread_mutex_lock(&c->lock);
    if (c->cleared == cleared) {
        if (c->young.count >= c->most / 2) {
            drop_all(&c->old);
            c->old = c->young;
            c->young = (struct map){0};
        }
        e = map_put(&c->young, key, e);
    }
    (void)pthread_mutex_unlock(&c->lock);
    drop(e);
}

static void ask_some(struct dns_cache *c, struct arena *a, const struct dns_question *questions, size_t n,
                     deadline until, struct dns_answer *out)
{
    struct dns_question missing[ASK_MOST];
    struct dns_answer fresh[ASK_MOST];
    struct str key[ASK_MOST];
    size_t place[ASK_MOST], count = 0;
    (void)pthread_mutex_lock(&c->lock);
    uint64_t cleared = c->cleared;
    (void)pthread_mutex_unlock(&c->lock);
    for (size_t i = 0; i < n; i++) {
        key[count] = key_of(a, &questions[i]);
        if (find(c, key[count], a, &out[i]))
            continue;
        missing[count] = questions[i];
        place[count++] = i;
    }
    if (count == 0)
        return;
    c->behind.ask(c->behind.ctx, a, missing, count, until, fresh);
    for (size_t k = 0; k < count; k++) {
        out[place[k]] = fresh[k];
        keep(c, key[k], &fresh[k], cleared);
    }
}

static void ask(void *ctx, struct arena *a, const struct dns_question *questions, size_t n, deadline until,
                struct dns_answer *out)
{
    for (size_t at = 0; at < n; at += ASK_MOST)
        ask_some(ctx, a, questions + at, n - at < ASK_MOST ? n - at : ASK_MOST, until, out + at);
}

struct dns_cache *dns_cache_new(const struct dns_source *behind, size_t most)
{
    struct dns_cache *c = must_alloc(calloc(1, sizeof *c));
    c->behind = *behind;
    c->most = most;
    ENSURE(pthread_mutex_init(&c->lock, NULL) == 0);
    return c;
}

void dns_cache_free(struct dns_cache *c)
{
    if (!c)
        return;
    drop_all(&c->young);
    drop_all(&c->old);
    (void)pthread_mutex_destroy(&c->lock);
    free(c);
}

struct dns_source dns_cache_source(struct dns_cache *c)
{
    return (struct dns_source){.ctx = c, .ask = ask};
}

void dns_cache_clear(struct dns_cache *c)
{
    (void)pthread_mutex_lock(&c->lock);
    c->cleared++;
    drop_all(&c->young);
    drop_all(&c->old);
    (void)pthread_mutex_unlock(&c->lock);
}
