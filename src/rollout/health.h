/* From lines of the journal, and from TLS reports, to counts for each wave: which of them are about a domain
 * or an MX host of a rollout, and what they say. Pure but for its own memory. */
#ifndef ROLLOUT_HEALTH_H
#define ROLLOUT_HEALTH_H

#include "report/tlsrpt.h"
#include "rollout/step.h"

/* When a wave began, for reports. They are about whole days, so one counts for the wave when its range ends
 * after the wave began, however late it comes; one that was there when the wave began does not: whoever
 * started it knew. Before is what ended in the time before the wave began for the first time: what a wave
 * that was undone and begins again has done does not become usual. */
struct rollout_times {
    int64_t begun_ms, first_ms, baseline_ms; /* 0: no report counts */
};

/* A row of a TLS report: sessions of one policy that went well, or those that failed in one way. */
struct rollout_row {
    struct str organization, domain, mx_host; /* policy domain; MX host: empty when none was named */
    int64_t end_ms, taken_ms;                 /* of its range; when it came */
    enum tlsrpt_result result;                /* of the bad ones */
    struct rollout_counts counts;
};

struct rollout_teller;

struct rollout_health {
    struct map domain, host;                  /* name -> wave + 1 */
    struct str own;                           /* our own host name: its probes are no senders. Borrowed */
    char from[ROLLOUT_WAVES_MAX][CLOCK_TEXT]; /* of each wave: lines before do not count; empty: none do */
    char to[CLOCK_TEXT];                      /* lines of then and later do not count; empty: all do */
    struct rollout_counts count[ROLLOUT_WAVES_MAX];
    struct rollout_times times[ROLLOUT_WAVES_MAX];
    struct map teller[ROLLOUT_WAVES_MAX]; /* organization -> struct rollout_teller */
};

/* The domain and its MX host (may be empty). */
void rollout_health_add(struct rollout_health *h, struct str domain, struct str host, size_t wave);
/* Counts the wave's lines from then on (wall clock, ms). */
void rollout_health_from(struct rollout_health *h, size_t wave, int64_t ms);
void rollout_health_take(struct rollout_health *h, struct str line);
void rollout_health_row(struct rollout_health *h, const struct rollout_row *row);
/* What the rows so far tell of a wave. Each organization is judged by itself, too: those who check DANE may
 * be few among many who do not. */
void rollout_health_told(const struct rollout_health *h, size_t wave, const struct rollout_rules *rules,
                         struct rollout_told *out);
void rollout_health_release(struct rollout_health *h);

#endif
