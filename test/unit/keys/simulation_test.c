/* The gate against chance: many worlds, thousands of rollovers, every step judged from the view of every
 * cache that there could be. KEDGE_WORLDS: how many worlds; KEDGE_WORLD: only that one, and its story. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world.h"

enum { WORLDS = 60, TICKS = 12000 };

static int64_t number_from(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoll(text, NULL, 10) : otherwise;
}

static void run_world(struct world *w, uint64_t seed, bool is_told)
{
    world_init(w, seed);
    w->is_told = is_told;
    for (int i = 0; i < TICKS && !w->wrong[0]; i++)
        world_tick(w);
}

static void whatever_happens_every_cache_fits_every_edge(void **state)
{
    (void)state;
    struct world *w = malloc(sizeof *w);
    int64_t only = number_from("KEDGE_WORLD", -1), n = number_from("KEDGE_WORLDS", WORLDS), bad = 0;
    uint64_t steps = 0, rolls = 0, restores = 0, accepted = 0, held = 0, checks = 0, emergencies = 0;
    for (int64_t seed = only >= 0 ? only : 0; seed < (only >= 0 ? only + 1 : n); seed++) {
        run_world(w, (uint64_t)seed, only >= 0);
        steps += w->steps, rolls += w->rolls, restores += w->restores, accepted += w->accepted,
            held += w->held;
        checks += w->checks, emergencies += w->emergencies;
        if (w->wrong[0] && ++bad <= 10)
            print_error("world %" PRId64 ", second %.2f: %s\n", seed, (double)w->now_ms / 1000, w->wrong);
    }
    print_message("%" PRIu64 " steps, %" PRIu64 " keys gone through, %" PRIu64 " emergencies, %" PRIu64
                  " restores, %" PRIu64 " accepted, %" PRIu64 " steps held, %" PRIu64 " views checked\n",
                  steps, rolls, emergencies, restores, accepted, held, checks);
    free(w);
    if (bad)
        fail_msg("%" PRId64 " worlds went wrong; KEDGE_WORLD=N tells one's story", bad);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_every_cache_fits_every_edge),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
