#include "base/lru.h"

#include <stdlib.h>

#include "base/die.h"

struct lru_entry {
    struct lru_entry *before, *behind;
    void *value;
    size_t key_n;
    char key[];
};

void lru_init(struct lru *l, size_t most, void (*drop)(void *value))
{
    ENSURE(most);
    *l = (struct lru){.most = most, .drop = drop};
}

static void unlink_entry(struct lru *l, struct lru_entry *e)
{
    *(e->before ? &e->before->behind : &l->first) = e->behind;
    *(e->behind ? &e->behind->before : &l->last) = e->before;
}

static void link_first(struct lru *l, struct lru_entry *e)
{
    e->before = NULL;
    e->behind = l->first;
    *(l->first ? &l->first->before : &l->last) = e;
    l->first = e;
}

static void touch(struct lru *l, struct lru_entry *e)
{
    unlink_entry(l, e);
    link_first(l, e);
}

void *lru_get(struct lru *l, struct str key)
{
    struct lru_entry *e = map_get(&l->map, key);
    if (!e)
        return NULL;
    touch(l, e);
    return e->value;
}

void *lru_take(struct lru *l, struct str key)
{
    struct lru_entry *e = map_remove(&l->map, key);
    if (!e)
        return NULL;
    void *value = e->value;
    unlink_entry(l, e);
    free(e);
    return value;
}

static void drop_last(struct lru *l)
{
    struct lru_entry *e = l->last;
    ENSURE(map_remove(&l->map, str_make(e->key, e->key_n)) == e);
    unlink_entry(l, e);
    l->drop(e->value);
    free(e);
}

void lru_put(struct lru *l, struct str key, void *value)
{
    struct lru_entry *e = map_get(&l->map, key);
    if (e) {
        l->drop(e->value);
        e->value = value;
        touch(l, e);
        return;
    }
    if (l->map.count >= l->most)
        drop_last(l);
    e = must_alloc(malloc(sizeof *e + key.n));
    *e = (struct lru_entry){.value = value, .key_n = key.n};
    if (key.n)
        memcpy(e->key, key.p, key.n);
    link_first(l, e);
    (void)map_put(&l->map, key, e);
}

void lru_release(struct lru *l)
{
    while (l->last)
        drop_last(l);
    map_release(&l->map);
}
