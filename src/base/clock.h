/* Time. Monotonic for deadlines, wall clock for what is written down. Tests set both. Milliseconds
 * everywhere. */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Unix time in milliseconds (UTC). */
int64_t clock_wall(void);
/* Monotonic milliseconds from an arbitrary start. */
int64_t clock_mono(void);

/* A point on the monotonic clock, ms; DEADLINE_NEVER waits for ever. Every call that can wait takes one. */
typedef int64_t deadline;
#define DEADLINE_NEVER INT64_MAX
static inline deadline deadline_in(int64_t ms)
{
    return clock_mono() + ms;
}
/* Milliseconds left for poll(2): 0 when over, -1 for never. */
int deadline_poll_ms(deadline d);
static inline bool deadline_is_over(deadline d)
{
    return d != DEADLINE_NEVER && clock_mono() >= d;
}

/* "2026-11-23T20:22:40.123Z"; out needs 25 bytes. */
enum { CLOCK_TEXT = 25 };
void clock_iso(int64_t wall_ms, char out[CLOCK_TEXT]);

/* Tests only: fixes both clocks (monotonic = wall - a constant); 0 gives the real ones back. */
void clock_set_for_test(int64_t wall_ms);

#endif
