/* A map with a bound: when it is full, what was not used for longest makes room, so that a cache smaller than
 * what is asked of it still serves what is asked often. Owns its values. Not thread-safe: the owner locks. */
#ifndef BASE_LRU_H
#define BASE_LRU_H

#include "base/map.h"

struct lru {
    struct map map;                 /* key -> struct lru_entry */
    struct lru_entry *first, *last; /* used last, used longest ago */
    size_t most;                    /* at least 1 */
    void (*drop)(void *value);      /* frees a value that leaves */
};

void lru_init(struct lru *l, size_t most, void (*drop)(void *value));
void lru_release(struct lru *l);
/* NULL when absent. Borrowed until the next call that changes the map. */
void *lru_get(struct lru *l, struct str key);
/* Sets key to value (not NULL), which is the map's from here on; the value that was there is dropped. */
void lru_put(struct lru *l, struct str key, void *value);
/* Removes; the value is the caller's. NULL when absent. */
void *lru_take(struct lru *l, struct str key);

#endif
