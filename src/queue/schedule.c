#include "queue/schedule.h"

#include "queue/store_priv.h"

void schedule_release(struct schedule *s)
{
    free(s->v);
    *s = (struct schedule){0};
}

static bool before(const struct item *a, const struct item *b)
{
    return a->next_ms != b->next_ms ? a->next_ms < b->next_ms : memcmp(a->id, b->id, sizeof a->id) < 0;
}

static void place(struct schedule *s, size_t at, struct item *i)
{
    s->v[at] = i;
    i->heap_at = (uint32_t)at;
}

static void sift_up(struct schedule *s, size_t at, struct item *i)
{
    for (; at && before(i, s->v[(at - 1) / 2]); at = (at - 1) / 2)
        place(s, at, s->v[(at - 1) / 2]);
    place(s, at, i);
}

static void sift_down(struct schedule *s, size_t at, struct item *i)
{
    for (size_t child; (child = 2 * at + 1) < s->n; at = child) {
        if (child + 1 < s->n && before(s->v[child + 1], s->v[child]))
            child++;
        if (!before(s->v[child], i))
            break;
        place(s, at, s->v[child]);
    }
    place(s, at, i);
}

void schedule_add(struct schedule *s, struct item *i)
{
    if (s->n == s->size) {
        s->size = s->size ? 2 * s->size : 64;
        s->v = must_alloc(realloc(s->v, s->size * sizeof(struct item *)));
    }
    sift_up(s, s->n++, i);
}

void schedule_remove(struct schedule *s, struct item *i)
{
    size_t at = i->heap_at;
    ENSURE(at < s->n && s->v[at] == i);
    struct item *last = s->v[--s->n];
    if (last == i)
        return;
    sift_up(s, at, last);
    sift_down(s, last->heap_at, last);
}
