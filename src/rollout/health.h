/* From lines of the journal to counts for each wave: which of them are about a domain or an MX host of a
 * rollout, and what they say. Pure but for its own memory. */
#ifndef ROLLOUT_HEALTH_H
#define ROLLOUT_HEALTH_H

#include "rollout/step.h"

struct rollout_health {
    struct map domain, host;                  /* name -> wave + 1 */
    struct str own;                           /* our own host name: its probes are no senders. Borrowed */
    char from[ROLLOUT_WAVES_MAX][CLOCK_TEXT]; /* of each wave: lines before do not count; empty: none do */
    char to[CLOCK_TEXT];                      /* lines of then and later do not count; empty: all do */
    struct rollout_counts count[ROLLOUT_WAVES_MAX];
};

/* The domain and its MX host (may be empty). */
void rollout_health_add(struct rollout_health *h, struct str domain, struct str host, size_t wave);
/* Counts the wave's lines from then on (wall clock, ms). */
void rollout_health_from(struct rollout_health *h, size_t wave, int64_t ms);
void rollout_health_take(struct rollout_health *h, struct str line);
void rollout_health_release(struct rollout_health *h);

#endif
