/* Hash map from bytes to a pointer; keys are copied, hashed with a per-process random key (SipHash-style), so
 * that remote parties cannot choose collisions. Not thread-safe: the owner locks. */
#ifndef BASE_MAP_H
#define BASE_MAP_H

#include <stddef.h>

#include "base/str.h"

struct map {
    struct map_slot *slots;
    size_t count, used, size; /* used counts tombstones too */
};

void map_release(struct map *m);
/* NULL when absent. */
void *map_get(const struct map *m, struct str key);
/* Sets key to value (not NULL); returns the value that was there, or NULL. */
void *map_put(struct map *m, struct str key, void *value);
/* Removes; returns the value, or NULL. */
void *map_remove(struct map *m, struct str key);
/* Walk: start with at = 0; false at the end. The map must not grow meanwhile; removing the current key is
 * allowed. */
bool map_next(const struct map *m, size_t *at, struct str *key, void **value);

/* The keyed hash itself. */
uint64_t map_hash(struct str key);

#endif
