#include "base/map.h"

#include <pthread.h>

#include "base/die.h"
#include "base/rand.h"

struct map_slot {
    uint64_t hash;
    char *key; /* NULL: free, or a tombstone when value is &tombstone */
    size_t key_n;
    void *value;
};

static char tombstone;

static uint64_t hash_key[2];

static void make_hash_key(void)
{
    rand_bytes(hash_key, sizeof hash_key);
}

static uint64_t rotl(uint64_t x, int b)
{
    return x << b | x >> (64 - b);
}

static void sip_round(uint64_t v[4])
{
    v[0] += v[1], v[1] = rotl(v[1], 13) ^ v[0], v[0] = rotl(v[0], 32);
    v[2] += v[3], v[3] = rotl(v[3], 16) ^ v[2];
    v[0] += v[3], v[3] = rotl(v[3], 21) ^ v[0];
    v[2] += v[1], v[1] = rotl(v[1], 17) ^ v[2], v[2] = rotl(v[2], 32);
}

/* SipHash-1-3. */
uint64_t map_hash(struct str key)
{
    static pthread_once_t once = PTHREAD_ONCE_INIT;
    (void)pthread_once(&once, make_hash_key);
    uint64_t v[4] = {hash_key[0] ^ 0x736f6d6570736575u, hash_key[1] ^ 0x646f72616e646f6du,
                     hash_key[0] ^ 0x6c7967656e657261u, hash_key[1] ^ 0x7465646279746573u};
    size_t whole = key.n / 8 * 8;
    for (size_t i = 0; i < whole; i += 8) {
        uint64_t word;
        memcpy(&word, key.p + i, 8);
        v[3] ^= word;
        sip_round(v);
        v[0] ^= word;
    }
    uint64_t last = (uint64_t)key.n << 56;
    for (size_t i = whole; i < key.n; i++)
        last |= (uint64_t)(unsigned char)key.p[i] << (8 * (i - whole));
    v[3] ^= last;
    sip_round(v);
    v[0] ^= last;
    v[2] ^= 0xff;
    sip_round(v), sip_round(v), sip_round(v);
    return v[0] ^ v[1] ^ v[2] ^ v[3];
}

void map_release(struct map *m)
{
    for (size_t i = 0; i < m->size; i++)
        free(m->slots[i].key);
    free(m->slots);
    *m = (struct map){0};
}

static struct map_slot *find(const struct map *m, struct str key, uint64_t hash)
{
    if (!m->size)
        return NULL;
    for (size_t i = hash & (m->size - 1);; i = (i + 1) & (m->size - 1)) {
        struct map_slot *s = &m->slots[i];
        if (!s->key && !s->value)
            return NULL;
        if (s->key && s->hash == hash && str_equal((struct str){s->key, s->key_n}, key))
            return s;
    }
}

void *map_get(const struct map *m, struct str key)
{
    struct map_slot *s = find(m, key, map_hash(key));
    return s ? s->value : NULL;
}

static void place(struct map_slot *slots, size_t size, struct map_slot slot)
{
    size_t i = slot.hash & (size - 1);
    while (slots[i].key)
        i = (i + 1) & (size - 1);
    slots[i] = slot;
}

static void rehash(struct map *m)
{
    size_t size = 16;
    while (size < m->count * 2 + 2)
        size *= 2;
    struct map_slot *slots = must_alloc(calloc(size, sizeof *slots));
    for (size_t i = 0; i < m->size; i++)
        if (m->slots[i].key)
            place(slots, size, m->slots[i]);
    free(m->slots);
    *m = (struct map){.slots = slots, .count = m->count, .used = m->count, .size = size};
}

void *map_put(struct map *m, struct str key, void *value)
{
    ENSURE(value);
    uint64_t hash = map_hash(key);
    struct map_slot *s = find(m, key, hash);
    if (s) {
        void *old = s->value;
        s->value = value;
        return old;
    }
    if ((m->used + 1) * 4 > m->size * 3)
        rehash(m);
    place(m->slots, m->size, (struct map_slot){hash, str_dup(key), key.n, value});
    m->count++;
    m->used++; /* may count a reused tombstone twice: only rehashes earlier */
    return NULL;
}

void *map_remove(struct map *m, struct str key)
{
    struct map_slot *s = find(m, key, map_hash(key));
    if (!s)
        return NULL;
    void *value = s->value;
    free(s->key);
    *s = (struct map_slot){.value = &tombstone};
    m->count--;
    return value;
}

bool map_next(const struct map *m, size_t *at, struct str *key, void **value)
{
    while (*at < m->size) {
        const struct map_slot *s = &m->slots[(*at)++];
        if (s->key) {
            *key = (struct str){s->key, s->key_n};
            *value = s->value;
            return true;
        }
    }
    return false;
}
