/* One gate in front of each destination (an address with its port; or a domain whose DNS is being asked): how
 * many may pass at a time, who waits, which connections stand idle behind it, and whether it rests.
 *
 * The limit grows by one for each round of successes and is halved by trouble; a destination that fails twice
 * in a row rests, longer each time. Who finds a gate full waits in line without holding a thread, so a dead
 * destination never slows the others. Thread-safe; nothing here does I/O. */
#ifndef DELIVER_GATE_H
#define DELIVER_GATE_H

#include <pthread.h>

#include "deliver/connection.h"

/* Who waits at a gate: first member of the waiting thing. */
struct gate_waiter {
    struct gate_waiter *next;
    bool granted; /* was in line and has been let in: the next gates_enter takes the place kept for it */
};

struct gate; /* of a key; valid between enter and leave */

struct gates {
    pthread_mutex_t mutex;
    struct map by_key;
    unsigned limit_most, waiting_most;
};

enum { GATE_LIMIT_START = 5, GATE_REST_TEXT = 200 };

enum gate_pass {
    GATE_OPEN,    /* go; then gates_leave */
    GATE_WAIT,    /* the waiter is in line and not the caller's any more */
    GATE_CROWDED, /* too many wait already: come back later */
    GATE_RESTS,   /* the destination rests: see rest */
};

struct gate_rest {
    enum reason reason;
    char text[GATE_REST_TEXT];
};

enum gate_end { GATE_SUCCESS, GATE_NEUTRAL, GATE_TROUBLE };

void gates_init(struct gates *g, unsigned limit_most, unsigned waiting_most);
/* No waiter and no idle connection may be left. */
void gates_release(struct gates *g);
void gates_set_limit(struct gates *g, unsigned limit_most);

/* GATE_OPEN: *gate is set; with a connection_key (may be NULL) *reuse is an idle connection of exactly that
 * key, or NULL, and *surplus one that has to be closed (connection_quit) to keep the number, or NULL.
 * GATE_RESTS fills rest. */
struct gate_entry {
    struct str key;
    struct gate_waiter *waiter;
    const uint8_t *connection_key;
    /* out */
    struct gate *gate;
    struct connection *reuse, *surplus;
    struct gate_rest rest;
};
enum gate_pass gates_enter(struct gates *g, struct gate_entry *e);

/* Leaves; an idle connection (its idle_until set) may stay behind. Returns who is let in now, or is to hear
 * that the destination rests: a list, each to be started again. reason and text say why there is trouble. */
struct gate_waiter *gates_leave(struct gates *g, struct gate *gate, enum gate_end end, enum reason reason,
                                struct str text, struct connection *idle);

/* Takes out the connections whose idle time is over (all: every one) and forgets gates that nobody needs. */
struct connection *gates_sweep(struct gates *g, bool all);
/* Takes out everybody who waits. */
struct gate_waiter *gates_evict(struct gates *g);
/* Ends all rests: an operator wants it tried now. */
void gates_wake(struct gates *g);

struct gates_count {
    size_t gates, resting, waiting, active, idle;
};
void gates_counted(struct gates *g, struct gates_count *out);

#endif
