/* The gate against chance: many worlds, thousands of rollovers, every step judged from the view of every
 * cache that there could be. KEDGE_WORLDS: how many worlds; KEDGE_WORLD: only that one, and its story. */
#define KEDGE_TEST
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "world_faults.h"

enum { WORLDS = 40, ROGUE_WORLDS = 60, TICKS = 12000 };

static int64_t number_from(const char *name, int64_t otherwise)
{
    const char *text = getenv(name);
    return text && *text ? strtoll(text, NULL, 10) : otherwise;
}

static void run_world(struct world *w, uint64_t seed, enum rogue rogue, bool is_told)
{
    world_init(w, seed);
    w->rogue = rogue;
    w->is_told = is_told;
    for (int i = 0; i < TICKS && !w->wrong[0]; i++)
        world_tick(w);
}

static void whatever_happens_every_cache_fits_every_edge(void **state)
{
    (void)state;
    struct world *w = malloc(sizeof *w);
    int64_t only = number_from("KEDGE_WORLD", -1), bad = 0;
    int64_t first = only >= 0 ? only : number_from("KEDGE_FIRST_WORLD", 0);
    int64_t end = first + (only >= 0 ? 1 : number_from("KEDGE_WORLDS", WORLDS));
    uint64_t steps = 0, rolls = 0, restores = 0, accepted = 0, held = 0, checks = 0, emergencies = 0;
    for (int64_t seed = first; seed < end; seed++) {
        run_world(w, (uint64_t)seed, ROGUE_NONE, only >= 0);
        steps += w->steps, rolls += w->rolls, restores += w->restores, accepted += w->accepted,
            held += w->held;
        checks += w->checks, emergencies += w->emergencies;
        if (w->wrong[0] && ++bad <= 10)
            print_error("world %" PRId64 ", second %.2f: %s\n", seed, (double)w->now_ms / 1000, w->wrong);
    }
    print_message("%" PRIu64 " steps, %" PRIu64 " rollovers simulated, %" PRIu64 " emergencies, %" PRIu64
                  " restores, %" PRIu64 " accepted, %" PRIu64 " steps held, %" PRIu64 " views checked\n",
                  steps, rolls, emergencies, restores, accepted, held, checks);
    free(w);
    assert_true(rolls > (uint64_t)(end - first)); /* the worlds live */
    if (bad)
        fail_msg("%" PRId64 " worlds went wrong; KEDGE_WORLD=N tells one's story", bad);
}

/* Of a few worlds at least one sees what a rogue does. */
static void the_judgement_sees_what_is_wrong(void **state)
{
    (void)state;
    static const char *const expected[ROGUES] = {[ROGUE_SERVES_EARLY] = "G",
                                                 [ROGUE_WITHDRAWS_EARLY] = "G",
                                                 [ROGUE_REPLACES] = "G",
                                                 [ROGUE_STARTS] = "G3",
                                                 [ROGUE_TRUSTS_DATABASE] = "G"};
    struct world *w = malloc(sizeof *w);
    for (enum rogue rogue = ROGUE_NONE + 1; rogue < ROGUES; rogue++) {
        int seen = 0;
        for (uint64_t seed = 0; seed < ROGUE_WORLDS && !seen; seed++) {
            run_world(w, seed, rogue, false);
            seen += strncmp(w->wrong, expected[rogue], strlen(expected[rogue])) == 0;
        }
        if (!seen)
            fail_msg("in %d worlds nobody noticed rogue %d", ROGUE_WORLDS, rogue);
        print_message("rogue %d: %s\n", rogue, w->wrong);
    }
    free(w);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(whatever_happens_every_cache_fits_every_edge),
        cmocka_unit_test(the_judgement_sees_what_is_wrong),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
