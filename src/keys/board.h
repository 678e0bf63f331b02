/* What is known of the world beside the database, since this process started: what each edge last confirmed,
 * what the gate last saw and said of each key set. Who watches writes it, verbs read it. Thread-safe; memory
 * work only. */
#ifndef KEYS_BOARD_H
#define KEYS_BOARD_H

#include "keys/gate.h"

struct board;
/* gate: the options of every set (gap_ms, edge_silent_ms, signature_ms, jump_ms; the rest is not looked at).
 */
struct board *board_new(const struct gate_set *gate);
void board_free(struct board *b); /* accepts NULL */

/* The options into a set that was just loaded. */
void board_options(const struct board *b, struct gate_set *set);

/* Called by board_wake: somebody changed something that the watcher should look at now. */
void board_set_wake(struct board *b, void (*wake)(void *ctx), void *ctx);
void board_wake(struct board *b);

/* One certificate that an edge serves. */
struct board_served {
    int64_t key_set;
    struct gate_served is;
};
/* Replaces what the edge confirmed before. True when that was something else, or nothing. */
bool board_confirm(struct board *b, struct str edge, const struct board_served *served, size_t n);
void board_forget_edge(struct board *b, struct str edge);
/* The edge as the gate wants it: what it serves of this key set. Memory is the arena's; the name is borrowed.
 */
void board_edge(const struct board *b, struct str edge, int64_t key_set, struct arena *a,
                struct gate_edge *out);

/* What the gate saw and said in its last step. */
struct board_view {
    int64_t stepped_ms; /* wall clock; 0: not yet since this process started */
    struct gate_evidence evidence;
    struct gate_out out;
};
/* Copies all of it. */
void board_post(struct board *b, int64_t key_set, const struct board_view *view);
/* False when there is none. Memory is the arena's. */
bool board_look(const struct board *b, int64_t key_set, struct arena *a, struct board_view *out);
void board_forget_set(struct board *b, int64_t key_set);

/* Waits for the next post, to whatever set. ERR_TIMEOUT, or ERR_STOPPED once board_close was called. */
enum err board_wait(struct board *b, deadline until) MUST_CHECK;
/* Nobody waits from now on. */
void board_close(struct board *b);

#endif
